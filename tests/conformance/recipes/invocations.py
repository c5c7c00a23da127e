"""Invocation: synchronous, asynchronous, with a streamed response."""

from __future__ import annotations

import base64
import json

from conformance.recipe import Given, Params, Recipe, alone, refused
from conformance.recipes import durable
from conformance.recipes.resources import function, published
from conformance.wire import Answer
from conformance.world import World

EVENT = b'{"order": 7}'
CONTEXT = base64.b64encode(json.dumps({"custom": {"key": "value"}}).encode()).decode()
NO_JSON = refused("InvalidRequestContentException", text="Could not parse request body into json: ")
_OF_TYPE = {"RequestResponse": 200, "Event": 202, "DryRun": 204}


def _statuses(params: Params) -> set[int]:
    return {_OF_TYPE[params.get("InvocationType", "RequestResponse")]}


def _tenants(world: World) -> str:
    make = lambda: function(world, "tenants", TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
    return world.shared("a function of tenants", "function-imagined", make)


def _is_echo(params: Params, payload: bytes) -> bool:
    """Whether a payload is what the function was given; without one it was given an empty object."""
    try:
        return json.loads(payload) == json.loads(params.get("Payload") or b"{}")
    except ValueError:
        return False


def _verify(params: Params, answer: Answer) -> list[str]:
    if answer.status == 202:
        return [] if answer.body == b"" else ["a body for an event"]
    if answer.status != 200 or "DurableExecutionName" in params:
        return []
    found = [] if _is_echo(params, answer.body) else ["payload is not the function's"]
    if "ExecutedVersion" not in answer.parsed:
        found.append("no ExecutedVersion")
    if params.get("LogType") == "Tail" and "LogResult" not in answer.parsed:
        found.append("no LogResult")
    return found


def _verify_stream(params: Params, answer: Answer) -> list[str]:
    if answer.status != 200:
        return []
    events = answer.parsed.get("EventStream", [])
    payload = b"".join(event["PayloadChunk"]["Payload"] for event in events if "PayloadChunk" in event)
    found = [] if _is_echo(params, payload) else ["payload is not the function's"]
    if not events or list(events[-1]) != ["InvokeComplete"]:
        found.append("no InvokeComplete at the end")
    elif "LogResult" not in events[-1]["InvokeComplete"] and params.get("LogType") == "Tail":
        found.append("no LogResult")
    if answer.headers.get("content-type") != "application/vnd.amazon.eventstream":
        found.append("content type is not an event stream's")
    return found


_SHARED = (
    Given("LogType", "Tail"),
    Given("ClientContext", CONTEXT),
    Given("Payload", EVENT),
    alone("Payload", b"{", label="Payload that is no JSON", expected=NO_JSON),
    Given("Qualifier", "live"),
    alone("TenantId", "tenant-1", beside={"FunctionName": _tenants}),
)

RECIPES = [
    Recipe(
        "Invoke",
        base=lambda world: {"FunctionName": published(world)},
        given=(
            *_SHARED,
            Given("InvocationType", "RequestResponse"),
            alone("DurableExecutionName", lambda world: world.name("execution"), beside=durable.FINISHING),
        ),
        statuses=_statuses,
        verify=_verify,
    ),
    Recipe("InvokeAsync", base=lambda world: {"FunctionName": published(world), "InvokeArgs": EVENT}),
    Recipe(
        "InvokeWithResponseStream",
        base=lambda world: {"FunctionName": published(world)},
        given=(*_SHARED, Given("InvocationType", "RequestResponse")),
        statuses=_statuses,
        verify=_verify_stream,
    ),
]
