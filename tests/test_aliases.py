"""Aliases: names for versions, and weights between two of them."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import zips
from botocore.exceptions import ClientError
from cluster import wait_until
from clients import invoke, wait_updated

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"


@pytest.fixture
def two_versions(client, deploy):
    """A function whose version 1 says `one`, version 2 `two` and $LATEST `latest`."""
    name = deploy(zips.function("versioned", word="one"), "versioned.handler")
    for word in ("two", "latest"):
        client.publish_version(FunctionName=name)
        client.update_function_code(FunctionName=name, ZipFile=zips.function("versioned", word=word))
        wait_updated(client, name)
    return name


def test_an_alias_is_created_looked_at_changed_and_deleted(client, two_versions):
    name = two_versions
    made = client.create_alias(FunctionName=name, Name="live", FunctionVersion="1", Description="what runs")
    assert made.pop("ResponseMetadata")["HTTPStatusCode"] == 201
    revision = made.pop("RevisionId")
    assert made == {
        "AliasArn": f"{ARN}{name}:live",
        "Name": "live",
        "FunctionVersion": "1",
        "Description": "what runs",
    }
    changed = client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    assert changed["FunctionVersion"] == "2" and changed["Description"] == "what runs"
    assert changed["RevisionId"] != revision
    found = client.get_alias(FunctionName=name, Name="live")
    assert found["FunctionVersion"] == "2" and found["RevisionId"] == changed["RevisionId"]
    with pytest.raises(client.exceptions.PreconditionFailedException):
        client.update_alias(FunctionName=name, Name="live", FunctionVersion="1", RevisionId=revision)
    assert client.delete_alias(FunctionName=name, Name="live")["ResponseMetadata"]["HTTPStatusCode"] == 204
    with pytest.raises(client.exceptions.ResourceNotFoundException) as missing:
        client.get_alias(FunctionName=name, Name="live")
    assert missing.value.response["Error"]["Message"] == f"Cannot find alias arn: {ARN}{name}:live"


def test_deleting_an_alias_twice_is_no_error(client, two_versions):
    client.create_alias(FunctionName=two_versions, Name="live", FunctionVersion="1")
    for _ in range(2):
        answer = client.delete_alias(FunctionName=two_versions, Name="live")
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_an_alias_is_invoked_as_itself(client, deploy):
    name = deploy("context")
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    for target in ({"function": name, "Qualifier": "live"}, {"function": f"{name}:live"}, {"function": f"{ARN}{name}:live"}):
        answer = invoke(client, **target)
        assert answer.version == "1"
        assert answer.payload["function_version"] == "1"
        assert answer.payload["invoked_function_arn"] == f"{ARN}{name}:live"
    assert client.get_function(FunctionName=name, Qualifier="live")["Configuration"]["Version"] == "1"


def test_an_alias_pins_its_version_until_it_is_moved(clients, client, two_versions):
    client.create_alias(FunctionName=two_versions, Name="live", FunctionVersion="1")
    assert {invoke(client, two_versions, Qualifier="live").payload["word"] for _ in range(5)} == {"one"}
    client.update_alias(FunctionName=two_versions, Name="live", FunctionVersion="2")
    for node in "abc":
        reader = clients(node)
        moved = lambda: reader.get_alias(FunctionName=two_versions, Name="live")["FunctionVersion"] == "2"
        wait_until(moved, 5, f"the moved alias at node {node}")
        assert {invoke(reader, two_versions, Qualifier="live").payload["word"] for _ in range(5)} == {"two"}


def test_weights_split_the_invocations(client, two_versions):
    client.create_alias(
        FunctionName=two_versions,
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}},
    )
    assert client.get_alias(FunctionName=two_versions, Name="live")["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.5}}

    def one(_):
        answer = invoke(client, two_versions, Qualifier="live")
        assert answer.payload["version"] == answer.version
        return answer.version

    with ThreadPoolExecutor(4) as pool:
        seen = Counter(pool.map(one, range(240)))
    assert set(seen) == {"1", "2"}
    # Five standard deviations of a fair coin thrown 240 times.
    assert abs(seen["2"] - 120) < 39, seen


def test_weights_are_shifted_and_taken_away(client, two_versions):
    arguments = {"FunctionName": two_versions, "Name": "live"}
    client.create_alias(**arguments, FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {"2": 0.0}})
    assert {invoke(client, two_versions, Qualifier="live").version for _ in range(20)} == {"1"}
    client.update_alias(**arguments, RoutingConfig={"AdditionalVersionWeights": {"2": 1.0}})
    assert {invoke(client, two_versions, Qualifier="live").version for _ in range(20)} == {"2"}
    answer = client.update_alias(**arguments, RoutingConfig={})
    assert not answer.get("RoutingConfig", {}).get("AdditionalVersionWeights")
    assert {invoke(client, two_versions, Qualifier="live").version for _ in range(20)} == {"1"}


def test_aliases_are_listed_by_version_and_in_pages(client, two_versions):
    for alias, version in (("a", "1"), ("b", "2"), ("c", "1"), ("d", "$LATEST")):
        client.create_alias(FunctionName=two_versions, Name=alias, FunctionVersion=version)
    pages = list(client.get_paginator("list_aliases").paginate(FunctionName=two_versions, PaginationConfig={"PageSize": 3}))
    assert [[alias["Name"] for alias in page["Aliases"]] for page in pages] == [["a", "b", "c"], ["d"]]
    of_one = client.list_aliases(FunctionName=two_versions, FunctionVersion="1")["Aliases"]
    assert [alias["Name"] for alias in of_one] == ["a", "c"]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"Name": "live", "FunctionVersion": "1"},
            "ResourceConflictException",
            "Alias already exists: {arn}:live",
        ),
        (
            {"Name": "next", "FunctionVersion": "7"},
            "ResourceNotFoundException",
            "Function not found: {arn}:7",
        ),
        (
            {"Name": "123", "FunctionVersion": "1"},
            "ValidationException",
            "1 validation error detected: Value '123' at 'name' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)",
        ),
        (
            {"Name": "next", "FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5, "2": 0.1}}},
            "InvalidParameterValueException",
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ),
        (
            {"Name": "next", "FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}}},
            "InvalidParameterValueException",
            "Invalid function version 1. Function version 1 is already included in routing configuration.",
        ),
        (
            {"Name": "next", "FunctionVersion": "$LATEST", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}}},
            "InvalidParameterValueException",
            "$LATEST is not supported for an alias pointing to more than 1 version",
        ),
        (
            {"Name": "next", "FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"2": 1.5}}},
            "ValidationException",
            None,
        ),
    ],
    ids=["again", "no-version", "number", "two-weights", "same-version", "latest-with-weight", "weight-above-one"],
)
def test_what_cannot_be_an_alias(client, two_versions, arguments, error, message):
    client.create_alias(FunctionName=two_versions, Name="live", FunctionVersion="1")
    with pytest.raises(ClientError) as refused:
        client.create_alias(FunctionName=two_versions, **arguments)
    got = refused.value.response["Error"]
    assert got["Code"] == error
    if message is not None:
        assert got["Message"] == message.format(arn=ARN + two_versions)


def test_an_unknown_alias_is_not_found(client, two_versions):
    for call in (client.get_alias, client.update_alias):
        with pytest.raises(client.exceptions.ResourceNotFoundException) as missing:
            call(FunctionName=two_versions, Name="nowhere")
        assert missing.value.response["Error"]["Message"] == f"Cannot find alias arn: {ARN}{two_versions}:nowhere"
    with pytest.raises(client.exceptions.ResourceNotFoundException) as missing:
        invoke(client, two_versions, Qualifier="nowhere")
    assert missing.value.response["Error"]["Message"] == f"Function not found: {ARN}{two_versions}:nowhere"
