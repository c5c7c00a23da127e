"""Values by shape: a good one, one of any length, and one that breaks the pattern.

What a shape's own constraints do not forbid may still make no sense: a function whose name has the model's greatest
length cannot be, an action of ten thousand letters is none. Such values are `odd`: they must pass validation, but what
comes of them is the operation's to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Optional

from botocore.model import Shape

from conformance import api_model

REGION = "eu-north-1"
ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/lambda"
UUID = "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"
# Longer values are not sent: a suite that is run often cannot move megabytes for one length each.
LONGEST = 1 << 20


def arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


FUNCTION_ARN = arn("lambda", "function:")
QUEUE = arn("sqs", "conformance")
STREAM = arn("kinesis", "stream/conformance")


@dataclass(frozen=True)
class Text:
    """Values of one shape. `least` and `most` are the shortest and longest that its pattern permits, if others than its bounds."""

    fill: Callable[[int], str]
    bad: Optional[str] = None
    least: Optional[int] = None
    most: Optional[int] = None
    odd_least: bool = False
    odd_most: bool = False


def _filled(prefix: str, suffix: str = "", unit: str = "a") -> Callable[[int], str]:
    """Texts of any length. One too short for prefix and suffix is made of the unit alone."""
    fixed = len(prefix) + len(suffix)
    return lambda length: prefix + unit * (length - fixed) + suffix if length > fixed else unit * length


def _text(prefix: str = "", suffix: str = "", unit: str = "a", bad: Optional[str] = None, **rest: Any) -> Text:
    least = rest.pop("least", len(prefix) + len(suffix) + 1 if prefix or suffix else None)
    return Text(_filled(prefix, suffix, unit), bad, least, **rest)


def _name(longest: int) -> Callable[[int], str]:
    """A function's name; from 65 characters on, the ARN of a function with a qualifier."""

    return lambda length: "f" * length if length <= 64 or length > longest else _function_arn(length)


def _function_arn(length: int) -> str:
    """An ARN of a function; where a name would be too long, with a qualifier."""
    name = length - len(FUNCTION_ARN)
    if name <= 65:
        return _filled(FUNCTION_ARN, unit="f")(length)
    return f"{FUNCTION_ARN}{'f' * 64}:{'q' * (name - 65)}"


def _policy(length: int) -> str:
    if length < 100:
        return "{" * length
    statement = (
        '{"Version":"2012-10-17","Statement":[{"Sid":"one","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::'
        + ACCOUNT
        + ':root"},"Action":"lambda:InvokeFunction","Resource":"'
        + FUNCTION_ARN
        + 'imagined"}]}'
    )
    return statement + " " * (length - len(statement))


_NAME: dict[str, Any] = {"least": 1, "odd_least": True, "odd_most": True}
_LAYER = arn("lambda", "layer:")
_CSC = arn("lambda", "code-signing-config:csc-")
_S3FILES = arn("s3files", "file-system/fs-0123456789abcdef0/access-point/fsap-")

