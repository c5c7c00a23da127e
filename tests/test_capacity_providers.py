"""Capacity providers: kept for clients that manage them, and honest about having no instances."""

import pytest
import zips
from clients import create, wait_active, wait_updated
from refusals import refusal

VPC = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
ROLE = {"CapacityProviderOperatorRoleArn": "arn:aws:iam::000000000000:role/operator"}
ARN = "arn:aws:lambda:us-east-1:000000000000:capacity-provider:"


@pytest.fixture
def provider(client, name):
    """Makes providers; they go away when the test is over."""
    made = []

    def provided(suffix="", **arguments):
        answer = client.create_capacity_provider(
            CapacityProviderName=name + suffix, VpcConfig=VPC, PermissionsConfig=ROLE, **arguments
        )
        made.append(name + suffix)
        return answer

    yield provided
    for which in made:
        try:
            client.delete_capacity_provider(CapacityProviderName=which)
        except client.exceptions.ResourceNotFoundException:
            pass


def test_a_provider_is_created_looked_at_changed_and_deleted(client, provider, name):
    scaling = {
        "MaxVCpuCount": 16,
        "ScalingMode": "Manual",
        "ScalingPolicies": [{"PredefinedMetricType": "LambdaCapacityProviderAverageCPUUtilization", "TargetValue": 50.5}],
    }
    requirements = {"Architectures": ["arm64"], "AllowedInstanceTypes": ["m7g.*"]}
    made = provider(CapacityProviderScalingConfig=scaling, InstanceRequirements=requirements, Tags={"a": "b"})
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 202
    shown = made["CapacityProvider"]
    assert shown.pop("LastModified")
    assert shown == {
        "CapacityProviderArn": ARN + name,
        "State": "Failed",
        "VpcConfig": VPC,
        "PermissionsConfig": ROLE,
        "InstanceRequirements": requirements,
        "CapacityProviderScalingConfig": scaling,
    }
    for which in (name, ARN + name):
        got = client.get_capacity_provider(CapacityProviderName=which)["CapacityProvider"]
        assert got["CapacityProviderScalingConfig"] == scaling
    changed = client.update_capacity_provider(
        CapacityProviderName=name, CapacityProviderScalingConfig={"MaxVCpuCount": 4}
    )["CapacityProvider"]
    assert changed["CapacityProviderScalingConfig"] == {"MaxVCpuCount": 4}
    again = refusal(provider)
    assert again[:2] == (409, "ResourceConflictException")
    gone = client.delete_capacity_provider(CapacityProviderName=name)
    assert (gone["ResponseMetadata"]["HTTPStatusCode"], gone["CapacityProvider"]["State"]) == (202, "Deleting")
    assert refusal(client.get_capacity_provider, CapacityProviderName=name)[:2] == (404, "ResourceNotFoundException")


def test_lists_come_in_pages_and_by_state(client, provider, name):
    for suffix in ("-a", "-b", "-c"):
        provider(suffix)
    names = lambda **filters: [
        found["CapacityProviderArn"].rpartition(":")[2]
        for page in client.get_paginator("list_capacity_providers").paginate(PaginationConfig={"PageSize": 2}, **filters)
        for found in page["CapacityProviders"]
        if name in found["CapacityProviderArn"]
    ]
    assert names() == names(State="Failed") == [f"{name}-a", f"{name}-b", f"{name}-c"]
    assert names(State="Active") == []


def test_a_function_on_a_provider_is_recorded_and_not_run(client, clients, provider, deploy, name):
    provider()
    config = {"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": ARN + name}}
    function = deploy("echo", CapacityProviderConfig=config, Publish=True)
    assert client.get_function_configuration(FunctionName=function)["CapacityProviderConfig"] == config
    refused = refusal(client.invoke, FunctionName=function)
    assert refused[1:] == (
        "InvalidParameterValueException",
        "This cluster records CapacityProviderConfig and cannot run functions that have it.",
    )
    listed = client.list_function_versions_by_capacity_provider(CapacityProviderName=name)
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{function}"
    assert listed["CapacityProviderArn"] == ARN + name
    assert [v["FunctionArn"] for v in listed["FunctionVersions"]] == [f"{arn}:$LATEST", f"{arn}:1"]
    in_use = refusal(client.delete_capacity_provider, CapacityProviderName=name)
    assert in_use[:2] == (409, "ResourceConflictException")
    client.delete_function(FunctionName=function)
    other = clients("a", other_account=True)
    assert other.list_capacity_providers()["CapacityProviders"] == []
    assert refusal(other.get_capacity_provider, CapacityProviderName=ARN + name)[:2] == (403, "AccessDeniedException")


def test_a_function_needs_a_provider_that_is_there(client, deploy, name):
    config = {"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": ARN + name}}
    refused = refusal(deploy, code="echo", CapacityProviderConfig=config)
    assert refused[:2] == (404, "ResourceNotFoundException") and name in refused[2]


def test_a_function_on_a_provider_has_a_version_without_a_number(client, provider, name):
    provider()
    on_it = {"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": ARN + name}}
    latest = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    published = {"FunctionName": name, "Qualifier": "$LATEST.PUBLISHED"}
    made = create(
        client, name, zips.function("echo"), "echo.handler",
        CapacityProviderConfig=on_it, Publish=True, PublishTo="LATEST_PUBLISHED",
    )  # fmt: skip
    assert (made["Version"], made["FunctionArn"]) == ("$LATEST.PUBLISHED", latest)
    wait_active(client, name)
    shown = client.get_function_configuration(**published)
    assert (shown["Version"], shown["FunctionArn"]) == ("$LATEST.PUBLISHED", f"{latest}:$LATEST.PUBLISHED")
    again = client.publish_version(FunctionName=name, PublishTo="LATEST_PUBLISHED")
    assert again["RevisionId"] == client.get_function_configuration(**published)["RevisionId"], "nothing changed"
    client.update_function_configuration(FunctionName=name, Description="changed")
    wait_updated(client, name)
    assert client.get_function_configuration(**published)["Description"] == ""
    client.publish_version(FunctionName=name, PublishTo="LATEST_PUBLISHED")
    assert client.get_function_configuration(**published)["Description"] == "changed"
    client.publish_version(FunctionName=name)
    versions = [version["Version"] for version in client.list_versions_by_function(FunctionName=name)["Versions"]]
    assert versions == ["$LATEST", "$LATEST.PUBLISHED", "1"]
    bounds = {"MinExecutionEnvironments": 1, "MaxExecutionEnvironments": 2}
    client.put_function_scaling_config(**published, FunctionScalingConfig=bounds)
    assert client.get_function_scaling_config(**published)["RequestedFunctionScalingConfig"] == bounds
    assert client.create_alias(FunctionName=name, Name="live", FunctionVersion="$LATEST.PUBLISHED")["FunctionVersion"] == "$LATEST.PUBLISHED"
    assert refusal(client.delete_function, **published)[:2] == (409, "ResourceConflictException")
    client.delete_alias(FunctionName=name, Name="live")
    client.delete_function(**published)
    assert refusal(client.get_function_configuration, **published)[:2] == (404, "ResourceNotFoundException")
    client.delete_function(FunctionName=name)
