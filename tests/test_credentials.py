"""Temporary credentials: functions call back as their role, and people become one.

What a function finds in its environment, what it may do with it, and what is made of it by whoever changes a bit.
"""

import base64
import dataclasses
import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from urllib.parse import urlencode

import boto3
import pytest
import zips
from botocore.exceptions import ClientError
from clients import create, invoke, lambda_client, wait_active
from cluster import wait_until
from clusters import TwoAccountCluster, watched
from identities import Identities, policy
from sessions import Session, assumed, session_client, sts_client
from signing import Request
from test_cli import AWS
from test_dev import Dev

FUNCTIONS = "/2015-03-31/functions"
NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
STS = "{https://sts.amazonaws.com/doc/2011-06-15/}"
VERSION = "2011-06-15"
TRUST_LAMBDA = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


def role_arn(cluster, name="unmade"):
    return f"arn:aws:iam::{cluster.credentials.account}:role/{name}"


@pytest.fixture(scope="module")
def caller(cluster, client):
    """Has a function do something; answers what it got."""
    made = []

    def called(name, do, by=None, **arguments):
        who = by or client
        if name not in made:
            create(who, name, zips.function("calling"), "calling.handler", Role=role_arn(cluster), Timeout=30)
            wait_active(who, name)
            made.append(name)
        answer = invoke(who, name, {"do": do, "with": arguments})
        assert answer.error is None, answer.payload
        return answer.payload

    yield called
    for name in made:
        client.delete_function(FunctionName=name)


@pytest.fixture(scope="module")
def session(caller):
    def of(name="caller"):
        return Session(*(caller(name, "environment", names=NAMES)[n] for n in NAMES))

    return of


@pytest.fixture(scope="module")
def endpoint(cluster):
    return cluster.endpoint("a")


@pytest.fixture(scope="module")
def identities(cluster, credentials, tmp_path_factory):
    return Identities(tmp_path_factory.mktemp("identity"), cluster.grpc_target("a"), credentials)


@pytest.fixture(scope="module")
def made_role(cluster, identities):
    """Makes a role; answers its ARN once every frontend knows it."""

    def made(name, *statements, trust=(TRUST_LAMBDA,), longest=None):
        more = {"max_session_duration": longest} if longest else {}
        identities.call("CreateRole", role_name=name, assume_role_policy_document=policy(*trust), **more)
        if statements:
            document = policy(*statements)
            identities.call("PutRolePolicy", role_name=name, policy_name="p", policy_document=document)
        time.sleep(0.5)
        return role_arn(cluster, name)

    return made


def refused(call, *arguments, **more):
    with pytest.raises(ClientError) as error:
        call(*arguments, **more)
    said = error.value.response
    return said["ResponseMetadata"]["HTTPStatusCode"], said["Error"]["Code"], said["Error"]["Message"]


