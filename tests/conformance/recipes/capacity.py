"""Capacity providers, and how many environments functions on them have."""

from __future__ import annotations

from typing import Any

from conformance.recipe import Given, Params, Recipe, alone, resolved
from conformance.recipes.resources import function, marker
from conformance.values import ROLE, arn
from conformance.wire import Answer
from conformance.world import World

_IMAGINED = "provider-imagined"
_VPC = {"SubnetIds": ["subnet-0123456789abcdef0"], "SecurityGroupIds": ["sg-0123456789abcdef0"]}
_PERMISSIONS = {"CapacityProviderOperatorRoleArn": ROLE}
_POLICY = {"PredefinedMetricType": "LambdaCapacityProviderAverageCPUUtilization", "TargetValue": 70.0}
_SCALING = {"MaxVCpuCount": 100, "ScalingMode": "Manual", "ScalingPolicies": [_POLICY]}
_SETTINGS = (
    Given("CapacityProviderScalingConfig", _SCALING),
    Given("PropagateTags", {"Mode": "Explicit", "ExplicitTags": {"team": "red"}}),
    Given("TelemetryConfig", {"LoggingConfig": {"SystemLogLevel": "INFO", "LogGroup": "/own/group"}}),
)


def _make(world: World, stem: str = "provider") -> str:
    name = world.name(stem)
    world.call("CreateCapacityProvider", CapacityProviderName=name, VpcConfig=_VPC, PermissionsConfig=_PERMISSIONS)
    world.later("DeleteCapacityProvider", CapacityProviderName=name)

    def at_rest() -> Any:
        return world.call("GetCapacityProvider", CapacityProviderName=name)["CapacityProvider"]["State"] != "Pending"

    world.settled(f"rest of {name}", at_rest)
    return name


def _provider(world: World) -> str:
    """A provider that nobody changes."""
    return world.shared("a capacity provider", _IMAGINED, lambda: _make(world))


def provider_arn(world: World) -> str:
    return world.arn("lambda", f"capacity-provider:{_provider(world)}")


# What a function on managed instances has to say.
MANAGED: dict[str, Any] = {
    "CapacityProviderConfig": {
        "LambdaManagedInstancesCapacityProviderConfig": {
            "CapacityProviderArn": provider_arn,
            "PerExecutionEnvironmentMaxConcurrency": 10,
            "ExecutionEnvironmentMemoryGiBPerVCpu": 2.0,
        }
    },
    "MemorySize": 2048,
}


def _own(world: World) -> Params:
    return {"CapacityProviderName": world.own("capacity provider", _IMAGINED, lambda: _make(world, "own-provider"))}


def _spoil(world: World, params: Params, answer: Answer) -> None:
    world.spoil("capacity provider")


def _new(world: World) -> Params:
    return {"CapacityProviderName": world.name("new-provider"), "VpcConfig": _VPC, "PermissionsConfig": _PERMISSIONS}


def _delete_later(world: World, params: Params, answer: Answer) -> None:
    world.later("DeleteCapacityProvider", CapacityProviderName=params["CapacityProviderName"])


def _three(world: World) -> Params:
    world.shared("three capacity providers", None, lambda: [_make(world, "listed-provider") for _ in range(3)])
    return {}


# -- functions on them -------------------------------------------------------------------------------------------------


def managed(world: World) -> str:
    """A function on managed instances with version 1."""
    return function(world, "managed", Publish=True, **resolved(MANAGED, world))


def _shared_managed(world: World) -> str:
    return world.shared("a function on managed instances", "function-imagined", lambda: managed(world))


def _with_versions(world: World) -> Params:
    """A provider that the versions of three functions run on."""

    def make() -> str:
        name = _make(world, "used-provider")
        of_it = {"CapacityProviderArn": world.arn("lambda", f"capacity-provider:{name}")}
        for _ in range(3):
            config = {"LambdaManagedInstancesCapacityProviderConfig": of_it}
            function(world, "managed", Publish=True, MemorySize=2048, CapacityProviderConfig=config)
        return name

    return {"CapacityProviderName": world.shared("a capacity provider with functions", _IMAGINED, make)}


def _scaling(world: World) -> Params:
    return {"FunctionName": _shared_managed(world), "Qualifier": "1"}


def _own_scaling(world: World) -> Params:
    name = world.own("managed function", "function-imagined", lambda: managed(world))
    return {"FunctionName": name, "Qualifier": "1"}


RECIPES = [
    Recipe(
        "CreateCapacityProvider",
        base=_new,
        undo=_delete_later,
        given=(
            *_SETTINGS,
            Given("InstanceRequirements", {"Architectures": ["x86_64"], "AllowedInstanceTypes": ["m7i.large"]}),
            alone(
                "InstanceRequirements",
                {"Architectures": ["x86_64"], "ExcludedInstanceTypes": ["m7i.metal*"]},
                label="InstanceRequirements.ExcludedInstanceTypes",
            ),
            Given("KmsKeyArn", arn("kms", "key/0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d")),
            Given("Tags", {"team": "red"}),
        ),
    ),
    Recipe("GetCapacityProvider", base=lambda world: {"CapacityProviderName": _provider(world)}),
    Recipe("UpdateCapacityProvider", base=_own, undo=_spoil, given=_SETTINGS),
    Recipe("DeleteCapacityProvider", base=_own, undo=_spoil),
    Recipe(
        "ListCapacityProviders",
        base=_three,
        given=(
            Given("State", "Active"),
            Given("MaxItems", 2),
            alone("Marker", lambda world: marker(world, "ListCapacityProviders")),
        ),
        pages=_three,
    ),
    Recipe(
        "ListFunctionVersionsByCapacityProvider",
        base=_with_versions,
        given=(
            Given("MaxItems", 2),
            Given("Marker", lambda world: marker(world, "ListFunctionVersionsByCapacityProvider", **_with_versions(world))),
        ),
        pages=_with_versions,
    ),
    Recipe("GetFunctionScalingConfig", base=_scaling),
    Recipe(
        "PutFunctionScalingConfig",
        base=_own_scaling,
        given=(Given("FunctionScalingConfig", {"MinExecutionEnvironments": 0, "MaxExecutionEnvironments": 15000}),),
    ),
]
