"""Requests as boto3 sends them, and answers as they come: status, headers and bytes, before any parser saw them."""

from __future__ import annotations

import json
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from botocore import xform_name
from botocore.client import BaseClient
from botocore.exceptions import BotoCoreError, ClientError
from botocore.model import OperationModel

# What a client must be made with: nothing is checked at its side, and nothing is tried twice.
CONFIG: dict[str, Any] = {
    "parameter_validation": False,
    "retries": {"total_max_attempts": 1},
    "read_timeout": 30,
    "max_pool_connections": 32,
}

Edit = Callable[[dict[str, Any]], None]


@dataclass
class Answer:
    """What came back for one request. Status 0: nothing that is HTTP."""

    operation: str
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    parsed: dict[str, Any] = field(default_factory=dict)
    broken: str = ""

    @property
    def error(self) -> str:
        """The error's name as a client reads it; empty for a success."""
        if self.status == 0:
            return self.broken
        return self.headers.get("x-amzn-errortype", "").split(":")[0] if self.status >= 300 else ""

    @property
    def message(self) -> str:
        try:
            said = json.loads(self.body)
            return str(said.get("message") or said.get("Message") or "")
        except (ValueError, AttributeError):
            return ""

    def __str__(self) -> str:
        if self.status < 300:
            return str(self.status)
        return f"{self.status} {self.error}: {self.message or self.body[:200]!r}"


class Wire:
    """Sends requests through one client, from any number of threads."""

    def __init__(self, client: BaseClient) -> None:
        self.client = client
        self._here = threading.local()
        self._counted = threading.Lock()
        self.sent = 0
        client.meta.events.register("before-call.lambda", self._edit)
        client.meta.events.register("before-parse.lambda", self._keep)

    def send(self, operation: str, params: dict[str, Any], edit: Optional[Edit] = None) -> Answer:
        """One request. `edit` may change what botocore has made of it, before it is signed: `body`, `url`, `headers`."""
        self._here.edit, self._here.raw = edit, None
        with self._counted:
            self.sent += 1
        try:
            parsed = getattr(self.client, xform_name(operation))(**params)
            return self._answer(operation, parsed)
        except ClientError as refused:
            return self._answer(operation, refused.response)
        except BotoCoreError as broken:
            return Answer(operation, 0, broken=type(broken).__name__)
        finally:
            self._here.edit = None

    def _answer(self, operation: str, parsed: dict[str, Any]) -> Answer:
        raw = self._here.raw
        if raw is None:
            return Answer(operation, 0, parsed=parsed, broken="NoAnswer")
        headers = {name.lower(): value for name, value in raw["headers"].items()}
        body = raw["body"] if isinstance(raw["body"], bytes) else b""
        if not isinstance(raw["body"], bytes):
            # A stream: read it here, so that its connection is free again.
            for member, value in parsed.items():
                if hasattr(value, "read"):
                    parsed[member] = body = value.read()
                elif hasattr(value, "close") and hasattr(value, "__iter__"):
                    parsed[member] = list(value)
        return Answer(operation, raw["status_code"], headers, body, parsed)

    def _edit(self, params: dict[str, Any], **_: Any) -> None:
        edit = getattr(self._here, "edit", None)
        if edit is not None:
            edit(params)

    def _keep(self, operation_model: OperationModel, response_dict: dict[str, Any], **_: Any) -> None:
        self._here.raw = response_dict


def is_request_id(text: str) -> bool:
    """Whether a text is a UUID of version 4, as request ids are."""
    try:
        return uuid.UUID(text).version == 4
    except ValueError:
        return False
