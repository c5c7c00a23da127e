"""How long this machine let nobody run: what a limit on the time of a cluster must not count.

A process that only sleeps for ten milliseconds at a time writes down how long each sleep took. Nodes that wait for one another do
much the same: they sleep, are woken, and have little to do. What a sleep takes beyond its time, they were kept waiting, too.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cluster import wait_until

NAP = 0.01
# A shorter delay is no stall: every process waits for its turn.
NOTABLE = 0.05
NAPPER = f"""
import time
while True:
    began = time.monotonic()
    time.sleep({NAP})
    print(began, time.monotonic(), flush=True)
"""


class Stalls:
    """Watches the machine for as long as it is entered."""

    def __init__(self, directory: Path) -> None:
        self._naps = directory / "naps"

    def __enter__(self) -> "Stalls":
        with self._naps.open("wb") as naps:
            # Not a thread: those of a test wait for one another.
            self._napper = subprocess.Popen([sys.executable, "-S", "-c", NAPPER], stdin=subprocess.DEVNULL, stdout=naps)
        wait_until(self._slept, 30, "the first nap")
        return self

    def __exit__(self, *_: object) -> None:
        self._napper.kill()
        self._napper.wait()

    def hold(self, limit: float, what: str, began: float, ended: float) -> str:
        """Fails if something took `limit` or longer without the time that the machine stood still; answers the figures, in
        words. The moments are of the monotonic clock."""
        took, stood = ended - began, self.within(began, ended)
        told = f"{what} after {took:.2f} s (the machine stood still for {stood:.2f} s)"
        assert took - stood < limit, f"{told}; expected less than {limit} s"
        return told

    def within(self, began: float, ended: float) -> float:
        wait_until(lambda: self._slept()[-1][1] > ended, 30, "a nap that ends later")
        naps = [(max(began, slept), min(ended, woke)) for slept, woke in self._slept() if woke > began and slept < ended]
        delays = [woke - slept - NAP for slept, woke in naps]
        return sum(delay for delay in delays if delay > NOTABLE)

    def _slept(self) -> list[tuple[float, float]]:
        whole = [line.split() for line in self._naps.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [(float(slept), float(woke)) for slept, woke in whole]
