"""Condition keys: every one that a policy can ask for is there, with the value that the request or the catalog gives it.

Each case is one request and one key of it. It is made by two users: one may make it where the key has this value, one where it has
another.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import pytest
import zips
from clients import create, lambda_client, wait_active
from conformance.wire import CONFIG, Wire
from identities import Identities, policy
from sessions import assumed, session_client, sts_client

REGION = "us-east-1"
ACCOUNT = "000000000000"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}"
DENIED = "AccessDeniedException"
PUBLISHER = f"arn:aws:signer:{REGION}:{ACCOUNT}:/signing-profiles/p/0123456789"
SUBNET, GROUP = "subnet-12345678", "sg-12345678"
FUNCTION, TAG = "conditions", {"team": "blue"}
_numbers = itertools.count()


@dataclass(frozen=True)
class Made:
    """What is there for requests to be about."""

    mapping: str
    signing: str
    provider: str
    layer: str


@pytest.fixture(scope="module")
def made(cluster, client):
    create(client, FUNCTION, zips.function("echo"), "echo.handler", Tags=TAG)
    wait_active(client, FUNCTION)
    of = {"FunctionName": FUNCTION}
    client.create_function_url_config(**of, AuthType="AWS_IAM")
    client.add_permission(**of, StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com")
    client.add_permission(
        **of, StatementId="url", Action="lambda:InvokeFunctionUrl", Principal="111122223333", FunctionUrlAuthType="AWS_IAM"
    )
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:conditions"
    mapping = client.create_event_source_mapping(**of, EventSourceArn=queue, Tags=TAG)
    publishers = {"SigningProfileVersionArns": [PUBLISHER]}
    signing = client.create_code_signing_config(AllowedPublishers=publishers, Tags=TAG)["CodeSigningConfig"]
    provider = client.create_capacity_provider(
        CapacityProviderName="conditions",
        VpcConfig={"SubnetIds": [SUBNET], "SecurityGroupIds": [GROUP]},
        PermissionsConfig={"CapacityProviderOperatorRoleArn": f"arn:aws:iam::{ACCOUNT}:role/r"},
        Tags=TAG,
    )["CapacityProvider"]
    archive = {"ZipFile": zips.package({"python/shared.py": ""})}
    layer = client.publish_layer_version(LayerName="conditions", Content=archive)
    yield Made(
        mapping["UUID"], signing["CodeSigningConfigArn"], provider["CapacityProviderArn"], layer["LayerVersionArn"]
    )
    client.delete_event_source_mapping(UUID=mapping["UUID"])
    client.delete_function(**of)
    client.delete_code_signing_config(CodeSigningConfigArn=signing["CodeSigningConfigArn"])
    client.delete_capacity_provider(CapacityProviderName="conditions")
    client.delete_layer_version(LayerName="conditions", VersionNumber=layer["Version"])


@pytest.fixture(scope="module")
def identities(cluster, credentials, tmp_path_factory):
    return Identities(tmp_path_factory.mktemp("identity"), cluster.grpc_target("a"), credentials)


def whoever(identities, operator, key, value):
    """A user who may do everything where a condition holds."""
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {operator: {key: value}}}
    return identities.user(f"condition-{next(_numbers)}", allow)


def ask(cluster, user, operation, params):
    """The error that a request of theirs is answered with; empty for none."""
    return Wire(lambda_client(cluster.endpoint("a"), user, REGION, **CONFIG)).send(operation, params).error


NEW = {
    "FunctionName": "conditions-absent",
    "Role": f"arn:aws:iam::{ACCOUNT}:role/r",
    "Runtime": "python3.13",
    "Handler": "h.handler",
    # It is never made: nothing but its rights is right about it.
    "Code": {"ZipFile": b"no zip"},
}
VPC = {"VpcConfig": {"SubnetIds": [SUBNET], "SecurityGroupIds": [GROUP]}}
OF = {"FunctionName": FUNCTION}
STATEMENT = {**OF, "StatementId": "other", "Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE"}
STALE = {"RevisionId": "00000000-0000-4000-8000-000000000000"}

# Operation, request, key, value; a request is a template of what was made. No request changes anything: each has something
# wrong with it, or shows.
CASES: list[tuple[str, dict[str, Any], str, str]] = [
    ("CreateFunction", {**NEW, **VPC}, "lambda:SubnetIds", SUBNET),
    ("CreateFunction", {**NEW, **VPC}, "lambda:SecurityGroupIds", GROUP),
    ("CreateFunction", {**NEW, "Layers": ["{layer}"]}, "lambda:Layer", "{layer}"),
    ("CreateFunction", {**NEW, "CodeSigningConfigArn": "{signing}"}, "lambda:CodeSigningConfigArn", "{signing}"),
    ("CreateFunction", {**NEW, "Tags": {"a": "b"}}, "aws:RequestTag/a", "b"),
    ("CreateFunction", {**NEW, "Tags": {"a": "b"}}, "aws:TagKeys", "a"),
    ("UpdateFunctionConfiguration", {**OF, **VPC, **STALE}, "lambda:SubnetIds", SUBNET),
    ("UpdateFunctionConfiguration", {**OF, **VPC, **STALE}, "lambda:SecurityGroupIds", GROUP),
    ("UpdateFunctionConfiguration", {**OF, "Layers": ["{layer}"], **STALE}, "lambda:Layer", "{layer}"),
    ("UpdateFunctionConfiguration", {**OF, **STALE}, "aws:ResourceTag/team", "blue"),
    ("GetFunction", OF, "aws:ResourceTag/team", "blue"),
    ("Invoke", {**OF, "InvocationType": "DryRun"}, "lambda:InvokedViaFunctionUrl", "false"),
    ("AddPermission", {**STATEMENT, **STALE}, "lambda:Principal", "*"),
    ("AddPermission", {**STATEMENT, **STALE}, "lambda:FunctionUrlAuthType", "NONE"),
    ("RemovePermission", {**OF, "StatementId": "s3", **STALE}, "lambda:Principal", "s3.amazonaws.com"),
    ("RemovePermission", {**OF, "StatementId": "url", **STALE}, "lambda:Principal", "111122223333"),
    ("RemovePermission", {**OF, "StatementId": "url", **STALE}, "lambda:FunctionUrlAuthType", "AWS_IAM"),
    ("CreateFunctionUrlConfig", {**OF, "AuthType": "NONE"}, "lambda:FunctionUrlAuthType", "NONE"),
    ("CreateFunctionUrlConfig", {**OF, "AuthType": "NONE"}, "lambda:FunctionArn", f"{ARN}:function:{FUNCTION}"),
    ("GetFunctionUrlConfig", OF, "lambda:FunctionUrlAuthType", "AWS_IAM"),
    ("GetFunctionUrlConfig", OF, "lambda:FunctionArn", f"{ARN}:function:{FUNCTION}"),
    ("UpdateFunctionUrlConfig", OF, "lambda:FunctionUrlAuthType", "AWS_IAM"),
    ("PutFunctionCodeSigningConfig", {"FunctionName": "conditions-absent", "CodeSigningConfigArn": "{signing}"}, "lambda:CodeSigningConfigArn", "{signing}"),
    ("GetEventSourceMapping", {"UUID": "{mapping}"}, "lambda:FunctionArn", f"{ARN}:function:{FUNCTION}"),
    ("GetEventSourceMapping", {"UUID": "{mapping}"}, "aws:ResourceTag/team", "blue"),
    ("UpdateEventSourceMapping", {"UUID": "{mapping}"}, "lambda:FunctionArn", f"{ARN}:function:{FUNCTION}"),
    ("CreateEventSourceMapping", {**OF, "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:conditions"}, "lambda:FunctionArn", f"{ARN}:function:{FUNCTION}"),
    ("CreateEventSourceMapping", {**OF, "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:conditions", "Tags": {"a": "b"}}, "aws:RequestTag/a", "b"),
    ("GetCodeSigningConfig", {"CodeSigningConfigArn": "{signing}"}, "aws:ResourceTag/team", "blue"),
    ("GetCapacityProvider", {"CapacityProviderName": "conditions"}, "aws:ResourceTag/team", "blue"),
    ("ListTags", {"Resource": f"{ARN}:function:{FUNCTION}"}, "aws:ResourceTag/team", "blue"),
    ("ListTags", {"Resource": f"{ARN}:event-source-mapping:" + "{mapping}"}, "aws:ResourceTag/team", "blue"),
    ("ListTags", {"Resource": "{signing}"}, "aws:ResourceTag/team", "blue"),
    ("ListTags", {"Resource": "{provider}"}, "aws:ResourceTag/team", "blue"),
    ("UntagResource", {"Resource": f"{ARN}:function:{FUNCTION}", "TagKeys": ["absent"]}, "aws:TagKeys", "absent"),
]  # fmt: skip


def filled(template: Any, made: Made) -> Any:
    """A request or a value with what was made in it."""
    if isinstance(template, dict):
        return {name: filled(member, made) for name, member in template.items()}
    if isinstance(template, list):
        return [filled(member, made) for member in template]
    if isinstance(template, str):
        for name in ("mapping", "signing", "provider", "layer"):
            template = template.replace("{" + name + "}", getattr(made, name))
    return template


# A policy asks for these, which have several values, in another way.
LISTS = {"lambda:Layer", "lambda:SubnetIds", "lambda:SecurityGroupIds", "aws:TagKeys"}


@pytest.mark.parametrize("operation, template, key, value", CASES, ids=[f"{case[0]}-{case[2]}" for case in CASES])
def test_a_request_has_its_keys(cluster, identities, made, operation, template, key, value):
    params, value = filled(template, made), filled(value, made)
    operator = "ForAnyValue:StringEquals" if key in LISTS else "StringEquals"
    action = {"Invoke": "lambda:InvokeFunction"}.get(operation, f"lambda:{operation}")
    # What else the request needs, such as leave to pass a role, does not have the key.
    rest = {"Effect": "Allow", "NotAction": action, "Resource": "*"}
    for expected in (value, "something-else"):
        of_operation = {"Effect": "Allow", "Action": action, "Resource": "*", "Condition": {operator: {key: expected}}}
        user = identities.user(f"condition-{next(_numbers)}", of_operation, rest)
        error = ask(cluster, user, operation, params)
        assert (error == DENIED) == (expected != value), (expected, error)


@pytest.mark.parametrize(
    "operator, key, right, wrong",
    [
        ("StringEquals", "aws:PrincipalType", "User", "AssumedRole"),
        ("StringEquals", "aws:PrincipalAccount", ACCOUNT, "111122223333"),
        ("StringEquals", "aws:ResourceAccount", ACCOUNT, "111122223333"),
        ("StringEquals", "aws:RequestedRegion", REGION, "eu-west-1"),
        ("ArnLike", "aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:user/condition-*", f"arn:aws:iam::{ACCOUNT}:user/other"),
        ("StringLike", "aws:username", "condition-*", "other-*"),
        ("StringLike", "aws:userid", "AIDA*", "AROA*"),
        ("StringLike", "aws:UserAgent", "*Botocore*", "curl*"),
        ("IpAddress", "aws:SourceIp", "127.0.0.0/8", "10.0.0.0/8"),
        ("NotIpAddress", "aws:SourceIp", "10.0.0.0/8", "127.0.0.0/8"),
        ("Bool", "aws:SecureTransport", "false", "true"),
        ("Bool", "aws:ViaAWSService", "false", "true"),
        ("Bool", "aws:PrincipalIsAWSService", "false", "true"),
        ("DateGreaterThan", "aws:CurrentTime", "2020-01-01T00:00:00Z", "2200-01-01T00:00:00Z"),
        ("NumericGreaterThan", "aws:EpochTime", "1577836800", "7258118400"),
        # Long-term keys have none of these.
        ("Null", "aws:TokenIssueTime", "true", "false"),
        ("Null", "aws:MultiFactorAuthPresent", "true", "false"),
        # Only services bring these, and nobody here knows networks and organisations.
        ("Null", "aws:SourceArn", "true", "false"),
        ("Null", "aws:SourceAccount", "true", "false"),
        ("Null", "aws:PrincipalOrgID", "true", "false"),
        ("Null", "lambda:SourceFunctionArn", "true", "false"),
        ("Null", "lambda:EventSourceToken", "true", "false"),
        ("Null", "lambda:VpcIds", "true", "false"),
    ],
)
def test_every_request_has_the_keys_of_its_caller(cluster, identities, operator, key, right, wrong):
    errors = [ask(cluster, whoever(identities, operator, key, value), "ListFunctions", {}) for value in (right, wrong)]
    assert errors == ["", DENIED]


def test_temporary_credentials_have_keys_of_their_own(cluster, identities):
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    conditions = {
        "DateGreaterThan": {"aws:TokenIssueTime": "2020-01-01T00:00:00Z"},
        "BoolIfExists": {"aws:MultiFactorAuthPresent": "false"},
        "Null": {"aws:MultiFactorAuthPresent": "false"},
        "StringEquals": {"aws:PrincipalType": "AssumedRole"},
        "ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/conditions"},
        "StringLike": {"aws:userid": "AROA*:somebody"},
    }
    allow = policy({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": conditions})
    identities.call("CreateRole", role_name="conditions", assume_role_policy_document=policy(trust))
    identities.call("PutRolePolicy", role_name="conditions", policy_name="p", policy_document=allow)
    user = identities.user(f"condition-{next(_numbers)}", {"Effect": "Allow", "Action": "sts:*", "Resource": "*"})
    endpoint = cluster.endpoint("a")
    _, session = assumed(sts_client(endpoint, user), f"arn:aws:iam::{ACCOUNT}:role/conditions", "somebody")
    assert session_client(endpoint, session).list_functions()["ResponseMetadata"]["HTTPStatusCode"] == 200