def audited(node):
    """The audit log of a node."""
    files = sorted((node.directory / "data" / "audit").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


# -- what a function has -------------------------------------------------------------------------------------------------


def test_a_function_has_credentials_of_its_own(session):
    first, second = session("caller"), session("another-caller")
    for one in (first, second):
        assert one.access_key_id.startswith("ASIA") and len(one.access_key_id) == 20
        assert len(one.secret_access_key) == 40 and len(one.token) < 1024
    for name in ("access_key_id", "secret_access_key", "token"):
        assert getattr(first, name) != getattr(second, name)
    assert session("caller") == first, "a warm environment keeps its own"


def test_it_finds_the_cluster(caller):
    names = ("AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL_STS", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
    assert caller("caller", "environment", names=names) == {
        "AWS_ENDPOINT_URL_LAMBDA": "http://127.0.0.1:9000",
        "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9000",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": None,
    }


def test_an_owner_may_send_it_elsewhere(cluster, client, deploy):
    variables = {"AWS_ENDPOINT_URL_LAMBDA": "https://elsewhere.example"}
    name = deploy("calling", Role=role_arn(cluster), Environment={"Variables": variables})
    names = ["AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL_STS"]
    got = invoke(client, name, {"do": "environment", "with": {"names": names}}).payload
    assert list(got.values()) == ["https://elsewhere.example", "http://127.0.0.1:9000"]


def test_a_role_of_another_account_gives_none(client, deploy):
    name = deploy("calling", Role="arn:aws:iam::999999999999:role/r")
    got = invoke(client, name, {"do": "environment", "with": {"names": NAMES}}).payload
    assert set(got.values()) == {None}


# -- what it may do with them --------------------------------------------------------------------------------------------


def test_it_is_told_who_it_is(cluster, caller):
    body = urlencode({"Action": "GetCallerIdentity", "Version": VERSION})
    got = caller("caller", "call", service="sts", method="POST", path="/", body=body)
    assert got["status"] == 200, got
    result = ElementTree.fromstring(got["body"]).find(f"{STS}GetCallerIdentityResult")
    account = cluster.credentials.account
    assert result.findtext(f"{STS}Arn") == f"arn:aws:sts::{account}:assumed-role/unmade/caller"
    assert result.findtext(f"{STS}Account") == account
    role, _, name = result.findtext(f"{STS}UserId").partition(":")
    assert (role[:4], len(role), name) == ("AROA", 20, "caller")


def test_its_call_arrives_and_a_role_without_policies_may_nothing(cluster, caller):
    got = caller("caller", "call", service="lambda", method="GET", path=f"{FUNCTIONS}")
    assert (got["status"], got["headers"]["x-amzn-errortype"]) == (403, "AccessDeniedException"), got
    arn = f"arn:aws:sts::{cluster.credentials.account}:assumed-role/unmade/caller"
    assert arn in got["body"] and "lambda:ListFunctions" in got["body"]


def test_it_invokes_another_function_if_its_role_allows_it(cluster, client, deploy, made_role):
    target = deploy("echo")
    allowed = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": f"arn:aws:lambda:*:*:function:{target}"}
    name = deploy("calling", Role=made_role("invoker", allowed), Timeout=30)
    call = {"service": "lambda", "method": "POST", "path": f"{FUNCTIONS}/{target}/invocations", "body": '{"from": "inside"}'}
    got = invoke(client, name, {"do": "call", "with": call}).payload
    assert (got["status"], json.loads(got["body"])) == (200, {"from": "inside"}), got
    call["path"] = f"{FUNCTIONS}/{name}/invocations"
    assert invoke(client, name, {"do": "call", "with": call}).payload["status"] == 403


def test_an_sdk_inside_works_within_its_role(cluster, client, deploy, made_role):
    """boto3 as everybody uses it: no endpoint, no region and no credentials in the code."""
    target = deploy("echo")
    other = made_role("sdk-other", trust=({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"},))
    role = made_role(
        "sdk",
        {"Effect": "Allow", "Action": "lambda:ListFunctions", "Resource": "*"},
        {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": f"arn:aws:lambda:*:*:function:{target}"},
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": other},
    )
    # Importing botocore costs a small environment seconds.
    name = deploy(zips.with_boto3("calling_by_sdk"), "calling_by_sdk.handler", Role=role, Timeout=60, MemorySize=1024)

    def called(service, do, **arguments):
        answer = invoke(client, name, {"service": service, "do": do, "with": arguments})
        assert answer.error is None, answer.payload
        return answer.payload

    assert called("sts", "get_caller_identity")["Arn"] == f"arn:aws:sts::{cluster.credentials.account}:assumed-role/sdk/{name}"
    listed = [function["FunctionName"] for function in called("lambda", "list_functions")["Functions"]]
    assert {name, target} <= set(listed)
    assert called("lambda", "invoke", FunctionName=target, Payload='{"a": 1}') == {"Payload": '{"a": 1}'}
    for do in ("get_function", "delete_function"):
        refused = called("lambda", do, FunctionName=target)
        assert refused["refused"] == "AccessDeniedException"
        assert f"assumed-role/sdk/{name} is not authorized to perform: lambda:" in refused["says"]
    assert called("lambda", "invoke", FunctionName=name)["refused"] == "AccessDeniedException"
    arn = f"arn:aws:sts::{cluster.credentials.account}:assumed-role/sdk-other/inside"
    assert called("sts", "assume_role", RoleArn=other, RoleSessionName="inside") == {"became": arn}
    assert called("sts", "assume_role", RoleArn=role, RoleSessionName="inside")["refused"] == "AccessDenied"


def test_lambda_must_be_able_to_become_the_role(client, name, made_role):
    role = made_role("for-ec2", trust=({**TRUST_LAMBDA, "Principal": {"Service": "ec2.amazonaws.com"}},))
    said = refused(create, client, name, zips.function("echo"), "echo.handler", Role=role)
    assert said == (400, "InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda.")


def test_they_are_good_outside_as_well(endpoint, session):
    inside = session("caller")
    got = sts_client(endpoint, inside).get_caller_identity()
    assert got["Arn"].endswith(":assumed-role/unmade/caller")
    status, code, _ = refused(session_client(endpoint, inside).list_functions)
    assert (status, code) == (403, "AccessDeniedException")


def test_a_call_from_inside_is_in_the_audit_log(cluster, caller):
    caller("caller", "call", service="lambda", method="GET", path=FUNCTIONS)

    def inside():
        records = [record for node in cluster.nodes for record in audited(node)]
        return [r for r in records if "/" in r.get("source", "") and r["operation"] == "ListFunctions"]

    wait_until(inside, 5, "it says where it came from")
    worker, _, environment = inside()[-1]["source"].partition("/")
    assert worker in "abc" and len(environment) == 32
    assert inside()[-1]["access_key"].startswith("ASIA")


# -- what is made of them ------------------------------------------------------------------------------------------------


def altered(token, at):
    raw = bytearray(base64.b64decode(token))
    raw[at] ^= 1
    return base64.b64encode(raw).decode()


def check(session, endpoint, error):
    answer = session.request("GET", FUNCTIONS, endpoint=endpoint)
    assert (answer.status, answer.error) == (403, error), answer.body
    body = urlencode({"Action": "GetCallerIdentity", "Version": VERSION}).encode()
    answer = session.request("POST", "/", body, "sts", endpoint)
    names = {"UnrecognizedClientException": "InvalidClientTokenId", "InvalidSignatureException": "SignatureDoesNotMatch"}
    assert (answer.status, code_of(answer)) == (403, names[error]), answer.body


def code_of(answer):
    return ElementTree.fromstring(answer.body).findtext(f"{STS}Error/{STS}Code")


def test_a_wrong_secret(endpoint, session):
    wrong = dataclasses.replace(session(), secret_access_key="x" * 40)
    check(wrong, endpoint, "InvalidSignatureException")


def test_a_token_with_any_part_changed(endpoint, session):
    mine = session()
    size = len(base64.b64decode(mine.token))
    for at in [*range(0, size, 7), size - 33, size - 32, size - 1]:
        check(dataclasses.replace(mine, token=altered(mine.token, at)), endpoint, "UnrecognizedClientException")


@pytest.mark.parametrize("what", ["nothing", "noise", "shorter", "of another function", "key of another function"])
def test_a_token_that_is_not_of_this_key(endpoint, session, what):
    mine, other = session("caller"), session("another-caller")
    wrong = {
        "nothing": {"token": ""},
        "noise": {"token": "bm9pc2U="},
        "shorter": {"token": mine.token[:-4]},
        "of another function": {"token": other.token},
        "key of another function": {"access_key_id": other.access_key_id},
    }
    check(dataclasses.replace(mine, **wrong[what]), endpoint, "UnrecognizedClientException")


def test_a_session_is_nobody_in_another_account(cluster, clients, endpoint, session):
    other = clients(other_account=True)
    create(other, "theirs", zips.function("echo"), "echo.handler")
    wait_active(other, "theirs")
    try:
        arn = other.get_function_configuration(FunctionName="theirs")["FunctionArn"]
        status, code, _ = refused(session_client(endpoint, session()).invoke, FunctionName=arn)
        assert (status, code) == (403, "AccessDeniedException")
    finally:
        other.delete_function(FunctionName="theirs")


# -- the way out -----------------------------------------------------------------------------------------------------------


def test_who_has_no_credentials_is_nobody_inside_too(caller):
    got = caller("caller", "plain", host="127.0.0.1:9000", method="GET", path=FUNCTIONS, times=3)
    assert (got["status"], got["headers"]["x-amzn-errortype"]) == (403, "MissingAuthenticationTokenException")


def test_connections_are_bounded_and_come_back(caller):
    """Sixteen are served at a time; who waits for more is served when one has ended."""
    answered = caller("caller", "hold", count=18)
    assert answered == [True] * 16 + [False] * 2
    assert caller("caller", "hold", count=16) == [True] * 16


def test_the_frontend_of_its_zone_may_be_dead(dunlin, tmp_path_factory):
    """And gone a moment ago, so that its worker believes that it lives."""
    nodes = (("far", "a", ("controller", "frontend")), ("near", "b", ("frontend",)), ("works", "b", ("worker",)))
    with watched(TwoAccountCluster(dunlin, tmp_path_factory.mktemp("zones"), nodes=nodes)) as cluster:
        client = lambda_client(cluster.endpoint("far"), cluster.credentials)
        create(client, "caller", zips.function("calling"), "calling.handler", Role=role_arn(cluster), Timeout=30)
        wait_active(client, "caller")
        body = urlencode({"Action": "GetCallerIdentity", "Version": VERSION})
        who = {"service": "sts", "method": "POST", "path": "/", "body": body}

        def asked():
            answer = invoke(client, "caller", {"do": "call", "with": who})
            assert answer.payload["status"] == 200, answer.payload
            return answer.payload["headers"]["x-amzn-requestid"]

        def took(request_id, node):
            return any(record.get("request_id") == request_id for record in audited(cluster.node(node)))

        def heard():
            status = cluster.status("works")
            return status is not None and {"far", "near"} <= {member["name"] for member in status["members"]}

        # Ready nodes need not have heard of each other yet.
        wait_until(heard, 10, "the worker hears of both frontends")
        # What changes nothing is on disk a moment after it was answered.
        first = asked()
        wait_until(lambda: took(first, "near"), 5, "the nearest frontend is asked first")
        cluster.kill9("near")
        second = asked()
        wait_until(lambda: took(second, "far"), 5, "the other frontend is asked")


# -- asked for, not given --------------------------------------------------------------------------------------------------


def test_a_version_with_snap_start_asks_for_its_credentials(dunlin, tmp_path_factory):
    """On a cluster that runs a version of Python which this machine has not."""
    directory, settings = tmp_path_factory.mktemp("snap"), {"worker": {"nearest_runtime": True}}
    with watched(TwoAccountCluster(dunlin, directory, nodes=(("a", "a"),), settings=settings)) as cluster:
        endpoint = cluster.endpoint("a")
        client = lambda_client(endpoint, cluster.credentials)
        arguments = {"Runtime": "python3.13", "SnapStart": {"ApplyOn": "PublishedVersions"}, "Publish": True}
        create(client, "snap", zips.function("calling"), "calling.handler", Role=role_arn(cluster), **arguments)
        wait_active(client, "snap")

        def called(qualifier, do, **arguments):
            answer = invoke(client, "snap", {"do": do, "with": arguments}, Qualifier=qualifier)
            assert answer.error is None, answer.payload
            return answer.payload

        names = [*NAMES, "AWS_CONTAINER_CREDENTIALS_FULL_URI"]
        latest = called("$LATEST", "environment", names=names)
        assert latest[NAMES[0]] and not latest["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
        published = called("1", "environment", names=names)
        address = "http://127.0.0.1:9001/2021-04-23/credentials"
        assert list(published.values()) == [None, None, None, address]
        got = called("1", "credentials")
        assert set(got) == {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"}
        mine = Session(got["AccessKeyId"], got["SecretAccessKey"], got["Token"])
        assert sts_client(endpoint, mine).get_caller_identity()["Arn"].endswith(":assumed-role/unmade/snap")
        assert called("1", "asked_for", token="another")["status"] == 404


def test_a_cluster_that_believes_everybody_knows_its_functions(dunlin, tmp_path):
    dev = Dev(dunlin, tmp_path)
    try:
        client = dev.client("123456789012")
        role = "arn:aws:iam::123456789012:role/any"
        create(client, "caller", zips.function("calling"), "calling.handler", Role=role, Timeout=30)
        wait_active(client, "caller")
        call = {"service": "lambda", "method": "GET", "path": FUNCTIONS}
        answer = invoke(client, "caller", {"do": "call", "with": call})
        listed = [f["FunctionName"] for f in json.loads(answer.payload["body"])["Functions"]]
        assert listed == ["caller"], "it acts in its own account"
        body = urlencode({"Action": "GetCallerIdentity", "Version": VERSION})
        call = {"service": "sts", "method": "POST", "path": "/", "body": body}
        answer = invoke(client, "caller", {"do": "call", "with": call})
        assert "arn:aws:sts::123456789012:assumed-role/any/caller" in answer.payload["body"]
        sts = boto3.client(
            "sts", endpoint_url=f"http://127.0.0.1:{dev.port}", region_name="us-east-1",
            aws_access_key_id="123456789012", aws_secret_access_key="x",
        )  # fmt: skip
        _, session = assumed(sts, role)
        assert session_client(f"http://127.0.0.1:{dev.port}", session).list_functions()["Functions"]
    finally:
        dev.stop()


# -- people ----------------------------------------------------------------------------------------------------------------


def test_everybody_may_ask_who_they_are(cluster, endpoint, credentials, identities):
    account = credentials.account
    root = sts_client(endpoint, credentials).get_caller_identity()
    assert (root["Account"], root["UserId"], root["Arn"]) == (account, account, f"arn:aws:iam::{account}:root")
    user = identities.user("sts-nobody")
    time.sleep(0.5)
    got = sts_client(endpoint, user).get_caller_identity()
    assert got["Arn"] == f"arn:aws:iam::{account}:user/sts-nobody"
    assert got["UserId"].startswith("AIDA") and got["Account"] == account
    stranger = dataclasses.replace(credentials, access_key_id="AKIANOBODYKNOWSTHIS1")
    status, code, _ = refused(sts_client(endpoint, stranger).get_caller_identity)
    assert (status, code) == (403, "InvalidClientTokenId")


def test_a_user_becomes_a_role(cluster, client, endpoint, credentials, identities, made_role, deploy):
    target = deploy("echo")
    user = identities.user("becomes", {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"})
    arn = f"arn:aws:iam::{credentials.account}:user/becomes"
    trust = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"}
    allowed = {"Effect": "Allow", "Action": "lambda:*", "Resource": "*"}
    role = made_role("to-become", allowed, trust=(trust,), longest=7200)
    sts = sts_client(endpoint, user)
    got, session = assumed(sts, role, DurationSeconds=900)
    assert got["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{credentials.account}:assumed-role/to-become/me"
    assert got["AssumedRoleUser"]["AssumedRoleId"].endswith(":me") and "PackedPolicySize" not in got
    left = got["Credentials"]["Expiration"].timestamp() - time.time()
    assert 880 < left < 910
    assert session_client(endpoint, session).invoke(FunctionName=target, Payload=b"1")["Payload"].read() == b"1"
    # Any frontend proves it.
    elsewhere = sts_client(cluster.endpoint("b"), session).get_caller_identity()
    assert elsewhere["UserId"] == got["AssumedRoleUser"]["AssumedRoleId"]

    narrow = policy({"Effect": "Allow", "Action": "lambda:ListFunctions", "Resource": "*"})
    got, bounded = assumed(sts, role, Policy=narrow)
    assert 0 < got["PackedPolicySize"] < 100
    assert session_client(endpoint, bounded).list_functions()["Functions"]
    assert refused(session_client(endpoint, bounded).invoke, FunctionName=target)[:2] == (403, "AccessDeniedException")

    # What a session may is what its role may now.
    identities.call("DeleteRolePolicy", role_name="to-become", policy_name="p")
    time.sleep(0.5)
    assert refused(session_client(endpoint, session).list_functions)[:2] == (403, "AccessDeniedException")


def test_who_is_not_trusted_becomes_nobody(endpoint, credentials, identities, made_role, clients, cluster):
    user = identities.user("untrusted", {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"})
    role = made_role("for-lambda")
    sts = sts_client(endpoint, user)
    arn = f"arn:aws:iam::{credentials.account}:user/untrusted"
    for wanted in (role, role_arn(cluster, "not-there")):
        status, code, message = refused(sts.assume_role, RoleArn=wanted, RoleSessionName="me")
        assert (status, code) == (403, "AccessDenied")
        assert message.startswith(f"User: {arn} is not authorized to perform: sts:AssumeRole on resource: {wanted}")
    stranger = sts_client(endpoint, cluster.other_credentials)
    assert refused(stranger.assume_role, RoleArn=role, RoleSessionName="me")[:2] == (403, "AccessDenied")


def test_an_external_id_is_asked_for(endpoint, credentials, identities, made_role):
    user = identities.user("contractor", {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"})
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{credentials.account}:user/contractor"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "ours"}},
    }
    role = made_role("for-contractors", trust=(trust,))
    sts = sts_client(endpoint, user)
    assert refused(sts.assume_role, RoleArn=role, RoleSessionName="me")[1] == "AccessDenied"
    assert refused(sts.assume_role, RoleArn=role, RoleSessionName="me", ExternalId="theirs")[1] == "AccessDenied"
    assumed(sts, role, ExternalId="ours")


def test_what_a_session_cannot_be(endpoint, credentials, identities, made_role):
    user = identities.user("careless", {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"})
    arns = [f"arn:aws:iam::{credentials.account}:user/careless", f"arn:aws:iam::{credentials.account}:role/chained"]
    trust = {"Effect": "Allow", "Principal": {"AWS": arns}, "Action": "sts:AssumeRole"}
    role = made_role("chained", {"Effect": "Allow", "Action": "*", "Resource": "*"}, trust=(trust,), longest=7200)
    sts = sts_client(endpoint, user)

    def said(client=sts, **arguments):
        return refused(client.assume_role, **{"RoleArn": role, "RoleSessionName": "me", **arguments})

    assert said(DurationSeconds=7201) == (
        400, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    )  # fmt: skip
    assert said(DurationSeconds=43201)[1] == "ValidationError"
    assert said(Policy="{")[:2] == (400, "MalformedPolicyDocument")
    assert said(Tags=[{"Key": "a", "Value": "b"}]) == (400, "ValidationError", "Tags is not supported by this cluster")
    _, session = assumed(sts, role)
    chained = sts_client(endpoint, session)
    assert "role chaining" in said(chained, DurationSeconds=3601)[2]
    _, again = assumed(chained, role, "again")
    assert sts_client(endpoint, again).get_caller_identity()["Arn"].endswith(":assumed-role/chained/again")


def test_the_command_line_becomes_a_role(endpoint, credentials, identities, made_role, tmp_path):
    """The AWS CLI, with a profile that names a role: it asks for a session by itself, and acts with it."""
    user = identities.user("at-a-terminal", {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"})
    arn = f"arn:aws:iam::{credentials.account}:user/at-a-terminal"
    allowed = {"Effect": "Allow", "Action": "lambda:ListFunctions", "Resource": "*"}
    role = made_role("at-a-terminal", allowed, trust=({"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"},))
    config = tmp_path / "config"
    config.write_text(f"[profile it]\nrole_arn = {role}\nsource_profile = me\nrole_session_name = cli\n")
    shared = tmp_path / "credentials"
    shared.write_text(f"[me]\naws_access_key_id = {user.access_key_id}\naws_secret_access_key = {user.secret_access_key}\n")
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_CONFIG_FILE": str(config), "AWS_PAGER": "",
        "AWS_SHARED_CREDENTIALS_FILE": str(shared), "AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1",
    }  # fmt: skip

    def aws(*arguments):
        done = subprocess.run(
            [sys.executable, AWS, *arguments], capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=60
        )
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr

    me = aws("sts", "get-caller-identity", "--profile", "me")
    assert (me["Arn"], me["Account"]) == (arn, credentials.account)
    assert aws("sts", "get-caller-identity", "--profile", "it")["Arn"].endswith(":assumed-role/at-a-terminal/cli")
    assert "Functions" in aws("lambda", "list-functions", "--profile", "it")
    assert "(AccessDeniedException)" in aws("lambda", "get-function", "--function-name", "any", "--profile", "it")
    made = aws("sts", "assume-role", "--role-arn", role, "--role-session-name", "cli", "--profile", "me")
    assert made["Credentials"]["AccessKeyId"].startswith("ASIA")
    assert "(AccessDenied)" in aws("sts", "assume-role", "--role-arn", f"{role}-not", "--role-session-name", "cli", "--profile", "me")


def test_actions_that_are_not_there(endpoint, credentials):
    sts = sts_client(endpoint, credentials)
    assert refused(sts.get_session_token)[:2] == (400, "InvalidAction")
    body = urlencode({"Action": "GetCallerIdentity", "Version": VERSION}).encode()
    unsigned = Request("POST", "/", body).send(endpoint)
    assert (unsigned.status, code_of(unsigned)) == (403, "MissingAuthenticationToken")
    elsewhere = Request("POST", "/", body).sign(endpoint, credentials).send(endpoint)
    assert (elsewhere.status, code_of(elsewhere)) == (403, "SignatureDoesNotMatch"), "it was signed for another service"
    asked = Request("GET", "/", query={"Action": "GetCallerIdentity", "Version": VERSION})
    answer = asked.sign(endpoint, credentials, service="sts").send(endpoint)
    assert answer.status == 200 and answer.headers["content-type"] == "text/xml"
    assert answer.headers["x-amzn-requestid"] in answer.body.decode()
