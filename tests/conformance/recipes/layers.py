"""Layers: published, listed, read, deleted, and who may use them."""

from __future__ import annotations

import json
import re
from typing import Callable

import zips
from clients import RUNTIME

from conformance import objects
from conformance.recipe import Given, Params, Recipe, alone
from conformance.recipes.resources import marker
from conformance.values import ACCOUNT, UUID
from conformance.wire import Answer
from conformance.world import World

CODE = zips.package({"python/layered.py": "WORD = 'layered'\n"})
_OBJECT = objects.address("layers/layered.zip")
OBJECTS = {_OBJECT["S3Key"]: CODE}
_SHARED = "shared-layer"
_MEMBERS = {"CompatibleRuntimes": [RUNTIME], "CompatibleArchitectures": ["x86_64"]}
_PRINCIPAL = {"Action": "lambda:GetLayerVersion", "Principal": ACCOUNT}


def _publish(world: World, name: str) -> Params:
    answer = world.call("PublishLayerVersion", LayerName=name, Content={"ZipFile": CODE}, **_MEMBERS)
    world.later("DeleteLayerVersion", LayerName=name, VersionNumber=answer["Version"])
    return answer


def shared(world: World) -> Params:
    """A layer with three versions, of which nobody deletes one."""
    number = world.shared("a layer", 1, lambda: [_publish(world, _SHARED)["Version"] for _ in range(3)][0])
    return {"LayerName": _SHARED, "VersionNumber": number}


def version_arn(world: World) -> str:
    version = shared(world)
    return world.arn("lambda", f"layer:{version['LayerName']}:{version['VersionNumber']}")


def _own(world: World, key: str = "layer") -> Params:
    """A version for this thread, until a request has used it up."""

    def make() -> Params:
        name = world.name("own-layer")
        return {"LayerName": name, "VersionNumber": _publish(world, name)["Version"]}

    return dict(world.own(key, {"LayerName": "layer-imagined", "VersionNumber": 1}, make))


def _new(world: World) -> Params:
    return {"LayerName": world.name("layer"), "Content": {"ZipFile": CODE}}


def _delete(world: World, params: Params, answer: Answer) -> None:
    world.call("DeleteLayerVersion", LayerName=params["LayerName"], VersionNumber=answer.parsed["Version"])


def _three(world: World) -> Params:
    world.shared("three layers", None, lambda: [_publish(world, world.name("listed-layer")) for _ in range(3)])
    return {}


# -- permissions -------------------------------------------------------------------------------------------------------


def _statement(world: World) -> Params:
    return {**_own(world), "StatementId": world.name("statement"), **_PRINCIPAL}


def _remove(world: World, params: Params, answer: Answer) -> None:
    world.call("RemoveLayerVersionPermission", **{name: params[name] for name in ("LayerName", "VersionNumber", "StatementId")})


def _permitted(world: World) -> Params:
    """A layer with a statement for this request alone."""

    def add() -> str:
        params = _statement(world)
        world.call("AddLayerVersionPermission", **params)
        return params["StatementId"]

    return {**_own(world), "StatementId": world.own("layer statement", "statement", add)}


def _with_policy(world: World) -> Params:
    version = shared(world)
    world.shared(
        "a layer's policy", None, lambda: world.call("AddLayerVersionPermission", **version, StatementId="there", **_PRINCIPAL)
    )
    return version


def _revision(world: World) -> str:
    """The revision of the policy of this thread's layer, which has a statement."""

    def of_policy() -> str:
        permitted = _permitted(world)
        version = {name: permitted[name] for name in ("LayerName", "VersionNumber")}
        return world.call("GetLayerVersionPolicy", **version)["RevisionId"]

    return world.fresh(UUID, of_policy)


def _is_json(member: str) -> Callable[[Params, Answer], list[str]]:
    def verify(params: Params, answer: Answer) -> list[str]:
        try:
            json.loads(answer.parsed.get(member, ""))
        except ValueError:
            return [f"{member} is no JSON"]
        return []

    return verify


def _has_another_revision(params: Params, answer: Answer) -> list[str]:
    """A policy that changed has a revision that it did not have before."""
    found = _is_json("Statement")(params, answer)
    revision = answer.parsed.get("RevisionId", "")
    if not re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", revision):
        found.append("RevisionId is no revision")
    elif revision == params.get("RevisionId"):
        found.append("RevisionId is still the same")
    return found


_FILTERS = (Given("CompatibleRuntime", RUNTIME), Given("CompatibleArchitecture", "x86_64"), Given("MaxItems", 2))

RECIPES = [
    Recipe(
        "PublishLayerVersion",
        base=_new,
        undo=_delete,
        given=(
            Given("Description", "about this layer"),
            Given("CompatibleRuntimes", [RUNTIME]),
            Given("CompatibleArchitectures", ["x86_64"]),
            Given("LicenseInfo", "Apache-2.0"),
            alone("Content", _OBJECT, label="Content.S3Bucket"),
        ),
        not_echoed=frozenset({"Content"}),
    ),
    Recipe(
        "ListLayers",
        base=_three,
        given=(*_FILTERS, alone("Marker", lambda world: marker(world, "ListLayers"))),
        pages=_three,
    ),
    Recipe(
        "ListLayerVersions",
        base=lambda world: {"LayerName": shared(world)["LayerName"]},
        given=(
            *_FILTERS,
            alone("Marker", lambda world: marker(world, "ListLayerVersions", LayerName=shared(world)["LayerName"])),
        ),
        pages=lambda world: {"LayerName": shared(world)["LayerName"]},
    ),
    Recipe("GetLayerVersion", base=shared),
    Recipe("GetLayerVersionByArn", base=lambda world: {"Arn": version_arn(world)}),
    Recipe(
        "DeleteLayerVersion",
        base=lambda world: _own(world, "doomed layer"),
        undo=lambda world, params, answer: world.spoil("doomed layer"),
    ),
    Recipe(
        "AddLayerVersionPermission",
        base=_statement,
        undo=_remove,
        given=(
            Given("OrganizationId", "o-0123456789", beside={"Principal": "*"}),
            Given("RevisionId", _revision),
        ),
        # The revision that is expected; the answer has the next one.
        not_echoed=frozenset({"RevisionId"}),
        verify=_has_another_revision,
    ),
    Recipe("GetLayerVersionPolicy", base=_with_policy, verify=_is_json("Policy")),
    Recipe(
        "RemoveLayerVersionPermission",
        base=_permitted,
        undo=lambda world, params, answer: world.spoil("layer statement"),
        given=(Given("RevisionId", _revision),),
    ),
]
