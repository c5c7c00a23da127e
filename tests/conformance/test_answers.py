"""The checks find what is wrong: a sound answer passes, and each change to it is told."""

import json
import uuid

import pytest

from conformance import answers
from conformance.recipe import ACCEPTED, PASSES, Expected, refused
from conformance.recipes import GROUPS
from conformance.wire import Answer

RECIPES = {recipe.operation: recipe for recipes in GROUPS.values() for recipe in recipes}
ALIAS = {
    "AliasArn": "arn:aws:lambda:eu-north-1:000000000000:function:f:live",
    "Name": "live",
    "FunctionVersion": "1",
    "Description": "asked",
    "RevisionId": "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d",
}
ASKED = {"FunctionName": "f", "Name": "live", "FunctionVersion": "1", "Description": "asked"}


def answer(operation, status, body, **headers):
    every = {"x-amzn-requestid": str(uuid.uuid4()), "content-type": "application/json", **headers}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(operation, status, every, raw, body if isinstance(body, dict) else {})


def found(operation, status, body, expected=ACCEPTED, asked=None, **headers):
    return answers.faults(RECIPES[operation], asked or {}, answer(operation, status, body, **headers), expected)


def test_a_sound_answer_passes():
    assert found("CreateAlias", 201, ALIAS, asked=ASKED) == []
    assert found("DeleteAlias", 204, b"") == []
    assert found("DeleteFunction", 204, b"") == [] and found("DeleteFunction", 200, b"{}") == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"Name": None}, "Name is null"),
        ({"Name": 1}, "Name is no string"),
        ({"Name": "1"}, "Name breaks its pattern"),
        ({"Name": "n" * 129}, "length of Name is above 128"),
        ({"Novelty": 1}, "Novelty is not in the model"),
        ({"Description": "other"}, "Description comes back otherwise"),
        ({"RoutingConfig": []}, "RoutingConfig is no object"),
        (
            {"RoutingConfig": {"AdditionalVersionWeights": {"2": 1.5}}},
            "RoutingConfig.AdditionalVersionWeights{value} is above 1.0",
        ),
    ],
)
def test_a_body_that_is_not_as_the_model_says(change, fault):
    assert fault in found("CreateAlias", 201, {**ALIAS, **change}, asked=ASKED)


def test_a_member_that_is_missing():
    assert found("GetFunctionUrlConfig", 200, {})[:2] == ["no FunctionUrl", "no FunctionArn"]
    silent = {name: value for name, value in ALIAS.items() if name != "Description"}
    assert found("CreateAlias", 201, silent, asked=ASKED) == ["Description comes back otherwise"]


@pytest.mark.parametrize(
    ("operation", "member", "good", "bad"),
    [
        ("GetFunctionEventInvokeConfig", "LastModified", 1764000000.1, [1764000000123, "2026-01-02T00:00:00Z", True]),
        ("GetFunctionConfiguration", "LastModified", "2026-01-02T03:04:05.123+0000", ["2026-01-02T03:04:05Z", "now"]),
        ("GetFunctionConfiguration", "State", "Active", ["Ready", ""]),
        ("GetFunctionConfiguration", "LastUpdateStatusReasonCode", "Creating", ["Resting"]),
        ("GetFunctionConfiguration", "Version", "$LATEST.PUBLISHED", ["$LATEST.OTHER"]),
        ("GetFunctionConfiguration", "Timeout", 3, [0, 5401, 3.5, "3"]),
        ("GetFunctionConfiguration", "Architectures", ["arm64"], [[], ["sparc"], ["arm64", "x86_64"]]),
    ],
)
def test_values_of_every_kind(operation, member, good, bad):
    assert found(operation, 200, {member: good}) == []
    for value in bad:
        assert found(operation, 200, {member: value}), value


