"""Functions: created, read, changed, listed, deleted."""

from __future__ import annotations

import base64
import hashlib

from clients import RUNTIME

from conformance import images, objects
from conformance.recipe import INVALID_VALUE, PASSES, Given, Params, Recipe, alone, refused
from conformance.recipes import capacity, code_signing, layers
from conformance.recipes.resources import (
    CODE,
    HANDLER,
    OTHER_CODE,
    function,
    marker,
    own,
    published,
    revision,
    spoil_own,
)
from conformance.values import ACCOUNT, QUEUE, ROLE, arn
from conformance.wire import Answer
from conformance.world import World

KEY = arn("kms", "key/0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d")
IMAGE = images.URI
ACCESS_POINT = arn("elasticfilesystem", "access-point/fsap-0123456789abcdef0")
S3_FILES = arn("s3files", "file-system/fs-0123456789abcdef0/access-point/fsap-0123456789abcdef0")
SNAP_START_RUNTIME = "python3.13"
OBJECT = objects.address("code/echo.zip")
OBJECTS = {OBJECT["S3Key"]: OTHER_CODE}
VPC = {
    "SubnetIds": ["subnet-0123456789abcdef0"],
    "SecurityGroupIds": ["sg-0123456789abcdef0"],
    "Ipv6AllowedForDualStack": True,
}
# Members that a function has from its creation on, and that an update may change.
COMMON = (
    Given("Description", "about conformance"),
    Given("Timeout", 60),
    Given("MemorySize", 256),
    Given("VpcConfig", VPC),
    Given("DeadLetterConfig", {"TargetArn": QUEUE}),
    Given("Environment", {"Variables": {"SETTING": "value"}}),
    Given("KMSKeyArn", KEY),
    Given("TracingConfig", {"Mode": "Active"}),
    Given("Layers", [layers.version_arn]),
    Given("FileSystemConfigs", [{"Arn": ACCESS_POINT, "LocalMountPath": "/mnt/shared"}], beside={"VpcConfig": VPC}),
    alone(
        "FileSystemConfigs",
        [{"Arn": S3_FILES, "LocalMountPath": "/mnt/files", "S3FilesConfig": {"DirectS3Read": "AUTO"}}],
        label="FileSystemConfigs of S3 Files",
        beside={"VpcConfig": VPC},
    ),
    Given("EphemeralStorage", {"Size": 1024}),
    Given(
        "LoggingConfig",
        {"LogFormat": "JSON", "ApplicationLogLevel": "WARN", "SystemLogLevel": "DEBUG", "LogGroup": "/own/group"},
    ),
    alone("LoggingConfig", {"LogFormat": "Text"}, label="LoggingConfig in text"),
    alone("SnapStart", {"ApplyOn": "PublishedVersions"}, beside={"Runtime": SNAP_START_RUNTIME}),
    alone("CapacityProviderConfig", capacity.MANAGED["CapacityProviderConfig"], beside={"MemorySize": 2048}),
    # Runtimes of customers and accelerators belong to another service; a function can name one that is not there.
    alone(
        "RuntimeConfig",
        {"RuntimeArn": arn("lambda", "runtime/conformance-runtime"), "RuntimeAlias": "live"},
        beside={"Runtime": "custom"},
        expected=PASSES,
    ),
    alone("AcceleratorConfig", {"AcceleratorMemorySize": 24}, beside=capacity.MANAGED, expected=PASSES),
)  # fmt: skip


def _new(world: World) -> Params:
    return {
        "FunctionName": world.name("created"),
        "Runtime": RUNTIME,
        "Role": ROLE,
        "Handler": HANDLER,
        "Code": {"ZipFile": CODE},
    }


def _delete_later(world: World, params: Params, answer: Answer) -> None:
    world.later("DeleteFunction", FunctionName=params["FunctionName"])


_IMAGE = {"PackageType": "Image", "Runtime": None, "Handler": None, "Code": {"ImageUri": IMAGE}}
_IMAGE_CONFIG = {"EntryPoint": ["/bin/app"], "Command": ["serve"], "WorkingDirectory": "/srv"}
_DURABLE = {"KMSKeyArn": KEY, "RetentionPeriodInDays": 7, "ExecutionTimeout": 3600}

