"""The cluster that is measured, and the functions that are run on it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import zips
from clients import QUICKLY, ROLE, RUNTIME, create, lambda_client, wait_active
from cluster import LocalCluster, wait_until
from floors import Floor

FUNCTIONS = "/2015-03-31/functions"
WARM = "warm"
# So much memory comes with one whole processor; with less, the function's share of a processor would be measured.
MEMORY_MB = 1769
ALIASES = 16


class Product:
    """Three nodes with every role each. All requests go to the frontend of the first."""

    event = '{"key":"value","list":[1,2,3]}'
    warm_path = f"{FUNCTIONS}/{WARM}/invocations"
    cold_path = f"{FUNCTIONS}/cold-{{n}}/invocations"
    alias_path = f"{FUNCTIONS}/{WARM}/aliases/alias-{{c}}"

    def __init__(self, binary: Path, directory: Path, floor: Floor) -> None:
        self.cluster = LocalCluster(binary, directory / "cluster", log_level="warn")
        self.floor = floor
        self.package = zips.function("echo")
        self.created = 0

    def __enter__(self) -> "Product":
        self.cluster.start()
        try:
            self.cluster.wait_ready()
            self.client = lambda_client(self.cluster.endpoint("a"), self.cluster.credentials)
            create(self.client, WARM, self.package, "echo.handler", MemorySize=MEMORY_MB, Publish=True)
            wait_active(self.client, WARM)
            for number in range(ALIASES):
                self.client.create_alias(FunctionName=WARM, Name=f"alias-{number}", FunctionVersion="1")
        except BaseException:
            self.cluster.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.cluster.stop()

    @property
    def target(self) -> str:
        return self.cluster.node("a").public

    @property
    def access_key_id(self) -> str:
        return self.cluster.credentials.access_key_id

    @property
    def secret_access_key(self) -> str:
        return self.cluster.credentials.secret_access_key

    @property
    def region(self) -> str:
        return self.cluster.credentials.region

    def warm_up(self, connections: int) -> None:
        """Sends load until every connection finds a warm environment."""

        def warm() -> bool:
            seen = self.floor.load(
                self.target, "--path", self.warm_path, "--body", self.event,
                "--connections", str(connections), "--seconds", "1", sign=self,
            )  # fmt: skip
            return seen["failures"] == 0

        wait_until(warm, 60, "a second of load without a failure")

    def create_cold(self, turn: int, count: int) -> int:
        """Creates functions that never ran, each with code of its own; answers the number of the first."""
        first = turn * 1000
        for number in range(first, first + count):
            code = zips.package({"app.py": f"NUMBER = {number}\ndef handler(event, context):\n    return event\n"})
            create(self.client, f"cold-{number}", code, "app.handler", MemorySize=MEMORY_MB)
        for number in range(first, first + count):
            self.client.get_waiter("function_active_v2").wait(FunctionName=f"cold-{number}", WaiterConfig=QUICKLY)
        return first

    def delete_cold(self, first: int, count: int) -> None:
        for number in range(first, first + count):
            self.client.delete_function(FunctionName=f"cold-{number}")

    def creation(self) -> str:
        """The body of CreateFunction; the name holds the number of the request."""
        body = {
            "FunctionName": "created-{n}",
            "Role": ROLE,
            "Runtime": RUNTIME,
            "Handler": "echo.handler",
            "Code": {"ZipFile": base64.b64encode(self.package).decode()},
        }
        return json.dumps(body)

    def next_creation(self, count: int) -> int:
        first = self.created
        self.created += count
        return first
