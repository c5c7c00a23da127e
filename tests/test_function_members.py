"""What few functions have: recorded, shown, changed and taken away; and what keeps a function from running."""

import pytest
import zips
from clients import ROLE, RUNTIME, create, invoke, wait_active, wait_updated
from refusals import refusal

QUEUE = "arn:aws:sqs:us-east-1:000000000000:failures"
KEY = "arn:aws:kms:us-east-1:000000000000:key/0"
VPC = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
EFS = "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0"
OPTIONAL = {"VpcConfig", "DeadLetterConfig", "KMSKeyArn", "Layers", "FileSystemConfigs", "ImageConfigResponse"} | {
    "TenancyConfig", "CapacityProviderConfig", "DurableConfig", "RuntimeConfig", "AcceleratorConfig",
}  # fmt: skip


def optional(configuration):
    return {name: value for name, value in configuration.items() if name in OPTIONAL}


def test_members_are_shown_and_do_not_keep_a_function_from_running(client, deploy):
    name = deploy("echo", VpcConfig=VPC, DeadLetterConfig={"TargetArn": QUEUE}, KMSKeyArn=KEY)
    shown = client.get_function_configuration(FunctionName=name)
    assert optional(shown) == {
        "VpcConfig": {**VPC, "VpcId": "", "Ipv6AllowedForDualStack": False},
        "DeadLetterConfig": {"TargetArn": QUEUE},
        "KMSKeyArn": KEY,
    }
    assert invoke(client, name, {"a": 1}).payload == {"a": 1}


def test_members_are_changed_and_cleared_and_make_versions(client, deploy):
    name = deploy("echo")
    assert client.publish_version(FunctionName=name)["Version"] == "1"

    def update(**members):
        client.update_function_configuration(FunctionName=name, **members)
        wait_updated(client, name)
        return optional(client.get_function_configuration(FunctionName=name))

    assert update(DeadLetterConfig={"TargetArn": QUEUE}, KMSKeyArn=KEY) == {
        "DeadLetterConfig": {"TargetArn": QUEUE},
        "KMSKeyArn": KEY,
    }
    assert client.publish_version(FunctionName=name)["Version"] == "2"
    assert client.publish_version(FunctionName=name)["Version"] == "2"
    assert update(Description="unrelated")["KMSKeyArn"] == KEY
    assert update(KMSKeyArn="") == {"DeadLetterConfig": {"TargetArn": QUEUE}}
    assert update(DeadLetterConfig={}, VpcConfig=VPC).keys() == {"VpcConfig"}
    assert update(VpcConfig={"SubnetIds": [], "SecurityGroupIds": []}, Description="") == {}
    first = client.get_function_configuration(FunctionName=name, Qualifier="2")
    assert optional(first).keys() == {"DeadLetterConfig", "KMSKeyArn"}


def test_snap_start_is_recorded_and_honest(client, name):
    arguments = {"Runtime": "python3.12", "SnapStart": {"ApplyOn": "PublishedVersions"}}
    create(client, name, zips.function("echo"), "echo.handler", **arguments)
    wait_active(client, name)
    version = client.publish_version(FunctionName=name)
    assert version["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}
    refused = refusal(client.update_function_configuration, FunctionName=name, Runtime="python3.11")
    assert refused[1:] == ("InvalidParameterValueException", "python3.11 is not supported for SnapStart enabled functions.")
    client.update_function_configuration(FunctionName=name, Runtime="python3.11", SnapStart={"ApplyOn": "None"})
    wait_updated(client, name)
    client.delete_function(FunctionName=name)


@pytest.mark.parametrize(
    "members",
    [
        {"DurableConfig": {"ExecutionTimeout": 60, "RetentionPeriodInDays": 7}},
        {"FileSystemConfigs": [{"Arn": EFS, "LocalMountPath": "/mnt/files"}], "VpcConfig": VPC},
        {"AcceleratorConfig": {"AcceleratorMemorySize": 16}},
        {
            "Runtime": "custom",
            "RuntimeConfig": {"RuntimeArn": "arn:aws:lambda:us-east-1:000000000000:runtime/mine", "RuntimeAlias": "live"},
        },
    ],
    ids=lambda members: next(iter(set(members) - {"Runtime", "VpcConfig"})),
)
def test_what_no_worker_can_honour_is_recorded_and_not_run(client, deploy, members):
    name = deploy("echo", **members)
    shown = client.get_function_configuration(FunctionName=name)
    member = next(iter(set(members) - {"Runtime", "VpcConfig"}))
    assert shown[member] == members[member]
    assert refusal(client.invoke, FunctionName=name) == (
        400,
        "InvalidParameterValueException",
        f"This cluster records {member} and cannot run functions that have it.",
    )


def test_what_contradicts_itself_is_refused(client, deploy, name):
    made = deploy("echo")
    for members, text in [
        ({"VpcConfig": {"SubnetIds": ["subnet-1"]}}, "VpcConfig must name both SubnetIds and SecurityGroupIds"),
        ({"DeadLetterConfig": {"TargetArn": "arn:aws:s3:::b"}}, "DeadLetterConfig.TargetArn must be"),
        ({"FileSystemConfigs": [{"Arn": EFS, "LocalMountPath": "/mnt/x"}]}, "Function must be configured to execute in a VPC"),
        ({"DurableConfig": {"ExecutionTimeout": 1}}, "DurableConfig can only be provided for functions that were created"),
        ({"Runtime": "custom"}, "RuntimeConfig is required"),
        ({"ImageConfig": {"Command": ["c"]}}, "ImageConfig can only be provided for functions with packageType Image."),
    ]:
        status, kind, message = refusal(client.update_function_configuration, FunctionName=made, **members)
        assert (status, kind) == (400, "InvalidParameterValueException") and message.startswith(text), message
    unmanaged = "PublishTo isn't supported for Lambda Default functions."
    refused = refusal(client.publish_version, FunctionName=made, PublishTo="LATEST_PUBLISHED")
    assert refused == (400, "InvalidParameterValueException", unmanaged)
    code = zips.function("echo")
    published = {"Publish": True, "PublishTo": "LATEST_PUBLISHED"}
    refused = refusal(create, client=client, name=f"{name}-x", code=code, handler="echo.handler", **published)
    assert refused == (400, "InvalidParameterValueException", unmanaged)


def test_the_key_of_a_package_goes_with_the_package(client, name):
    other = f"{KEY}1"
    code = {"ZipFile": zips.function("echo"), "SourceKMSKeyArn": KEY}
    arguments = {"Role": ROLE, "Runtime": RUNTIME, "Handler": "echo.handler"}
    client.create_function(FunctionName=name, Code=code, Publish=True, **arguments)
    wait_active(client, name)

    def key(**version):
        return client.get_function(FunctionName=name, **version)["Code"].get("SourceKMSKeyArn")

    def update(**members):
        client.update_function_code(FunctionName=name, ZipFile=zips.function("echo"), **members)
        wait_updated(client, name)
        return key()

    assert (key(), key(Qualifier="1")) == (KEY, KEY)
    assert "SourceKMSKeyArn" not in client.get_function_configuration(FunctionName=name)
    client.update_function_configuration(FunctionName=name, Description="the package is the same")
    wait_updated(client, name)
    assert key() == KEY
    assert update(SourceKMSKeyArn=other) == other
    assert update() is None
    assert key(Qualifier="1") == KEY
    assert invoke(client, name, {"a": 1}).payload == {"a": 1}
    client.delete_function(FunctionName=name)
