"""Responses that are streamed: the event stream as boto3 reads it."""

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor

import log_lines
import pytest
from botocore.exceptions import ClientError
from clients import invoke

RESPONSE_MAX = 6291556


def stream(client, function, payload, **arguments):
    return client.invoke_with_response_stream(FunctionName=function, Payload=json.dumps(payload).encode(), **arguments)


def read(answer):
    """The payload of a streamed answer, and what its end says."""
    pieces, end = [], None
    for event in answer["EventStream"]:
        assert end is None, "something follows the end"
        if "PayloadChunk" in event:
            pieces.append(event["PayloadChunk"]["Payload"])
        else:
            end = event["InvokeComplete"]
    assert end is not None, "the stream has no end"
    return b"".join(pieces), end


def test_a_response_and_its_end(client, deploy):
    name = deploy("echo")
    answer = stream(client, name, {"a": [1, None]})
    metadata = answer["ResponseMetadata"]
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    assert answer["ResponseStreamContentType"] == "application/vnd.amazon.eventstream"
    assert metadata["HTTPHeaders"]["x-amzn-requestid"] == metadata["RequestId"]
    payload, end = read(answer)
    assert json.loads(payload) == {"a": [1, None]}
    assert end == {}


def test_a_version_is_streamed_as_itself(client, deploy):
    name = deploy("context")
    client.publish_version(FunctionName=name)
    answer = stream(client, name, {}, Qualifier="1")
    assert answer["ExecutedVersion"] == "1"
    assert json.loads(read(answer)[0])["function_version"] == "1"


def test_the_tail_of_the_log(client, deploy):
    name = deploy("talkative")
    answer = stream(client, name, {"print": ["hello", "ä ☃"]}, LogType="Tail")
    _, end = read(answer)
    log = log_lines.parse(base64.b64decode(end["LogResult"]).decode())
    assert log.request_id == answer["ResponseMetadata"]["RequestId"]
    assert log.lines == ["hello", "ä ☃"]
    assert "LogResult" not in read(stream(client, name, {"print": ["x"]}))[1]


def test_an_error_of_the_function(client, deploy):
    name = deploy("failing")
    payload, end = read(stream(client, name, {"fail": "raise", "text": "no stock"}, LogType="Tail"))
    assert end["ErrorCode"] == "Unhandled"
    assert json.loads(end["ErrorDetails"]) == json.loads(payload)
    assert json.loads(payload)["errorType"] == "OrderRefused"
    assert "no stock" in base64.b64decode(end["LogResult"]).decode()
    _, end = read(stream(client, name, {"fail": "exit", "status": 3}))
    assert end["ErrorCode"] == "Unhandled" and "exit status 3" in end["ErrorDetails"]
    assert read(stream(client, name, {"fail": "nothing"})) == (b'"fine"', {})


def test_a_timeout(client, deploy):
    name = deploy("failing", Timeout=1)
    _, end = read(stream(client, name, {"fail": "sleep", "seconds": 10}))
    assert end["ErrorCode"] == "Unhandled" and "timed out after 1.00 seconds" in end["ErrorDetails"]


def test_the_largest_response_of_a_function_that_buffers(client, deploy):
    name = deploy("failing", MemorySize=512, Timeout=30)
    payload, end = read(stream(client, name, {"fail": "answer", "bytes": RESPONSE_MAX}))
    assert len(payload) == RESPONSE_MAX and end == {}
    payload, end = read(stream(client, name, {"fail": "answer", "bytes": RESPONSE_MAX + 1}))
    assert json.loads(payload)["errorType"] == "Function.ResponseSizeTooLarge"
    assert end["ErrorCode"] == "Unhandled"


def test_a_caller_who_reads_slowly_gets_everything(client, deploy):
    name = deploy("failing", MemorySize=512, Timeout=30)
    answer = stream(client, name, {"fail": "answer", "bytes": RESPONSE_MAX})
    size = 0
    for event in answer["EventStream"]:
        if "PayloadChunk" in event:
            size += len(event["PayloadChunk"]["Payload"])
            time.sleep(0.2)
            # The environment does not wait for the reader: the next invocation finds it warm.
            if size < 1 << 20:
                assert log_lines.parse(invoke(client, name, {"fail": "nothing"}, LogType="Tail").log).report.init_ms is None
        else:
            assert event["InvokeComplete"] == {}
    assert size == RESPONSE_MAX


def test_a_caller_who_goes_away(clients, deploy):
    name = deploy("failing", MemorySize=512, Timeout=30)
    client = clients("a")
    invoke(client, name, {"fail": "nothing"})
    # Before its first piece, with a connection of its own that is cut.
    impatient = clients("a", read_timeout=0.5, retries={"total_max_attempts": 1})
    with pytest.raises(Exception, match="timed out|Read timeout"):
        stream(impatient, name, {"fail": "sleep", "seconds": 2})
    # In the middle of a large response.
    answer = stream(client, name, {"fail": "answer", "bytes": RESPONSE_MAX})
    next(iter(answer["EventStream"]))
    answer["EventStream"].close()
    time.sleep(2.5)
    # Both invocations have ended, and their environments are there for whoever comes next.
    again = invoke(client, name, {"fail": "nothing"}, LogType="Tail")
    assert again.payload == "fine"
    assert log_lines.parse(again.log).report.init_ms is None


def test_many_at_once(client, deploy):
    name = deploy("slow_echo", Timeout=30)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: read(stream(client, name, {"n": n, "seconds": 0.2})), range(24)))
    assert [json.loads(payload)["n"] for payload, _ in answers] == list(range(24))


def test_what_is_refused_is_told_by_a_status(client, deploy):
    name = deploy("echo")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        stream(client, "nowhere", {})
    with pytest.raises(client.exceptions.InvalidRequestContentException):
        client.invoke_with_response_stream(FunctionName=name, Payload=b"{no")
    with pytest.raises(client.exceptions.RequestTooLargeException):
        client.invoke_with_response_stream(FunctionName=name, Payload=b'"' + b"a" * 6291455 + b'"')
    with pytest.raises(ClientError) as event:
        stream(client, name, {}, InvocationType="Event")
    assert event.value.response["Error"]["Code"] == "ValidationException"


def test_a_dry_run_runs_nothing(client, deploy):
    answer = stream(client, deploy("echo"), {}, InvocationType="DryRun")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert list(answer["EventStream"]) == []


def test_no_event_is_accepted_that_nobody_keeps(client, deploy):
    name = deploy("echo")
    for call in (
        lambda: client.invoke(FunctionName=name, InvocationType="Event", Payload=b"{}"),
        lambda: client.invoke_async(FunctionName=name, InvokeArgs=b"{}"),
    ):
        with pytest.raises(client.exceptions.InvalidParameterValueException) as refused:
            call()
        assert refused.value.response["Error"]["Message"] == (
            "Asynchronous invocation is not available in this version of the cluster."
        )
