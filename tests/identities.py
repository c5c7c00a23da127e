"""Users, roles and keys, made through the gRPC API as an operator would."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SigningCredentials
from cluster import Credentials
from clusters import ROOT
from grpc_tools import protoc

FILE = "dunlin/v1/identity.proto"
SERVICE = "dunlin.v1.Identity"
ALLOW_ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def policy(*statements: dict[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


class Identities:
    """The service of one frontend, called with one key."""

    def __init__(self, directory: Path, target: str, credentials: Credentials) -> None:
        self.target, self.credentials = target, credentials
        self._messages, stubs = _generate(directory)
        self._stub = stubs.IdentityStub(grpc.insecure_channel(target))

    def call(self, method: str, **members: Any) -> Any:
        """Calls a method with a request of these members."""
        request = getattr(self._messages, f"{method}Request")(**members)
        return getattr(self._stub, method)(request, metadata=self._signature(method), timeout=20)

    def user(self, name: str, *statements: dict[str, Any]) -> Credentials:
        """A user with a policy of these statements, if there are any, and the credentials of a new key of theirs."""
        self.call("CreateUser", user_name=name)
        if statements:
            self.call("PutUserPolicy", user_name=name, policy_name="p", policy_document=policy(*statements))
        return self.key(name)

    def key(self, user: str = "") -> Credentials:
        """The credentials of a new key: of a user, or of the account's root."""
        made = self.call("CreateAccessKey", user_name=user)
        return replace(
            self.credentials,
            access_key_id=made.access_key.access_key_id,
            secret_access_key=made.secret_access_key,
        )

    def _signature(self, method: str) -> list[tuple[str, str]]:
        request = AWSRequest("POST", f"http://{self.target}/{SERVICE}/{method}", data=b"")
        request.headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"
        key = SigningCredentials(self.credentials.access_key_id, self.credentials.secret_access_key)
        SigV4Auth(key, "lambda", self.credentials.region).add_auth(request)
        wanted = ("authorization", "x-amz-date", "x-amz-content-sha256")
        return [(name.lower(), value) for name, value in request.headers.items() if name.lower() in wanted]


def _generate(directory: Path) -> tuple[Any, Any]:
    code = protoc.main(
        ["protoc", f"--proto_path={ROOT / 'proto'}", f"--python_out={directory}", f"--grpc_python_out={directory}", FILE]
    )
    if code != 0:
        raise RuntimeError(f"protoc ended with {code}")
    sys.path.insert(0, str(directory))
    try:
        import dunlin.v1  # noqa: F401  (the package may be there already, from another directory)

        sys.modules["dunlin.v1"].__path__.append(str(directory / "dunlin" / "v1"))
        return importlib.import_module("dunlin.v1.identity_pb2"), importlib.import_module("dunlin.v1.identity_pb2_grpc")
    finally:
        sys.path.remove(str(directory))
