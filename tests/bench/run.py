"""Measures a cluster of three nodes on this machine, each figure beside its floor.

    make bench                          release builds, three rounds
    python tests/bench/run.py --help

A floor is a small program that does only the work that cannot be avoided (tests/bench/floor). Ours and the floors take
turns within every round, so that whatever else the machine does meets them all; the figures are medians over the
rounds. docs/benchmarks.md says how to read them.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "tests")]

import arguments  # noqa: E402
from floors import Floor  # noqa: E402
from product import Product  # noqa: E402
from report import Report  # noqa: E402

CONNECTIONS = (1, 16)
COLD_STARTS = 12
CREATIONS = 60
# The system's interpreter by its own path: a launcher that looks for one first would be measured too.
INTERPRETER = ["/usr/bin/python3", "-S", "-E", "-c", "pass"]
# Who is not root needs one namespace more to make them in.
OWN_USERS = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
NAMESPACES = ["unshare", *OWN_USERS, "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--fork"]


def main() -> int:
    options = arguments.parse(arguments.parser(__doc__, rounds=3))
    report = Report(options.rounds, options.seconds, options.binary)
    report.warn_if_busy()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dunlin-bench-", dir=options.data)))
        floor = Floor(options.floor)
        handlers = stack.enter_context(floor.server("handlers", "--processes", str(max(CONNECTIONS)), "--python", INTERPRETER[0]))
        proxy = stack.enter_context(floor.server("proxy", "--to", handlers))
        product = stack.enter_context(Product(options.binary, directory, floor))
        product.warm_up(max(CONNECTIONS))
        for number in range(1, options.rounds + 1):
            print(f"round {number} of {options.rounds}", file=sys.stderr, flush=True)
            measure_warm(report, floor, product, handlers, proxy, options.seconds)
            measure_cold(report, floor, product, number)
            measure_writes(report, floor, product, directory, options.seconds)
    report.print()
    report.save(options.out)
    return 1 if report.failures else 0


def measure_warm(report: Report, floor: Floor, product: Product, handlers: str, proxy: str, seconds: float) -> None:
    """One invocation of a warm function: ours, one process behind HTTP, and that behind a second hop."""
    for connections in CONNECTIONS:
        common = ["--path", product.warm_path, "--body", product.event, "--connections", str(connections), "--seconds", str(seconds)]
        report.add("warm invoke", "floor-1: handler process", connections, floor.load(handlers, *common, sign=product))
        report.add("warm invoke", "floor-2: proxy, handler process", connections, floor.load(proxy, *common, sign=product))
        report.add("warm invoke", "dunlin", connections, floor.load(product.target, *common, sign=product))


def measure_cold(report: Report, floor: Floor, product: Product, number: int) -> None:
    """The first invocation of functions that never ran."""
    report.add("cold start", "floor-1: interpreter", 1, floor.run("spawn", "--times", str(COLD_STARTS), "--", *INTERPRETER))
    report.add(
        "cold start", "floor-2: interpreter in namespaces", 1,
        floor.run("spawn", "--times", str(COLD_STARTS), "--", *NAMESPACES, *INTERPRETER),
    )  # fmt: skip
    first = product.create_cold(number, COLD_STARTS)
    report.add(
        "cold start", "dunlin", 1,
        floor.load(
            product.target, "--path", product.cold_path, "--body", product.event,
            "--first", str(first), "--requests", str(COLD_STARTS), sign=product,
        ),
    )  # fmt: skip
    product.delete_cold(first, COLD_STARTS)


def measure_writes(report: Report, floor: Floor, product: Product, directory: Path, seconds: float) -> None:
    """Control writes, which a majority of the controllers has made durable before they are answered."""
    for connections in CONNECTIONS:
        report.add(
            "control write", "floor: append, fdatasync", connections,
            floor.run("fsync", "--directory", str(directory), "--writers", str(connections), "--seconds", str(seconds)),
        )  # fmt: skip
        report.add(
            "control write", "dunlin: UpdateAlias", connections,
            floor.load(
                product.target, "--method", "PUT", "--path", product.alias_path, "--body", '{"Description":"{n}"}',
                "--connections", str(connections), "--seconds", str(seconds), sign=product,
            ),
        )  # fmt: skip
        report.add(
            "control write", "dunlin: CreateFunction", connections,
            floor.load(
                product.target, "--path", "/2015-03-31/functions", "--body", product.creation(), "--expect", "201",
                "--connections", str(connections), "--first", str(product.next_creation(CREATIONS)),
                "--requests", str(CREATIONS), sign=product,
            ),
        )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
