"""The verdict of an operation is what came of its requests, and no better."""

import json
import uuid

import pytest

from conformance import table
from conformance.absent import ABSENT
from conformance.recipes import GROUPS
from conformance.run import UNKNOWN, Findings, Outcome, Runner
from conformance.stored import STORED
from conformance.wire import Answer

RECIPES = {recipe.operation: recipe for recipes in GROUPS.values() for recipe in recipes}
SERVED = Outcome("", "", [], served=True)
REFUSED = Outcome("", "", ["needs Invoke: InvalidParameterValueException"])


def outcomes(*faults):
    return [Outcome("", f"case {number}", [fault] if fault else []) for number, fault in enumerate(faults)]


@pytest.mark.parametrize(
    ("operation", "found", "verdict", "missing"),
    [
        ("GetAlias", {"minimal": SERVED, "others": outcomes("", "")}, "yes", ""),
        ("GetAlias", {"minimal": SERVED, "others": outcomes("", "accepted")}, "partial", "accepted: case 1"),
        ("GetAlias", {"minimal": REFUSED}, "no", f"the least request: {REFUSED.faults[0]}"),
        ("GetAlias", {"minimal": Outcome("", "", [UNKNOWN])}, "no", ""),
        ("PutFunctionRecursionConfig", {"minimal": SERVED}, "stored", STORED["PutFunctionRecursionConfig"]),
        ("GetDurableExecution", {"minimal": REFUSED}, "no", f"the least request: {REFUSED.faults[0]}"),
        (
            "GetDurableExecution",
            {"minimal": REFUSED, "absent": outcomes("", "")},
            "absent",
            ABSENT["GetDurableExecution"].why,
        ),
        ("GetDurableExecution", {"minimal": REFUSED, "absent": outcomes("", "accepted")}, "no", "accepted: case 1"),
        ("GetDurableExecution", {"minimal": SERVED, "absent": outcomes("")}, "yes", ""),
    ],
)
def test_each_verdict(operation, found, verdict, missing):
    findings = Findings(operation, **found)
    assert table.verdict(findings) == verdict
    assert table.missing(findings) == missing


class Pretender:
    """A service without durable executions that answers requests about them in one way."""

    client = None

    def __init__(self, status, name, message):
        self.status, self.name, self.message = status, name, message

    def send(self, operation, params, edit=None):
        headers = {"x-amzn-requestid": str(uuid.uuid4()), "content-type": "application/json"}
        if operation == "Invoke":
            return Answer(operation, 400, {**headers, "x-amzn-errortype": "InvalidParameterValueException"}, b"{}")
        if operation not in ABSENT:
            return Answer(operation, 404, {**headers, "x-amzn-errortype": "ResourceNotFoundException"}, b"{}")
        body = json.dumps({"Type": "User", "Message": self.message}).encode()
        return Answer(operation, self.status, {**headers, "x-amzn-errortype": self.name}, body)


@pytest.mark.parametrize(
    ("status", "name", "message"),
    [
        # It validates nothing.
        (404, "ResourceNotFoundException", "Durable execution not found: arn"),
        # It says something else than that there is nothing.
        (404, "ResourceNotFoundException", "no"),
        (200, "", ""),
        (404, UNKNOWN, "The requested operation does not exist."),
    ],
)
def test_who_does_not_validate_is_not_absent(status, name, message):
    (found,) = Runner(Pretender(status, name, message)).run([RECIPES["DeleteDurableExecution"]])
    assert table.verdict(found) != "absent"


def test_who_is_named_absent_and_serves_is_found():
    found = Findings("GetDurableExecution", Outcome("", "", [], served=True))
    assert not Runner._is_named_absent(found)
    assert found.minimal.faults == ["is served, and named in absent.py"]
