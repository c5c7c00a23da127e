"""Resource-based policies: statement by statement, and as whole documents."""

import json

import pytest
from clients import invoke
from refusals import refused

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
STALE = (
    "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the "
    "latest Revision Id"
)


@pytest.fixture
def published(client, deploy):
    name = deploy("echo")
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


def permit(client, name, sid="s3", **arguments):
    arguments = {"Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com", **arguments}
    return client.add_permission(FunctionName=name, StatementId=sid, **arguments)


def test_statements_are_added_shown_and_removed(client, published):
    name = published
    added = permit(client, name, SourceArn="arn:aws:s3:::bucket", SourceAccount="000000000000")
    assert added["ResponseMetadata"]["HTTPStatusCode"] == 201
    # The text, member by member, is AWS's.
    assert added["Statement"] == (
        '{"Sid":"s3","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction",'
        f'"Resource":"{ARN}{name}","Condition":{{"StringEquals":{{"AWS:SourceAccount":"000000000000"}},'
        '"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::bucket"}}}'
    )
    permit(client, name, "account", Principal="111111111111")
    permit(client, name, "all", Principal="*", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE")
    policy = client.get_policy(FunctionName=name)["Policy"]
    assert policy.startswith('{"Version":"2012-10-17","Id":"default","Statement":[{"Sid":"s3"')
    statements = json.loads(policy)["Statement"]
    assert [s["Sid"] for s in statements] == ["s3", "account", "all"]
    assert statements[1]["Principal"] == {"AWS": "arn:aws:iam::111111111111:root"}
    assert statements[2]["Principal"] == "*"
    for sid in ("account", "s3", "all"):
        removed = client.remove_permission(FunctionName=name, StatementId=sid)
        assert removed["ResponseMetadata"]["HTTPStatusCode"] == 204
    with refused("ResourceNotFoundException", "The resource you requested does not exist."):
        client.get_policy(FunctionName=name)


def test_versions_and_aliases_have_policies_of_their_own(client, published):
    name = published
    for qualifier in ("1", "live"):
        statement = json.loads(permit(client, name, Qualifier=qualifier)["Statement"])
        assert statement["Resource"] == f"{ARN}{name}:{qualifier}"
        assert client.get_policy(FunctionName=f"{name}:{qualifier}")["Policy"]
    with refused("ResourceNotFoundException"):
        client.get_policy(FunctionName=name)
    client.delete_alias(FunctionName=name, Name="live")
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    with refused("ResourceNotFoundException", "The resource you requested does not exist."):
        client.get_policy(FunctionName=name, Qualifier="live")


def test_the_revision_is_that_of_the_resource(client, published):
    name = published
    before = client.get_function_configuration(FunctionName=name)["RevisionId"]
    permit(client, name, "a", RevisionId=before)
    revision = client.get_policy(FunctionName=name)["RevisionId"]
    assert revision != before
    assert client.get_function_configuration(FunctionName=name)["RevisionId"] == revision
    with refused("PreconditionFailedException", STALE, 412):
        permit(client, name, "b", RevisionId=before)
    with refused("PreconditionFailedException", STALE, 412):
        client.remove_permission(FunctionName=name, StatementId="a", RevisionId=before)
    client.remove_permission(FunctionName=name, StatementId="a", RevisionId=revision)

    alias = client.get_alias(FunctionName=name, Name="live")["RevisionId"]
    permit(client, name, Qualifier="live", RevisionId=alias)
    moved = client.get_alias(FunctionName=name, Name="live")["RevisionId"]
    assert moved != alias and client.get_policy(FunctionName=name, Qualifier="live")["RevisionId"] == moved
    version = client.get_function_configuration(FunctionName=name, Qualifier="1")["RevisionId"]
    permit(client, name, Qualifier="1", RevisionId=version)


def test_a_policy_change_leaves_warm_environments_alone(client, deploy):
    name = deploy("context")
    first = invoke(client, name, LogType="Tail")
    permit(client, name)
    client.tag_resource(Resource=f"{ARN}{name}", Tags={"a": "b"})
    assert "Init Duration" in first.log
    again = [invoke(client, name, LogType="Tail") for _ in range(5)]
    assert any("Init Duration" not in answer.log for answer in again)


def test_refused_permissions(client, published):
    name = published
    permit(client, name)
    with refused(
        "ResourceConflictException",
        "The statement id (s3) provided already exists. Please provide a new statement id, or remove the existing "
        "statement.",
        409,
    ):
        permit(client, name)
    with refused(
        "InvalidParameterValueException",
        "The provided principal was invalid. Please check the principal and try again.",
    ):
        permit(client, name, "other", Principal="nobody")
    with refused(
        "InvalidParameterValueException", "We currently do not support adding policies for $LATEST."
    ):
        permit(client, name, "other", Qualifier="$LATEST")
    with refused("ValidationException"):
        permit(client, name, "no words")
    with refused("ResourceNotFoundException", f"Function not found: {ARN}absent"):
        permit(client, "absent")
    with refused("ResourceNotFoundException", f"Cannot find alias arn: {ARN}{name}:absent"):
        permit(client, name, Qualifier="absent")
    with refused("ResourceNotFoundException", f"Function not found: {ARN}{name}:9"):
        permit(client, name, Qualifier="9")
    with refused("ResourceNotFoundException", "Statement absent is not found in resource policy."):
        client.remove_permission(FunctionName=name, StatementId="absent")
    with refused("ResourceNotFoundException", "No policy is associated with the given resource."):
        client.remove_permission(FunctionName=name, StatementId="s3", Qualifier="live")
    with refused("ResourceNotFoundException", f"No policy found for: {ARN}absent"):
        client.remove_permission(FunctionName="absent", StatementId="s3")


def test_a_policy_has_an_end(client, published):
    source = "arn:aws:s3:::" + "b" * 9000
    permit(client, published, "a", SourceArn=source)
    permit(client, published, "b", SourceArn=source)
    with refused("PolicyLengthExceededException", status=400):
        permit(client, published, "c", SourceArn=source)
    assert len(json.loads(client.get_policy(FunctionName=published)["Policy"])["Statement"]) == 2


def document(arn, *sids):
    statement = {"Effect": "Allow", "Principal": {"AWS": "111111111111"}, "Action": "lambda:InvokeFunction", "Resource": arn}
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Sid": sid, **statement} for sid in sids]})


def test_a_whole_document_replaces_what_was_there(client, published):
    name, arn = published, f"{ARN}{published}"
    permit(client, name)
    put = client.put_resource_policy(ResourceArn=arn, Policy=document(arn, "a", "b"))
    assert put["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert [s["Sid"] for s in json.loads(put["Policy"])["Statement"]] == ["a", "b"]
    got = client.get_resource_policy(ResourceArn=arn)
    assert (got["Policy"], got["RevisionId"]) == (put["Policy"], put["RevisionId"])
    assert client.get_policy(FunctionName=name)["Policy"] == put["Policy"]
    client.remove_permission(FunctionName=name, StatementId="a")
    with refused("PreconditionFailedException", STALE, 412):
        client.put_resource_policy(ResourceArn=arn, Policy=document(arn, "c"), RevisionId=put["RevisionId"])
    with refused("PreconditionFailedException", STALE, 412):
        client.delete_resource_policy(ResourceArn=arn, RevisionId=put["RevisionId"])
    revision = client.get_resource_policy(ResourceArn=arn)["RevisionId"]
    deleted = client.delete_resource_policy(ResourceArn=arn, RevisionId=revision)
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    with refused("ResourceNotFoundException", "The resource you requested does not exist."):
        client.get_resource_policy(ResourceArn=arn)
    live = f"{arn}:live"
    client.put_resource_policy(ResourceArn=live, Policy=document(live, "a"))
    assert json.loads(client.get_policy(FunctionName=name, Qualifier="live")["Policy"])["Statement"][0]["Sid"] == "a"


def test_refused_documents(client, published):
    arn = f"{ARN}{published}"
    for policy in ("no JSON", "{}", '{"Version": "2012-10-17", "Statement": []}', document(arn, "a", "a")):
        with refused("InvalidParameterValueException"):
            client.put_resource_policy(ResourceArn=arn, Policy=policy)
    with refused("ResourceNotFoundException", f"Function not found: {ARN}absent"):
        client.put_resource_policy(ResourceArn=f"{ARN}absent", Policy=document(f"{ARN}absent", "a"))
    with refused("ResourceNotFoundException", "No policy is associated with the given resource."):
        client.delete_resource_policy(ResourceArn=arn)


def test_another_account_sees_nothing(clients, client, published):
    permit(client, published)
    theirs = clients("a", other_account=True)
    with refused("ResourceNotFoundException"):
        theirs.get_policy(FunctionName=published)
    with refused("AccessDeniedException"):
        theirs.get_policy(FunctionName=f"{ARN}{published}")
    with refused("AccessDeniedException"):
        theirs.get_resource_policy(ResourceArn=f"{ARN}{published}")
