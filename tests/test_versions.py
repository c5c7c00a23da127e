"""Numbered versions: made, listed, invoked, deleted."""

import pytest
import zips
from clients import invoke, wait_updated

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"


@pytest.fixture
def versioned(client, deploy):
    """A function whose $LATEST says `one`, and a way to give it another word."""

    def say(word):
        client.update_function_code(FunctionName=say.name, ZipFile=zips.function("versioned", word=word))
        wait_updated(client, say.name)

    say.name = deploy(zips.function("versioned", word="one"), "versioned.handler")
    return say


def test_a_version_keeps_code_and_configuration(client, versioned):
    name = versioned.name
    client.update_function_configuration(FunctionName=name, Environment={"Variables": {"SETTING": "then"}})
    wait_updated(client, name)
    answer = client.publish_version(FunctionName=name, Description="the first")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert answer["Version"] == "1"
    assert answer["FunctionArn"] == f"{ARN}{name}:1"
    assert answer["State"] == "Active"
    assert answer["Description"] == "the first"
    versioned("two")
    client.update_function_configuration(FunctionName=name, Environment={"Variables": {"SETTING": "now"}})
    wait_updated(client, name)
    assert invoke(client, name, Qualifier="1").payload == {"word": "one", "version": "1", "setting": "then"}
    assert invoke(client, name).payload == {"word": "two", "version": "$LATEST", "setting": "now"}
    assert invoke(client, f"{name}:1").version == "1"
    assert client.get_function(FunctionName=name)["Configuration"]["FunctionArn"] == ARN + name
    assert client.get_function(FunctionName=name, Qualifier="$LATEST")["Configuration"]["FunctionArn"] == f"{ARN}{name}:$LATEST"
    assert client.get_function(FunctionName=name, Qualifier="1")["Configuration"]["FunctionArn"] == f"{ARN}{name}:1"


def test_publishing_the_same_again_makes_no_new_version(client, versioned):
    first = client.publish_version(FunctionName=versioned.name)
    again = client.publish_version(FunctionName=versioned.name)
    assert (first["Version"], again["Version"]) == ("1", "1")
    versioned("two")
    assert client.publish_version(FunctionName=versioned.name)["Version"] == "2"


def test_publishing_expects_the_code_that_it_names(client, versioned):
    current = client.get_function_configuration(FunctionName=versioned.name)["CodeSha256"]
    with pytest.raises(client.exceptions.InvalidParameterValueException) as refused:
        client.publish_version(FunctionName=versioned.name, CodeSha256="A" * 43 + "=")
    assert refused.value.response["Error"]["Message"] == (
        f"CodeSHA256 ({'A' * 43}=) is different from current CodeSHA256 in $LATEST ({current}). "
        "Please try again with the CodeSHA256 in $LATEST."
    )
    assert client.publish_version(FunctionName=versioned.name, CodeSha256=current)["Version"] == "1"


def test_an_update_can_publish(client, versioned):
    answer = client.update_function_code(
        FunctionName=versioned.name, ZipFile=zips.function("versioned", word="two"), Publish=True
    )
    assert answer["Version"] == "1"
    wait_updated(client, versioned.name)
    assert invoke(client, versioned.name, Qualifier="1").payload["word"] == "two"


def test_versions_are_listed_in_pages(client, versioned):
    for word in ("two", "three", "four"):
        client.publish_version(FunctionName=versioned.name)
        versioned(word)
    pages = client.get_paginator("list_versions_by_function").paginate(
        FunctionName=versioned.name, PaginationConfig={"PageSize": 3}
    )
    pages = list(pages)
    assert [len(page["Versions"]) for page in pages] == [3, 1]
    versions = [version for page in pages for version in page["Versions"]]
    assert [version["Version"] for version in versions] == ["$LATEST", "1", "2", "3"]
    assert versions[0]["FunctionArn"] == f"{ARN}{versioned.name}:$LATEST"
    assert versions[2]["FunctionArn"] == f"{ARN}{versioned.name}:2"
    assert all("State" not in version for version in versions)


def test_a_version_is_deleted_and_its_number_not_used_again(client, versioned):
    client.publish_version(FunctionName=versioned.name)
    versioned("two")
    client.publish_version(FunctionName=versioned.name)
    client.delete_function(FunctionName=versioned.name, Qualifier="2")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        invoke(client, versioned.name, Qualifier="2")
    assert invoke(client, versioned.name, Qualifier="1").payload["word"] == "one"
    versioned("three")
    assert client.publish_version(FunctionName=versioned.name)["Version"] == "3"


def test_latest_alone_cannot_be_deleted(client, versioned):
    with pytest.raises(client.exceptions.InvalidParameterValueException) as refused:
        client.delete_function(FunctionName=versioned.name, Qualifier="$LATEST")
    assert refused.value.response["Error"]["Message"] == "$LATEST version cannot be deleted without deleting the function."
    assert invoke(client, versioned.name).payload["word"] == "one"


def test_a_version_that_an_alias_uses_cannot_be_deleted(client, versioned):
    client.publish_version(FunctionName=versioned.name)
    client.create_alias(FunctionName=versioned.name, Name="live", FunctionVersion="1")
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.delete_function(FunctionName=versioned.name, Qualifier="1")
    client.delete_alias(FunctionName=versioned.name, Name="live")
    client.delete_function(FunctionName=versioned.name, Qualifier="1")


def test_versions_do_not_share_an_environment(client, deploy):
    name = deploy("context")
    client.publish_version(FunctionName=name)
    latest = {invoke(client, name).payload["environment_id"] for _ in range(3)}
    first = {invoke(client, name, Qualifier="1").payload["environment_id"] for _ in range(3)}
    assert not latest & first
