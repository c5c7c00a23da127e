"""Every kind of runtime: managed Python, a custom one, the official client of Python in a custom one."""

import log_lines
import pytest
import zips
from botocore.exceptions import ClientError
from clients import ONE_ATTEMPT, RUNTIME, create, invoke
from cluster import wait_until

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"


def test_every_python_of_this_machine(client, deploy, cluster):
    """A node finds the interpreters that are installed, and tells which runtimes it can start."""
    (member,) = [m for m in cluster.status("a")["members"] if m["name"] == "a"]
    runtimes = [runtime for runtime in member["runtimes"] if runtime.startswith("python")]
    assert RUNTIME in runtimes
    code = zips.package({"app.py": "import sys\ndef handler(e, c):\n    return 'python%d.%d' % sys.version_info[:2]\n"})
    for runtime in runtimes:
        assert invoke(client, deploy(code, "app.handler", Runtime=runtime)).payload == runtime


def test_a_runtime_that_no_node_has(clients, deploy, name):
    """The API knows it, so the function can be created; its state says that it cannot be run, and what helps."""
    client = clients("a", **ONE_ATTEMPT)
    create(client, name, zips.function("echo"), "echo.handler", Runtime="dotnet8")
    try:
        said = wait_until(lambda: settled(client, name, "State", "Pending"), 60, "an end of the creation")
        assert (said["State"], said["StateReasonCode"]) == ("Failed", "InvalidRuntime")
        assert said["StateReason"].startswith("No worker of this cluster offers dotnet8 on x86_64. ")
        assert "`dunlin runtime add NAME --from DIR --config FILE`" in said["StateReason"]
        with pytest.raises(ClientError) as refused:
            invoke(client, name)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 502
        assert refused.value.response["Error"]["Code"] == "InvalidRuntimeException"
    finally:
        client.delete_function(FunctionName=name)

    # One that ran before keeps its state, and the update tells.
    other = deploy("echo")
    client.update_function_configuration(FunctionName=other, Runtime="java21")
    said = wait_until(lambda: settled(client, other, "LastUpdateStatus", "InProgress"), 60, "an end of the update")
    assert (said["State"], said["LastUpdateStatus"]) == ("Active", "Failed")
    assert said["LastUpdateStatusReasonCode"] == "InvalidRuntime"
    with pytest.raises(ClientError) as refused:
        invoke(client, other)
    response = refused.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert response["Error"]["Code"] == "ServiceUnavailableException"
    assert response["Error"]["Message"] == "No worker of this cluster offers java21 on x86_64 now."


def settled(client, name, status, moving):
    """The configuration, once it is not on its way any more."""
    said = client.get_function_configuration(FunctionName=name)
    return said if said[status] != moving else None


def test_a_custom_runtime(client, deploy):
    name = deploy(zips.bootstrap(), "free-text:of/mine", Runtime="provided.al2023")
    for number in range(3):
        answer = invoke(client, name, {"n": number}, LogType="Tail")
        assert answer.error is None, answer.payload
        assert answer.payload["event"] == {"n": number}
        assert answer.payload["request_id"] == answer.request_id
        assert answer.payload["handler"] == "free-text:of/mine"
        assert answer.payload["arn"] == ARN + name
        assert answer.payload["trace"].startswith("Root=1-")
        assert (log_lines.parse(answer.log).report.init_ms is not None) == (number == 0)


def test_a_custom_runtimes_error_goes_through_unchanged(client, deploy):
    name = deploy(zips.bootstrap(), "any", Runtime="provided.al2023")
    answer = invoke(client, name, {"fail": "by choice"})
    assert answer.error == "Unhandled"
    assert answer.payload == {"errorMessage": "by choice", "errorType": "Custom.Refused"}
    assert invoke(client, name, {}).error is None


def test_the_official_runtime_client_runs_unmodified(client, deploy):
    name = deploy(zips.official_runtime_client(), "client_app.handler", Runtime="provided.al2023", Timeout=20, MemorySize=256)
    for number in range(3):
        answer = invoke(client, name, {"n": number}, LogType="Tail")
        assert answer.error is None, answer.payload
        assert answer.payload["event"] == {"n": number}
        assert answer.payload["client"] == "4.2.2"
        assert answer.payload["request_id"] == answer.request_id
        assert answer.payload["arn"] == ARN + name
        assert 0 < answer.payload["remaining_ms"] <= 20000
        assert "seen by the official client" in log_lines.parse(answer.log).lines
    failed = invoke(client, name, {"fail": "on purpose"})
    assert failed.error == "Unhandled"
    assert failed.payload["errorType"] == "ValueError"
    assert failed.payload["errorMessage"] == "on purpose"
    assert failed.payload["requestId"] == failed.request_id
    assert invoke(client, name, {}).error is None
