"""Payloads and responses: sizes at the limit, and JSON of every kind."""

import json

import pytest
import zips
from clients import create, invoke, wait_active

REQUEST_MAX = 6291456
RESPONSE_MAX = 6291556


@pytest.fixture(scope="module")
def echo(client):
    """One function for all of this file's small payloads."""
    name = "echo-for-payloads"
    create(client, name, zips.function("echo"), "echo.handler")
    wait_active(client, name)
    yield name
    client.delete_function(FunctionName=name)


def text_of(size):
    """A JSON string that is this many bytes long, quotes included."""
    return b'"' + b"a" * (size - 2) + b'"'


def test_the_largest_payload_passes(client, deploy):
    answer = invoke(client, deploy("measuring", MemorySize=512, Timeout=30), raw=text_of(REQUEST_MAX))
    assert answer.payload == {"type": "str", "length": REQUEST_MAX - 2}


def test_one_byte_more_is_refused(client, deploy):
    name = deploy("measuring", MemorySize=512, Timeout=30)
    with pytest.raises(client.exceptions.RequestTooLargeException) as refused:
        invoke(client, name, raw=text_of(REQUEST_MAX + 1))
    response = refused.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert response["Error"]["Message"] == (
        f"Request must be smaller than {REQUEST_MAX} bytes for the InvokeFunction operation"
    )
    assert invoke(client, name, [1]).payload["length"] == 1


def test_the_largest_response_passes(client, deploy):
    name = deploy("failing", MemorySize=512, Timeout=30)
    answer = invoke(client, name, {"fail": "answer", "bytes": RESPONSE_MAX})
    assert answer.error is None
    assert len(answer.raw) == RESPONSE_MAX


def test_a_larger_response_is_a_function_error(client, deploy):
    name = deploy("failing", MemorySize=512, Timeout=30)
    answer = invoke(client, name, {"fail": "answer", "bytes": RESPONSE_MAX + 1})
    assert answer.status == 200 and answer.error == "Unhandled"
    assert answer.payload == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": f"Response payload size exceeded maximum allowed payload size ({RESPONSE_MAX} bytes).",
    }
    assert invoke(client, name, {"fail": "nothing"}).payload == "fine"


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -1.5e300,
        12345678901234567890,
        "",
        "grüße ☃ 𝄞 \u0000 \u001f \u2028 \ufffe",
        [],
        {},
        json.loads("[" * 500 + "]" * 500),
        {"": {"": ""}, "__proto__": 1, "a.b": [None]},
        {"bytes": "".join(map(chr, range(256)))},
    ],
    ids=["null", "true", "zero", "float", "large", "empty", "unicode", "array", "object", "nested", "keys", "bytes"],
)
def test_json_of_every_kind_comes_back(client, echo, value):
    answer = invoke(client, echo, raw=json.dumps(value).encode())
    assert answer.error is None
    assert answer.payload == value
    assert invoke(client, echo, raw=json.dumps(value, ensure_ascii=False).encode()).payload == value


@pytest.mark.parametrize("text", ["null", ' {"a" : 1 } ', '"\\ud834\\udd1e"', "[1,\n2]"])
def test_json_may_be_written_in_any_way(client, echo, text):
    assert invoke(client, echo, raw=text.encode()).payload == json.loads(text)


@pytest.mark.parametrize("text", [b"{", b"nope", b"{'a': 1}", b'{"a": 1} x', b"\xff\xfe", b'"\xc3"'])
def test_what_is_no_json_is_refused(client, echo, text):
    with pytest.raises(client.exceptions.InvalidRequestContentException) as refused:
        invoke(client, echo, raw=text)
    response = refused.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["Error"]["Message"].startswith(
        "Could not parse request body into json: Could not parse payload into json: "
    )
