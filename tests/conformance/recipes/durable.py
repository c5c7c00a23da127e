"""Durable executions: started, read, stopped, paused, called back, and the checkpoints that they are made of.

A checkpoint needs the token of an invocation that runs. The function in functions/durable.py writes its token down with
the first checkpoint it makes, and holds on; the same checkpoint made again is answered with the token that is valid now.
"""

from __future__ import annotations

import inspect
import json
import math
import time
from dataclasses import dataclass, replace
from typing import Any

import zips

from conformance.recipe import PASSES, Given, Make, Params, Recipe, alone
from conformance.recipes.resources import function, marker, published
from conformance.values import ACCOUNT, REGION
from conformance.wire import Answer
from conformance.world import Unavailable, World

# Half of it is used; the end of an invocation takes its token away.
HOLD_S = 25
IMAGINED_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:function-imagined:1/durable-execution/name/0a1b2c3d"
TOKEN, CALLBACK = "dG9rZW4=", "Y2FsbGJhY2s="
ERROR = {"ErrorMessage": "refused", "ErrorType": "OrderRefused", "ErrorData": "{}", "StackTrace": ["first line"]}


def _package() -> bytes:
    """The function, and the signer that it needs, with the one name that the signer imports."""
    import signing

    names = "from collections import namedtuple\nCredentials = namedtuple('Credentials', 'access_key_id secret_access_key account region')\n"
    return zips.package(
        {
            "durable.py": (zips.FUNCTIONS / "durable.py").read_text(),
            "signing.py": inspect.getsource(signing),
            "cluster.py": names,
        }
    )


def durable_function(world: World) -> str:
    """A durable function that nobody changes."""
    members: Params = {
        "Code": {"ZipFile": _package()},
        "Handler": "durable.handler",
        "Timeout": 60,
        "DurableConfig": {"ExecutionTimeout": 600, "RetentionPeriodInDays": 1},
    }
    return world.shared("a durable function", "function-imagined", lambda: function(world, "durable", **members))


# A synchronous invocation that starts an execution and sees its end.
FINISHING: Params = {"FunctionName": durable_function, "Qualifier": "$LATEST", "Payload": b'{"do": "finish"}'}


def _start(world: World, **asked: Any) -> str:
    answer = world.call(
        "Invoke",
        FunctionName=durable_function(world),
        Qualifier="$LATEST",
        InvocationType="Event",
        Payload=json.dumps(asked).encode(),
    )
    if "DurableExecutionArn" not in answer:
        raise Unavailable("Invoke: no DurableExecutionArn")
    return answer["DurableExecutionArn"]


def _reached(world: World, execution: str, *statuses: str) -> str:
    read = lambda: world.call("GetDurableExecution", DurableExecutionArn=execution)["Status"] in statuses
    world.settled(f"an execution that is {' or '.join(statuses)}", read)
    return execution


def _event(world: World, execution: str, kind: str) -> dict[str, Any]:
    """The event of this kind in an execution's history, once it is there."""

    def read() -> Any:
        history = world.call("GetDurableExecutionHistory", DurableExecutionArn=execution, IncludeExecutionData=True)
        return next((event for event in history["Events"] if event["EventType"] == kind), None)

    return world.settled(f"{kind} in a history", read)


# -- executions --------------------------------------------------------------------------------------------------------


def _finished(world: World) -> Params:
    """An execution that is over and stays."""

    def make() -> list[str]:
        return [_reached(world, _start(world, do="finish"), "SUCCEEDED") for _ in range(3)]

    return {"DurableExecutionArn": world.shared("finished executions", [IMAGINED_ARN], make)[0]}


def _list(world: World) -> Params:
    _finished(world)
    return {"FunctionName": durable_function(world)}


def _waiting(world: World) -> str:
    """An execution for this request alone that waits for an hour."""

    def make() -> str:
        execution = _start(world, do="wait")
        _event(world, execution, "WaitStarted")
        world.later("StopDurableExecution", DurableExecutionArn=execution)
        return execution

    return world.fresh(IMAGINED_ARN, make)


def _paused(world: World) -> str:
    def make() -> str:
        execution = _waiting(world)
        world.call("PauseDurableExecution", DurableExecutionArn=execution)
        return _reached(world, execution, "PAUSED")

    return world.fresh(IMAGINED_ARN, make)


def _doomed(world: World) -> str:
    return world.fresh(IMAGINED_ARN, lambda: _reached(world, _start(world, do="finish"), "SUCCEEDED"))


def _execution(make: Make) -> Make:
    return lambda world: {"DurableExecutionArn": make(world)}


def _callback(world: World) -> Params:
    """A callback that an execution waits for, for this request alone."""

    def make() -> str:
        execution = _start(world, do="call back")
        world.later("StopDurableExecution", DurableExecutionArn=execution)
        return _event(world, execution, "CallbackStarted")["CallbackStartedDetails"]["CallbackId"]

    return {"CallbackId": world.fresh(CALLBACK, make)}


# -- checkpoints -------------------------------------------------------------------------------------------------------


def _held(world: World) -> Params:
    """An execution of this thread whose invocation runs, and the token that is valid now."""
    held = world.own("held execution", _IMAGINED_HOLD, lambda: _hold(world))
    if time.monotonic() > held.until:
        world.spoil("held execution")
        held = world.own("held execution", _IMAGINED_HOLD, lambda: _hold(world))
    return {"DurableExecutionArn": held.execution, "CheckpointToken": held.token}


@dataclass(frozen=True)
class _Hold:
    execution: str
    token: str
    until: float


_IMAGINED_HOLD = _Hold(IMAGINED_ARN, TOKEN, math.inf)


