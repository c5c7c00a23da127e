"""When runtimes are updated, whether functions may call themselves in a circle, tags, and what an account may have."""

from __future__ import annotations

from conformance.recipe import Given, Params, Recipe
from conformance.recipes.resources import function, function_arn, own, published, settle
from conformance.values import REGION
from conformance.world import World

_RUNTIME_VERSION = f"arn:aws:lambda:{REGION}::runtime:" + "0" * 64


def _runtime_version(world: World) -> str:
    """The version of the runtime that a function has now."""
    name = own(world)
    return world.fresh(
        _RUNTIME_VERSION, lambda: settle(world, name).get("RuntimeVersionConfig", {}).get("RuntimeVersionArn", _RUNTIME_VERSION)
    )


def _own(world: World) -> Params:
    return {"FunctionName": own(world)}


def _tagged(world: World) -> Params:
    make = lambda: function_arn(world, function(world, "tagged", Tags={"team": "red"}))
    return {"Resource": world.shared("a function with tags", function_arn(world, "function-imagined"), make)}


def _own_arn(world: World) -> str:
    return function_arn(world, own(world))


def _own_tagged(world: World) -> str:
    resource = _own_arn(world)
    world.fresh(None, lambda: world.call("TagResource", Resource=resource, Tags={"team": "red"}))
    return resource


RECIPES = [
    Recipe(
        "GetRuntimeManagementConfig", base=lambda world: {"FunctionName": published(world)}, given=(Given("Qualifier", "1"),)
    ),
    Recipe(
        "PutRuntimeManagementConfig",
        base=lambda world: {**_own(world), "UpdateRuntimeOn": "Auto"},
        given=(
            Given("RuntimeVersionArn", _runtime_version, beside={"UpdateRuntimeOn": "Manual"}),
            Given("Qualifier", "$LATEST", group="qualified"),
        ),
        not_echoed=frozenset({"FunctionName"}),
    ),
    Recipe(
        "GetFunctionRecursionConfig",
        base=lambda world: {"FunctionName": published(world)},
        verify=lambda params, answer: [] if answer.parsed.get("RecursiveLoop") == "Terminate" else ["not Terminate by default"],
    ),
    Recipe("PutFunctionRecursionConfig", base=lambda world: {**_own(world), "RecursiveLoop": "Allow"}),
    Recipe(
        "ListTags",
        base=_tagged,
        verify=lambda params, answer: [] if answer.parsed.get("Tags") == {"team": "red"} else ["not the tags that were set"],
    ),
    Recipe("TagResource", base=lambda world: {"Resource": _own_arn(world), "Tags": {"team": "blue"}}),
    Recipe("UntagResource", base=lambda world: {"Resource": _own_tagged(world), "TagKeys": ["team"]}),
    Recipe("GetAccountSettings", base=lambda world: {}),
]
