"""Tenant isolation: who has tenants is invoked for one, and nothing of one is ever in front of another."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from clients import ONE_ATTEMPT, invoke, wait_updated
from refusals import refusal

ISOLATED = {"TenantIsolationMode": "PER_TENANT"}
# AWS's own words.
MISSING = "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try again."
UNEXPECTED = "The invoked function is not enabled with tenancy configuration. Remove the tenant ID from your request and try again."
TENANTS = ["blue", "red", "a b.c:/=+-@_", "x" * 256]


@pytest.fixture
def isolated(deploy):
    return deploy("tenants", TenancyConfig=ISOLATED)


def served(client, name, tenant, **arguments):
    return invoke(client, name, {}, TenantId=tenant, **arguments).payload


def test_every_tenant_has_environments_of_its_own(clients, client, isolated):
    """Whichever frontend is asked, and however often."""
    assert client.get_function_configuration(FunctionName=isolated)["TenancyConfig"] == ISOLATED
    environments = {}
    for round_ in range(3):
        for tenant in TENANTS:
            for node in "abc":
                got = served(clients(node), isolated, tenant)
                assert set(got["seen"]) == {tenant}
                environments.setdefault(tenant, set()).add(got["environment_id"])
    every = [environment for of_one in environments.values() for environment in of_one]
    assert len(every) == len(set(every)), "an environment of two tenants"
    for tenant in TENANTS:
        # What is warm for a tenant is used again for that tenant.
        before = served(client, isolated, tenant)
        after = served(client, isolated, tenant)
        assert after["environment_id"] == before["environment_id"]
        assert after["seen"] == before["seen"] + [tenant]


def test_tenants_at_the_same_time(clients, isolated):
    """Environments are handed from one to the next under load, and never across."""

    def one(number):
        tenant = f"tenant-{number % 5}"
        return tenant, served(clients("abc"[number % 3]), isolated, tenant)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(one, range(60)))
    owners = {}
    for tenant, got in answers:
        assert set(got["seen"]) == {tenant}
        assert owners.setdefault(got["environment_id"], tenant) == tenant
    assert any(len(got["seen"]) > 1 for _, got in answers), "no environment was used twice"


def test_versions_and_aliases_have_tenants_too(client, isolated):
    version = client.publish_version(FunctionName=isolated)["Version"]
    client.create_alias(FunctionName=isolated, Name="live", FunctionVersion=version)
    latest = served(client, isolated, "blue")
    of_version = served(client, isolated, "blue", Qualifier=version)
    assert of_version["environment_id"] != latest["environment_id"]
    assert served(client, isolated, "blue", Qualifier="live")["environment_id"] == of_version["environment_id"]
    client.update_function_configuration(FunctionName=isolated, Description="changed")
    wait_updated(client, isolated)
    assert client.get_function_configuration(FunctionName=isolated)["TenancyConfig"] == ISOLATED
    assert served(client, isolated, "blue")["seen"] == ["blue"]


def test_who_has_tenants_must_be_told_and_nobody_else_may(clients, deploy, isolated):
    client = clients("b", **ONE_ATTEMPT)
    shared = deploy("tenants")
    streamed = client.invoke_with_response_stream
    for call, arguments in (
        (client.invoke, {}),
        (client.invoke, {"InvocationType": "DryRun"}),
        (client.invoke, {"Payload": b"{"}),
        (streamed, {}),
    ):
        told = refusal(call, FunctionName=isolated, **arguments)
        assert told == (400, "InvalidParameterValueException", MISSING)
        told = refusal(call, FunctionName=shared, TenantId="blue", **arguments)
        assert told == (400, "InvalidParameterValueException", UNEXPECTED)
    assert client.invoke(FunctionName=isolated, TenantId="blue", InvocationType="DryRun")["StatusCode"] == 204
    for wrong in ("a%b", "x" * 257):
        assert refusal(client.invoke, FunctionName=isolated, TenantId=wrong)[:2] == (400, "ValidationException")
    assert invoke(client, shared, {}).payload["seen"] == [None]


def test_a_stream_and_the_log_know_the_tenant(client, deploy):
    name = deploy("tenants", TenancyConfig=ISOLATED, LoggingConfig={"LogFormat": "JSON"})
    got = invoke(client, name, {}, TenantId="blue", LogType="Tail")
    lines = [json.loads(line) for line in got.log.splitlines()]
    start = next(line for line in lines if line.get("type") == "platform.start")
    assert start["record"]["tenantId"] == "blue"
    said = next(line for line in lines if line.get("message") == "served")
    assert said["tenantId"] == "blue"
    events = list(client.invoke_with_response_stream(FunctionName=name, TenantId="blue")["EventStream"])
    body = b"".join(event["PayloadChunk"]["Payload"] for event in events if "PayloadChunk" in event)
    assert json.loads(body)["seen"] == ["blue", "blue"]
    assert json.loads(body)["environment_id"] == got.payload["environment_id"]


def test_what_calls_by_itself_knows_no_tenant(client, isolated):
    version = client.publish_version(FunctionName=isolated)["Version"]
    for call, arguments in (
        (client.put_provisioned_concurrency_config, {"Qualifier": version, "ProvisionedConcurrentExecutions": 1}),
        (client.create_function_url_config, {"AuthType": "NONE"}),
        (client.create_event_source_mapping, {"EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:tenants"}),
    ):
        status, kind, text = refusal(call, FunctionName=isolated, **arguments)
        assert (status, kind) == (400, "InvalidParameterValueException") and "TenancyConfig" in text
