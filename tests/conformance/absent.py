"""Operations about things that cannot be there yet, because the machinery that would make them is not built.

They are routed and validated as if it were, and say that there is no such thing. An operation is named here with just
that answer. A run holds every request to it that would be sensible, and each that is not to its own refusal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional

from conformance.recipe import ACCEPTED, INVALID_VALUE, Expected, refused
from conformance.wire import Answer


@dataclass(frozen=True)
class Absence:
    """What an operation says of nothing, and why there is nothing. `verify` looks at an answer that is no error."""

    expected: Expected
    why: str
    verify: Callable[[Answer], list[str]] = lambda answer: []

    def of(self, expected: Expected, member: Optional[str]) -> Expected:
        """What is expected of a request that would be answered with `expected`; `member` is the one that it is about."""
        if expected is ACCEPTED and member == "Marker":
            # No page of nothing was ever followed by another.
            return refused(INVALID_VALUE)
        if expected is ACCEPTED:
            return self.expected
        if expected.success and not self.expected.success:
            # An odd value may be refused for itself, and never accepted.
            return Expected(False, expected.errors)
        return expected


def _no_executions(answer: Answer) -> list[str]:
    found = answer.parsed
    return [] if found.get("DurableExecutions") == [] and "NextMarker" not in found else ["lists what cannot be there"]


_WHY = "no execution can be started"
_NO_EXECUTION = Absence(refused("ResourceNotFoundException", text="Durable execution not found: "), _WHY)
_NO_CALLBACK = Absence(refused("ResourceNotFoundException", text="The callback does not exist."), _WHY)
# The model has no other error for the token of an execution that is not there.
_NO_TOKEN = Absence(refused(INVALID_VALUE, text="Invalid checkpoint token"), _WHY)

ABSENT: dict[str, Absence] = {
    "ListDurableExecutionsByFunction": Absence(ACCEPTED, _WHY, _no_executions),
    "GetDurableExecution": _NO_EXECUTION,
    "GetDurableExecutionHistory": _NO_EXECUTION,
    "StopDurableExecution": _NO_EXECUTION,
    "PauseDurableExecution": _NO_EXECUTION,
    "ResumeDurableExecution": _NO_EXECUTION,
    "DeleteDurableExecution": _NO_EXECUTION,
    "SendDurableExecutionCallbackSuccess": _NO_CALLBACK,
    "SendDurableExecutionCallbackFailure": _NO_CALLBACK,
    "SendDurableExecutionCallbackHeartbeat": _NO_CALLBACK,
    "CheckpointDurableExecution": _NO_TOKEN,
    "GetDurableExecutionState": _NO_TOKEN,
}
