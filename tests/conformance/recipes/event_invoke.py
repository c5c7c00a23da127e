"""How events are tried again, for how long, and where what became of them goes."""

from __future__ import annotations

from conformance.recipe import Given, Params, Recipe, alone
from conformance.recipes.resources import marker, own_published, published
from conformance.values import QUEUE, arn
from conformance.wire import Answer
from conformance.world import World

# Something must be said: a configuration of nothing is refused.
_LEAST = {"MaximumRetryAttempts": 1}
_DESTINATIONS = {"OnSuccess": {"Destination": QUEUE}, "OnFailure": {"Destination": arn("sns", "conformance")}}
_QUALIFIERS = ("$LATEST", "1", "live")


def _own(world: World) -> Params:
    return {"FunctionName": own_published(world), **_LEAST}


def _delete(world: World, params: Params, answer: Answer) -> None:
    qualifier = {"Qualifier": params["Qualifier"]} if "Qualifier" in params else {}
    world.call("DeleteFunctionEventInvokeConfig", FunctionName=params["FunctionName"], **qualifier)


def _put(world: World, **qualifier: str) -> str:
    """The configuration of this thread's function is there already."""
    name = own_published(world)
    world.fresh(None, lambda: world.call("PutFunctionEventInvokeConfig", FunctionName=name, **_LEAST, **qualifier))
    return name


def _configured(world: World) -> Params:
    """A function with three configurations."""
    name = published(world)

    def put() -> None:
        for qualifier in _QUALIFIERS:
            world.call("PutFunctionEventInvokeConfig", FunctionName=name, Qualifier=qualifier, **_LEAST)

    world.shared("event invoke configurations", None, put)
    return {"FunctionName": name}


_SETTINGS = (
    Given("MaximumRetryAttempts", 2),
    Given("MaximumEventAgeInSeconds", 3600),
    Given("DestinationConfig", _DESTINATIONS),
)
_QUALIFIED = alone("Qualifier", "live", beside={"FunctionName": lambda world: _put(world, Qualifier="live")})
_NOT_ECHOED = frozenset({"FunctionName"})

RECIPES = [
    Recipe(
        "PutFunctionEventInvokeConfig",
        base=_own,
        undo=_delete,
        given=(*_SETTINGS, Given("Qualifier", "live")),
        not_echoed=_NOT_ECHOED,
    ),
    Recipe(
        "UpdateFunctionEventInvokeConfig",
        base=lambda world: {"FunctionName": _put(world), **_LEAST},
        undo=_delete,
        given=(*_SETTINGS, _QUALIFIED),
        not_echoed=_NOT_ECHOED,
    ),
    Recipe("GetFunctionEventInvokeConfig", base=_configured, given=(Given("Qualifier", "live"),)),
    Recipe("DeleteFunctionEventInvokeConfig", base=lambda world: {"FunctionName": _put(world)}, given=(_QUALIFIED,)),
    Recipe(
        "ListFunctionEventInvokeConfigs",
        base=_configured,
        given=(
            Given("MaxItems", 2),
            Given("Marker", lambda world: marker(world, "ListFunctionEventInvokeConfigs", **_configured(world))),
        ),
        pages=_configured,
    ),
]
