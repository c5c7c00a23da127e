"""A registry with one image, which has nothing in it: what the requests that name an image ask for."""

from __future__ import annotations

import hashlib
import http.server
import json
import platform
import socket
import threading
from typing import Any

NAME = "conformance"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


def _described(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": _digest(content), "size": len(content)}


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


_config = json.dumps({"architecture": ARCHITECTURE, "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}).encode()
_manifest = json.dumps(
    {"schemaVersion": 2, "mediaType": MANIFEST, "config": _described(CONFIG, _config), "layers": []}
).encode()
_contents = {
    f"/v2/{NAME}/manifests/latest": (MANIFEST, _manifest),
    f"/v2/{NAME}/manifests/{_digest(_manifest)}": (MANIFEST, _manifest),
    f"/v2/{NAME}/blobs/{_digest(_config)}": ("application/octet-stream", _config),
}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# Requests are written down before the registry is there.
HOST = f"127.0.0.1:{_free_port()}"
URI = f"{HOST}/{NAME}:latest"


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        kind, content = _contents.get(self.path, ("text/plain", b""))
        self.send_response(200 if content or self.path == "/v2/" else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Docker-Content-Digest", _digest(content))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    do_HEAD = do_GET

    def log_message(self, *_: Any) -> None:
        pass


def started() -> http.server.ThreadingHTTPServer:
    """The registry; the caller shuts it down."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(HOST.rsplit(":", 1)[1])), _Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