def test_what_is_around_the_body():
    assert found("CreateAlias", 200, ALIAS, asked=ASKED) == ["status 200"]
    assert found("DeleteAlias", 204, b"{}") == ["204 with a body"]
    assert found("CreateAlias", 201, b"{", asked=ASKED) == ["body is no JSON"]
    assert found("CreateAlias", 201, ALIAS, asked=ASKED, **{"content-type": "text/plain"}) == [
        "content type is not application/json"
    ]
    assert found("CreateAlias", 201, ALIAS, asked=ASKED, **{"x-amzn-requestid": "1"}) == ["no x-amzn-requestid"]


MISSING = {"Type": "User", "Message": "Function not found: f"}
NOT_FOUND = refused("ResourceNotFoundException")


def test_a_sound_error_passes():
    named = {"x-amzn-errortype": "ResourceNotFoundException:http://internal"}
    assert found("GetAlias", 404, MISSING, NOT_FOUND, **named) == []
    assert found("GetAlias", 404, MISSING, PASSES, **named) == []


@pytest.mark.parametrize(
    ("status", "name", "body", "fault"),
    [
        (404, "ResourceNotFoundException", {"Type": "User", "message": "m"}, "ResourceNotFoundException without Message"),
        (404, "ResourceNotFoundException", {"Message": "m"}, "Type of ResourceNotFoundException is not User"),
        (400, "ResourceNotFoundException", MISSING, "ResourceNotFoundException with status 400"),
        (404, "ResourceNotFoundException", {**MISSING, "Extra": 1}, "ResourceNotFoundException with Extra"),
        (409, "ResourceInUseException", MISSING, "ResourceInUseException is no error of this operation"),
        (400, "OddException", MISSING, "OddException is no error of the API"),
        (404, "", MISSING, "404 without an error's name"),
    ],
)
def test_an_error_that_is_not_as_the_model_says(status, name, body, fault):
    expected = refused("ResourceNotFoundException", "ResourceInUseException", "OddException", "")
    assert fault in found("GetAlias", status, body, expected, **{"x-amzn-errortype": name})


def test_an_answer_that_is_not_what_was_expected():
    named = {"x-amzn-errortype": "ResourceNotFoundException"}
    assert found("GetAlias", 404, MISSING, ACCEPTED, **named) == ["ResourceNotFoundException"]
    assert found("GetAlias", 200, ALIAS, NOT_FOUND) == ["accepted"]
    odd = {"x-amzn-errortype": "InvalidParameterValueException"}
    refusal = {"Type": "User", "message": "Alias is not supported by this cluster."}
    assert found("CreateAlias", 400, refusal, PASSES, **odd) == ["InvalidParameterValueException"]
    assert found("GetAlias", 0, b"")[0].startswith("no answer")


VIOLATION = Expected(
    False,
    frozenset({"ValidationException"}),
    violation=r"^Value(?: '.*')? at 'name' failed to satisfy constraint: .*Member must have length",
)
TEXT = "1 validation error detected: Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1"


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (TEXT, []),
        (TEXT.replace("1 validation error", "2 validation errors"), ["number of violations is wrong"]),
        (TEXT.replace("error detected", "errors detected"), ["number of violations is wrong"]),
        (TEXT.replace("'name'", "'Name'"), ["text does not name the violation"]),
        (TEXT.replace("have length", "be"), ["text does not name the violation"]),
        ("Name is too short", ["text does not begin with the number of violations"]),
    ],
)
def test_the_text_of_a_violation(text, faults):
    assert found("GetAlias", 400, {"message": text}, VIOLATION, **{"x-amzn-errortype": "ValidationException"}) == faults


def test_several_violations_are_told_apart():
    text = (
        TEXT.replace("1 validation error", "2 validation errors")
        + "; Value null at 'functionVersion' failed to satisfy constraint: Member must not be null"
    )
    assert found("GetAlias", 400, {"message": text}, VIOLATION, **{"x-amzn-errortype": "ValidationException"}) == []
