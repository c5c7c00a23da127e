"""The search for texts that must be in no file."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Iterable, Iterator


def pieces(text: str, length: int = 24) -> list[str]:
    """The text as pieces that are long enough to be nothing else: a page or a frame may cut it anywhere."""
    if len(text) <= 2 * length:
        return [text]
    return [text[start : start + length] for start in range(0, len(text) - length, length)]


def forms(text: str) -> Iterator[bytes]:
    """The bytes that a text may stand as, in a file that holds it."""
    raw = text.encode()
    yield raw
    yield text.encode("utf-16-le")
    yield text.encode("utf-16-be")
    yield raw.hex().encode()
    yield json.dumps(text)[1:-1].encode()
    yield repr(list(raw))[1:-1].encode()
    for shift in range(3):
        # Beginning and end depend on what stands beside the text.
        encoded = base64.b64encode(b"\0" * shift + raw)
        yield encoded[4 if shift else 0 : -4]


def needles(texts: Iterable[str]) -> set[bytes]:
    return {form for text in texts for piece in pieces(text) for form in forms(piece)}


def found_in(directory: Path, texts: Iterable[str]) -> list[tuple[str, bytes]]:
    """The files below a directory that hold a piece of one of the texts, in any form."""
    wanted = needles(texts)
    found = []
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            found += [(str(path.relative_to(directory)), needle[:40]) for needle in wanted if needle in content]
    return found
