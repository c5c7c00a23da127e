"""Bodies that are no requests: broken, too deep, too large, with members twice; and texts in odd characters that are fine.

Every string at its limit and one past it, of every operation, is in tests/conformance.
"""

import gzip
import http.client
import json
import time
from contextlib import suppress
from urllib.parse import quote, urlsplit

import pytest
import zips
from clients import create, invoke, wait_active
from signing import Request, Response

FUNCTIONS = "/2015-03-31/functions"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
BODY_MAX = 70_167_211
DEPTHS = (200, 10_000, 100_000)


@pytest.fixture(scope="module")
def known(client):
    name = "known-to-the-bodies"
    create(client, name, zips.function("echo"), "echo.handler", Publish=True)
    wait_active(client, name)
    yield name
    client.delete_function(FunctionName=name)


@pytest.fixture(scope="module")
def send(cluster):
    def send(method, path, body, headers=None):
        request = Request(method, path, body, headers=dict(headers or {}))
        return request.sign(cluster.endpoint("a"), cluster.credentials).send(cluster.endpoint("a"))

    return send


@pytest.fixture
def configure(send, known):
    """Sends a body to UpdateFunctionConfiguration; whatever it is, the description is as it was unless it is accepted."""
    path = f"{FUNCTIONS}/{known}/configuration"
    before = send("GET", path, b"").json.get("Description")

    def configure(body, headers=None):
        began = time.monotonic()
        answer = send("PUT", path, body, headers)
        assert time.monotonic() - began < 20
        if answer.status != 200:
            assert send("GET", path, b"").json.get("Description") == before
        return answer

    return configure


def refused(answer, error="InvalidRequestContentException", status=400):
    assert (answer.status, answer.error) == (status, error), answer.body[:300]
    # It never repeats what came at length.
    assert len(answer.body) < 4096


def nested(depth, opening, closing):
    return opening * depth + b"1" + closing * depth


NESTS = {"lists": (b"[", b"]"), "objects": (b'{"a":', b"}"), "both": (b'[{"a":', b"}]")}


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("kind", NESTS)
def test_json_that_is_nested_too_deep(configure, kind, depth):
    deep = nested(depth, *NESTS[kind])
    for member in (b"Novelty", b"Description", b"Environment", b"Layers"):
        answer = configure(b'{"' + member + b'":' + deep + b"}")
        assert answer.status == 400, (member, answer.body[:300])
    assert configure(deep).status == 400
    # Never closed.
    refused(configure(NESTS[kind][0] * depth))


def test_a_payload_may_be_nested_as_deep_as_a_function_can_read(client, known):
    for depth in DEPTHS:
        answer = invoke(client, known, raw=nested(depth, b"[", b"]"))
        # The wire has no limit; Python's own parser has.
        assert answer.status == 200 and (answer.error is None or "recursion" in answer.raw.decode()), answer.raw[:300]
    assert invoke(client, known, {"a": 1}).payload == {"a": 1}


@pytest.mark.parametrize(
    "body",
    [
        b'{"Description":"a"', b'{"Description":"a",}', b'{"Description" "a"}', b"{'Description':'a'}", b'{"Description":"a"}}',
        b'{"Description":"a"}{"Description":"b"}', b'{"Description":"\\x"}', b'{"Description":"\\ud800"}', b'{"Description":"\xff"}',
        b'{"Description":"a\nb"}', b'{"Description":NaN}', b'{"Timeout":1e999}', b'{"Timeout":0x3}', b'{"Timeout":03}',
        b'\xef\xbb\xbf{"Description":"a"}', '{"Description":"a"}'.encode("utf-16"), b"\0", b"null", b"1", b"[]", b"Description=a",
        gzip.compress(b'{"Description":"a"}'),
    ],
)  # fmt: skip
def test_what_is_no_json_object_changes_nothing(configure, body):
    refused(configure(body))


@pytest.mark.parametrize(
    "body",
    [
        b'{"Description":"one","Description":"two"}',
        b'{"Timeout":5,"Description":"x","Timeout":900000}',
        b'{"Environment":{"Variables":{"A":"1"},"Variables":{"B":"2"}}}',
        b'{"Description":"one","\\u0044escription":"two"}',
    ],
)
def test_a_member_that_is_there_twice_is_refused(configure, body):
    """AWS would take one of them, and nobody could say which a signature, a policy or a proxy before it has looked at."""
    assert configure(body).status == 400


