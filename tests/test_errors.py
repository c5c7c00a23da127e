"""Error answers: status, name, body and text of each, as clients of AWS know them."""

import base64
import http.client
import json
import uuid
from urllib.parse import urlsplit

import pytest
import zips
from clients import ROLE, RUNTIME, create, invoke, wait_active
from signing import Request

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
FUNCTIONS = "/2015-03-31/functions"
UNDER = "failed to satisfy constraint: Member must"


@pytest.fixture(scope="module")
def known(client):
    """A function with version 1."""
    name = "known-to-the-error-tests"
    create(client, name, zips.function("echo"), "echo.handler", Publish=True)
    wait_active(client, name)
    yield name
    client.delete_function(FunctionName=name)


@pytest.fixture(scope="module")
def send(cluster):
    """Sends a signed request, and checks what every answer has."""

    def send(method, path, body=None, query=None, headers=None):
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        request = Request(method, path, raw, query or {}, headers or {})
        answer = request.sign(cluster.endpoint("a"), cluster.credentials).send(cluster.endpoint("a"))
        assert uuid.UUID(answer.headers["x-amzn-requestid"]).version == 4
        return answer

    return send


def valid(name, **changes):
    """The body of a CreateFunction request, with members changed or, if None, left out."""
    body = {
        "FunctionName": name,
        "Role": ROLE,
        "Runtime": RUNTIME,
        "Handler": "echo.handler",
        "Code": {"ZipFile": base64.b64encode(zips.function("echo")).decode()},
        **changes,
    }
    return {member: value for member, value in body.items() if value is not None}


# error, whose key holds the text, whether the body tells whose fault it is
KEYS = {
    "ResourceNotFoundException": ("Message", True),
    "InvalidParameterValueException": ("message", True),
    "InvalidRequestContentException": ("message", True),
    "ResourceConflictException": ("message", True),
    "ValidationException": ("message", False),
    "RequestEntityTooLargeException": ("message", False),
    "UnsupportedMediaTypeException": ("message", True),
}


def check(answer, status, error, text):
    assert (answer.status, answer.error) == (status, error), answer.body
    key, has_type = KEYS[error]
    expected = {key: text} | ({"Type": "User"} if has_type else {})
    assert answer.json == expected
    assert answer.headers["content-type"] == "application/json"


def test_a_body_that_says_it_is_no_json(send, known):
    path, alias = f"{FUNCTIONS}/{known}/aliases", {"Name": "typed", "FunctionVersion": "1"}
    for given in ("text/plain", "application/x-www-form-urlencoded", "application/octet-stream"):
        answer = send("POST", path, alias, headers={"content-type": given})
        text = f"Unsupported content type: expected application/json, got {given}"
        check(answer, 415, "UnsupportedMediaTypeException", text)
    # Nothing was done, and an event may be of any type.
    assert send("GET", f"{path}/typed").status == 404
    assert send("POST", f"{FUNCTIONS}/{known}/invocations", {"a": 1}, headers={"content-type": "text/plain"}).json == {"a": 1}
    assert send("POST", path, alias, headers={"content-type": "application/json; charset=utf-8"}).status == 201
    assert send("DELETE", f"{path}/typed").status == 204


@pytest.mark.parametrize("path", ["", "/configuration", "/versions", "/aliases"])
def test_reading_a_function_that_is_not_there(send, path):
    answer = send("GET", f"{FUNCTIONS}/nowhere{path}")
    check(answer, 404, "ResourceNotFoundException", f"Function not found: {ARN}nowhere")


def test_reading_a_version_that_is_not_there(send, known):
    for qualifier in ("7", "nowhere"):
        for path in ("", "/configuration"):
            answer = send("GET", f"{FUNCTIONS}/{known}{path}", query={"Qualifier": qualifier})
            check(answer, 404, "ResourceNotFoundException", f"Function not found: {ARN}{known}:{qualifier}")


