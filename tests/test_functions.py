"""The life of a function: created, looked at, changed, deleted."""

import base64
import hashlib
import re
import urllib.error
import urllib.request
import uuid

import pytest
import zips
from cluster import wait_until
from clients import ONE_ATTEMPT, ROLE, RUNTIME, create, invoke, wait_active, wait_updated

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
WHEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000")


def sha256_of(code):
    return base64.b64encode(hashlib.sha256(code).digest()).decode()


def download(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        return answer.read()


def test_create_answers_as_aws_does(client, name):
    code = zips.function("echo")
    answer = create(client, name, code, "echo.handler")
    metadata = answer.pop("ResponseMetadata")
    assert metadata["HTTPStatusCode"] == 201
    assert uuid.UUID(metadata["HTTPHeaders"]["x-amzn-requestid"]).version == 4
    assert WHEN.fullmatch(answer.pop("LastModified"))
    assert str(uuid.UUID(answer["RevisionId"])) == answer.pop("RevisionId")
    runtime_arn = answer.pop("RuntimeVersionConfig")["RuntimeVersionArn"]
    assert re.fullmatch(r"arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}", runtime_arn)
    assert answer == {
        "FunctionName": name,
        "FunctionArn": ARN + name,
        "Runtime": RUNTIME,
        "Role": ROLE,
        "Handler": "echo.handler",
        "CodeSize": len(code),
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "CodeSha256": sha256_of(code),
        "Version": "$LATEST",
        "TracingConfig": {"Mode": "PassThrough"},
        "State": "Pending",
        "StateReason": "The function is being created.",
        "StateReasonCode": "Creating",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
    }
    wait_active(client, name)
    client.delete_function(FunctionName=name)


def test_the_sdks_own_waiters_see_a_creation_and_an_update(client, name):
    create(client, name, zips.function("versioned", word="one"), "versioned.handler")
    client.get_waiter("function_exists").wait(FunctionName=name)
    client.get_waiter("function_active_v2").wait(FunctionName=name)
    assert invoke(client, name).payload["word"] == "one"
    client.update_function_code(FunctionName=name, ZipFile=zips.function("versioned", word="two"))
    client.get_waiter("function_updated_v2").wait(FunctionName=name)
    assert invoke(client, name).payload["word"] == "two"
    client.delete_function(FunctionName=name)


def test_an_active_function_says_so_and_has_a_new_revision(client, name):
    created = create(client, name, zips.function("echo"), "echo.handler")
    wait_active(client, name)
    found = client.get_function(FunctionName=name)
    configuration = found["Configuration"]
    assert configuration["State"] == "Active"
    assert configuration["LastUpdateStatus"] == "Successful"
    assert "StateReason" not in configuration and "StateReasonCode" not in configuration
    assert configuration["RevisionId"] != created["RevisionId"]
    assert found["Code"]["RepositoryType"] == "S3"
    assert "Tags" not in found and "Concurrency" not in found
    assert "Environment" not in configuration
    alone = client.get_function_configuration(FunctionName=name)
    alone.pop("ResponseMetadata")
    assert alone == configuration
    client.delete_function(FunctionName=name)


def test_everything_that_can_be_set_comes_back(client, deploy):
    asked = {
        "Description": "ä description ☃",
        "Timeout": 17,
        "MemorySize": 256,
        "EphemeralStorage": {"Size": 600},
        "Environment": {"Variables": {"AB": "one", "snowman": "☃ = 1\nline"}},
        "TracingConfig": {"Mode": "Active"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/own/group"},
        "Architectures": ["x86_64"],
    }
    name = deploy("echo", Tags={"team": "red", "größe": "1 : 2"}, **asked)
    found = client.get_function(FunctionName=name)
    assert {member: found["Configuration"][member] for member in asked} == asked
    assert found["Tags"] == {"team": "red", "größe": "1 : 2"}


def test_created_with_publish_there_is_a_version_at_once(client, deploy, name):
    answer = create(client, name, zips.function("versioned", word="one"), "versioned.handler", Publish=True)
    assert answer["Version"] == "1"
    assert answer["FunctionArn"] == ARN + name
    wait_active(client, name)
    assert invoke(client, name, Qualifier="1").payload["version"] == "1"
    assert invoke(client, name).payload["version"] == "$LATEST"
    client.delete_function(FunctionName=name)


def test_the_code_comes_back_byte_for_byte(client, deploy):
    code = zips.official_runtime_client()
    name = deploy(code, "client_app.handler", Runtime="provided.al2023")
    location = client.get_function(FunctionName=name)["Code"]["Location"]
    assert location.startswith("http")
    assert download(location) == code


def test_a_location_that_was_tampered_with_gives_nothing(client, deploy):
    own = deploy("echo")
    location = client.get_function(FunctionName=own)["Code"]["Location"]
    assert download(location)
    name, _, value = location.rpartition("=")
    broken = f"{name}={'0' if value[0] != '0' else '1'}{value[1:]}"
    with pytest.raises(urllib.error.HTTPError) as refused:
        download(broken)
    assert refused.value.code == 403


def test_new_code_takes_effect(client, deploy):
    name = deploy(zips.function("versioned", word="one"), "versioned.handler")
    before = client.get_function_configuration(FunctionName=name)
    assert invoke(client, name).payload["word"] == "one"
    code = zips.function("versioned", word="two")
    answer = client.update_function_code(FunctionName=name, ZipFile=code)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert answer["State"] == "Active"
    assert answer["LastUpdateStatus"] in ("InProgress", "Successful")
    assert answer["CodeSha256"] == sha256_of(code)
    assert answer["RevisionId"] != before["RevisionId"]
    wait_updated(client, name)
    assert invoke(client, name).payload["word"] == "two"


def test_a_dry_run_of_an_update_changes_nothing(client, deploy):
    name = deploy(zips.function("versioned", word="one"), "versioned.handler")
    code = zips.function("versioned", word="two")
    answer = client.update_function_code(FunctionName=name, ZipFile=code, DryRun=True)
    assert answer["CodeSha256"] == sha256_of(code)
    assert client.get_function_configuration(FunctionName=name)["CodeSha256"] != sha256_of(code)
    assert invoke(client, name).payload["word"] == "one"


def test_new_configuration_takes_effect(client, deploy):
    name = deploy("context", Environment={"Variables": {"SETTING": "old", "GONE": "soon"}})
    first = invoke(client, name).payload
    assert first["variables"]["SETTING"] == "old" and first["memory_limit_in_mb"] in (128, "128")
    assert first["remaining_ms"] <= 3000
    answer = client.update_function_configuration(
        FunctionName=name, Environment={"Variables": {"SETTING": "new"}}, Timeout=30, MemorySize=192, Description="changed"
    )
    assert (answer["Timeout"], answer["MemorySize"], answer["Description"]) == (30, 192, "changed")
    assert answer["Handler"] == "context.handler"
    wait_updated(client, name)
    second = invoke(client, name).payload
    assert second["variables"]["SETTING"] == "new" and "GONE" not in second["variables"]
    assert second["memory_limit_in_mb"] in (192, "192")
    assert 3000 < second["remaining_ms"] <= 30000
    assert second["environment_id"] != first["environment_id"]


def test_a_handler_can_be_changed(client, deploy):
    package = zips.package({"app.py": "def one(e, c): return 1\ndef two(e, c): return 2\n"})
    name = deploy(package, "app.one")
    assert invoke(client, name).payload == 1
    client.update_function_configuration(FunctionName=name, Handler="app.two")
    wait_updated(client, name)
    assert invoke(client, name).payload == 2


def test_an_update_with_an_old_revision_is_refused(client, deploy):
    name = deploy("echo")
    old = client.get_function_configuration(FunctionName=name)["RevisionId"]
    client.update_function_configuration(FunctionName=name, Description="first", RevisionId=old)
    wait_updated(client, name)
    for call, arguments in (
        (client.update_function_configuration, {"Description": "second"}),
        (client.update_function_code, {"ZipFile": zips.function("echo")}),
        (client.publish_version, {}),
    ):
        with pytest.raises(client.exceptions.PreconditionFailedException) as refused:
            call(FunctionName=name, RevisionId=old, **arguments)
        error = refused.value.response
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 412
        assert error["Error"]["Message"] == (
            "The Revision Id provided does not match the latest Revision Id. "
            "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
        )
    assert client.get_function_configuration(FunctionName=name)["Description"] == "first"


def test_functions_are_listed_in_pages(clients, name):
    """In the other account, where no other test leaves functions."""
    client = clients("a", other_account=True)
    names = sorted(f"{name}-{letter}" for letter in "abcde")
    for each in names:
        create(client, each, zips.function("echo"), "echo.handler", Publish=True)
    for each in names:
        wait_active(client, each)
    pages = list(client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["Functions"]) for page in pages] == [2, 2, 1]
    listed = [function for page in pages for function in page["Functions"]]
    assert sorted(function["FunctionName"] for function in listed) == names
    assert all(function["Version"] == "$LATEST" for function in listed)
    for function in listed:
        assert not {"State", "StateReason", "LastUpdateStatus", "RuntimeVersionConfig"} & function.keys()
    every = client.get_paginator("list_functions").paginate(FunctionVersion="ALL", PaginationConfig={"PageSize": 3})
    versions = [(f["FunctionName"], f["Version"]) for page in every for f in page["Functions"]]
    assert sorted(versions) == sorted((each, version) for each in names for version in ("$LATEST", "1"))
    for each in names:
        client.delete_function(FunctionName=each)
    assert client.list_functions()["Functions"] == []


def test_a_deleted_function_is_gone_and_its_name_free(client, clients, name):
    create(client, name, zips.function("versioned", word="one"), "versioned.handler", Publish=True)
    wait_active(client, name)
    assert invoke(client, name).payload["word"] == "one"
    answer = client.delete_function(FunctionName=name)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] in (200, 204)
    once = clients("a", **ONE_ATTEMPT)
    for call in (once.get_function, once.delete_function, once.get_function_configuration, once.invoke, once.list_aliases):
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            call(FunctionName=name)
    create(client, name, zips.function("versioned", word="two"), "versioned.handler")
    wait_active(client, name)
    assert invoke(client, name).payload["word"] == "two"
    assert [v["Version"] for v in client.list_versions_by_function(FunctionName=name)["Versions"]] == ["$LATEST"]
    client.delete_function(FunctionName=name)


