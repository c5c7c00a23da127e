"""Who may do what: every operation, by every kind of principal, on a resource of theirs and on one of another account.

The requests are made from the API model, as those of the conformance run are. They name nothing that is there: what matters
is only whether they are let through to be looked at.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Callable

import pytest
from botocore import UNSIGNED
from clients import lambda_client
from clusters import OTHER_ACCOUNT
from conformance.recipe import Recipe
from conformance.recipes import GROUPS
from conformance.wire import CONFIG, Wire
from conformance.world import IMAGINED
from identities import ALLOW_ALL, Identities

REGION = "sa-east-1"
RECIPES = [recipe for recipes in GROUPS.values() for recipe in recipes]
DENIED = "AccessDeniedException"
DENY_ALL = {"Effect": "Deny", "Action": "lambda:*", "Resource": "*"}
# What a request can name that has an owner.
OWNED = (
    "FunctionName", "LayerName", "Arn", "Resource", "ResourceArn", "CodeSigningConfigArn", "CapacityProviderName",
    "DurableExecutionArn",
)  # fmt: skip
THREADS = 8


@pytest.fixture(scope="module")
def principals(cluster, credentials, tmp_path_factory) -> dict[str, Wire]:
    """Six kinds of callers of one account, and whether they may do everything in it."""
    identities = Identities(tmp_path_factory.mktemp("identity"), cluster.grpc_target("a"), credentials)
    keys = {
        "the operator": credentials,
        "the root of the account": identities.key(),
        "a user who may do everything": identities.user("may-all", ALLOW_ALL),
        "a user without policies": identities.user("may-nothing"),
        "a user who is denied everything": identities.user("is-denied", ALLOW_ALL, DENY_ALL),
        "somebody with a forged secret": replace(identities.user("is-forged", ALLOW_ALL), secret_access_key="x" * 40),
    }
    endpoint = cluster.endpoint("a")
    return {who: Wire(lambda_client(endpoint, key, REGION, **CONFIG)) for who, key in keys.items()}


def foreign(params: dict[str, Any]) -> dict[str, Any] | None:
    """The same request about something of another account; nothing if it names nothing that has an owner."""
    owned = [member for member in OWNED if member in params]
    if not owned:
        return None
    return {**params, **{member: _foreign(member, params[member]) for member in owned}}


def _foreign(member: str, value: str) -> str:
    if value.startswith("arn:"):
        parts = value.split(":")
        parts[4] = OTHER_ACCOUNT
        return ":".join(parts)
    kind = {"FunctionName": "function", "LayerName": "layer", "CapacityProviderName": "capacity-provider"}[member]
    return f"arn:aws:lambda:{REGION}:{OTHER_ACCOUNT}:{kind}:{value}"


def in_region(value: Any) -> Any:
    """A request that was imagined in the region of the conformance run, here."""
    if isinstance(value, dict):
        return {name: in_region(member) for name, member in value.items()}
    if isinstance(value, list):
        return [in_region(member) for member in value]
    if isinstance(value, str) and value.startswith("arn:aws:lambda:"):
        parts = value.split(":")
        parts[3] = REGION
        return ":".join(parts)
    return value


def answers(wire: Wire, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> dict[str, str]:
    """The error of every operation that the request can be changed for; empty for a success."""

    def answer(recipe: Recipe) -> tuple[str, str] | None:
        params = change(in_region(recipe.minimal(IMAGINED)))
        return None if params is None else (recipe.operation, wire.send(recipe.operation, params).error)

    with ThreadPoolExecutor(THREADS) as pool:
        return dict(found for found in pool.map(answer, RECIPES) if found is not None)


@pytest.mark.parametrize("who", ["the operator", "the root of the account", "a user who may do everything"])
def test_whoever_may_is_let_through(principals, who):
    got = answers(principals[who], lambda params: params)
    assert len(got) == len(RECIPES) == 91
    refused = {operation: error for operation, error in got.items() if error == DENIED}
    assert not refused


@pytest.mark.parametrize("who", ["a user without policies", "a user who is denied everything"])
def test_whoever_may_not_is_refused_everything(principals, who):
    got = answers(principals[who], lambda params: params)
    assert len(got) == 91
    let_through = {operation: error for operation, error in got.items() if error != DENIED}
    assert not let_through


def test_nobody_gets_anywhere_with_a_forged_secret(principals):
    got = answers(principals["somebody with a forged secret"], lambda params: params)
    assert set(got.values()) == {"InvalidSignatureException"}


def test_nobody_gets_anywhere_without_a_signature(cluster, credentials):
    wire = Wire(lambda_client(cluster.endpoint("a"), credentials, REGION, signature_version=UNSIGNED, **CONFIG))
    assert set(answers(wire, lambda params: params).values()) == {"MissingAuthenticationTokenException"}


@pytest.mark.parametrize(
    "who",
    [
        "the operator", "the root of the account", "a user who may do everything", "a user without policies",
        "a user who is denied everything",
    ],
)  # fmt: skip
def test_what_another_account_has_is_closed_to_everybody(principals, who):
    got = answers(principals[who], foreign)
    assert len(got) >= 70, "most operations name something"
    let_through = {operation: error for operation, error in got.items() if error != DENIED}
    assert not let_through
