"""Requests signed by hand with AWS Signature Version 4, so that any part of them can be wrong."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Optional
from urllib.parse import quote, urlsplit

from cluster import Credentials

ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass
class Response:
    """An answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> str:
        """The error's name; clients cut it at a colon."""
        return self.headers.get("x-amzn-errortype", "").split(":")[0]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        return self.json.get("message") or self.json.get("Message")


@dataclass
class Request:
    """One request. The path is percent-encoded already; the query is decoded."""

    method: str
    path: str
    body: bytes = b""
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def sign(
        self,
        endpoint: str,
        credentials: Credentials,
        when: Optional[datetime] = None,
        region: Optional[str] = None,
        service: str = "lambda",
    ) -> "Request":
        """Adds date and signature, of now unless `when` says otherwise."""
        moment = (when or datetime.now(timezone.utc)).strftime("%Y%m%dT%H%M%SZ")
        region = region or credentials.region
        signed = {"host": urlsplit(endpoint).netloc, "x-amz-date": moment}
        if "X-Amz-Security-Token" in self.headers:
            signed["x-amz-security-token"] = self.headers["X-Amz-Security-Token"]
        scope = f"{moment[:8]}/{region}/{service}/aws4_request"
        # The canonical path encodes what came encoded once more.
        canonical = "\n".join(
            [
                self.method,
                quote(self.path, safe="/-_.~"),
                self._query(),
                *(f"{name}:{value}" for name, value in sorted(signed.items())),
                "",
                ";".join(sorted(signed)),
                hashlib.sha256(self.body).hexdigest(),
            ]
        )
        to_sign = "\n".join([ALGORITHM, moment, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = f"AWS4{credentials.secret_access_key}".encode()
        for part in (moment[:8], region, service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.new(key, to_sign.encode(), "sha256").hexdigest()
        self.headers["X-Amz-Date"] = moment
        self.headers["Authorization"] = (
            f"{ALGORITHM} Credential={credentials.access_key_id}/{scope}, "
            f"SignedHeaders={';'.join(sorted(signed))}, Signature={signature}"
        )
        return self

    def send(self, endpoint: str, timeout: float = 30.0) -> Response:
        """Sends it as it is."""
        connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=timeout)
        try:
            query = self._query()
            target = f"{self.path}?{query}" if query else self.path
            connection.request(self.method, target, self.body or None, self.headers)
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Response(answer.status, headers, answer.read())
        finally:
            connection.close()

    def _query(self) -> str:
        pairs = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in self.query.items())
        return "&".join(f"{name}={value}" for name, value in pairs)