def test_changing_a_function_that_is_not_there(send):
    code = {"ZipFile": base64.b64encode(zips.function("echo")).decode()}
    text = f"Function not found: {ARN}nowhere"
    check(send("PUT", f"{FUNCTIONS}/nowhere/code", code), 404, "ResourceNotFoundException", text)
    check(send("PUT", f"{FUNCTIONS}/nowhere/configuration", {"Timeout": 5}), 404, "ResourceNotFoundException", text)
    check(send("POST", f"{FUNCTIONS}/nowhere/versions", {}), 404, "ResourceNotFoundException", text)
    check(send("DELETE", f"{FUNCTIONS}/nowhere"), 404, "ResourceNotFoundException", text)
    alias = {"Name": "live", "FunctionVersion": "1"}
    assert send("POST", f"{FUNCTIONS}/nowhere/aliases", alias).status == 404


def test_invoking_a_function_that_is_not_there(send):
    answer = send("POST", f"{FUNCTIONS}/nowhere/invocations")
    assert (answer.status, answer.error) == (404, "ResourceNotFoundException")
    # Recordings of AWS name the bare ARN or the one of $LATEST.
    assert answer.json in (
        {"Type": "User", "Message": f"Function not found: {ARN}nowhere"},
        {"Type": "User", "Message": f"Function not found: {ARN}nowhere:$LATEST"},
    )


def test_creating_a_function_twice(send, known):
    check(send("POST", FUNCTIONS, valid(known)), 409, "ResourceConflictException", f"Function already exist: {known}")


def test_an_arn_of_another_region(send, known):
    elsewhere = f"arn%3Aaws%3Alambda%3Aeu-west-1%3A000000000000%3Afunction%3A{known}"
    answer = send("GET", f"{FUNCTIONS}/{elsewhere}")
    text = "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"
    check(answer, 404, "ResourceNotFoundException", text)


def test_two_qualifiers_that_disagree(send, known):
    text = "The derived qualifier from the function name does not match the specified qualifier."
    answer = send("POST", f"{FUNCTIONS}/{known}%3A1/invocations", query={"Qualifier": "$LATEST"})
    check(answer, 400, "InvalidParameterValueException", text)


def test_an_unknown_path_and_an_unknown_method(send):
    for method, path in (("GET", "/2015-03-31/nothing"), ("GET", "/"), ("PATCH", FUNCTIONS), ("POST", "/2099-01-01/functions")):
        answer = send(method, path)
        assert (answer.status, answer.error) == (404, "UnknownOperationException")


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"\xff", b"no json"])
def test_a_body_that_is_no_json_object(send, body):
    answer = send("POST", FUNCTIONS, body)
    assert (answer.status, answer.error) == (400, "InvalidRequestContentException")
    assert answer.message.startswith("Could not parse request body into json: ")


def test_members_of_a_wrong_type(send, known):
    for body in ({"Timeout": "soon"}, {"Environment": []}, {"Description": 1}):
        answer = send("PUT", f"{FUNCTIONS}/{known}/configuration", body)
        assert answer.status == 400, answer.body
        assert answer.error in ("InvalidRequestContentException", "ValidationException", "SerializationException")


def test_unknown_members_are_ignored(send, known):
    assert send("PUT", f"{FUNCTIONS}/{known}/configuration", {"Novelty": {"a": 1}, "Description": "x"}).status == 200


VIOLATIONS = {
    "no-role": ({"Role": None}, f"Value null at 'role' {UNDER} not be null"),
    "no-code": ({"Code": None}, f"Value null at 'code' {UNDER} not be null"),
    "no-name": ({"FunctionName": None}, f"Value null at 'functionName' {UNDER} not be null"),
    "timeout-0": ({"Timeout": 0}, f"Value '0' at 'timeout' {UNDER} have value greater than or equal to 1"),
    "memory-127": ({"MemorySize": 127}, f"Value '127' at 'memorySize' {UNDER} have value greater than or equal to 128"),
    "tmp-511": ({"EphemeralStorage": {"Size": 511}}, f"Value '511' at 'ephemeralStorage.size' {UNDER} have value greater than or equal to 512"),
    "handler": ({"Handler": "a b"}, f"Value 'a b' at 'handler' {UNDER} satisfy regular expression pattern: [^\\s]+"),
    "long-handler": ({"Handler": "h" * 129}, f"Value '{'h' * 129}' at 'handler' {UNDER} have length less than or equal to 128"),
    "description": ({"Description": "d" * 257}, f"Value '{'d' * 257}' at 'description' {UNDER} have length less than or equal to 256"),
    "role": ({"Role": "me"}, f"Value 'me' at 'role' {UNDER} satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{{12}}:role/?[a-zA-Z_0-9+=,.@\\-_/]+"),
    "package-type": ({"PackageType": "Tar"}, f"Value 'Tar' at 'packageType' {UNDER} satisfy enum value set: [Zip, Image]"),
}  # fmt: skip