TEXTS: dict[str, Text] = {
    "Action": _text("lambda:", bad="invoke!", odd_least=True, odd_most=True),
    "AdditionalVersion": _text(unit="2", bad="two", odd_least=True, odd_most=True),
    "Alias": _text(bad="1234"),
    "Arn": _text(arn("sqs", ""), bad="no ARN", odd_least=True, odd_most=True),
    "CallbackId": _text(bad="not=base64!", odd_least=True, odd_most=True),
    "CapacityProviderArn": _text(arn("lambda", "capacity-provider:"), bad="no ARN", odd_least=True, odd_most=True),
    # A longer one is an ARN; the model's own TaggableResource says how long the name in it may be.
    "CapacityProviderName": _text(bad="no name!", most=64),
    "CheckpointToken": _text(bad="not=base64!", odd_least=True, odd_most=True),
    "ClientToken": _text(bad="a b"),
    "CodeSigningConfigArn": Text(lambda length: _CSC.ljust(length, "0"), "no ARN", len(_CSC) + 17, len(_CSC) + 17, True, True),
    "CollectionName": _text(bad="$cmd"),
    "DatabaseName": _text(bad="a b"),
    "DestinationArn": _text(arn("sqs", ""), bad="no ARN", least=0, odd_most=True),
    "DurableExecutionArn": _text(
        FUNCTION_ARN + "f:1/durable-execution/n/", bad="no ARN", odd_least=True, odd_most=True
    ),
    "DurableExecutionName": _text(bad="no name!"),
    "Endpoint": _text("", ":9092", bad="no endpoint", least=6),
    "EnvironmentVariableName": _text(bad="1ST", least=2),
    "EventSourceToken": _text(bad="a b", least=1),
    "FileSystemArn": Text(lambda length: _S3FILES.ljust(length, "a"), "no ARN", len(_S3FILES) + 17, len(_S3FILES) + 40, True, True),
    "FunctionName": Text(_name(140), "no name!", **_NAME),
    "FunctionRuntimeAlias": _text(odd_least=True, odd_most=True),
    "FunctionRuntimeArn": _text(arn("lambda", "runtime/"), bad="no ARN, though it is as long as one of a runtime would be", odd_least=True, odd_most=True),
    "FunctionUrlFunctionName": Text(_name(140), "no name!", **_NAME),
    "FunctionUrlQualifier": _text(bad="1", odd_least=True, odd_most=True),
    "Handler": _text(bad="a b", least=1),
    "Header": _text(least=1),
    "InstanceType": _text(bad="m5_large", odd_least=True, odd_most=True),
    "KMSKeyArn": _text(arn("kms", ""), bad="no ARN", least=0, odd_most=True),
    "KMSKeyArnNonEmpty": _text(arn("kms", ""), bad="no ARN", odd_least=True, odd_most=True),
    "LayerNameOrArn": _text(bad="no name!", most=140, odd_least=True, odd_most=True),
    "LayerPermissionAllowedAction": Text(lambda length: "lambda:GetLayerVersion".ljust(length, "s"), "lambda:Get", 22, 22),
    "LayerPermissionAllowedPrincipal": Text(lambda length: ACCOUNT if length < 13 else "1" * length, "me", 12, 12),
    "LayerVersionArn": _text(_LAYER, ":1", bad="no ARN", most=len(_LAYER) + 142, odd_least=True, odd_most=True),
    "LocalMountPath": _text("/mnt/", bad="/tmp", odd_most=True),
    "LogGroup": _text(bad="no group!"),
    "MasterRegion": _text("eu-", "-1", bad="Mars", odd_least=True, odd_most=True),
    "Method": _text(unit="A", least=1, odd_least=True, odd_most=True),
    "NamespacedFunctionName": Text(_name(240), "no name!", most=240, **_NAME),
    "NamespacedStatementId": _text(bad="no id!", odd_least=True, odd_most=True),
    "NumericLatestPublishedOrAliasQualifier": _text(bad="no qualifier!", odd_least=True, odd_most=True),
    "OperationId": _text(bad="no id!"),
    "OperationName": _text(bad="n\u00e4me"),
    "OperationSubType": _text(bad="no type!"),
    "OrganizationId": _text("o-", bad="organization", least=12),
    "Origin": _text("https://", ".example", least=1),
    "Pattern": Text(lambda length: '{"body":[1]}'.ljust(length) if length >= 12 else "{}".ljust(length)[:length], least=2, odd_least=True, odd_most=True),
    "PolicyResourceArn": Text(_function_arn, "no ARN", len(FUNCTION_ARN) + 1, odd_least=True, odd_most=True),
    "Principal": _text(bad="a b", least=1, odd_least=True, odd_most=True),
    "PrincipalOrgID": _text("o-", bad="organization"),
    "ProvisionedPollerGroupName": _text(bad="no name!", odd_most=True),
    "PublishedFunctionQualifier": _text(unit="9", bad="live", odd_least=True, odd_most=True),
    "Qualifier": _text(bad="no qualifier!", odd_least=True, odd_most=True),
    "Queue": _text(odd_least=True, odd_most=True),
    "ResourceArn": _text(arn("sqs", ""), bad="no ARN", least=0, odd_most=True),
    "ResourcePolicy": Text(_policy, odd_least=True, odd_most=True),
    "RevisionId": Text(lambda length: UUID.ljust(length, "0")[:length], "0" * 36, odd_least=True, odd_most=True),
    "RoleArn": _text(f"arn:aws:iam::{ACCOUNT}:role/", bad="me", odd_most=True),
    "RuntimeVersionArn": Text(
        _filled(f"arn:aws:lambda:{REGION}::runtime:"), "no ARN, though it is as long as one", 39, None, True, True
    ),
    "S3Bucket": _text(bad="no bucket!", odd_least=True, odd_most=True),
    "S3Key": _text(odd_least=True, odd_most=True),
    "S3ObjectVersion": _text(odd_least=True, odd_most=True),
    "SchemaRegistryUri": _text("https://", bad="no URI", odd_least=True, odd_most=True),
    "SecurityGroupId": _text("sg-", bad="default", odd_least=True, odd_most=True),
    "SourceOwner": Text(lambda length: "1" * length, "me", 12, 12),
    "StatementId": _text(bad="no id!"),
    "SubnetId": _text("subnet-", bad="default", odd_least=True, odd_most=True),
    "TagKey": _text(bad="50%"),
    "TagValue": _text(bad="50%"),
    "TaggableResource": _text(FUNCTION_ARN, bad="no ARN", odd_least=True, odd_most=True),
    "TenantId": _text(bad="a%b"),
    "Topic": _text(bad="no topic!", least=2),
    "URI": _text(bad="50%", odd_least=True, odd_most=True),
    "UUIDString": Text(lambda length: UUID.ljust(length, "0")[:length], odd_least=True, odd_most=True),
    "UnqualifiedFunctionName": Text(_name(111), "no name!", most=111, **_NAME),
    "VersionWithLatestPublished": _text(unit="9", bad="live", odd_least=True, odd_most=True),
    "WorkingDirectory": _text("/", least=0),
}  # fmt: skip

