"""What other programs had of the processors: what a limit on work that keeps a processor busy must not count.

It is what all processors did without what this process and all that it started did; the share of other guests of the same host,
where the kernel knows it, included. Beside busy neighbours that is more than they took from a program that would not have used every
processor; on a machine of our own it is next to nothing.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Optional

TICK = 1.0 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Moment:
    """A point of the monotonic clock, and how many seconds of processors others had used by then."""

    at: float
    others: float


@dataclass(frozen=True)
class _Process:
    parent: int
    began: int
    used: float
    """Seconds of processors, its own and those of children that it has waited for."""


class Neighbours:
    """Tells others from us. What we are is looked up at every moment that is asked for."""

    def __init__(self) -> None:
        self._ours: dict[int, _Process] = {}
        self._orphans = 0.0

    def now(self) -> Moment:
        return Moment(time.monotonic(), _all_used() - self._used_by_us())

    def hold(self, limit: float, what: str, began: Moment, ended: Moment, took: Optional[float] = None) -> str:
        """Fails if what was done between two moments took `limit` or longer without the others' share of the time; answers the
        figures, in words. `took` is its own figure, if it has one."""
        took = ended.at - began.at if took is None else took
        share = max(0.0, (ended.others - began.others) / (os.cpu_count() or 1))
        told = f"{what} after {took:.2f} s (others had the processors for {share:.2f} s)"
        assert took - share < limit, f"{told}; expected less than {limit} s"
        return told

    def _used_by_us(self) -> float:
        """What this process and its descendants have used, those included that outlived their parents."""
        running = dict(_processes())

        def is_there(pid: int) -> bool:
            return pid in running and running[pid].began == self._ours[pid].began

        # What a process has used goes to the parent that waits for it; nobody of us does where the parent died, too.
        gone = [process for pid, process in self._ours.items() if not is_there(pid)]
        self._orphans += sum(process.used for process in gone if process.parent in self._ours and not is_there(process.parent))
        children: dict[int, list[int]] = {}
        for pid, process in running.items():
            children.setdefault(process.parent, []).append(pid)
        found, waiting = {}, [os.getpid(), *filter(is_there, self._ours)]
        while waiting:
            pid = waiting.pop()
            if pid not in found:
                found[pid] = running[pid]
                waiting += children.get(pid, [])
        self._ours = found
        return self._orphans + sum(process.used for process in found.values())


def _processes() -> Iterator[tuple[int, _Process]]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        yield int(stat.parent.name), _Process(int(fields[1]), int(fields[19]), sum(map(int, fields[11:15])) * TICK)


def _all_used() -> float:
    """Seconds of processors that were not idle, or not ours to use."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) * TICK
