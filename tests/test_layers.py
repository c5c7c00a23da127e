"""Layers: published, looked at, shared and deleted."""

import base64
import hashlib
import itertools
import json
import re
import urllib.request

import pytest
import zips
from clients import create, invoke, lambda_client, wait_updated
from clusters import OTHER_ACCOUNT
from identities import Identities
from refusals import refusal

ARN = "arn:aws:lambda:us-east-1:000000000000:layer:"
WHEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000")
ARCHIVE = zips.package({"python/shared.py": "WORD = 'shared'\n"})


@pytest.fixture
def layer(client, name):
    """The name of a layer that no other test has; what was published of it goes away."""
    yield name
    for page in client.get_paginator("list_layer_versions").paginate(LayerName=name):
        for version in page["LayerVersions"]:
            client.delete_layer_version(LayerName=name, VersionNumber=version["Version"])


def publish(client, layer, code=ARCHIVE, **arguments):
    return client.publish_layer_version(LayerName=layer, Content={"ZipFile": code}, **arguments)


def download(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        return answer.read()


def test_a_version_is_published_and_shown_byte_for_byte(client, layer):
    made = publish(
        client,
        layer,
        Description="what is shared",
        CompatibleRuntimes=["python3.11", "python3.12"],
        CompatibleArchitectures=["x86_64"],
        LicenseInfo="MIT",
    )
    assert made.pop("ResponseMetadata")["HTTPStatusCode"] == 201
    content = made.pop("Content")
    assert download(content.pop("Location")) == ARCHIVE
    sha256 = base64.b64encode(hashlib.sha256(ARCHIVE).digest()).decode()
    assert content == {"CodeSha256": sha256, "CodeSize": len(ARCHIVE)}
    assert WHEN.fullmatch(made["CreatedDate"])
    shown = {key: value for key, value in made.items() if key != "CreatedDate"}
    assert shown == {
        "LayerArn": ARN + layer,
        "LayerVersionArn": f"{ARN}{layer}:1",
        "Version": 1,
        "Description": "what is shared",
        "CompatibleRuntimes": ["python3.11", "python3.12"],
        "CompatibleArchitectures": ["x86_64"],
        "LicenseInfo": "MIT",
    }
    for got in (
        client.get_layer_version(LayerName=layer, VersionNumber=1),
        client.get_layer_version(LayerName=ARN + layer, VersionNumber=1),
        client.get_layer_version_by_arn(Arn=f"{ARN}{layer}:1"),
    ):
        assert download(got["Content"]["Location"]) == ARCHIVE
        assert {key: got[key] for key in made} == made


def test_numbers_are_never_used_again(client, layer):
    assert [publish(client, layer)["Version"] for _ in range(2)] == [1, 2]
    for number in (2, 1, 1):
        answer = client.delete_layer_version(LayerName=layer, VersionNumber=number)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert client.list_layer_versions(LayerName=layer)["LayerVersions"] == []
    assert layer not in [found["LayerName"] for found in client.list_layers()["Layers"]]
    assert publish(client, layer)["Version"] == 3


def test_lists_come_in_pages_and_by_what_a_version_is_for(client, layer):
    for runtimes in (["python3.11"], ["python3.12"], ["python3.12"]):
        publish(client, layer, CompatibleRuntimes=runtimes, CompatibleArchitectures=["arm64"])
    pages = client.get_paginator("list_layer_versions").paginate(LayerName=layer, PaginationConfig={"PageSize": 1})
    numbers = [[version["Version"] for version in page["LayerVersions"]] for page in pages]
    assert numbers == [[3], [2], [1]]
    of = lambda **filters: [v["Version"] for v in client.list_layer_versions(LayerName=layer, **filters)["LayerVersions"]]
    assert of(CompatibleRuntime="python3.11") == [1]
    assert of(CompatibleArchitecture="x86_64") == []
    mine = lambda **filters: {
        found["LayerName"]: found["LatestMatchingVersion"]["Version"]
        for page in client.get_paginator("list_layers").paginate(**filters)
        for found in page["Layers"]
        if found["LayerName"] == layer
    }
    assert mine() == {layer: 3}
    assert mine(CompatibleRuntime="python3.11") == {layer: 1}
    assert mine(CompatibleRuntime="ruby3.4") == {}


def test_a_policy_says_who_else_may_use_a_version(client, layer):
    publish(client, layer)
    of = {"LayerName": layer, "VersionNumber": 1}
    statement = {**of, "Action": "lambda:GetLayerVersion"}
    assert refusal(client.get_layer_version_policy, **of) == (
        404,
        "ResourceNotFoundException",
        "No policy is associated with the given resource.",
    )
    added = client.add_layer_version_permission(**statement, StatementId="one", Principal="210987654321")
    assert added["ResponseMetadata"]["HTTPStatusCode"] == 201
    one = {
        "Sid": "one",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::210987654321:root"},
        "Action": "lambda:GetLayerVersion",
        "Resource": f"{ARN}{layer}:1",
    }
    assert json.loads(added["Statement"]) == one
    assert refusal(client.add_layer_version_permission, **statement, StatementId="one", Principal="*")[:2] == (
        409,
        "ResourceConflictException",
    )
    everybody = client.add_layer_version_permission(
        **statement, StatementId="all", Principal="*", OrganizationId="o-0123456789", RevisionId=added["RevisionId"]
    )
    got = client.get_layer_version_policy(**of)
    assert got["RevisionId"] == everybody["RevisionId"] != added["RevisionId"]
    document = json.loads(got["Policy"])
    assert document["Version"] == "2012-10-17" and one in document["Statement"] and len(document["Statement"]) == 2
    assert refusal(
        client.remove_layer_version_permission, **of, StatementId="one", RevisionId=added["RevisionId"]
    ) == (
        412,
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy API to retrieve the "
        "latest Revision Id",
    )
    for sid in ("one", "all"):
        answer = client.remove_layer_version_permission(**of, StatementId=sid)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert refusal(client.remove_layer_version_permission, **of, StatementId="one") == (
        404,
        "ResourceNotFoundException",
        "Statement one is not found in resource policy.",
    )


def test_a_policy_has_an_end(client, layer):
    publish(client, layer)

    def fill():
        for number in itertools.count():
            client.add_layer_version_permission(
                LayerName=layer,
                VersionNumber=1,
                Action="lambda:GetLayerVersion",
                Principal="*",
                StatementId=f"{number:0100}",
            )

    assert refusal(fill)[:2] == (400, "PolicyLengthExceededException")


def test_what_is_not_there_and_what_cannot_be(client, layer):
    missing = (404, "ResourceNotFoundException", "The resource you requested does not exist.")
    assert refusal(client.get_layer_version, LayerName=layer, VersionNumber=1) == missing
    assert refusal(client.get_layer_version_by_arn, Arn=f"{ARN}{layer}:1") == missing
    assert refusal(client.get_layer_version, LayerName=layer, VersionNumber=0) == (
        400,
        "InvalidParameterValueException",
        "Layer Version Cannot be less than 1.",
    )
    absent = (404, "ResourceNotFoundException", f"Layer version {ARN}{layer}:1 does not exist.")
    assert refusal(client.get_layer_version_policy, LayerName=layer, VersionNumber=1) == absent
    answer = client.delete_layer_version(LayerName=layer, VersionNumber=1)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert refusal(publish, client=client, layer=layer, code=zips.not_a_zip()) == (
        400,
        "InvalidParameterValueException",
        "Could not unzip uploaded file. Please check your file, then try to upload again.",
    )
    assert refusal(publish, client=client, layer=layer, CompatibleRuntimes=["cobol"])[1] == "ValidationException"
    assert client.list_layer_versions(LayerName=layer)["LayerVersions"] == []


def test_another_account_and_another_region_see_nothing(client, clients, layer):
    publish(client, layer)
    other = clients("a", other_account=True)
    assert other.list_layer_versions(LayerName=layer)["LayerVersions"] == []
    denied = refusal(other.get_layer_version_by_arn, Arn=f"{ARN}{layer}:1")
    assert denied[:2] == (403, "AccessDeniedException") and "lambda:GetLayerVersion" in denied[2]
    elsewhere = clients("a", region="eu-west-1")
    assert elsewhere.list_layer_versions(LayerName=layer)["LayerVersions"] == []


def test_stored_layers_count(client, layer):
    before = client.get_account_settings()["AccountUsage"]["TotalCodeSize"]
    publish(client, layer)
    assert client.get_account_settings()["AccountUsage"]["TotalCodeSize"] == before + len(ARCHIVE)


# -- used by functions -------------------------------------------------------------------------------------------------

READER = """
import os, sys
def handler(event, context):
    import shared
    top = "/opt"
    found = sorted(os.path.relpath(os.path.join(d, f), top) for d, _, files in os.walk(top) for f in files)
    try:
        open("/opt/new", "w")
        writable = True
    except OSError:
        writable = False
    return {"word": shared.WORD, "from": shared.__file__, "found": found, "writable": writable,
            "text": open("/opt/text").read() if os.path.exists("/opt/text") else None}
"""
BOOTSTRAP = """#!/usr/bin/env python3
import os, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
while True:
    with opener.open(api + "next") as answer:
        request = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    body = ('"' + os.path.abspath(__file__) + '"').encode()
    opener.open(urllib.request.Request(api + request + "/response", data=body)).close()
"""


def with_word(word, **more):
    return zips.package({"python/shared.py": f"WORD = {word!r}\n", **more})


@pytest.fixture
def layers(client, name):
    """Publishes layers by names of their own; what was published goes away."""
    made = []

    def published(which, code):
        answer = publish(client, f"{name}-{which}", code)
        made.append((f"{name}-{which}", answer["Version"]))
        return answer["LayerVersionArn"]

    yield published
    for layer, version in made:
        client.delete_layer_version(LayerName=layer, VersionNumber=version)


def reader():
    return zips.package({"reader.py": READER})


def test_layers_are_laid_over_each_other_read_only(client, deploy, layers):
    first = layers("first", with_word("first", **{"text": "first", "only/first": ""}))
    second = layers("second", with_word("second", **{"only/second": ""}))
    name = deploy(reader(), "reader.handler", Layers=[first, second])
    shown = client.get_function_configuration(FunctionName=name)["Layers"]
    assert [layer["Arn"] for layer in shown] == [first, second]
    assert all(layer["CodeSize"] > 0 for layer in shown)
    answer = invoke(client, name)
    assert answer.error is None, answer.payload
    found = [path for path in answer.payload["found"] if "__pycache__" not in path]
    assert found == ["only/first", "only/second", "python/shared.py", "text"]
    assert answer.payload["word"] == "second" and answer.payload["text"] == "first"
    assert answer.payload["from"] == "/opt/python/shared.py"
    assert not answer.payload["writable"]
    client.update_function_configuration(FunctionName=name, Layers=[second, first])
    wait_updated(client, name)
    assert invoke(client, name).payload["word"] == "first"
    client.update_function_configuration(FunctionName=name, Layers=[])
    wait_updated(client, name)
    assert "Layers" not in client.get_function_configuration(FunctionName=name)
    assert invoke(client, name).payload["errorType"] == "ModuleNotFoundError"


def test_a_layer_may_bring_the_runtime(client, deploy, layers):
    bootstrap = layers("bootstrap", zips.package({"bootstrap": BOOTSTRAP}))
    name = deploy(zips.package({"nothing": ""}), "any", Runtime="provided.al2023", Layers=[bootstrap])
    assert invoke(client, name).payload == "/opt/bootstrap"


def test_a_deleted_layer_version_stays_with_the_functions_that_use_it(client, deploy, layers):
    arn = layers("gone", with_word("gone"))
    name = deploy(reader(), "reader.handler", Layers=[arn])
    version = client.publish_version(FunctionName=name)["Version"]
    layer, _, number = arn.rpartition(":")
    client.delete_layer_version(LayerName=layer, VersionNumber=int(number))
    assert invoke(client, name, Qualifier=version).payload["word"] == "gone"
    missing = (400, "InvalidParameterValueException", f"Layer version {arn} does not exist.")
    assert refusal(client.update_function_configuration, FunctionName=name, Layers=[arn]) == missing
    client.update_function_configuration(FunctionName=name, Description="changed")
    wait_updated(client, name)
    assert invoke(client, name).payload["word"] == "gone"


def test_layers_of_a_function_have_rules(client, clients, deploy, layers):
    one, two = (layers("one", with_word(word)) for word in ("a", "b"))
    name = deploy(reader(), "reader.handler")
    update = lambda *arns: refusal(client.update_function_configuration, FunctionName=name, Layers=list(arns))[1:]
    assert update(one, two) == (
        "InvalidParameterValueException",
        "Two different versions of the same layer are not allowed to be referenced in the same function. "
        f"{one} and {two} are versions of the same layer.",
    )
    six = [f"{ARN}{name}-{number}:1" for number in range(6)]
    assert update(*six) == ("InvalidParameterValueException", "Cannot reference more than 5 layers.")
    assert update(six[0]) == ("InvalidParameterValueException", f"Layer version {six[0]} does not exist.")
    assert update(one.replace("us-east-1", "eu-west-1")) == (
        "InvalidParameterValueException",
        "Layers are not in the same region as the function. Layers are expected to be in region us-east-1.",
    )
    other = clients("a", other_account=True)
    denied = refusal(create, client=other, name=name, code=reader(), handler="reader.handler", Layers=[one])
    assert denied[:2] == (403, "AccessDeniedException")


# -- used by other accounts --------------------------------------------------------------------------------------------


def closed(who, arn):
    """The text for somebody whom the policy of a layer version does not let in."""
    action = "lambda:GetLayerVersion"
    return (
        403,
        "AccessDeniedException",
        f"User: {who} is not authorized to perform: {action} on resource: {arn} because no resource-based policy allows "
        f"the {action} action",
    )


def share(client, arn, sid, principal, **more):
    layer, _, number = arn.rpartition(":")
    client.add_layer_version_permission(
        LayerName=layer, VersionNumber=int(number), StatementId=sid, Action="lambda:GetLayerVersion", Principal=principal, **more
    )


def take_back(client, arn, sid):
    layer, _, number = arn.rpartition(":")
    client.remove_layer_version_permission(LayerName=layer, VersionNumber=int(number), StatementId=sid)


def gets(client, arn):
    """The digests of a version's archive, by each way to it."""
    layer, _, number = arn.rpartition(":")
    ways = (
        client.get_layer_version_by_arn(Arn=arn),
        client.get_layer_version(LayerName=layer, VersionNumber=int(number)),
    )
    return {hashlib.sha256(download(got["Content"]["Location"])).digest() for got in ways}


@pytest.mark.parametrize("principal", [OTHER_ACCOUNT, f"arn:aws:iam::{OTHER_ACCOUNT}:root", "*"])
def test_an_account_that_is_let_in_gets_a_layer_and_uses_it(client, clients, deploy, layers, principal):
    theirs = with_word("theirs")
    arn = layers("shared", theirs)
    other, root = clients("a", other_account=True), f"arn:aws:iam::{OTHER_ACCOUNT}:root"
    name = deploy(reader(), "reader.handler", by=other)
    use = {"FunctionName": name, "Layers": [arn]}
    assert refusal(other.get_layer_version_by_arn, Arn=arn) == closed(root, arn)
    assert refusal(other.update_function_configuration, **use) == closed(root, arn)
    share(client, arn, "one", principal)
    assert gets(other, arn) == {hashlib.sha256(theirs).digest()}
    other.update_function_configuration(**use)
    wait_updated(other, name)
    assert invoke(other, name).payload["word"] == "theirs"
    made = deploy(reader(), "reader.handler", by=other, Layers=[arn])
    assert [layer["Arn"] for layer in other.get_function_configuration(FunctionName=made)["Layers"]] == [arn]
    # What was let in once stays; what is not let in any more cannot be taken into use again.
    take_back(client, arn, "one")
    assert invoke(other, made).payload["word"] == "theirs"
    other.update_function_configuration(FunctionName=made, Description="changed")
    wait_updated(other, made)
    assert invoke(other, made).payload["word"] == "theirs"
    assert refusal(other.update_function_configuration, **use) == closed(root, arn)
    assert refusal(other.get_layer_version_by_arn, Arn=arn) == closed(root, arn)


def test_whom_a_layer_policy_does_not_name_is_not_let_in(client, clients, layers):
    arn = layers("shared", ARCHIVE)
    other, root = clients("a", other_account=True), f"arn:aws:iam::{OTHER_ACCOUNT}:root"
    share(client, arn, "somebody-else", "111122223333")
    assert refusal(other.get_layer_version_by_arn, Arn=arn) == closed(root, arn)
    # Nobody here can tell who is a member of an organisation, so nobody is.
    share(client, arn, "members", "*", OrganizationId="o-0123456789")
    assert refusal(other.get_layer_version_by_arn, Arn=arn) == closed(root, arn)
    # A version that is there and one that is not look the same.
    absent = f"{arn.rpartition(':')[0]}:9"
    assert refusal(other.get_layer_version_by_arn, Arn=absent) == closed(root, absent)


def test_a_layer_policy_opens_nothing_but_the_version(client, clients, layers):
    arn = layers("shared", ARCHIVE)
    share(client, arn, "all", "*")
    layer, _, number = arn.rpartition(":")
    other, version = clients("a", other_account=True), {"LayerName": layer, "VersionNumber": int(number)}
    permission = {"StatementId": "mine", "Action": "lambda:GetLayerVersion", "Principal": OTHER_ACCOUNT}
    for call, arguments in (
        (other.list_layer_versions, {"LayerName": layer}),
        (other.publish_layer_version, {"LayerName": layer, "Content": {"ZipFile": ARCHIVE}}),
        (other.delete_layer_version, version),
        (other.get_layer_version_policy, version),
        (other.add_layer_version_permission, {**version, **permission}),
        (other.remove_layer_version_permission, {**version, "StatementId": "all"}),
    ):
        assert refusal(call, **arguments)[1] == "AccessDeniedException", call
    assert client.get_layer_version(**version)["Version"] == int(number)


def test_across_accounts_a_user_needs_a_policy_of_their_own_too(cluster, client, layers, tmp_path):
    arn = layers("shared", ARCHIVE)
    share(client, arn, "one", OTHER_ACCOUNT)
    get = {"Effect": "Allow", "Action": "lambda:GetLayerVersion", "Resource": arn}
    identities = Identities(tmp_path, cluster.grpc_target("a"), cluster.other_credentials)
    may = lambda_client(cluster.endpoint("a"), identities.user("layer-may", get))
    may_not = lambda_client(cluster.endpoint("a"), identities.user("layer-may-not"))
    assert gets(may, arn) == {hashlib.sha256(ARCHIVE).digest()}
    assert refusal(may_not.get_layer_version_by_arn, Arn=arn) == (
        403,
        "AccessDeniedException",
        f"User: arn:aws:iam::{OTHER_ACCOUNT}:user/layer-may-not is not authorized to perform: lambda:GetLayerVersion on "
        f"resource: {arn} because no identity-based policy allows the lambda:GetLayerVersion action",
    )


# -- together ----------------------------------------------------------------------------------------------------------


def test_a_function_and_its_layers_share_one_limit(client, deploy, layers):
    half = zips.package({"zeros": bytes(140 << 20)})
    big, small = layers("big", half), layers("small", ARCHIVE)
    name = deploy(zips.package({"reader.py": READER, "zeros": bytes(140 << 20)}), "reader.handler", Layers=[small])
    status, kind, text = refusal(client.update_function_configuration, FunctionName=name, Layers=[big])
    assert (status, kind) == (400, "InvalidParameterValueException")
    assert text.startswith("Function code combined with layers exceeds the maximum allowed size of 262144000 bytes.")
    client.update_function_code(FunctionName=name, ZipFile=reader())
    wait_updated(client, name)
    client.update_function_configuration(FunctionName=name, Layers=[big])
    wait_updated(client, name)
    refused = refusal(client.update_function_code, FunctionName=name, ZipFile=half)
    assert "combined with layers" in refused[2]
