"""Addresses at which functions answer HTTP."""

from __future__ import annotations

from conformance.recipe import Given, Params, Recipe, alone
from conformance.recipes.resources import ALIASES, marker, own_published, published
from conformance.wire import Answer
from conformance.world import World

_CORS = {
    "AllowCredentials": True,
    "AllowHeaders": ["x-custom"],
    "AllowMethods": ["GET"],
    "AllowOrigins": ["https://www.example.com"],
    "ExposeHeaders": ["date"],
    "MaxAge": 60,
}
_SETTINGS = (Given("Cors", _CORS), Given("InvokeMode", "RESPONSE_STREAM"))


def _delete(world: World, params: Params, answer: Answer) -> None:
    qualifier = {"Qualifier": params["Qualifier"]} if "Qualifier" in params else {}
    world.call("DeleteFunctionUrlConfig", FunctionName=params["FunctionName"], **qualifier)


def _create(world: World, **qualifier: str) -> str:
    """A function of this thread that has an address already."""
    name = own_published(world, "own with addresses")
    key = f"url {qualifier}"
    world.own(key, None, lambda: world.call("CreateFunctionUrlConfig", FunctionName=name, AuthType="NONE", **qualifier))
    return name


def _used_up(world: World, params: Params, answer: Answer) -> None:
    qualifier = {"Qualifier": params["Qualifier"]} if "Qualifier" in params else {}
    world.spoil(f"url {qualifier}")


def _delete_own(world: World, params: Params, answer: Answer) -> None:
    _delete(world, params, answer)
    _used_up(world, params, answer)


def _addresses(world: World) -> Params:
    """A function with an address, and one for each of its aliases."""
    name = published(world)

    def create() -> None:
        world.call("CreateFunctionUrlConfig", FunctionName=name, AuthType="NONE")
        for alias in ALIASES:
            world.call("CreateFunctionUrlConfig", FunctionName=name, AuthType="NONE", Qualifier=alias)

    world.shared("addresses", None, create)
    return {"FunctionName": name}


_QUALIFIED = alone("Qualifier", "live", beside={"FunctionName": lambda world: _create(world, Qualifier="live")})
_NOT_ECHOED = frozenset({"FunctionName"})

RECIPES = [
    Recipe(
        "CreateFunctionUrlConfig",
        base=lambda world: {"FunctionName": own_published(world), "AuthType": "NONE"},
        undo=_delete,
        given=(*_SETTINGS, Given("Qualifier", "next")),
        not_echoed=_NOT_ECHOED,
    ),
    Recipe("GetFunctionUrlConfig", base=_addresses, given=(Given("Qualifier", "live"),)),
    Recipe(
        "UpdateFunctionUrlConfig",
        base=lambda world: {"FunctionName": _create(world)},
        undo=_delete_own,
        given=(*_SETTINGS, Given("AuthType", "AWS_IAM"), _QUALIFIED),
        not_echoed=_NOT_ECHOED,
    ),
    Recipe(
        "DeleteFunctionUrlConfig",
        base=lambda world: {"FunctionName": _create(world)},
        undo=_used_up,
        given=(_QUALIFIED,),
    ),
    Recipe(
        "ListFunctionUrlConfigs",
        base=_addresses,
        given=(
            Given("MaxItems", 2),
            Given("Marker", lambda world: marker(world, "ListFunctionUrlConfigs", **_addresses(world))),
        ),
        pages=_addresses,
    ),
]
