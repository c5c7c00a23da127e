"""Durable executions: none can exist yet, and every operation says so truthfully."""

import pytest
from botocore.exceptions import ClientError

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f:1/durable-execution/order-7/0b1c"
CALLBACK = "YWJj/d=="


def refused(call, **members):
    with pytest.raises(ClientError) as error:
        call(**members)
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]


def test_an_execution_that_is_not_there(client):
    for call in (
        client.get_durable_execution,
        client.get_durable_execution_history,
        client.stop_durable_execution,
        client.pause_durable_execution,
        client.resume_durable_execution,
        client.delete_durable_execution,
    ):
        answer = refused(call, DurableExecutionArn=ARN)
        assert answer == ("ResourceNotFoundException", 404, f"Durable execution not found: {ARN}")


def test_a_token_of_no_invocation(client):
    step = {"Id": "a", "Type": "STEP", "Action": "START"}
    checkpoint = {"DurableExecutionArn": ARN, "CheckpointToken": "abcd", "Updates": [step]}
    expected = ("InvalidParameterValueException", 400, "Invalid checkpoint token")
    assert refused(client.checkpoint_durable_execution, **checkpoint) == expected
    state = {"DurableExecutionArn": ARN, "CheckpointToken": "abcd"}
    assert refused(client.get_durable_execution_state, **state) == expected
    checkpoint["Updates"] = [{"Id": "a", "Type": "WAIT", "Action": "RETRY"}]
    assert refused(client.checkpoint_durable_execution, **checkpoint)[2] == "Invalid action for the given operation type."


def test_a_callback_that_is_not_there(client):
    for call, members in (
        (client.send_durable_execution_callback_success, {"Result": b"1"}),
        (client.send_durable_execution_callback_failure, {"Error": {"ErrorType": "E"}}),
        (client.send_durable_execution_callback_heartbeat, {}),
    ):
        answer = refused(call, CallbackId=CALLBACK, **members)
        assert answer == ("ResourceNotFoundException", 404, "The callback does not exist.")


def test_a_function_has_no_executions(client, deploy):
    name = deploy("echo")
    assert client.list_durable_executions_by_function(FunctionName=name)["DurableExecutions"] == []
    pages = client.get_paginator("list_durable_executions_by_function").paginate(FunctionName=name, Qualifier="$LATEST")
    assert [page["DurableExecutions"] for page in pages] == [[]]
    for missing in ({"FunctionName": "nowhere"}, {"FunctionName": name, "Qualifier": "7"}):
        assert refused(client.list_durable_executions_by_function, **missing)[:2] == ("ResourceNotFoundException", 404)


def test_another_account_hears_nothing(clients):
    stranger = clients("a", other_account=True)
    assert refused(stranger.get_durable_execution, DurableExecutionArn=ARN)[:2] == ("AccessDeniedException", 403)


def test_what_is_no_name_of_an_execution(client):
    code, status, _ = refused(client.get_durable_execution, DurableExecutionArn="order-7")
    assert (code, status) == ("ValidationException", 400)