def _hold(world: World) -> _Hold:
    execution = _start(world, do="hold", seconds=HOLD_S)
    until = time.monotonic() + HOLD_S / 2
    world.later("StopDurableExecution", DurableExecutionArn=execution)
    written = _event(world, execution, "StepSucceeded")["StepSucceededDetails"]["Result"]["Payload"]
    again = world.call(
        "CheckpointDurableExecution",
        DurableExecutionArn=execution,
        CheckpointToken=written,
        ClientToken="first",
        Updates=[
            {"Id": "parent", "Type": "CONTEXT", "Action": "START"},
            {"Id": "token", "Type": "STEP", "Action": "SUCCEED", "Payload": written},
        ],
    )
    return _Hold(execution, again["CheckpointToken"], until)


def _advance(world: World, params: Params, answer: Answer) -> None:
    """A checkpoint uses its token up and answers the next one."""
    held = world.own("held execution", _IMAGINED_HOLD, lambda: _hold(world))
    world.spoil("held execution")
    token = answer.parsed.get("CheckpointToken")
    if token and held.execution == params["DurableExecutionArn"]:
        world.own("held execution", _IMAGINED_HOLD, lambda: replace(held, token=token))


def _update(kind: str, action: str, **members: Any) -> Make:
    return lambda world: [{"Id": world.name("operation"), "Type": kind, "Action": action, **members}]


_CHAINED = {"FunctionName": published, "TenantId": "tenant-1", "XAmznTraceId": "Root=1-00000000-000000000000000000000000"}
_NAMED = {"ParentId": "parent", "Name": "a name", "SubType": "Step"}
_UPDATES = (
    Given("Updates", _update("STEP", "START", **_NAMED)),
    alone("Updates", _update("STEP", "SUCCEED", Payload="1"), label="Updates with a Payload"),
    alone("Updates", _update("STEP", "FAIL", Error=ERROR), label="Updates with an Error"),
    # Only a step that was started can be tried again.
    alone(
        "Updates",
        _update("STEP", "RETRY", StepOptions={"NextAttemptDelaySeconds": 60}),
        label="Updates of a STEP with options",
        expected=PASSES,
    ),
    alone("Updates", _update("WAIT", "START", WaitOptions={"WaitSeconds": 60}), label="Updates of a WAIT"),
    alone(
        "Updates",
        _update("CALLBACK", "START", CallbackOptions={"TimeoutSeconds": 60, "HeartbeatTimeoutSeconds": 30}),
        label="Updates of a CALLBACK",
    ),
    alone(
        "Updates",
        _update("CHAINED_INVOKE", "START", Payload="{}", ChainedInvokeOptions=_CHAINED),
        label="Updates of a CHAINED_INVOKE",
    ),
    alone(
        "Updates",
        _update("CONTEXT", "SUCCEED", Payload="1", ContextOptions={"ReplayChildren": True}),
        label="Updates of a CONTEXT",
    ),
)

_TOKEN_OF_CLIENT = Given("ClientToken", lambda world: world.name("client-token"))

RECIPES = [
    Recipe(
        "ListDurableExecutionsByFunction",
        base=_list,
        given=(
            Given("Qualifier", "$LATEST"),
            alone("DurableExecutionName", "no-such-execution"),
            Given("Statuses", ["SUCCEEDED"]),
            Given("StartedAfter", "2026-01-01T00:00:00Z"),
            Given("StartedBefore", "2099-01-01T00:00:00Z"),
            Given("ReverseOrder", True),
            Given("MaxItems", 2),
            alone("Marker", lambda world: marker(world, "ListDurableExecutionsByFunction", **_list(world))),
        ),
        pages=_list,
    ),
    Recipe("GetDurableExecution", base=_finished, given=(Given("IncludeExecutionData", True),)),
    Recipe(
        "GetDurableExecutionHistory",
        base=_finished,
        given=(
            Given("IncludeExecutionData", True),
            Given("ReverseOrder", True),
            Given("MaxItems", 2),
            alone("Marker", lambda world: marker(world, "GetDurableExecutionHistory", **_finished(world))),
        ),
        pages=_finished,
    ),
    Recipe(
        "StopDurableExecution",
        base=_execution(_waiting),
        given=(Given("Error", ERROR),),
        not_echoed=frozenset({"Error"}),
    ),
    Recipe(
        "PauseDurableExecution",
        base=_execution(_waiting),
        given=(_TOKEN_OF_CLIENT, Given("Reason", "for a while"), Given("ExecutionTimeoutPaused", False)),
    ),
    Recipe(
        "ResumeDurableExecution",
        base=_execution(_paused),
        given=(_TOKEN_OF_CLIENT, Given("Reason", "long enough")),
    ),
    Recipe("DeleteDurableExecution", base=_execution(_doomed)),
    Recipe("SendDurableExecutionCallbackSuccess", base=_callback, given=(Given("Result", b'{"order": 7}'),)),
    Recipe("SendDurableExecutionCallbackFailure", base=_callback, given=(Given("Error", ERROR),)),
    Recipe("SendDurableExecutionCallbackHeartbeat", base=_callback),
    Recipe(
        "CheckpointDurableExecution",
        base=_held,
        undo=_advance,
        serial=True,
        given=(*_UPDATES, _TOKEN_OF_CLIENT),
        not_echoed=frozenset({"CheckpointToken"}),
    ),
    Recipe(
        "GetDurableExecutionState",
        base=_held,
        serial=True,
        given=(
            Given("MaxItems", 2),
            alone("Marker", lambda world: marker(world, "GetDurableExecutionState", **_held(world))),
        ),
        pages=_held,
    ),
]
