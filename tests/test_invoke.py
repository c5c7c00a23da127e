"""Invocations that succeed: what the function sees, what the caller gets."""

import base64
import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import log_lines
import pytest
from botocore.exceptions import ClientError
from clients import RUNTIME, invoke, wait_active

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"


def test_the_event_comes_back(client, deploy):
    answer = invoke(client, deploy("echo"), {"a": [1, 2.5, None, True], "b": {"c": "d"}})
    assert answer.status == 200
    assert answer.payload == {"a": [1, 2.5, None, True], "b": {"c": "d"}}
    assert answer.version == "$LATEST"
    assert answer.error is None and answer.log is None
    assert answer.headers["content-type"] == "application/json"
    assert uuid.UUID(answer.request_id).version == 4


def test_without_a_payload_the_event_is_an_empty_object(client, deploy):
    assert invoke(client, deploy("echo")).payload == {}


def test_any_frontend_serves_any_function(clients, deploy):
    name = deploy("echo", by=clients("a"))
    for node in "bc":
        wait_active(clients(node), name)
        for number in range(5):
            assert invoke(clients(node), name, {"at": node, "n": number}).payload == {"at": node, "n": number}


def test_the_log_of_a_cold_and_of_a_warm_invocation(client, deploy):
    name = deploy("talkative", MemorySize=256)
    cold = invoke(client, name, {"print": ["hello", "ä ☃"]}, LogType="Tail")
    log = log_lines.parse(cold.log)
    assert log.request_id == cold.request_id
    assert log.version == "$LATEST"
    assert log.lines == ["hello", "ä ☃"]
    assert log.report.memory_mb == 256
    assert 1 < log.report.used_mb < 256
    assert log.report.init_ms and log.report.init_ms > 1
    warm = invoke(client, name, {"print": ["again"]}, LogType="Tail")
    log = log_lines.parse(warm.log)
    assert log.request_id == warm.request_id != cold.request_id
    assert log.lines == ["again"]
    assert log.report.init_ms is None
    assert log.report.billed_ms - 1 < log.report.duration_ms <= log.report.billed_ms


def test_the_first_invocations_bill_includes_its_initialisation(client, deploy):
    report = log_lines.parse(invoke(client, deploy("talkative"), {}, LogType="Tail").log).report
    assert report.billed_ms - 1 < report.duration_ms + report.init_ms <= report.billed_ms


def test_the_log_has_what_was_written_to_stderr_and_logged(client, deploy):
    name = deploy("talkative")
    log = log_lines.parse(invoke(client, name, {"stderr": ["to stderr"], "log": ["careful"]}, LogType="Tail").log)
    assert "to stderr" in log.lines
    warning = [line for line in log.lines if line.endswith("\tcareful")]
    assert len(warning) == 1
    level, when, request_id, text = warning[0].split("\t")
    assert (level, request_id, text) == ("[WARNING]", log.request_id, "careful")
    assert when.endswith("Z")


def test_only_the_end_of_a_long_log_comes_back(client, deploy):
    answer = invoke(client, deploy("talkative"), {"fill": 500}, LogType="Tail")
    assert 3500 < len(answer.log.encode()) <= 4096
    assert log_lines.report_of(answer.log).request_id == answer.request_id
    assert "line 000499" in answer.log and "line 000000" not in answer.log


def test_no_log_unless_asked_for(client, deploy):
    name = deploy("talkative")
    assert invoke(client, name, {"print": ["x"]}).log is None
    assert invoke(client, name, {"print": ["x"]}, LogType="None").log is None


def test_what_the_function_knows_of_itself(client, deploy):
    name = deploy("context", Environment={"Variables": {"OWN": "value", "TZ": "Europe/Vienna"}})
    answer = invoke(client, name, {})
    seen = answer.payload
    assert seen["request_id"] == answer.request_id
    assert seen["function_name"] == name
    assert seen["function_version"] == "$LATEST"
    assert seen["invoked_function_arn"] == ARN + name
    assert int(seen["memory_limit_in_mb"]) == 128
    assert 0 < seen["remaining_ms"] <= 3000
    assert seen["log_group_name"] == f"/aws/lambda/{name}"
    assert "[$LATEST]" in seen["log_stream_name"]
    assert seen["cwd"] == "/var/task"
    assert seen["files"] == ["context.py"]
    expected = {
        "OWN": "value",
        "TZ": "Europe/Vienna",
        "_HANDLER": "context.handler",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{RUNTIME}",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": seen["log_stream_name"],
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "LANG": "en_US.UTF-8",
    }
    assert {name: seen["variables"].get(name) for name in expected} == expected
    assert seen["variables"]["AWS_LAMBDA_RUNTIME_API"].startswith("127.0.0.1:")
    assert seen["variables"]["_X_AMZN_TRACE_ID"].startswith("Root=1-")