@pytest.mark.parametrize("which", VIOLATIONS)
def test_a_member_that_breaks_its_constraint(send, name, which):
    changes, violation = VIOLATIONS[which]
    answer = send("POST", FUNCTIONS, valid(name, **changes))
    check(answer, 400, "ValidationException", f"1 validation error detected: {violation}")


def test_several_violations_are_told_together(send, name):
    answer = send("POST", FUNCTIONS, valid(name, Timeout=0, Handler="a b"))
    assert (answer.status, answer.error) == (400, "ValidationException")
    text = answer.message
    assert text.startswith("2 validation errors detected: ")
    assert f"Value '0' at 'timeout' {UNDER} have value greater than or equal to 1" in text
    assert f"Value 'a b' at 'handler' {UNDER} satisfy regular expression pattern" in text
    assert "; " in text


def test_above_what_a_function_may_have(send, name):
    for changes in ({"Timeout": 901}, {"MemorySize": 10241}, {"EphemeralStorage": {"Size": 10241}}):
        answer = send("POST", FUNCTIONS, valid(name, **changes))
        assert answer.status == 400 and answer.error in ("InvalidParameterValueException", "ValidationException"), answer.body


def test_runtimes_that_cannot_be_used(send, name):
    answer = send("POST", FUNCTIONS, valid(name, Runtime="python2.7"))
    text = (
        "The runtime parameter of python2.7 is no longer supported for creating or updating AWS Lambda functions. "
        "We recommend you use a supported runtime while creating or updating functions."
    )
    check(answer, 400, "InvalidParameterValueException", text)
    answer = send("POST", FUNCTIONS, valid(name, Runtime="cobol85"))
    assert (answer.status, answer.error) == (400, "InvalidParameterValueException")
    assert answer.message.startswith(
        "Value cobol85 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: ["
    )
    assert answer.message.endswith("] or be a valid ARN")


def test_a_package_needs_runtime_and_handler(send, name):
    for changes in ({"Runtime": None}, {"Handler": None}):
        answer = send("POST", FUNCTIONS, valid(name, **changes))
        assert (answer.status, answer.error) == (400, "InvalidParameterValueException"), answer.body


def test_environment_variables_that_are_too_large(send, name):
    fits = {"AB": "x" * (4096 - len('{"AB":""}'))}
    answer = send("POST", FUNCTIONS, valid(name, Environment={"Variables": {"AB": fits["AB"] + "x"}}))
    measured = '{"AB":"' + fits["AB"] + 'x"}'
    text = (
        "Lambda was unable to configure your environment variables because the environment variables you have provided "
        f"exceeded the 4KB limit. String measured: {measured}"
    )
    check(answer, 400, "InvalidParameterValueException", text)
    assert send("POST", FUNCTIONS, valid(name, Environment={"Variables": fits})).status == 201
    assert send("DELETE", f"{FUNCTIONS}/{name}").status in (200, 204)


@pytest.mark.parametrize("key", ["_HANDLER", "AWS_REGION", "AWS_LAMBDA_FUNCTION_NAME", "AWS_SECRET_ACCESS_KEY", "LAMBDA_TASK_ROOT"])
def test_environment_variables_that_are_reserved(send, name, key):
    answer = send("POST", FUNCTIONS, valid(name, Environment={"Variables": {key: "x", "FINE": "y"}}))
    assert answer.status == 400, answer.body
    if key.startswith("_"):
        # The name's own pattern forbids it already.
        assert answer.error in ("InvalidParameterValueException", "ValidationException")
        return
    text = (
        "Lambda was unable to configure your environment variables because the environment variables you have provided "
        f"contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {key}"
    )
    check(answer, 400, "InvalidParameterValueException", text)


