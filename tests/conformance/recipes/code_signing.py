"""Code signing configurations, and which functions have one."""

from __future__ import annotations

from conformance.recipe import Given, Params, Recipe
from conformance.recipes.resources import function, marker, own
from conformance.values import arn
from conformance.wire import Answer
from conformance.world import World

PUBLISHERS = {"SigningProfileVersionArns": [arn("signer", "/signing-profiles/conformance/AbCdEfGhIj")]}
IMAGINED = arn("lambda", "code-signing-config:csc-0123456789abcdef0")
POLICIES = {"UntrustedArtifactOnDeployment": "Warn"}


def _make(world: World) -> str:
    """A configuration that warns: a function with it can still be created from code that nobody signed."""
    answer = world.call("CreateCodeSigningConfig", AllowedPublishers=PUBLISHERS, CodeSigningPolicies=POLICIES)
    made = answer["CodeSigningConfig"]["CodeSigningConfigArn"]
    world.later("DeleteCodeSigningConfig", CodeSigningConfigArn=made)
    return made


def config_arn(world: World) -> str:
    """A configuration that nobody changes."""
    return world.shared("a code signing configuration", IMAGINED, lambda: _make(world))


def _own(world: World) -> Params:
    return {"CodeSigningConfigArn": world.own("code signing configuration", IMAGINED, lambda: _make(world))}


def _spoil(world: World, params: Params, answer: Answer) -> None:
    world.spoil("code signing configuration")


def _delete_later(world: World, params: Params, answer: Answer) -> None:
    world.later("DeleteCodeSigningConfig", CodeSigningConfigArn=answer.parsed["CodeSigningConfig"]["CodeSigningConfigArn"])


def _three(world: World) -> Params:
    world.shared("three code signing configurations", None, lambda: [_make(world) for _ in range(3)])
    return {}


# -- of functions ------------------------------------------------------------------------------------------------------


def _signed(world: World) -> str:
    def make() -> str:
        name = function(world, "signed")
        world.call("PutFunctionCodeSigningConfig", FunctionName=name, CodeSigningConfigArn=config_arn(world))
        return name

    return world.shared("a function with a code signing configuration", "function-imagined", make)


def _signed_by_own(world: World) -> str:
    name = own(world)
    put = lambda: world.call("PutFunctionCodeSigningConfig", FunctionName=name, CodeSigningConfigArn=config_arn(world))
    world.fresh(None, put)
    return name


def _take_off(world: World, params: Params, answer: Answer) -> None:
    world.call("DeleteFunctionCodeSigningConfig", FunctionName=params["FunctionName"])


def _used_by_three(world: World) -> Params:
    """A configuration that three functions have, and no other."""

    def make() -> str:
        made = _make(world)
        for _ in range(3):
            world.call("PutFunctionCodeSigningConfig", FunctionName=function(world, "signed"), CodeSigningConfigArn=made)
        return made

    return {"CodeSigningConfigArn": world.shared("a code signing configuration of three functions", IMAGINED, make)}


_SETTINGS = (
    Given("Description", "about this configuration"),
    Given("CodeSigningPolicies", {"UntrustedArtifactOnDeployment": "Enforce"}),
)

RECIPES = [
    Recipe(
        "CreateCodeSigningConfig",
        base=lambda world: {"AllowedPublishers": PUBLISHERS},
        undo=_delete_later,
        given=(*_SETTINGS, Given("Tags", {"team": "red"})),
    ),
    Recipe("GetCodeSigningConfig", base=lambda world: {"CodeSigningConfigArn": config_arn(world)}),
    Recipe(
        "UpdateCodeSigningConfig",
        base=_own,
        undo=_spoil,
        given=(*_SETTINGS, Given("AllowedPublishers", PUBLISHERS)),
    ),
    Recipe("DeleteCodeSigningConfig", base=_own, undo=_spoil),
    Recipe(
        "ListCodeSigningConfigs",
        base=_three,
        given=(Given("MaxItems", 2), Given("Marker", lambda world: marker(world, "ListCodeSigningConfigs"))),
        pages=_three,
    ),
    Recipe(
        "ListFunctionsByCodeSigningConfig",
        base=_used_by_three,
        given=(
            Given("MaxItems", 2),
            Given("Marker", lambda world: marker(world, "ListFunctionsByCodeSigningConfig", **_used_by_three(world))),
        ),
        pages=_used_by_three,
    ),
    Recipe(
        "PutFunctionCodeSigningConfig",
        base=lambda world: {"FunctionName": own(world), "CodeSigningConfigArn": config_arn(world)},
        undo=_take_off,
    ),
    Recipe("GetFunctionCodeSigningConfig", base=lambda world: {"FunctionName": _signed(world)}),
    Recipe("DeleteFunctionCodeSigningConfig", base=lambda world: {"FunctionName": _signed_by_own(world)}),
]
