"""The figures: gathered, printed as a table, saved as JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

FIGURES = ("per_second", "p50_us", "p99_us")


class Report:
    """All measurements of a run. Ours is whatever begins with `dunlin`; the rest are floors."""

    def __init__(self, rounds: int, seconds: float, binary: Path) -> None:
        self.measured: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
        self.about = {**about(binary), "rounds": rounds, "seconds": seconds}

    @property
    def failures(self) -> int:
        return sum(figures["failures"] for rounds in self.measured.values() for figures in rounds)

    def warn_if_busy(self) -> None:
        load = os.getloadavg()[0]
        if load > 1.0:
            print(f"the load average is {load:.2f}: something else runs here; trust ratios, not figures", file=sys.stderr)

    def add(self, what: str, who: str, connections: int, figures: dict[str, Any]) -> None:
        self.measured.setdefault((what, who, connections), []).append(figures)

    def rows(self) -> list[dict[str, Any]]:
        """Medians over the rounds, with ours in proportion to every floor of the same measurement."""
        rows = [
            {
                "what": what,
                "who": who,
                "connections": connections,
                **{name: statistics.median(each[name] for each in rounds) for name in FIGURES},
                "failures": sum(each["failures"] for each in rounds),
            }
            for (what, who, connections), rounds in self.measured.items()
        ]
        for row in rows:
            if row["who"].startswith("dunlin"):
                row["of_floors"] = {
                    floor["who"]: {name: row[name] / floor[name] for name in FIGURES if floor[name]}
                    for floor in rows
                    if floor["what"] == row["what"]
                    and floor["connections"] == row["connections"]
                    and not floor["who"].startswith("dunlin")
                }
        return sorted(rows, key=lambda row: (row["what"], row["connections"]))

    def print(self) -> None:
        self.about["finished"] = _now()
        self.about["load_average_after"] = os.getloadavg()
        print(f"{self.about['program']} on {self.about['processors']} x {self.about['processor']}, Linux {self.about['kernel']}")
        before, after = self.about["load_average_before"], self.about["load_average_after"]
        print(f"medians of {self.about['rounds']} rounds; load average {before[0]:.2f} before, {after[0]:.2f} after\n")
        print(f"{'':16}{'':34}{'conns':>6}{'per s':>10}{'p50 ms':>10}{'p99 ms':>10}  rate and p50 against the floors")
        last = None
        for row in self.rows():
            title = row["what"] if row["what"] != last else ""
            last = row["what"]
            ratios = ", ".join(
                f"{ratio['per_second']:.2f} and {ratio['p50_us']:.2f} of {name.split(':')[0] if ':' in name else name}"
                for name, ratio in row.get("of_floors", {}).items()
            )
            failed = f"  {row['failures']} FAILED" if row["failures"] else ""
            print(
                f"{title:16}{row['who']:34}{row['connections']:>6}{row['per_second']:>10.0f}"
                f"{row['p50_us'] / 1000:>10.2f}{row['p99_us'] / 1000:>10.2f}  {ratios}{failed}"
            )

    def save(self, directory: Path) -> None:
        rounds = [
            {"what": what, "who": who, "connections": connections, "rounds": each}
            for (what, who, connections), each in self.measured.items()
        ]
        save({**self.about, "medians": self.rows(), "measured": rounds}, directory)


def about(binary: Path) -> dict[str, Any]:
    """When, what and on what."""
    return {
        "started": _now(),
        "program": _output(str(binary), "--version"),
        "processors": os.cpu_count(),
        "processor": _processor(),
        "kernel": platform.release(),
        "load_average_before": os.getloadavg(),
    }


def save(result: dict[str, Any], directory: Path, prefix: str = "") -> None:
    """Keeps the result under the time of its beginning."""
    directory.mkdir(parents=True, exist_ok=True)
    name = f"{prefix}-{result['started']}" if prefix else result["started"]
    path = directory / f"{name.replace(':', '')}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"\nsaved as {path}")


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()