def test_more_tags_than_fit(send, name):
    answer = send("POST", FUNCTIONS, valid(name, Tags={f"k{n}": "v" for n in range(51)}))
    check(answer, 400, "InvalidParameterValueException", "Number of tags exceeds resource tag limit.")


def test_names_at_their_limits(client, send, name):
    longest = (name + "-" + "n" * 64)[:64]
    create(client, longest, zips.function("echo"), "echo.handler")
    wait_active(client, longest)
    assert invoke(client, longest, {"a": 1}).payload == {"a": 1}
    assert invoke(client, ARN + longest, {"a": 1}).payload == {"a": 1}
    client.delete_function(FunctionName=longest)
    answer = send("POST", FUNCTIONS, valid(longest + "x"))
    check(
        answer, 400, "ValidationException",
        f"1 validation error detected: Value '{longest}x' at 'functionName' {UNDER} have length less than or equal to 64",
    )  # fmt: skip


@pytest.mark.parametrize("odd", ["_", "-", "0", "A", "UPPER_lower-09", "new", "configuration", "invocations"])
def test_odd_names_that_are_names(client, odd):
    create(client, odd, zips.function("echo"), "echo.handler")
    wait_active(client, odd)
    assert invoke(client, odd, {"a": 1}).payload == {"a": 1}
    client.delete_function(FunctionName=odd)


@pytest.mark.parametrize("bad", ["a b", "a.b", "a/b", "ä", "", "a:b:c", "../x", "a\n"])
def test_names_that_are_none(send, bad):
    answer = send("POST", FUNCTIONS, valid(bad))
    assert (answer.status, answer.error) == (400, "ValidationException"), answer.body
    assert "at 'functionName' failed to satisfy constraint: Member must" in answer.message


@pytest.mark.parametrize("encoded", ["a%20b", "a%2Fb", "..%2F..%2Fetc", "%00", "%ff", "a%3Ab%3Ac"])
def test_labels_that_are_no_names(send, encoded):
    for method, path in (("GET", ""), ("POST", "/invocations"), ("DELETE", "")):
        answer = send(method, f"{FUNCTIONS}/{encoded}{path}")
        assert (answer.status, answer.error) == (400, "ValidationException"), answer.body


def test_pages_of_an_impossible_size(send):
    for size in ("0", "-1", "10001", "x"):
        answer = send("GET", FUNCTIONS, query={"MaxItems": size})
        assert (answer.status, answer.error) == (400, "ValidationException"), (size, answer.body)
    answer = send("GET", FUNCTIONS, query={"Marker": "no page ended with this"})
    assert (answer.status, answer.error) == (400, "InvalidParameterValueException")


def test_an_operation_of_a_whole_function_refuses_a_version(send, known):
    answer = send("PUT", f"{FUNCTIONS}/{known}%3A1/configuration", {"Timeout": 5})
    assert answer.status == 400, answer.body
    assert answer.error in ("InvalidParameterValueException", "ValidationException")


def test_collections_are_found_with_a_slash_at_the_end(send, known):
    assert send("GET", f"{FUNCTIONS}/").status == 200
    assert send("GET", f"{FUNCTIONS}/{known}/versions/").status == 200
    assert send("GET", "/2016-08-19/account-settings/").status == 200


def test_a_connection_survives_an_error(cluster, known):
    """The server reads what a refused request sent, so that the next one on the connection is understood."""
    connection = http.client.HTTPConnection(urlsplit(cluster.endpoint("a")).netloc, timeout=10)
    for path, status in (("nowhere", 404), (known, 200), ("a%20b", 400), (known, 200)):
        request = Request("GET", f"{FUNCTIONS}/{path}").sign(cluster.endpoint("a"), cluster.credentials)
        connection.request("GET", request.path, headers=request.headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
    connection.close()
