"""The functions, aliases, mappings and so on that requests name: made once, once a thread, or for one request."""

from __future__ import annotations

import itertools
import re
import threading
import time
from typing import Any, Callable, Optional

from conformance.values import arn
from conformance.wire import Wire

# How long something that was asked for may take to come about.
PATIENCE_S = 20.0
STILL_MOVING = {"ResourceConflictException", "ResourceInUseException"}


class Unavailable(Exception):
    """What a request needs cannot be made."""


class World:
    """Where requests take their values from. This one imagines everything: it makes requests that name nothing real."""

    imagined = True

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def name(self, stem: str) -> str:
        """A name that nothing else has."""
        return f"{stem}-{'imagined-' if self.imagined else ''}{next(self._numbers)}"

    def arn(self, service: str, rest: str) -> str:
        return arn(service, rest)

    def shared(self, key: str, imagined: Any, make: Callable[[], Any]) -> Any:
        """Something that every request may use and none changes."""
        return imagined

    def fresh(self, imagined: Any, make: Callable[[], Any]) -> Any:
        """Something for this request alone."""
        return imagined

    def own(self, key: str, imagined: Any, make: Callable[[], Any]) -> Any:
        """Something that this thread's requests may change, one after the other; see `spoil`."""
        return imagined

    def spoil(self, key: str) -> None:
        """Says that this thread's thing is not any more what it was; the next request gets a new one."""

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Calls an operation on the way to a request; a refusal makes what it was for unavailable."""
        raise Unavailable(f"{operation} in an imagined world")

    def settled(self, what: str, probe: Callable[[], Any]) -> Any:
        """Asks until the answer is one."""
        raise Unavailable(f"{what} in an imagined world")

    def later(self, operation: str, **params: Any) -> None:
        """Remembers a call that takes something away again."""


IMAGINED = World()


class RealWorld(World):
    """A world behind a wire."""

    imagined = False

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self.wire = wire
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._made: dict[str, Any] = {}
        self._here = threading.local()
        self._later: list[tuple[str, dict[str, Any]]] = []

    def shared(self, key: str, imagined: Any, make: Callable[[], Any]) -> Any:
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._made:
                try:
                    self._made[key] = _made(make)
                except Unavailable as missing:
                    self._made[key] = missing
            made = self._made[key]
        if isinstance(made, Unavailable):
            raise made
        return made

    def fresh(self, imagined: Any, make: Callable[[], Any]) -> Any:
        return _made(make)

    def own(self, key: str, imagined: Any, make: Callable[[], Any]) -> Any:
        mine = self._mine()
        if key not in mine:
            mine[key] = _made(make)
        return mine[key]

    def spoil(self, key: str) -> None:
        self._mine().pop(key, None)

    def _mine(self) -> dict[str, Any]:
        if not hasattr(self._here, "mine"):
            self._here.mine = {}
        return self._here.mine

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        answer = self.wire.send(operation, params)
        if not 200 <= answer.status < 300:
            raise Unavailable(f"{operation}: {answer.error or answer.status}")
        return answer.parsed

    def settled(self, what: str, probe: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = probe()
            if found:
                return found
            if time.monotonic() > deadline:
                # Names are numbered in the order of requests, which differs from run to run.
                unnumbered = re.sub(r"-\d+$", "", what)
                raise Unavailable(f"{unnumbered} does not come about")
            time.sleep(0.02)

    def later(self, operation: str, **params: Any) -> None:
        with self._lock:
            self._later.append((operation, params))

    def take_back(self) -> list[str]:
        """Makes every call that was to be made later, last first; tells which were refused."""
        refused = []
        with self._lock:
            calls, self._later = self._later[::-1], []
        for operation, params in calls:
            error = self._take_back(operation, params)
            if error:
                refused.append(f"{operation}: {error}")
        return refused

    def _take_back(self, operation: str, params: dict[str, Any]) -> Optional[str]:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            answer = self.wire.send(operation, params)
            if answer.status in range(200, 300) or answer.status == 404:
                return None
            if answer.error not in STILL_MOVING or time.monotonic() > deadline:
                return answer.error
            time.sleep(0.05)


class LackingWorld(World):
    """A real world in which what cannot be made is imagined."""

    imagined = False

    def __init__(self, real: RealWorld) -> None:
        super().__init__()
        self.real = real

    def name(self, stem: str) -> str:
        return self.real.name(stem)

    def shared(self, key: str, imagined: Any, make: Callable[[], Any]) -> Any:
        return _or_imagined(imagined, lambda: self.real.shared(key, imagined, make))

    def fresh(self, imagined: Any, make: Callable[[], Any]) -> Any:
        return _or_imagined(imagined, lambda: self.real.fresh(imagined, make))

    def own(self, key: str, imagined: Any, make: Callable[[], Any]) -> Any:
        return _or_imagined(imagined, lambda: self.real.own(key, imagined, make))

    def spoil(self, key: str) -> None:
        self.real.spoil(key)

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        return self.real.call(operation, **params)

    def settled(self, what: str, probe: Callable[[], Any]) -> Any:
        return self.real.settled(what, probe)

    def later(self, operation: str, **params: Any) -> None:
        self.real.later(operation, **params)


def _or_imagined(imagined: Any, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except Unavailable:
        return imagined


def _made(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except KeyError as lacking:
        # An answer on the way does not say what it should.
        raise Unavailable(f"an answer with {lacking.args[0]}") from lacking