def test_a_body_of_the_largest_size_is_read_and_one_byte_more_is_not(configure, cluster, known):
    small = b'{"Description":"large"}'
    assert configure(small + b" " * (BODY_MAX - len(small))).status == 200
    text = f"Request must be smaller than {BODY_MAX} bytes for the UpdateFunctionConfiguration operation"
    for chunked in (False, True):
        answer = patiently(cluster, f"{FUNCTIONS}/{known}/configuration", small + b" " * (BODY_MAX + 1 - len(small)), chunked)
        if answer:
            refused(answer, "RequestEntityTooLargeException", 413)
            assert answer.message == text
    assert configure(b'{"Description":"small"}').status == 200


def patiently(cluster, path, body, chunked):
    """Sends a body that the server need not read to its end. Nothing if it hung up before it could be heard: an answer too."""
    request = Request("PUT", path, body).sign(cluster.endpoint("a"), cluster.credentials)
    connection = http.client.HTTPConnection(urlsplit(cluster.endpoint("a")).netloc, timeout=30)
    pieces = (body[at : at + (1 << 20)] for at in range(0, len(body), 1 << 20))
    try:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request("PUT", path, pieces if chunked else body, request.headers, encode_chunked=chunked)
        try:
            answer = connection.getresponse()
            return Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        except (ConnectionResetError, http.client.ResponseNotReady, http.client.RemoteDisconnected):
            return None
    finally:
        connection.close()


@pytest.mark.parametrize(
    "given",
    ["text/xml", "multipart/form-data; boundary=x", "application/jsonp", "application/json2", "json", "application/ json", "*/*"],
)
def test_a_body_that_calls_itself_something_else(configure, given):
    refused(configure(b'{"Description":"typed"}', {"content-type": given}), "UnsupportedMediaTypeException", 415)


@pytest.mark.parametrize("given", ["application/json", "APPLICATION/JSON", "application/json;charset=UTF-8", "application/x-amz-json-1.1"])
def test_names_of_json(configure, given):
    assert configure(b'{"Description":"typed"}', {"content-type": given}).status in (200, 415)


ODD = ["\u0000", "\u001f\u007f\u0085", "\u2028\u2029", "\u202e\u200b\ufeff", "\U0001f9e1\U0010ffff", "e\u0301 \u00e9", "'\"\\</script>&#0;", "%00%0a${x}{{x}}"]


@pytest.mark.parametrize("text", ODD)
def test_odd_characters_in_a_text_come_back_or_are_refused(configure, client, known, text):
    answer = configure(json.dumps({"Description": text}).encode())
    assert answer.status in (200, 400), answer.body
    if answer.status == 200:
        assert client.get_function_configuration(FunctionName=known)["Description"] == text


def test_odd_characters_in_tags_come_back(client, send, known):
    tags = {"Ключ": "Wert ä", "a:b/c=d+e-f@g.h_i": "", " spaced\u00a0out ": "\u3000", "漢字": "١٢٣"}
    client.tag_resource(Resource=ARN + known, Tags=tags)
    assert client.list_tags(Resource=ARN + known)["Tags"] == tags
    client.untag_resource(Resource=ARN + known, TagKeys=list(tags))
    assert client.list_tags(Resource=ARN + known).get("Tags", {}) == {}
    for bad in ("\U0001f9e1", "a\u0000", "a#b", "a\u200b"):
        body = json.dumps({"Tags": {bad: "x"}}).encode()
        refused(send("POST", f"/2017-03-31/tags/{quote(ARN + known, safe='')}", body), "ValidationException")


ODD_NAMES = ["", " ", "a b", "a.b", "ä", "a\u0000", "a/b", "..", "$LATEST", "1", "a:b", "\U0001f9e1", "a\n", "%41", "a" * 200]


@pytest.mark.parametrize("bad", ODD_NAMES)
def test_odd_names_are_refused_wherever_there_are_names(send, known, bad):
    label = quote(bad, safe="") or "%20"
    alias = json.dumps({"Name": bad, "FunctionVersion": "1"}).encode()
    archive = json.dumps({"Content": {"ZipFile": "UEs="}}).encode()
    statement = {"StatementId": bad, "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    calls = [("POST", f"{FUNCTIONS}/{known}/aliases", alias)]
    if bad != "1":
        # A number is the name of a layer, a statement and a provider.
        if bad != "..":
            # Dots in a path are gone before it is signed.
            calls.append(("POST", f"/2018-10-31/layers/{label}/versions", archive))
            calls.append(("GET", f"/2025-11-30/capacity-providers/{label}", b""))
        calls.append(("POST", f"{FUNCTIONS}/{known}/policy", json.dumps(statement).encode()))
    for method, path, body in calls:
        answer = send(method, path, body)
        assert answer.status in (400, 404) and answer.error != "InternalFailure", (path, answer.body)
        if answer.status == 404:
            # A path of dots or slashes leads elsewhere, a name that could be one is not there.
            assert answer.error in ("UnknownOperationException", "ResourceNotFoundException"), (path, answer.body)
