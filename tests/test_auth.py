"""Who may call: signatures, keys, clocks, accounts and regions."""

import dataclasses
from datetime import datetime, timedelta, timezone

import pytest
import zips
from botocore.exceptions import ClientError
from clients import create, invoke, lambda_client, wait_active
from signing import Request

FUNCTIONS = "/2015-03-31/functions"


@pytest.fixture(scope="module")
def endpoint(cluster):
    return cluster.endpoint("a")


def test_a_request_signed_by_hand_passes(endpoint, credentials):
    answer = Request("GET", FUNCTIONS, query={"MaxItems": "3", "FunctionVersion": "ALL"}).sign(endpoint, credentials).send(endpoint)
    assert answer.status == 200, answer.body


def check(answer, error):
    assert (answer.status, answer.error) == (403, error), answer.body
    assert answer.headers["x-amzn-requestid"]
    assert "secret" not in answer.message.lower().replace("secret access key", "")


def test_without_a_signature(endpoint):
    check(Request("GET", FUNCTIONS).send(endpoint), "MissingAuthenticationTokenException")


def test_with_a_wrong_secret(endpoint, credentials):
    wrong = dataclasses.replace(credentials, secret_access_key=credentials.secret_access_key[:-1] + "!")
    check(Request("GET", FUNCTIONS).sign(endpoint, wrong).send(endpoint), "InvalidSignatureException")
    with pytest.raises(ClientError) as refused:
        lambda_client(endpoint, wrong).list_functions()
    assert refused.value.response["Error"]["Code"] == "InvalidSignatureException"


def test_with_an_unknown_key(endpoint, credentials):
    unknown = dataclasses.replace(credentials, access_key_id="AKIANOBODYKNOWSTHIS1")
    check(Request("GET", FUNCTIONS).sign(endpoint, unknown).send(endpoint), "UnrecognizedClientException")


@pytest.mark.parametrize("minutes", [-6, 6, -60 * 24 * 400])
def test_with_a_clock_that_is_wrong(endpoint, credentials, minutes):
    when = datetime.now(timezone.utc) + timedelta(minutes=minutes)
    check(Request("GET", FUNCTIONS).sign(endpoint, credentials, when).send(endpoint), "InvalidSignatureException")


@pytest.mark.parametrize("minutes", [-4, 4])
def test_with_a_clock_that_is_nearly_right(endpoint, credentials, minutes):
    when = datetime.now(timezone.utc) + timedelta(minutes=minutes)
    assert Request("GET", FUNCTIONS).sign(endpoint, credentials, when).send(endpoint).status == 200


def test_for_another_service(endpoint, credentials):
    check(Request("GET", FUNCTIONS).sign(endpoint, credentials, service="s3").send(endpoint), "InvalidSignatureException")


@pytest.mark.parametrize("what", ["method", "path", "query", "body", "host"])
def test_what_was_changed_after_signing(endpoint, cluster, credentials, what):
    request = Request("POST", f"{FUNCTIONS}/f/invocations", b'{"a":1}', {"Qualifier": "1"}).sign(endpoint, credentials)
    if what == "method":
        request.method = "GET"
    elif what == "path":
        request.path = f"{FUNCTIONS}/g/invocations"
    elif what == "query":
        request.query["Qualifier"] = "2"
    elif what == "body":
        request.body = b'{"a":2}'
    elif what == "host":
        endpoint = cluster.endpoint("b")
    check(request.send(endpoint), "InvalidSignatureException")


@pytest.mark.parametrize(
    "header",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=x",
        "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host",
        "Basic dXNlcjpwYXNz",
        "AWS4-HMAC-SHA256 " + "a" * 4000,
        "AWS4-HMAC-SHA256 Credential=////, SignedHeaders=, Signature=",
    ],
)
def test_an_authorization_that_cannot_be_read(endpoint, header):
    answer = Request("GET", FUNCTIONS, headers={"Authorization": header, "X-Amz-Date": "20260101T000000Z"}).send(endpoint)
    assert answer.status in (400, 403), answer.body
    assert answer.error in (
        "IncompleteSignatureException", "MissingAuthenticationTokenException", "UnrecognizedClientException",
        "InvalidSignatureException",
    )  # fmt: skip


def test_an_unsigned_flood_of_bytes_is_not_read_to_its_end(endpoint):
    """A body without a signature costs its sender an error, not the server its memory."""
    try:
        check(Request("POST", FUNCTIONS, b"x" * (64 << 20)).send(endpoint), "MissingAuthenticationTokenException")
    except (BrokenPipeError, ConnectionResetError):
        # The server hung up while the client was still sending: an answer too.
        pass
    check(Request("GET", FUNCTIONS).send(endpoint), "MissingAuthenticationTokenException")


def test_two_accounts_do_not_see_each_other(clients, deploy, name):
    ours, theirs = clients("a"), clients("a", other_account=True)
    own = deploy("context")
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{own}"
    for call in (theirs.get_function, theirs.invoke, theirs.delete_function, theirs.list_versions_by_function):
        with pytest.raises(theirs.exceptions.ResourceNotFoundException):
            call(FunctionName=own)
        with pytest.raises(ClientError) as refused:
            call(FunctionName=arn)
        assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert own not in [f["FunctionName"] for page in theirs.get_paginator("list_functions").paginate() for f in page["Functions"]]
    # The same name is free for the other account, and is another function.
    create(theirs, own, zips.function("context"), "context.handler")
    wait_active(theirs, own)
    theirs_seen, ours_seen = invoke(theirs, own).payload, invoke(ours, own).payload
    assert theirs_seen["invoked_function_arn"] == f"arn:aws:lambda:us-east-1:210987654321:function:{own}"
    assert ours_seen["invoked_function_arn"] == arn
    assert theirs_seen["environment_id"] != ours_seen["environment_id"]
    theirs.delete_function(FunctionName=own)
    assert invoke(ours, own).status == 200


def test_a_region_sees_its_own_functions(clients, deploy):
    here, there = clients("a"), clients("a", region="eu-west-1")
    own = deploy("context")
    with pytest.raises(there.exceptions.ResourceNotFoundException):
        there.get_function(FunctionName=own)
    with pytest.raises(there.exceptions.ResourceNotFoundException) as far:
        there.get_function(FunctionName=f"arn:aws:lambda:us-east-1:000000000000:function:{own}")
    assert "are not reachable in this region ('eu-west-1')" in far.value.response["Error"]["Message"]
    create(there, own, zips.function("context"), "context.handler")
    wait_active(there, own)
    arn = f"arn:aws:lambda:eu-west-1:000000000000:function:{own}"
    assert invoke(there, own).payload["invoked_function_arn"] == arn
    there.delete_function(FunctionName=own)
    assert invoke(here, own).status == 200
