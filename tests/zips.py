"""Deployment packages, made in memory: sound ones from `functions/`, and hostile ones."""

from __future__ import annotations

import importlib.util
import io
import stat
import struct
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Union

FUNCTIONS = Path(__file__).parent / "functions"
MADE_AT = (2026, 1, 1, 0, 0, 0)

Content = Union[str, bytes]


def package(files: dict[str, Content], executable: tuple[str, ...] = ("bootstrap",)) -> bytes:
    """A zip of these files. The same files give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, MADE_AT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (stat.S_IFREG | (0o755 if name in executable else 0o644)) << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def with_modes(files: dict[str, tuple[Content, int]]) -> bytes:
    """A zip whose entries have these permissions."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, (content, mode) in files.items():
            entry = zipfile.ZipInfo(name, MADE_AT)
            entry.external_attr = (stat.S_IFREG | mode) << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def linked(files: dict[str, Content], links: dict[str, str]) -> bytes:
    """A zip of files, and of symbolic links to them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, MADE_AT), content)
        for name, target in links.items():
            archive.writestr(_link(name), target)
    return buffer.getvalue()


def function(module: str, **replacements: str) -> bytes:
    """The package of one sample: `functions/MODULE.py`, with @NAME@ replaced."""
    text = (FUNCTIONS / f"{module}.py").read_text()
    for name, value in replacements.items():
        text = text.replace(f"@{name.upper()}@", value)
    return package({f"{module}.py": text})


def bootstrap() -> bytes:
    """A custom runtime that is one executable."""
    return package({"bootstrap": (FUNCTIONS / "raw_bootstrap.py").read_bytes()})


def official_runtime_client() -> bytes:
    """The official Python runtime client as installed from the package index, a function, and the line that starts it."""
    # A part of it is compiled for the Python of these tests, which has to be where the sandbox of a custom runtime sees it.
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = [path for path in (Path("/usr/bin", version), Path("/usr/local/bin", version)) if path.exists()]
    if not found:
        raise RuntimeError(f"there is no /usr/bin/{version}; install it, or make .venv anew with a Python that is in /usr/bin")
    files: dict[str, Content] = {
        "bootstrap": f'#!/bin/sh\nexec {found[0]} -m awslambdaric "$_HANDLER"\n',
        "client_app.py": (FUNCTIONS / "client_app.py").read_bytes(),
    }
    for name in ("awslambdaric", "simplejson", "snapshot_restore_py", "runtime_client"):
        for path, content in _installed(name):
            files[path] = content
    return package(files)


def with_boto3(module: str) -> bytes:
    """A sample together with the boto3 of these tests, for the services of this cluster."""
    files: dict[str, Content] = {f"{module}.py": (FUNCTIONS / f"{module}.py").read_bytes()}
    for name in ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"):
        for path, content in _installed(name):
            parts = Path(path).parts
            described = parts[2] if parts[:2] == ("botocore", "data") and len(parts) > 3 else None
            if described in (None, "lambda", "sts"):
                files[path] = content
    return package(files)


def _installed(module: str) -> list[tuple[str, bytes]]:
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise RuntimeError(f"{module} is not installed; install tests/requirements.txt")
    origin = Path(found.origin)
    if not found.submodule_search_locations:
        return [(origin.name, origin.read_bytes())]
    top = origin.parent
    return [
        (str(path.relative_to(top.parent)), path.read_bytes())
        for path in sorted(top.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]


# -- hostile -----------------------------------------------------------------------------------------------------------


def not_a_zip() -> bytes:
    return b"#!/bin/sh\necho this is no archive\n" * 20


def without_entries() -> bytes:
    return package({})


def truncated() -> bytes:
    whole = function("echo")
    return whole[: len(whole) // 2]


def escaping_by_path(path: str) -> bytes:
    """An entry whose name leads out of the directory that the package is unpacked to."""
    return package({"echo.py": (FUNCTIONS / "echo.py").read_bytes(), path: "escaped"})


def escaping_by_link(target: str) -> bytes:
    """A symbolic link out of the package, and an entry that goes through it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("echo.py", MADE_AT), (FUNCTIONS / "echo.py").read_bytes())
        archive.writestr(_link("out"), target)
        archive.writestr(zipfile.ZipInfo("out/escaped", MADE_AT), "escaped")
    return buffer.getvalue()


def bomb(unpacked: int = 300 << 20) -> bytes:
    """Honest about its size: a few hundred kilobytes that unpack to more than a package may have."""
    return package({"echo.py": (FUNCTIONS / "echo.py").read_bytes(), "zeros": bytes(unpacked)})


def lying_bomb(unpacked: int = 300 << 20) -> bytes:
    """As `bomb`, but both headers say that the entry is ten bytes long."""
    return _archive([_Entry("zeros", _deflated_zeros(unpacked), declared=10)])


def overlapping_bomb(copies: int = 100, each: int = 8 << 20) -> bytes:
    """One compressed entry that the directory lists under many names: small by any one entry, large together."""
    return _archive([_Entry("zeros", _deflated_zeros(each), declared=each)], listed=copies)


def _link(name: str) -> zipfile.ZipInfo:
    link = zipfile.ZipInfo(name, MADE_AT)
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    return link


class _Entry:
    def __init__(self, name: str, compressed: bytes, declared: int) -> None:
        self.name, self.compressed, self.declared = name.encode(), compressed, declared

    def local(self) -> bytes:
        return b"PK\x03\x04" + self._fields() + self.name + self.compressed

    def listed(self, name: bytes, offset: int) -> bytes:
        attributes = (stat.S_IFREG | 0o644) << 16
        tail = struct.pack("<HHHII", 0, 0, 0, attributes, offset)
        return b"PK\x01\x02" + struct.pack("<H", 0x031E) + self._fields(len(name)) + tail + name

    def _fields(self, name_length: int = 0) -> bytes:
        # Version needed, flags, deflate, time, date, checksum, both sizes, length of the name, length of the extras.
        sizes = (len(self.compressed), self.declared, name_length or len(self.name), 0)
        return struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0x5C21, 0, *sizes)


def _archive(entries: list[_Entry], listed: int = 1) -> bytes:
    body, directory, count = b"", b"", 0
    for entry in entries:
        offset = len(body)
        body += entry.local()
        for number in range(listed):
            directory += entry.listed(entry.name + (b"" if listed == 1 else str(number).encode()), offset)
            count += 1
    end = struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(body), 0)
    return body + directory + b"PK\x05\x06" + end


def _deflated_zeros(length: int) -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    chunk = bytes(1 << 20)
    parts = [deflate.compress(chunk) for _ in range(length >> 20)]
    return b"".join([*parts, deflate.flush()])
