"""What is set for the URLs of functions."""

import re

import pytest
from refusals import refused

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
URL = r"https://[a-z0-9]{32}\.lambda-url\.us-east-1\.localhost/"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
CORS = {
    "AllowCredentials": True,
    "AllowHeaders": ["x-custom"],
    "AllowMethods": ["GET", "POST"],
    "AllowOrigins": ["https://example.org"],
    "ExposeHeaders": [],
    "MaxAge": 60,
}


@pytest.fixture
def published(client, deploy):
    name = deploy("echo")
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


def test_a_url_is_created_changed_shown_and_deleted(client, published):
    name = published
    made = client.create_function_url_config(FunctionName=name, AuthType="NONE")
    assert made.pop("ResponseMetadata")["HTTPStatusCode"] == 201
    url, created = made.pop("FunctionUrl"), made.pop("CreationTime")
    assert re.fullmatch(URL, url) and re.fullmatch(TIME, created)
    assert made == {"FunctionArn": f"{ARN}{name}", "AuthType": "NONE", "InvokeMode": "BUFFERED"}
    with refused(
        "ResourceConflictException",
        f"Failed to create function url config for [functionArn = {ARN}{name}]. Error message:  FunctionUrlConfig exists "
        "for this Lambda function",
        409,
    ):
        client.create_function_url_config(FunctionName=name, AuthType="AWS_IAM")
    changed = client.update_function_url_config(FunctionName=name, Cors=CORS, InvokeMode="RESPONSE_STREAM")
    assert changed["FunctionUrl"] == url and changed["AuthType"] == "NONE"
    assert changed["Cors"] == CORS and changed["InvokeMode"] == "RESPONSE_STREAM"
    assert changed["CreationTime"] == created and changed["LastModifiedTime"] > created
    client.update_function_url_config(FunctionName=name, AuthType="AWS_IAM")
    got = client.get_function_url_config(FunctionName=name)
    assert got["Cors"] == CORS and got["AuthType"] == "AWS_IAM"
    assert client.delete_function_url_config(FunctionName=name)["ResponseMetadata"]["HTTPStatusCode"] == 204
    for call in (client.get_function_url_config, client.delete_function_url_config):
        with refused("ResourceNotFoundException", "The resource you requested does not exist."):
            call(FunctionName=name)


def test_aliases_have_urls_of_their_own_that_outlive_them(client, published):
    name = published
    own = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    live = client.create_function_url_config(FunctionName=name, Qualifier="live", AuthType="NONE")
    assert live["FunctionArn"] == f"{ARN}{name}:live" and live["FunctionUrl"] != own
    pages = client.get_paginator("list_function_url_configs").paginate(
        FunctionName=name, PaginationConfig={"PageSize": 1}
    )
    urls = [config["FunctionUrl"] for page in pages for config in page["FunctionUrlConfigs"]]
    assert urls == [own, live["FunctionUrl"]]
    client.delete_alias(FunctionName=name, Name="live")
    got = client.get_function_url_config(FunctionName=name, Qualifier="live")
    assert got["FunctionUrl"] == live["FunctionUrl"]
    with refused("ResourceNotFoundException", "Function does not exist"):
        client.update_function_url_config(FunctionName=name, Qualifier="live", AuthType="AWS_IAM")
    client.delete_function_url_config(FunctionName=name, Qualifier="live")


def test_refusals(client, published):
    for qualifier in ("1", "$LATEST"):
        with refused("ValidationException"):
            client.create_function_url_config(FunctionName=published, Qualifier=qualifier, AuthType="NONE")
    absent = ("ResourceNotFoundException", "Function does not exist")
    with refused(*absent):
        client.create_function_url_config(FunctionName="absent", AuthType="NONE")
    with refused(*absent):
        client.create_function_url_config(FunctionName=published, Qualifier="absent", AuthType="NONE")
    with refused(*absent):
        client.update_function_url_config(FunctionName="absent", AuthType="NONE")
    with refused(*absent):
        client.list_function_url_configs(FunctionName="absent")
    with refused("ValidationException"):
        client.create_function_url_config(FunctionName=published, AuthType="SOME")
    with refused("InvalidParameterValueException"):
        cors = {"AllowHeaders": ["h" * 1024] * 17}
        client.create_function_url_config(FunctionName=published, AuthType="NONE", Cors=cors)


def test_another_account_sees_nothing(clients, client, published):
    client.create_function_url_config(FunctionName=published, AuthType="NONE")
    theirs = clients("a", other_account=True)
    with refused("ResourceNotFoundException", "The resource you requested does not exist."):
        theirs.get_function_url_config(FunctionName=published)
    with refused("AccessDeniedException"):
        theirs.get_function_url_config(FunctionName=f"{ARN}{published}")