def test_a_change_made_through_one_frontend_is_seen_by_all(clients, deploy):
    name = deploy("versioned", by=clients("a"))
    for node in "bc":
        wait_active(clients(node), name)
        assert invoke(clients(node), name).status == 200
    clients("b").update_function_configuration(FunctionName=name, Environment={"Variables": {"SETTING": "by b"}})
    for node in "abc":
        reader = clients(node)
        shown = lambda: "Environment" in reader.get_function_configuration(FunctionName=name)
        wait_until(shown, 5, f"the update at node {node}")
        wait_updated(reader, name)
        assert invoke(clients(node), name).payload["setting"] == "by b"


def test_account_settings_count_what_is_there(clients, name):
    client = clients("a", other_account=True)
    before = client.get_account_settings()
    assert before["AccountLimit"] == {
        "TotalCodeSize": 75 << 30,
        "CodeSizeUnzipped": 262144000,
        "CodeSizeZipped": 52428800,
        "ConcurrentExecutions": 1000,
        "UnreservedConcurrentExecutions": 1000,
    }
    code = zips.function("echo")
    create(client, name, code, "echo.handler")
    wait_active(client, name)
    after = client.get_account_settings()["AccountUsage"]
    assert after["FunctionCount"] == before["AccountUsage"]["FunctionCount"] + 1
    assert after["TotalCodeSize"] == before["AccountUsage"]["TotalCodeSize"] + len(code)
    client.delete_function(FunctionName=name)