def test_a_warm_environment_is_used_again(client, deploy):
    name = deploy("context")
    seen = [invoke(client, name).payload for _ in range(5)]
    assert len({each["environment_id"] for each in seen}) == 1
    assert [each["served"] for each in seen] == [1, 2, 3, 4, 5]


def test_an_environment_serves_one_invocation_at_a_time(client, deploy):
    name = deploy("busy", Timeout=20)
    with ThreadPoolExecutor(4) as pool:
        answers = [each.payload for each in pool.map(lambda _: invoke(client, name, {"seconds": 1.0}), range(4))]
    assert all(answer["inside"] == 1 for answer in answers)
    assert len({answer["environment_id"] for answer in answers}) == 4


def test_the_client_context_arrives(client, deploy):
    context = base64.b64encode(json.dumps({"custom": {"k": "ä"}, "env": {"e": "1"}}).encode()).decode()
    answer = invoke(client, deploy("context"), {}, ClientContext=context)
    assert answer.payload["client_context"] == {"custom": {"k": "ä"}, "env": {"e": "1"}}


def test_a_client_context_that_is_none_is_refused(client, deploy):
    name = deploy("context")
    for bad in ("%%%", base64.b64encode(b"no json").decode()):
        with pytest.raises(client.exceptions.InvalidRequestContentException):
            invoke(client, name, {}, ClientContext=bad)


def test_a_dry_run_runs_nothing(client, deploy):
    name = deploy("context")
    answer = invoke(client, name, {}, InvocationType="DryRun")
    assert answer.status == 204 and answer.raw == b""
    assert invoke(client, name).payload["served"] == 1
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        invoke(client, f"{name}-not", {}, InvocationType="DryRun")


def test_an_invocation_type_that_is_none(client, deploy):
    with pytest.raises(ClientError) as refused:
        invoke(client, deploy("echo"), {}, InvocationType="Maybe")
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_what_is_not_served_yet_says_so(client, deploy):
    name = deploy("echo")
    with pytest.raises(client.exceptions.InvalidParameterValueException) as refused:
        invoke(client, name, {}, InvocationType="Event")
    assert refused.value.response["Error"]["Message"] == (
        "Asynchronous invocation is not available in this version of the cluster."
    )


def test_the_ways_to_name_a_function(client, deploy):
    name = deploy("context")
    client.publish_version(FunctionName=name)
    for spelled in (name, f"function:{name}", f"000000000000:function:{name}", ARN + name):
        assert invoke(client, spelled).payload["function_version"] == "$LATEST"
        assert invoke(client, f"{spelled}:1").payload["function_version"] == "1"
        assert invoke(client, f"{spelled}:$LATEST").payload["function_version"] == "$LATEST"
        assert invoke(client, f"{spelled}:1", Qualifier="1").version == "1"


def test_the_trace_header_goes_through(client, deploy):
    root = "1-5759e988-bd862e3fe1be46a994272793"

    def add(request, **_):
        request.headers["X-Amzn-Trace-Id"] = f"Root={root};Parent=53995c3f42cd8ad8;Sampled=1"

    name = deploy("context")
    client.meta.events.register("before-send.lambda.Invoke", add)
    try:
        answer = invoke(client, name)
    finally:
        client.meta.events.unregister("before-send.lambda.Invoke", add)
    assert f"Root={root}" in answer.payload["variables"]["_X_AMZN_TRACE_ID"]
    assert f"Root={root}" in answer.headers["x-amzn-trace-id"]


def test_many_invocations_at_once_get_their_own_answers(clients, deploy):
    name = deploy("echo", Timeout=30)
    for node in "bc":
        wait_active(clients(node), name)

    def one(number):
        return invoke(clients("abc"[number % 3]), name, {"number": number}).payload["number"]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(200))) == list(range(200))
