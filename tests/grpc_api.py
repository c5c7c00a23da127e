"""The public gRPC API, spoken with code that is generated from the project's own proto files when the tests start."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Optional

import grpc
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SigningCredentials
from cluster import Credentials
from clusters import ROOT
from grpc_tools import protoc

SERVICE = "dunlin.v1.Functions"

Metadata = list[tuple[str, str]]


def generate(directory: Path, service: str = SERVICE) -> tuple[ModuleType, ModuleType]:
    """The messages and the stubs of a service, generated into this directory."""
    file = service.lower().replace(".", "/")
    code = protoc.main(
        ["protoc", f"--proto_path={ROOT / 'proto'}", f"--python_out={directory}", f"--grpc_python_out={directory}", f"{file}.proto"]
    )
    if code != 0:
        raise RuntimeError(f"protoc ended with {code}")
    package, _, name = file.replace("/", ".").rpartition(".")
    sys.path.insert(0, str(directory))
    try:
        # The package may be there already, from the directory of another service.
        importlib.import_module(package).__path__.append(str(directory / package.replace(".", "/")))
        return importlib.import_module(f"{package}.{name}_pb2"), importlib.import_module(f"{package}.{name}_pb2_grpc")
    finally:
        sys.path.remove(str(directory))


def signature(
    target: str, method: str, credentials: Credentials, region: Optional[str] = None, service: str = SERVICE
) -> Metadata:
    """The metadata that signs one call, made by botocore. The payload is not part of it."""
    request = AWSRequest("POST", f"http://{target}/{service}/{method}", data=b"")
    request.headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"
    key = SigningCredentials(credentials.access_key_id, credentials.secret_access_key)
    SigV4Auth(key, "lambda", region or credentials.region).add_auth(request)
    wanted = ("authorization", "x-amz-date", "x-amz-content-sha256")
    return [(name.lower(), value) for name, value in request.headers.items() if name.lower() in wanted]


def error_type(error: grpc.RpcError) -> Any:
    """AWS's name of an error, from the trailer."""
    return dict(error.trailing_metadata() or ()).get("dunlin-error-type")
