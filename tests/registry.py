"""A registry of container images on this machine, and images small enough to be made for one test."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import platform
import shutil
import socket
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Iterable

from builds import output, program

USER, PASSWORD = "puller", "a-password"
# The same by bcrypt, which is all that the registry reads, and which Python has not.
HASHED = "$2b$04$F5k5XApNcsi/owuJ.B.myOnCRly9BiqnoMOBtMN2pqs27cwMAPcwi"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
HOW = "deploy/local/toolchain.sh runtimes installs it"
# A runtime of one static program: it answers with what it was given, what it sees, and which program it is.
RUNTIME = """#!/bin/busybox sh
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
while :; do
    event=$(busybox wget -q -S -O - $api/next 2>/tmp/head) || exit 3
    id=$(busybox grep -i aws-request-id /tmp/head | busybox sed 's/.*: *//' | busybox tr -d '\\r\\n')
    case $event in *crash*) exit 7 ;; esac
    seen=$(busybox find / /tmp -xdev -name 'seen-*' 2>/dev/null | busybox sort -u | busybox tr '\\n' ' ')
    env=$(busybox env | busybox grep -E '^(_HANDLER|LAMBDA_TASK_ROOT|FROM_|PATH|AWS_EXECUTION_ENV)' | busybox sort | busybox tr '\\n' ' ')
    ids=$(busybox id -u)
    root=$(busybox ls -a / | busybox tr '\\n' ' ')
    hosts=$(busybox grep -c localhost /etc/hosts)
    write=$(echo x 2>/dev/null >/written && echo yes || echo no)
    busybox wget -q -O /dev/null --post-data "{\\"event\\": ${event:-null}, \\"seen\\": \\"$seen\\", \\"env\\": \\"$env\\", \\"uid\\": $ids, \\"root\\": \\"$root\\", \
\\"hosts\\": $hosts, \\"write\\": \\"$write\\", \\"args\\": \\"$*\\", \\"cwd\\": \\"$PWD\\", \\"program\\": \\"$0\\"}" $api/$id/response
done
"""

# An extension of the same kind, which leaves a file.
EXTENSION = """#!/bin/busybox sh
api=http://$AWS_LAMBDA_RUNTIME_API/2020-01-01/extension
busybox wget -q -S -O /dev/null --header "Lambda-Extension-Name: watch" --post-data '{"events": ["INVOKE"]}' $api/register 2>/tmp/head-of-it
id=$(busybox grep -i extension-identifier /tmp/head-of-it | busybox sed 's/.*: *//' | busybox tr -d '\\r\\n')
echo >/tmp/seen-extension
while :; do
    busybox wget -q -O /dev/null --header "Lambda-Extension-Identifier: $id" $api/event/next || exit 3
