"""Reserved and provisioned concurrency."""

import re

import pytest
import zips
from clients import ONE_ATTEMPT, invoke, wait_updated
from refusals import refused

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"


def unreserved(client):
    return client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]


@pytest.fixture
def two_versions(client, deploy):
    """A function with versions 1 and 2, and an alias `live` of version 1."""
    name = deploy(zips.function("versioned", word="one"), "versioned.handler")
    client.publish_version(FunctionName=name)
    client.update_function_code(FunctionName=name, ZipFile=zips.function("versioned", word="two"))
    wait_updated(client, name)
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


def test_a_reservation_is_put_shown_and_deleted(client, deploy):
    name = deploy("echo")
    before = unreserved(client)
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName=name)
    assert "Concurrency" not in client.get_function(FunctionName=name)
    put = client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=7)
    assert put["ResponseMetadata"]["HTTPStatusCode"] == 200 and put["ReservedConcurrentExecutions"] == 7
    assert client.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 7
    assert client.get_function(FunctionName=name)["Concurrency"] == {"ReservedConcurrentExecutions": 7}
    assert unreserved(client) == before - 7
    client.put_function_concurrency(FunctionName=f"{ARN}{name}", ReservedConcurrentExecutions=3)
    assert unreserved(client) == before - 3
    for _ in range(2):
        deleted = client.delete_function_concurrency(FunctionName=name)
        assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert unreserved(client) == before


def test_a_deleted_function_reserves_nothing(client, deploy):
    name = deploy("echo")
    before = unreserved(client)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=7)
    client.delete_function(FunctionName=name)
    assert unreserved(client) == before


def test_a_reservation_of_zero_lets_nothing_run(clients, client, deploy):
    name = deploy("echo")
    once = clients("a", **ONE_ATTEMPT)
    assert invoke(once, name, 1).payload == 1
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(client.exceptions.TooManyRequestsException) as throttled:
        invoke(once, name, 1)
    assert throttled.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    assert invoke(once, name, 2).payload == 2


def test_a_hundred_executions_stay_unreserved(client, deploy):
    name = deploy("echo")
    left = unreserved(client)
    with refused(
        "InvalidParameterValueException",
        "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its "
        "minimum value of [100].",
    ):
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=left - 99)
    with refused(
        "InvalidParameterValueException",
        f"Specified ReservedConcurrentExecutions for function is greater than account's unreserved concurrency [{left}].",
    ):
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=left + 1)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=left - 100)
    client.delete_function_concurrency(FunctionName=name)


def test_only_functions_reserve(client, two_versions):
    with refused(
        "InvalidParameterValueException",
        "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please "
        "specify either a function name or an unqualified function ARN.",
    ):
        client.put_function_concurrency(FunctionName=f"{two_versions}:live", ReservedConcurrentExecutions=1)
    with refused("ResourceNotFoundException", f"Function not found: {ARN}absent:$LATEST"):
        client.put_function_concurrency(FunctionName="absent", ReservedConcurrentExecutions=1)
    with refused("ResourceNotFoundException", f"Function not found: {ARN}absent"):
        client.get_function_concurrency(FunctionName="absent")


def test_provisioned_concurrency_is_asked_for_and_not_claimed_to_be_there(client, two_versions):
    name = two_versions
    put = client.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier="live", ProvisionedConcurrentExecutions=2
    )
    assert put.pop("ResponseMetadata")["HTTPStatusCode"] == 202
    modified = put.pop("LastModified")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", modified)
    assert put == {
        "RequestedProvisionedConcurrentExecutions": 2,
        "AllocatedProvisionedConcurrentExecutions": 0,
        "AvailableProvisionedConcurrentExecutions": 0,
        "Status": "IN_PROGRESS",
    }
    got = client.get_provisioned_concurrency_config(FunctionName=name, Qualifier="live")
    assert got["LastModified"] == modified and got["RequestedProvisionedConcurrentExecutions"] == 2
    client.put_provisioned_concurrency_config(FunctionName=name, Qualifier="2", ProvisionedConcurrentExecutions=1)
    pages = client.get_paginator("list_provisioned_concurrency_configs").paginate(
        FunctionName=name, PaginationConfig={"PageSize": 1}
    )
    pages = [page["ProvisionedConcurrencyConfigs"] for page in pages]
    assert [[c["FunctionArn"] for c in page] for page in pages] == [[f"{ARN}{name}:2"], [f"{ARN}{name}:live"]]
    for _ in range(2):
        client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="live")
    with refused(
        "ProvisionedConcurrencyConfigNotFoundException",
        "No Provisioned Concurrency Config found for this function",
        404,
    ):
        client.get_provisioned_concurrency_config(FunctionName=name, Qualifier="live")


def test_what_cannot_be_provisioned(client, two_versions):
    name = two_versions

    def provision(qualifier, executions=1):
        client.put_provisioned_concurrency_config(
            FunctionName=name, Qualifier=qualifier, ProvisionedConcurrentExecutions=executions
        )

    with refused(
        "InvalidParameterValueException",
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
    ):
        provision("$LATEST")
    with refused("ResourceNotFoundException", f"Function not found: {ARN}{name}:9"):
        provision("9")
    with refused("ResourceNotFoundException", f"Cannot find alias arn: {ARN}{name}:absent"):
        provision("absent")
    provision("live")
    with refused(
        "ResourceConflictException", "Version is pointed by a Provisioned Concurrency alias", 409
    ):
        provision("1")
    provision("2")
    conflict = "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
    with refused("ResourceConflictException", conflict):
        client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="live")
    client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    with refused("ResourceConflictException", conflict, 409):
        provision("live")
    left = unreserved(client)
    with refused(
        "InvalidParameterValueException",
        "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum "
        "value of [100].",
    ):
        provision("2", left - 50)


def test_provisioned_concurrency_lies_within_the_reservation(client, two_versions):
    name = two_versions
    client.put_provisioned_concurrency_config(FunctionName=name, Qualifier="2", ProvisionedConcurrentExecutions=2)
    with refused(
        "InvalidParameterValueException",
        " ReservedConcurrentExecutions  1 should not be lower than function's total provisioned concurrency [2].",
    ):
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=3)
    with refused(
        "InvalidParameterValueException",
        "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function",
    ):
        client.put_provisioned_concurrency_config(
            FunctionName=name, Qualifier="live", ProvisionedConcurrentExecutions=2
        )


def test_another_account_sees_nothing(clients, client, two_versions):
    client.put_function_concurrency(FunctionName=two_versions, ReservedConcurrentExecutions=5)
    theirs = clients("a", other_account=True)
    assert unreserved(theirs) == 1000
    with refused("ResourceNotFoundException"):
        theirs.get_function_concurrency(FunctionName=two_versions)
    with refused("AccessDeniedException"):
        theirs.get_function_concurrency(FunctionName=f"{ARN}{two_versions}")
