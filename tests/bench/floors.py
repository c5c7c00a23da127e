"""The programs of tests/bench/floor: the client of every measurement, and what ours is measured against."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Protocol


class Signs(Protocol):
    """Whoever has a key to sign with."""

    access_key_id: str
    secret_access_key: str
    region: str


class Floor:
    """`bench-floor`, one subcommand a measurement."""

    def __init__(self, program: Path) -> None:
        self.program = program

    def run(self, *arguments: str, environment: dict[str, str] | None = None) -> dict[str, Any]:
        """Runs one measurement to its end and answers its figures."""
        done = subprocess.run(
            [self.program, *arguments], capture_output=True, text=True, timeout=600, env={**os.environ, **(environment or {})}
        )
        if done.returncode != 0:
            raise RuntimeError(f"bench-floor {' '.join(arguments)[:200]}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def load(self, target: str, *arguments: str, sign: Signs) -> dict[str, Any]:
        """Sends load to HOST:PORT. Floors get signed requests too, so that the client's own work is the same."""
        return self.run(
            "load", "--target", target, "--access-key", sign.access_key_id, "--region", sign.region, *arguments,
            environment={"BENCH_SECRET_KEY": sign.secret_access_key},
        )  # fmt: skip

    @contextmanager
    def server(self, *arguments: str) -> Iterator[str]:
        """Runs a server; gives its HOST:PORT."""
        with subprocess.Popen([self.program, *arguments], stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                port = process.stdout.readline().strip()
                if not port:
                    raise RuntimeError(f"bench-floor {' '.join(arguments)} does not start")
                yield f"127.0.0.1:{port}"
            finally:
                process.kill()
