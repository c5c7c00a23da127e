"""Operations that keep what they are told, and whose machinery is not there: what they should bring about does not happen.

The checks cannot see that. An operation is named here, with what does not happen, until somebody builds it.
"""

from __future__ import annotations

_POLLS = "nothing reads from the source"
_STARTS = "no instances are started"
_SIGNS = "signatures are not checked"
_QUEUES = "no queue keeps events, so none is tried again or sent on"
_LISTENS = "nothing listens at the URL"

STORED: dict[str, str] = {
    "CreateEventSourceMapping": _POLLS,
    "UpdateEventSourceMapping": _POLLS,
    "CreateCapacityProvider": _STARTS,
    "UpdateCapacityProvider": _STARTS,
    "PutFunctionScalingConfig": _STARTS,
    "CreateCodeSigningConfig": _SIGNS,
    "UpdateCodeSigningConfig": _SIGNS,
    "PutFunctionCodeSigningConfig": _SIGNS,
    "PutProvisionedConcurrencyConfig": "no environments are kept ready",
    "PutFunctionEventInvokeConfig": _QUEUES,
    "UpdateFunctionEventInvokeConfig": _QUEUES,
    "CreateFunctionUrlConfig": _LISTENS,
    "UpdateFunctionUrlConfig": _LISTENS,
    "PutFunctionRecursionConfig": "loops are not found",
    "PutRuntimeManagementConfig": "runtimes are those of the nodes",
}
