"""An object store that speaks as much of S3 as a signed GET of one object, and holds every signature against the request."""

from __future__ import annotations

import hashlib
import hmac
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Optional
from urllib.parse import parse_qsl, quote, unquote

ACCESS_KEY, SECRET, REGION = "STOREACCESSKEY", "the-stores-secret-key-0123456789", "eu-west-1"


class ObjectStore:
    """Buckets in memory behind an endpoint. A bucket named `closed` opens to nobody."""

    def __init__(self, tls: Optional[tuple[Path, Path]] = None) -> None:
        """`tls` is a certificate for `localhost` and its key; without, the endpoint is plain."""
        self.objects: dict[tuple[str, str, Optional[str]], bytes] = {}
        self.newest: dict[tuple[str, str], str] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._scheme = "https" if tls else "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"{self._scheme}://localhost:{self._server.server_port}"

    def put(self, bucket: str, key: str, content: bytes, version: Optional[str] = None) -> None:
        """`version` is a name for it, in a bucket that keeps several."""
        self.objects[bucket, key, None] = content
        if version:
            self.objects[bucket, key, version] = content
            self.newest[bucket, key] = version

    def delete(self, bucket: str, key: str) -> None:
        for address in [address for address in self.objects if address[:2] == (bucket, key)]:
            del self.objects[address]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(store: ObjectStore) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            if not _is_signed(self.command, path, query, self.headers):
                return self.refuse(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.")
            bucket, _, key = unquote(path).lstrip("/").partition("/")
            version = dict(parse_qsl(query)).get("versionId")
            if bucket == "closed":
                return self.refuse(403, "AccessDenied", "Access Denied")
            if not any(known == bucket for known, _, _ in store.objects):
                return self.refuse(404, "NoSuchBucket", "The specified bucket does not exist")
            content = store.objects.get((bucket, key, version))
            if content is None and version and (bucket, key, None) in store.objects:
                return self.refuse(404, "NoSuchVersion", "The specified version does not exist.")
            if content is None:
                return self.refuse(404, "NoSuchKey", "The specified key does not exist.")
            self.answer(200, content, version or store.newest.get((bucket, key)))

        def refuse(self, status: int, code: str, message: str) -> None:
            document = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
            self.answer(status, document.encode())

        def answer(self, status: int, body: bytes, version: Optional[str] = None) -> None:
            self.send_response(status)
            if version:
                self.send_header("x-amz-version-id", version)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def _is_signed(method: str, path: str, query: str, headers: Any) -> bool:
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    if scheme != "AWS4-HMAC-SHA256" or headers.get("x-amz-content-sha256") != hashlib.sha256(b"").hexdigest():
        return False
    access_key, day, region, service, _ = parts["Credential"].split("/")
    names = parts["SignedHeaders"].split(";")
    if (access_key, region, service) != (ACCESS_KEY, REGION, "s3") or not {"host", "x-amz-date"} <= set(names):
        return False
    pairs = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in parse_qsl(query, keep_blank_values=True))
    canonical = "\n".join(
        [
            method,
            path,
            "&".join(f"{k}={v}" for k, v in pairs),
            *(f"{name}:{headers[name].strip()}" for name in names),
            "",
            ";".join(names),
            headers["x-amz-content-sha256"],
        ]
    )
    scope = f"{day}/{region}/{service}/aws4_request"
    text = "\n".join([scheme, headers["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{SECRET}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), parts["Signature"])
