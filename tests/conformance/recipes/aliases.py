"""Numbered versions, and the aliases that point to them."""

from __future__ import annotations

import base64
import hashlib

from conformance.recipe import Given, Params, Recipe, alone
from conformance.recipes import capacity
from conformance.recipes.resources import CODE, marker, own, published, revision, spoil_own
from conformance.values import UUID
from conformance.wire import Answer
from conformance.world import World

_SHA256 = base64.b64encode(hashlib.sha256(CODE).digest()).decode()
_CANARY = {"AdditionalVersionWeights": {"2": 0.25}}


def _new(world: World) -> Params:
    return {"FunctionName": published(world), "Name": world.name("alias"), "FunctionVersion": "1"}


def _own_alias(world: World) -> str:
    """This thread's alias, until a request has used it up."""

    def make() -> str:
        params = _new(world)
        world.call("CreateAlias", **params)
        return params["Name"]

    return world.own("alias", "alias-imagined", make)


def _existing(world: World) -> Params:
    return {"FunctionName": published(world), "Name": _own_alias(world)}


def _revision(world: World) -> str:
    return world.fresh(UUID, lambda: world.call("GetAlias", **_existing(world))["RevisionId"])


def _delete(world: World, params: Params, answer: Answer) -> None:
    world.call("DeleteAlias", FunctionName=params["FunctionName"], Name=params["Name"])
    world.spoil("alias")


RECIPES = [
    Recipe(
        "PublishVersion",
        base=lambda world: {"FunctionName": own(world)},
        undo=spoil_own,
        not_echoed=frozenset({"FunctionName", "RevisionId"}),
        given=(
            Given("CodeSha256", _SHA256),
            Given("Description", "about this version"),
            Given("RevisionId", lambda world: revision(world, own(world))),
            # Only functions on managed instances have such a version.
            alone("PublishTo", "LATEST_PUBLISHED", beside={"FunctionName": capacity.managed}),
        ),
    ),
    Recipe(
        "ListVersionsByFunction",
        base=lambda world: {"FunctionName": published(world)},
        given=(
            Given("MaxItems", 2),
            Given("Marker", lambda world: marker(world, "ListVersionsByFunction", FunctionName=published(world))),
        ),
        pages=lambda world: {"FunctionName": published(world)},
    ),
    Recipe(
        "CreateAlias",
        base=_new,
        undo=_delete,
        given=(Given("Description", "about this alias"), Given("RoutingConfig", _CANARY)),
        not_echoed=frozenset({"FunctionName"}),
    ),
    Recipe("GetAlias", base=lambda world: {"FunctionName": published(world), "Name": "live"}),
    Recipe(
        "UpdateAlias",
        base=_existing,
        undo=_delete,
        given=(
            Given("FunctionVersion", "3"),
            Given("Description", "about this alias"),
            Given("RoutingConfig", _CANARY, beside={"FunctionVersion": "1"}),
            Given("RevisionId", _revision),
        ),
        not_echoed=frozenset({"FunctionName", "RevisionId"}),
    ),
    Recipe("DeleteAlias", base=_existing, undo=lambda world, params, answer: world.spoil("alias")),
    Recipe(
        "ListAliases",
        base=lambda world: {"FunctionName": published(world)},
        given=(
            Given("FunctionVersion", "1"),
            Given("MaxItems", 2),
            alone("Marker", lambda world: marker(world, "ListAliases", FunctionName=published(world))),
        ),
        pages=lambda world: {"FunctionName": published(world)},
    ),
]