CREATE = Recipe(
    "CreateFunction",
    base=_new,
    undo=_delete_later,
    not_echoed=frozenset({"FunctionName", "Layers"}),
    verify=lambda params, answer: _is_published(params, answer),
    given=(
        *COMMON,
        Given("Publish", True),
        Given("PackageType", "Zip"),
        Given("Tags", {"team": "red"}),
        Given("CodeSigningConfigArn", code_signing.config_arn),
        Given("Architectures", ["x86_64"]),
        alone("Code", {"ZipFile": CODE, "SourceKMSKeyArn": KEY}, label="Code.SourceKMSKeyArn"),
        alone("Code", OBJECT, label="Code.S3Bucket"),
        alone("Code", {"ImageUri": IMAGE}, label="Code.ImageUri", beside=_IMAGE, expected=PASSES),
        alone("ImageConfig", _IMAGE_CONFIG, beside=_IMAGE, expected=PASSES),
        alone("TenancyConfig", {"TenantIsolationMode": "PER_TENANT"}),
        alone("DurableConfig", _DURABLE),
        # Where a version goes does not say that one is published.
        alone("PublishTo", "LATEST_PUBLISHED", beside={**capacity.MANAGED, "Publish": True}),
    ),
)


def _durable_function(world: World) -> str:
    return function(world, "durable", DurableConfig={"RetentionPeriodInDays": 1, "ExecutionTimeout": 60})


UPDATE = Recipe(
    "UpdateFunctionConfiguration",
    base=lambda world: {"FunctionName": own(world)},
    undo=spoil_own,
    not_echoed=frozenset({"FunctionName", "Layers", "RevisionId"}),
    given=(
        *COMMON,
        Given("Role", f"arn:aws:iam::{ACCOUNT}:role/other"),
        Given("Handler", HANDLER),
        Given("Runtime", RUNTIME),
        Given("RevisionId", lambda world: revision(world, own(world))),
        # No function of packaged code has an entry point.
        alone("ImageConfig", _IMAGE_CONFIG, expected=PASSES),
        alone("DurableConfig", _DURABLE, beside={"FunctionName": _durable_function}),
    ),
)

_PROVIDE_NO_IMAGE = refused(INVALID_VALUE, text="Please don't provide ImageUri when updating a function with packageType Zip.")
_OBJECT_GIVEN = tuple(
    alone(member, value, label=f"{member} instead of a package", beside={"ZipFile": None, **OBJECT})
    for member, value in OBJECT.items()
)

UPDATE_CODE = Recipe(
    "UpdateFunctionCode",
    base=lambda world: {"FunctionName": own(world), "ZipFile": OTHER_CODE},
    undo=spoil_own,
    not_echoed=frozenset({"FunctionName", "RevisionId"}),
    given=(
        Given("Architectures", ["x86_64"]),
        Given("Publish", True),
        Given("RevisionId", lambda world: revision(world, own(world))),
        Given("SourceKMSKeyArn", KEY),
        alone("DryRun", True),
        alone("PublishTo", "LATEST_PUBLISHED", beside={"FunctionName": capacity.managed, "Publish": True}),
        alone("ImageUri", IMAGE, beside={"ZipFile": None}, expected=_PROVIDE_NO_IMAGE),
        *_OBJECT_GIVEN,
    ),
    verify=lambda params, answer: _has_code(params, answer) + _is_published(params, answer),
)


def _has_code(params: Params, answer: Answer) -> list[str]:
    package = params.get("ZipFile", OBJECTS[OBJECT["S3Key"]])
    wanted = base64.b64encode(hashlib.sha256(package).digest()).decode()
    return [] if answer.parsed.get("CodeSha256") == wanted else ["CodeSha256 is not the package's"]


def _is_published(params: Params, answer: Answer) -> list[str]:
    """Whether the version that is shown is the one that was asked for."""
    version = answer.parsed.get("Version", "")
    if not params.get("Publish"):
        is_right = version == "$LATEST"
    elif "PublishTo" in params:
        is_right = version == "$LATEST.PUBLISHED"
    else:
        is_right = version.isdigit()
    return [] if is_right else ["another Version"]


def _with_version(world: World) -> Params:
    return {"FunctionName": function(world, "deleted", Publish=True)}


def _three(world: World) -> Params:
    world.shared("three functions", None, lambda: [function(world, "listed") for _ in range(3)])
    return {}


_QUALIFIER = Given("Qualifier", "live")

RECIPES = [
    CREATE,
    Recipe("GetFunction", lambda world: {"FunctionName": published(world)}, given=(_QUALIFIER,)),
    Recipe("GetFunctionConfiguration", lambda world: {"FunctionName": published(world)}, given=(_QUALIFIER,)),
    UPDATE,
    UPDATE_CODE,
    Recipe(
        "ListFunctions",
        base=_three,
        given=(
            Given("FunctionVersion", "ALL"),
            Given("MasterRegion", "ALL"),
            Given("MaxItems", 2),
            alone("Marker", lambda world: marker(world, "ListFunctions")),
        ),
        pages=_three,
    ),
    Recipe("DeleteFunction", base=_with_version, given=(Given("Qualifier", "1"),)),
]
