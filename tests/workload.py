"""What clients do while nodes fail: steady streams of invocations and of control writes, and an account of both."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any, Callable

import zips
from botocore.client import BaseClient
from botocore.exceptions import BotoCoreError, ClientError
from clients import create, invoke, wait_active
from cluster import wait_until

# Between two requests of one client: steady traffic that leaves the machine time for the nodes.
PAUSE = 0.02


class _Stream:
    """Threads that repeat one thing until they are told to stop."""

    def __init__(self, steps: list[Callable[[int], None]]) -> None:
        self.failures: list[str] = []
        self.done = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(step,), daemon=True) for step in steps]

    def __enter__(self) -> "_Stream":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(90)
        assert not any(thread.is_alive() for thread in self._threads), "a client still waits for an answer"

    def wait_for(self, more: int, timeout: float = 60.0) -> None:
        """Waits until this many more requests were answered."""
        target = self.done + more
        wait_until(lambda: self.done >= target, timeout, f"{more} more answers; failures so far: {self.failures}")

    def _run(self, step: Callable[[int], None]) -> None:
        number = 0
        while not self._over.is_set():
            number += 1
            began = time.monotonic()
            try:
                step(number)
            except (BotoCoreError, ClientError, AssertionError) as error:
                took = time.monotonic() - began
                with self._lock:
                    self.failures.append(f"{type(error).__name__} after {took:.1f} s: {error}")
            with self._lock:
                self.done += 1
            self._over.wait(PAUSE)


class Invocations(_Stream):
    """Invocations of functions that answer what they got; every caller is a thread with a client and a function.

    With `seconds`, the function takes so long before it answers: what a dying worker has begun is then lost with it.
    """

    def __init__(self, callers: list[tuple[BaseClient, str]], seconds: float = 0.0) -> None:
        self.slowest = 0.0
        self.retries = 0

        def one(client: BaseClient, function: str) -> Callable[[int], None]:
            def step(number: int) -> None:
                event = {"function": function, "number": number, "seconds": seconds}
                began = time.monotonic()
                answer = invoke(client, function, event)
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.retries += answer.retries
                assert answer.error is None, answer.raw
                assert answer.payload == event, answer.raw

            return step

        super().__init__([one(client, function) for client, function in callers])


@dataclass
class _Promised:
    """What the control API said that it did."""

    description: int = 0
    attempted: int = 0
    created: list[str] = field(default_factory=list)


class Writes(_Stream):
    """Control writes: an alias is described anew all the time, and now and then a function is created.

    A write that was not acknowledged may have happened or not; one that was acknowledged must be there ever after.
    """

    ALIAS = "described"

    def __init__(self, client: BaseClient, function: str, prefix: str) -> None:
        self.promised = _Promised()
        self.function = function
        self._package = zips.function("echo")
        promised = self.promised

        def step(number: int) -> None:
            if number % 10 == 0:
                name = f"{prefix}-{number}"
                create(client, name, self._package, "echo.handler")
                promised.created.append(name)
                return
            promised.attempted = number
            client.update_alias(FunctionName=function, Name=self.ALIAS, Description=str(number))
            promised.description = number

        super().__init__([step])

    def verify(self, client: BaseClient) -> None:
        """Nothing that was acknowledged is missing at this frontend, and what was created can be invoked."""
        promised = self.promised
        wait_until(lambda: self._described(client) >= promised.description, 10, "the last acknowledged description")
        assert self._described(client) <= promised.attempted
        for name in promised.created:
            wait_active(client, name)
        for name in promised.created[-2:]:
            assert invoke(client, name, {"kept": name}).payload == {"kept": name}

    def clean_up(self, client: BaseClient) -> None:
        for name in self.promised.created:
            client.delete_function(FunctionName=name)

    def _described(self, client: BaseClient) -> int:
        text = client.get_alias(FunctionName=self.function, Name=self.ALIAS).get("Description", "")
        return int(text or 0)


def first_success(attempt: Callable[[], Any], since: float, limit: float) -> float:
    """Repeats something until it works once; answers how long after `since` (monotonic) that was."""
    last = None
    while time.monotonic() - since < limit:
        try:
            attempt()
            return time.monotonic() - since
        except (BotoCoreError, ClientError) as error:
            last = error
    raise AssertionError(f"no success within {limit:.0f} s; the last answer: {last}")
