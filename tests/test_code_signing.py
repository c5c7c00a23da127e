"""Code-signing configurations: kept, linked to functions, and enforced on unsigned code, which here is all code."""

import re

import pytest
import zips
from clients import create, invoke, wait_active, wait_updated
from refusals import refusal

PROFILES = ["arn:aws:signer:us-east-1:000000000000:/signing-profiles/mine/0123456789"]
UNSIGNED = (
    400,
    "CodeVerificationFailedException",
    "Lambda cannot deploy the function. The function or layer might be signed using a signature that the client is not "
    "configured to accept. Check the provided signature for unsigned.",
)


@pytest.fixture
def signing(client):
    """Makes configurations; they go away when the test is over."""
    made = []

    def configured(policy="Warn", **arguments):
        answer = client.create_code_signing_config(
            AllowedPublishers={"SigningProfileVersionArns": PROFILES},
            CodeSigningPolicies={"UntrustedArtifactOnDeployment": policy},
            **arguments,
        )
        made.append(answer["CodeSigningConfig"]["CodeSigningConfigArn"])
        return answer

    yield configured
    for arn in made:
        for function in client.list_functions_by_code_signing_config(CodeSigningConfigArn=arn)["FunctionArns"]:
            client.delete_function_code_signing_config(FunctionName=function)
        client.delete_code_signing_config(CodeSigningConfigArn=arn)


def test_a_configuration_is_created_looked_at_and_changed(client, signing):
    made = signing(Description="mine", Tags={"team": "x"})
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    config = made["CodeSigningConfig"]
    arn = config["CodeSigningConfigArn"]
    assert re.fullmatch(r"arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-[a-z0-9]{17}", arn)
    assert config["CodeSigningConfigId"] == arn.rpartition(":")[2]
    assert config["AllowedPublishers"] == {"SigningProfileVersionArns": PROFILES}
    assert client.get_code_signing_config(CodeSigningConfigArn=arn)["CodeSigningConfig"] == config
    changed = client.update_code_signing_config(
        CodeSigningConfigArn=arn, CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"}
    )["CodeSigningConfig"]
    assert changed["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Enforce"}
    assert changed["Description"] == "mine" and changed["LastModified"] >= config["LastModified"]
    second = signing()["CodeSigningConfig"]["CodeSigningConfigArn"]
    pages = client.get_paginator("list_code_signing_configs").paginate(PaginationConfig={"PageSize": 1})
    listed = [config["CodeSigningConfigArn"] for page in pages for config in page["CodeSigningConfigs"]]
    assert {arn, second} <= set(listed) and len(listed) == len(set(listed))


def test_unsigned_code_is_refused_where_it_is_enforced(client, signing, deploy, name):
    strict = signing("Enforce")["CodeSigningConfig"]["CodeSigningConfigArn"]
    mild = signing()["CodeSigningConfig"]["CodeSigningConfigArn"]
    code = zips.function("echo")
    refused = dict(client=client, name=f"{name}-x", code=code, handler="echo.handler", CodeSigningConfigArn=strict)
    assert refusal(create, **refused) == UNSIGNED
    function = deploy("echo", CodeSigningConfigArn=mild)
    assert invoke(client, function, 1).payload == 1
    held = client.get_function_code_signing_config(FunctionName=function)
    assert (held["CodeSigningConfigArn"], held["FunctionName"]) == (mild, function)
    client.update_function_code(FunctionName=function, ZipFile=zips.function("versioned", word="x"))
    wait_updated(client, function)
    put = client.put_function_code_signing_config(FunctionName=function, CodeSigningConfigArn=strict)
    assert put["CodeSigningConfigArn"] == strict
    assert refusal(client.update_function_code, FunctionName=function, ZipFile=code) == UNSIGNED
    functions = client.list_functions_by_code_signing_config(CodeSigningConfigArn=strict)["FunctionArns"]
    assert functions == [f"arn:aws:lambda:us-east-1:000000000000:function:{function}"]
    in_use = refusal(client.delete_code_signing_config, CodeSigningConfigArn=strict)
    assert in_use[:2] == (409, "ResourceConflictException")
    client.publish_version(FunctionName=function)
    assert client.delete_function_code_signing_config(FunctionName=function)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert "CodeSigningConfigArn" not in client.get_function_code_signing_config(FunctionName=function)
    client.update_function_code(FunctionName=function, ZipFile=code)
    wait_updated(client, function)


def test_what_is_not_there(client, clients, signing, deploy, name):
    missing = "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-" + "0" * 17
    absent = (404, "ResourceNotFoundException", f"The Lambda code signing configuration {missing} can not be found.")
    for call in (
        client.get_code_signing_config,
        client.update_code_signing_config,
        client.delete_code_signing_config,
        client.list_functions_by_code_signing_config,
    ):
        assert refusal(call, CodeSigningConfigArn=missing) == absent
    function = deploy("echo")
    assert refusal(client.put_function_code_signing_config, FunctionName=function, CodeSigningConfigArn=missing) == (
        404,
        "CodeSigningConfigNotFoundException",
        f"The code signing configuration cannot be found. Check that the provided configuration is not deleted: {missing}.",
    )
    code = zips.function("echo")
    refused = dict(client=client, name=f"{name}-x", code=code, handler="echo.handler", CodeSigningConfigArn=missing)
    assert refusal(create, **refused)[1] == "CodeSigningConfigNotFoundException"
    assert refusal(client.get_function_code_signing_config, FunctionName="no-such-function")[0] == 404
    arn = signing()["CodeSigningConfig"]["CodeSigningConfigArn"]
    other = clients("a", other_account=True)
    assert refusal(other.get_code_signing_config, CodeSigningConfigArn=arn)[:2] == (403, "AccessDeniedException")
    assert arn not in str(other.list_code_signing_configs())