ANY = Text(_filled(""))

# Numbers that the model allows and a function of the ordinary kind may not have.
ABOVE_QUOTA = {"Timeout": 900, "MemorySize": 10240, "EphemeralStorageSize": 10240}
# Numbers that are refused or not by what else a request says.
ODD_NUMBERS = {"MaximumNumberOfPollers", "MinimumNumberOfPollers", "LayerVersionNumber"}
# What a store calls it that there is no object of such a name.
NO_OBJECT = {"S3Bucket": "NoSuchBucket", "S3Key": "NoSuchKey", "S3ObjectVersion": "NoSuchVersion"}
# Lists whose greatest length makes no sense with everything, for example with the number of enum values there are.
ODD_LISTS = {"SourceAccessConfigurations", "CapacityProviderScalingPoliciesList", "StringList"}
# Enum values that need other members than the request around them has.
ODD_ENUMS = {
    "CapacityProviderPredefinedMetricType",
    "CapacityProviderScalingMode",
    "EventSourcePosition",
    "FunctionUrlAuthType",
    "KafkaEventSourceMappingConsumptionMode",
    "LogFormat",
    "OperationAction",
    "OperationType",
    "PackageType",
    "PropagateTagsMode",
    "SnapStartApplyOn",
    "SourceAccessType",
    "UpdateRuntimeOn",
}


def text(shape: Shape) -> Text:
    return TEXTS.get(shape.name, ANY)


def shortest(shape: Shape) -> int:
    least, _ = api_model.bounds(shape)
    of_pattern = text(shape).least
    return max(int(least or 0), of_pattern if of_pattern is not None else 0)


def longest(shape: Shape) -> Optional[int]:
    _, most = api_model.bounds(shape)
    of_pattern = text(shape).most
    if most is None:
        return of_pattern
    return min(int(most), of_pattern) if of_pattern is not None else int(most)


def distinct(shape: Shape, example: Any, count: int) -> list[Any]:
    """So many elements of a list, all different where the shape has so many."""
    if shape.type_name == "string" and not api_model.enum(shape):
        made = [_numbered(shape, example, number) for number in range(count)]
        return made
    pool = api_model.enum(shape) or [example]
    return [pool[number % len(pool)] for number in range(count)]


def _numbered(shape: Shape, example: str, number: int) -> str:
    if shape.name == "InstanceType":
        return f"m{number}.large"
    if shape.name == "Method":
        return ("GET", "PUT", "POST", "HEAD", "PATCH", "DELETE", "*")[number % 7]
    return f"{example}{number}"
