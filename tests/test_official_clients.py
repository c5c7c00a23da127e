"""The official runtime clients of other languages, in packages for custom runtimes; that of Python is in test_runtimes.py."""

import json

import builds
import log_lines
import pytest
import zips
from clients import invoke
from clusters import ROOT
from test_streaming import read, stream

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
PROVIDED = {"Runtime": "provided.al2023", "Timeout": 20, "MemorySize": 256}


@pytest.mark.timeout(1200)
def test_rust(client, deploy):
    package = zips.package({"bootstrap": builds.rust_function()})
    name = deploy(package, "echo", **PROVIDED)
    for number in range(2):
        answer = invoke(client, name, {"n": number, "text": "ä ☃"}, LogType="Tail")
        assert answer.error is None, answer.payload
        assert answer.payload.pop("deadline") > 0
        expected = {"event": {"n": number, "text": "ä ☃"}, "request": answer.request_id, "arn": ARN + name, "memory": 256}
        assert {key: answer.payload[key] for key in expected} == expected
        log = log_lines.parse(answer.log)
        assert log.lines == ["echoing"]
        assert (log.report.init_ms is not None) == (number == 0)
    failed = invoke(client, name, {"fail": "on purpose"})
    assert failed.error == "Unhandled"
    assert failed.payload["errorMessage"] == "on purpose"
    assert invoke(client, name, {}).error is None

    # The same program, as the handler says, streams.
    streaming = deploy(package, "stream", **PROVIDED)
    payload, end = read(stream(client, streaming, {"pieces": 5}))
    # This client puts status and headers before every stream, and eight zeros after them.
    prelude, body = payload.split(bytes(8))
    assert json.loads(prelude)["statusCode"] == 200
    assert body == b"".join(b"piece %d\n" % number for number in range(5))
    assert end == {}
    assert invoke(client, streaming, {"pieces": 2}).raw.endswith(bytes(8) + b"piece 0\npiece 1\n")

    broken = invoke(client, deploy(package, "broken", **PROVIDED))
    assert broken.error == "Unhandled"
    assert broken.payload["errorType"] == "Runtime.ExitError"


@pytest.mark.timeout(600)
def test_go(client, deploy):
    name = deploy(zips.package({"bootstrap": builds.go_function(builds.SOURCES / "go")}), "any/thing", **PROVIDED)
    for number in range(2):
        answer = invoke(client, name, {"name": "dunlin"}, LogType="Tail")
        assert answer.error is None, answer.payload
        assert answer.payload == {
            "message": "hello, dunlin",
            "request": answer.request_id,
            "arn": ARN + name,
            "handler": "any/thing",
        }
        log = log_lines.parse(answer.log)
        assert log.lines == ["greeting dunlin"]
        assert (log.report.init_ms is not None) == (number == 0)
    failed = invoke(client, name, {"fail": "on purpose"})
    assert (failed.error, failed.payload) == ("Unhandled", {"errorMessage": "on purpose", "errorType": "errorString"})
    assert invoke(client, name, {"name": "again"}).error is None
    # One that panics tells why, and its process ends.
    panicked = invoke(client, name, {"panic": "by choice"})
    assert panicked.error == "Unhandled"
    assert panicked.payload["errorMessage"] == "by choice"
    assert panicked.payload["stackTrace"]
    assert invoke(client, name, {"name": "anew"}).payload["message"] == "hello, anew"

    example = deploy(zips.package({"bootstrap": builds.go_function(ROOT / "examples" / "hello-go")}), "any", **PROVIDED)
    answer = invoke(client, example, {"name": "dunlin"})
    assert answer.payload == {"message": "hello, dunlin", "request": answer.request_id}


@pytest.mark.timeout(1200)
def test_node(client, deploy):
    start = '#!/bin/sh\nexec node node_modules/aws-lambda-ric/index.mjs "$_HANDLER"\n'
    files = {
        **builds.node_client(),
        "bootstrap": start.replace("exec node", f"exec {builds.program('node', 'install Node.js')}"),
        "app.mjs": (builds.SOURCES / "node" / "app.mjs").read_bytes(),
    }
    name = deploy(zips.package(files), "app.handler", **PROVIDED)
    for number in range(2):
        answer = invoke(client, name, {"n": number}, LogType="Tail")
        assert answer.error is None, answer.payload
        assert 0 < answer.payload["remaining"] <= 20000
        assert (answer.payload["event"], answer.payload["request"]) == ({"n": number}, answer.request_id)
        assert answer.payload["arn"] == ARN + name
        assert any(line.endswith("\tINFO\tseen by the official client") for line in log_lines.parse(answer.log).lines)
    failed = invoke(client, name, {"fail": "on purpose"})
    assert failed.error == "Unhandled"
    assert (failed.payload["errorType"], failed.payload["errorMessage"]) == ("RangeError", "on purpose")
    assert json.dumps(failed.payload["trace"]).count("app.mjs") >= 1
    assert invoke(client, name, {}).error is None

    streaming = deploy(zips.package(files), "app.stream", **PROVIDED)
    payload, end = read(stream(client, streaming, {"pieces": 4}))
    assert payload == b"".join(b"piece %d\n" % number for number in range(4))
    assert end == {}
