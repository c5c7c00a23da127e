"""Concurrency that is reserved for a function, and environments that are kept ready for its versions."""

from __future__ import annotations

from conformance.recipe import Given, Params, Recipe
from conformance.recipes.resources import function, marker, own, own_published, package_of, settle
from conformance.wire import Answer
from conformance.world import World


def _unreserve(world: World, params: Params, answer: Answer) -> None:
    world.call("DeleteFunctionConcurrency", FunctionName=params["FunctionName"])


def _reserved(world: World) -> Params:
    def make() -> str:
        name = function(world, "reserved")
        world.call("PutFunctionConcurrency", FunctionName=name, ReservedConcurrentExecutions=1)
        return name

    return {"FunctionName": world.shared("a function with reserved concurrency", "function-imagined", make)}


def _reserved_by_own(world: World) -> Params:
    name = own(world)
    world.fresh(None, lambda: world.call("PutFunctionConcurrency", FunctionName=name, ReservedConcurrentExecutions=1))
    return {"FunctionName": name}


# -- provisioned -------------------------------------------------------------------------------------------------------


def _version(world: World) -> Params:
    return {"FunctionName": own_published(world), "Qualifier": "1"}


def _unprovision(world: World, params: Params, answer: Answer) -> None:
    world.call("DeleteProvisionedConcurrencyConfig", FunctionName=params["FunctionName"], Qualifier=params["Qualifier"])


def _provisioned_by_own(world: World) -> Params:
    version = _version(world)
    world.fresh(None, lambda: world.call("PutProvisionedConcurrencyConfig", **version, ProvisionedConcurrentExecutions=1))
    return version


def _provisioned(world: World) -> str:
    """A function with an environment for each of three versions."""

    def make() -> str:
        name = function(world, "provisioned", Publish=True)
        for number in (2, 3):
            world.call("UpdateFunctionCode", FunctionName=name, ZipFile=package_of(number), Publish=True)
            settle(world, name)
        for number in (1, 2, 3):
            world.call(
                "PutProvisionedConcurrencyConfig", FunctionName=name, Qualifier=str(number), ProvisionedConcurrentExecutions=1
            )
            world.later("DeleteProvisionedConcurrencyConfig", FunctionName=name, Qualifier=str(number))
        return name

    return world.shared("a function with provisioned concurrency", "function-imagined", make)


def _list(world: World) -> Params:
    return {"FunctionName": _provisioned(world)}


RECIPES = [
    Recipe(
        "PutFunctionConcurrency",
        base=lambda world: {"FunctionName": own(world), "ReservedConcurrentExecutions": 1},
        undo=_unreserve,
    ),
    Recipe(
        "GetFunctionConcurrency",
        base=_reserved,
        verify=lambda params, answer: (
            [] if answer.parsed.get("ReservedConcurrentExecutions") == 1 else ["not what was reserved"]
        ),
    ),
    Recipe("DeleteFunctionConcurrency", base=_reserved_by_own),
    Recipe(
        "PutProvisionedConcurrencyConfig",
        base=lambda world: {**_version(world), "ProvisionedConcurrentExecutions": 1},
        undo=_unprovision,
        verify=lambda params, answer: (
            []
            if answer.parsed.get("RequestedProvisionedConcurrentExecutions") == params["ProvisionedConcurrentExecutions"]
            else ["not what was requested"]
        ),
    ),
    Recipe("GetProvisionedConcurrencyConfig", base=lambda world: {"FunctionName": _provisioned(world), "Qualifier": "1"}),
    Recipe("DeleteProvisionedConcurrencyConfig", base=_provisioned_by_own),
    Recipe(
        "ListProvisionedConcurrencyConfigs",
        base=_list,
        given=(
            Given("MaxItems", 2),
            Given("Marker", lambda world: marker(world, "ListProvisionedConcurrencyConfigs", **_list(world))),
        ),
        pages=_list,
    ),
]
