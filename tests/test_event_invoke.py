"""What is set for asynchronous invocations."""

from datetime import datetime, timedelta, timezone

import pytest
from refusals import refused

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:queue"


@pytest.fixture
def published(client, deploy):
    name = deploy("echo")
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


def shown(answer):
    return {k: v for k, v in answer.items() if k not in ("ResponseMetadata", "LastModified")}


def test_put_replaces_update_merges_and_delete_ends_it(client, published):
    name = published
    put = client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    assert put["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert datetime.now(timezone.utc) - put["LastModified"] < timedelta(minutes=5)
    both = {"OnSuccess": {}, "OnFailure": {}}
    assert shown(put) == {
        "FunctionArn": f"{ARN}{name}:$LATEST",
        "MaximumRetryAttempts": 0,
        "DestinationConfig": both,
    }
    updated = client.update_function_event_invoke_config(
        FunctionName=name,
        Qualifier="$LATEST",
        MaximumEventAgeInSeconds=60,
        DestinationConfig={"OnFailure": {"Destination": QUEUE}},
    )
    assert shown(updated) == {
        "FunctionArn": f"{ARN}{name}:$LATEST",
        "MaximumRetryAttempts": 0,
        "MaximumEventAgeInSeconds": 60,
        "DestinationConfig": {"OnSuccess": {}, "OnFailure": {"Destination": QUEUE}},
    }
    assert updated["LastModified"] > put["LastModified"]
    assert shown(client.get_function_event_invoke_config(FunctionName=name)) == shown(updated)
    put = client.put_function_event_invoke_config(FunctionName=name, MaximumEventAgeInSeconds=90)
    assert "MaximumRetryAttempts" not in put and put["DestinationConfig"] == both
    deleted = client.delete_function_event_invoke_config(FunctionName=name)
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    text = f"The function {ARN}{name}:$LATEST doesn't have an EventInvokeConfig"
    for call in (client.get_function_event_invoke_config, client.delete_function_event_invoke_config):
        with refused("ResourceNotFoundException", text):
            call(FunctionName=name)
    with refused("ResourceNotFoundException", text):
        client.update_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=1)


def test_each_qualifier_has_its_own_and_they_come_in_pages(client, published):
    name = published
    for qualifier, retries in (("live", 2), ("1", 1), ("$LATEST", 0)):
        client.put_function_event_invoke_config(
            FunctionName=name, Qualifier=qualifier, MaximumRetryAttempts=retries
        )
    pages = client.get_paginator("list_function_event_invoke_configs").paginate(
        FunctionName=name, PaginationConfig={"PageSize": 2}
    )
    found = [
        (config["FunctionArn"].removeprefix(f"{ARN}{name}:"), config["MaximumRetryAttempts"])
        for page in pages
        for config in page["FunctionEventInvokeConfigs"]
    ]
    assert found == [("$LATEST", 0), ("1", 1), ("live", 2)]
    client.delete_alias(FunctionName=name, Name="live")
    left = client.list_function_event_invoke_configs(FunctionName=name)["FunctionEventInvokeConfigs"]
    assert len(left) == 2


def test_what_cannot_be_a_destination(client, published, deploy):
    name = published

    def put(**destinations):
        client.put_function_event_invoke_config(
            FunctionName=name,
            DestinationConfig={on: {"Destination": arn} for on, arn in destinations.items()},
        )

    invalid = "InvalidParameterValueException"
    with refused(invalid, "You can't specify the function as a destination for itself."):
        put(OnSuccess=f"{ARN}{name}:live")
    with refused(invalid, f"The destination ARN {ARN}absent is invalid."):
        put(OnFailure=f"{ARN}absent")
    with refused(
        invalid,
        "The provided destination config DestinationConfig(onSuccess=OnSuccess(destination=arn:aws:s3:::bucket), "
        "onFailure=null) is invalid.",
    ):
        put(OnSuccess="arn:aws:s3:::bucket")
    with refused("ValidationException"):
        put(OnSuccess="no-arn")
    other = deploy("echo")
    put(OnSuccess=f"{ARN}{other}", OnFailure="arn:aws:s3:::bucket")
    put(OnSuccess="")


def test_refusals(client, published):
    with refused(
        "InvalidParameterValueException",
        "You must specify at least one of error handling or destination setting.",
    ):
        client.put_function_event_invoke_config(FunctionName=published)
    absent = ("ResourceNotFoundException", "The function doesn't exist.")
    for target in ({"FunctionName": "absent"}, {"FunctionName": published, "Qualifier": "absent"}):
        with refused(*absent):
            client.put_function_event_invoke_config(MaximumRetryAttempts=1, **target)
        with refused(*absent):
            client.update_function_event_invoke_config(MaximumRetryAttempts=1, **target)
    with refused(*absent):
        client.list_function_event_invoke_configs(FunctionName="absent")
    with refused("ValidationException"):
        client.put_function_event_invoke_config(FunctionName=published, MaximumRetryAttempts=3)


def test_another_account_sees_nothing(clients, client, published):
    client.put_function_event_invoke_config(FunctionName=published, MaximumRetryAttempts=1)
    theirs = clients("a", other_account=True)
    with refused("ResourceNotFoundException"):
        theirs.get_function_event_invoke_config(FunctionName=published)
    with refused("AccessDeniedException"):
        theirs.get_function_event_invoke_config(FunctionName=f"{ARN}{published}")