done
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Registry:
    """Debian's docker-registry on loopback. With `private`, only one user may do anything."""

    def __init__(self, directory: Path, private: bool = False) -> None:
        directory.mkdir(parents=True)
        self.host = f"127.0.0.1:{free_port()}"
        self.headers: dict[str, str] = {}
        config: dict[str, Any] = {
            "version": 0.1,
            "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": str(directory / "data")}, "delete": {"enabled": True}},
            "http": {"addr": self.host},
        }
        if private:
            (directory / "htpasswd").write_text(f"{USER}:{HASHED}\n")
            config["auth"] = {"htpasswd": {"realm": "tests", "path": str(directory / "htpasswd")}}
            self.headers["Authorization"] = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        # JSON is YAML.
        (directory / "config.yml").write_text(json.dumps(config))
        registry = program("docker-registry", HOW, "/usr/bin/docker-registry")
        self.log = (directory / "log").open("wb")
        environment = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
        self.process = subprocess.Popen(
            [registry, "serve", directory / "config.yml"], stdout=self.log, stderr=self.log, env=environment
        )
        until = time.monotonic() + 60
        while True:
            try:
                self.ask("GET", "/v2/")
                return
            except (OSError, urllib.error.URLError):
                assert time.monotonic() < until and self.process.poll() is None, (directory / "log").read_text()
                time.sleep(0.05)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.log.close()

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Any:
        url = path if path.startswith("http") else f"http://{self.host}{path}"
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(url, body, {**self.headers, **headers}, method=method)
        return urllib.request.urlopen(request, timeout=30)

    def push_blob(self, repository: str, content: bytes) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        place = self.ask("POST", f"/v2/{repository}/blobs/uploads/", b"").headers["Location"]
        mark = "&" if "?" in place else "?"
        self.ask("PUT", f"{place}{mark}digest={digest}", content, Content_Type="application/octet-stream")
        return {"digest": digest, "size": len(content)}

    def push(
        self,
        name: str,
        layers: Iterable[bytes],
        config: dict[str, Any] | None = None,
        compress: str = "gzip",
        architecture: str = ARCHITECTURE,
    ) -> str:
        """Pushes an image of these archives under `repository:tag`; answers its digest."""
        repository, tag = name.split(":")
        layers = list(layers)
        kind = "application/vnd.oci.image.layer.v1.tar"
        described = {
            "architecture": architecture,
            "os": "linux",
            "config": config or {},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                **self.push_blob(repository, json.dumps(described).encode()),
            },
            "layers": [
                {"mediaType": f"{kind}+{compress}" if compress else kind, **self.push_blob(repository, packed(layer, compress))}
                for layer in layers
            ],
        }
        return self.push_manifest(repository, tag, manifest)

    def push_manifest(self, repository: str, tag: str, manifest: dict[str, Any]) -> str:
        body = json.dumps(manifest).encode()
        self.ask("PUT", f"/v2/{repository}/manifests/{tag}", body, Content_Type=manifest["mediaType"])
        return f"sha256:{hashlib.sha256(body).hexdigest()}"

    def push_list(self, name: str, members: dict[str, str]) -> str:
        """Pushes a list of manifests, digests by architecture."""
        repository, tag = name.split(":")
        of = "application/vnd.oci.image.manifest.v1+json"
        accept = {"Accept": of}
        manifests = [
            {
                "mediaType": of,
                "digest": digest,
                "size": int(self.ask("HEAD", f"/v2/{repository}/manifests/{digest}", **accept).headers["Content-Length"]),
                "platform": {"os": "linux", "architecture": architecture},
            }
            for architecture, digest in members.items()
        ]
        index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests}
        return self.push_manifest(repository, tag, index)

    def copy_as_docker(self, name: str, to: str) -> None:
        """Copies an image to another name, with manifests and layers of Docker's own kind."""
        skopeo = program("skopeo", HOW, "/usr/bin/skopeo")
        plain = ["--src-tls-verify=false", "--dest-tls-verify=false", "--format=v2s2"]
        places = [f"docker://{self.host}/{place}" for place in (name, to)]
        output(skopeo, "--insecure-policy", "copy", *plain, *places, timeout=120)


def packed(archive: bytes, compress: str) -> bytes:
    if compress == "gzip":
        return gzip.compress(archive, 1, mtime=0)
    if compress == "zstd":
        zstd = program("zstd", HOW, "/usr/bin/zstd")
        return subprocess.run([zstd, "-q", "-c"], input=archive, capture_output=True, check=True, timeout=60).stdout
    return archive


def layer(files: dict[str, str | bytes | tuple[str, str]]) -> bytes:
    """An archive: texts are programs, a name that ends with a slash is a directory, a pair is a kind of link and its target."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name.rstrip("/"))
            entry.mode = 0o700
            if isinstance(content, tuple):
                entry.type = {"symlink": tarfile.SYMTYPE, "link": tarfile.LNKTYPE}[content[0]]
                entry.linkname = content[1]
                archive.addfile(entry)
            elif name.endswith("/"):
                entry.type = tarfile.DIRTYPE
                archive.addfile(entry)
            else:
                data = content.encode() if isinstance(content, str) else content
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def base() -> bytes:
    """A static shell with its tools, and a runtime that is a script of it."""
    busybox = Path(shutil.which("busybox") or "/bin/busybox")
    if not busybox.is_file():
        program("busybox", HOW)
    return layer({"bin/busybox": busybox.read_bytes(), "bin/sh": ("symlink", "busybox"), "usr/local/bin/runtime": RUNTIME})
