"""Users, roles and keys, made through the gRPC API as an operator would."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import grpc_api
from cluster import Credentials

SERVICE = "dunlin.v1.Identity"
ALLOW_ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def policy(*statements: dict[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


class Identities:
    """The service of one frontend, called with one key."""

    def __init__(self, directory: Path, target: str, credentials: Credentials) -> None:
        self.target, self.credentials = target, credentials
        self._messages, stubs = grpc_api.generate(directory, SERVICE)
        self._stub = stubs.IdentityStub(grpc.insecure_channel(target))

    def call(self, method: str, **members: Any) -> Any:
        """Calls a method with a request of these members."""
        request = getattr(self._messages, f"{method}Request")(**members)
        metadata = grpc_api.signature(self.target, method, self.credentials, service=SERVICE)
        return getattr(self._stub, method)(request, metadata=metadata, timeout=20)

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
