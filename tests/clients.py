"""boto3 clients of a cluster, and the few calls that most tests make with them."""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import dataclass
from typing import Any, Optional, Union

import boto3
from botocore.client import BaseClient
from botocore.config import Config
from cluster import Credentials

ROLE = "arn:aws:iam::123456789012:role/lambda"
# What every machine has on which this runs: the Python of these tests, which a worker finds, too.
RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
QUICKLY = {"Delay": 0.05, "MaxAttempts": 600}
ONE_ATTEMPT = {"retries": {"total_max_attempts": 1}}

_session = boto3.session.Session()


def lambda_client(endpoint: str, credentials: Credentials, region: Optional[str] = None, **config: Any) -> BaseClient:
    """A client of one frontend. Retries are the SDK's default unless `config`, which goes to botocore, says otherwise."""
    return _session.client(
        "lambda",
        endpoint_url=endpoint,
        region_name=region or credentials.region,
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        config=Config(**{"max_pool_connections": 32, **config}),
    )


@dataclass
class Invocation:
    """What came back from one invocation."""

    status: int
    headers: dict[str, str]
    raw: bytes
    version: str
    error: Optional[str]
    log: Optional[str]
    retries: int

    @property
    def payload(self) -> Any:
        return json.loads(self.raw)

    @property
    def request_id(self) -> str:
        return self.headers["x-amzn-requestid"]


def invoke(client: BaseClient, function: str, payload: Any = None, raw: Union[bytes, None] = None, **arguments: Any) -> Invocation:
    """Invokes a function with a JSON value (`payload`) or with bytes as they are (`raw`)."""
    body = raw if raw is not None else (b"" if payload is None else json.dumps(payload).encode())
    answer = client.invoke(FunctionName=function, Payload=body, **arguments)
    metadata = answer["ResponseMetadata"]
    return Invocation(
        status=answer["StatusCode"],
        headers=metadata["HTTPHeaders"],
        raw=answer["Payload"].read(),
        version=answer.get("ExecutedVersion", ""),
        error=answer.get("FunctionError"),
        log=base64.b64decode(answer["LogResult"]).decode() if "LogResult" in answer else None,
        retries=metadata.get("RetryAttempts", 0),
    )


def create(client: BaseClient, name: str, code: bytes, handler: str, **arguments: Any) -> dict[str, Any]:
    """CreateFunction with what it cannot do without; returns at once."""
    arguments = {"Role": ROLE, "Handler": handler, "Runtime": RUNTIME, **arguments}
    return client.create_function(FunctionName=name, Code={"ZipFile": code}, **arguments)


def wait_active(client: BaseClient, name: str) -> None:
    """Waits until this frontend knows the function and it can be invoked."""
    client.get_waiter("function_exists").wait(FunctionName=name, WaiterConfig=QUICKLY)
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=QUICKLY)


def wait_updated(client: BaseClient, name: str) -> None:
    """Waits until the last update of a function is in effect."""
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=QUICKLY)
