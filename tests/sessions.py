"""Temporary credentials, and clients that act with them."""

from __future__ import annotations

import dataclasses
from typing import Any, Union

import boto3
from botocore.client import BaseClient, Config
from cluster import Credentials
from signing import Request, Response

ONE_ATTEMPT = Config(retries={"total_max_attempts": 1})


@dataclasses.dataclass
class Session:
    """An access key that begins with ASIA, its secret and its token."""

    access_key_id: str
    secret_access_key: str
    token: str
    region: str = "us-east-1"
    account: str = ""

    def request(self, method: str, path: str, body: bytes = b"", service: str = "lambda", endpoint: str = "") -> Response:
        """Sends a signed request without any SDK."""
        request = Request(method, path, body, headers={"X-Amz-Security-Token": self.token})
        return request.sign(endpoint, self, service=service).send(endpoint)


def sts_client(endpoint: str, who: Union[Credentials, Session]) -> BaseClient:
    """boto3's client of STS at one frontend."""
    return _client("sts", endpoint, who)


def session_client(endpoint: str, who: Session) -> BaseClient:
    """boto3's client of Lambda at one frontend, as a session."""
    return _client("lambda", endpoint, who)


def assumed(client: BaseClient, role: str, name: str = "me", **arguments: Any) -> tuple[dict[str, Any], Session]:
    """Becomes a role; the answer, and the session."""
    got = client.assume_role(RoleArn=role, RoleSessionName=name, **arguments)
    credentials = got["Credentials"]
    return got, Session(credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])


def _client(service: str, endpoint: str, who: Union[Credentials, Session]) -> BaseClient:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=who.access_key_id,
        aws_secret_access_key=who.secret_access_key,
        aws_session_token=getattr(who, "token", None),
        config=ONE_ATTEMPT,
    )
