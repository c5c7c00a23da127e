"""What many functions in the catalog cost: their creation, memory, snapshots, starts, lists, and warm invocations beside those
of a cluster with next to none.

    make bench                          100 000 functions, after the other figures
    python tests/bench/scale.py --help

Two clusters of three nodes run at once, one with many functions and one with one; only one of them is asked at a time, in
turns. docs/benchmarks.md says how to read the figures.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "tests")]

import arguments  # noqa: E402
from cluster import Node, wait_until  # noqa: E402
from floors import Floor  # noqa: E402
from product import FUNCTIONS, Product  # noqa: E402
from report import about, save  # noqa: E402

WRITERS = 64
BATCH = 5000
SNAPSHOT_WAIT = 120


def main() -> int:
    parser = arguments.parser(__doc__, rounds=5)
    parser.add_argument("--functions", type=int, default=100_000)
    options = arguments.parse(parser)
    result: dict[str, Any] = {**about(options.binary), "functions": options.functions}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dunlin-scale-", dir=options.data)))
        floor = Floor(options.floor)
        small = stack.enter_context(Product(options.binary, directory / "small", floor))
        large = stack.enter_context(Product(options.binary, directory / "large", floor))
        for product in (small, large):
            product.warm_up(1)
        before = {node.name: resident(node) for node in large.cluster.nodes}
        result["floor_write"] = floor.run(
            "fsync", "--directory", str(directory), "--writers", str(WRITERS), "--seconds", str(options.seconds)
        )
        result["create"] = create(floor, large, options.functions)
        settle(large, options.functions)
        result["resident_bytes_a_function"] = {
            node.name: (resident(node) - before[node.name]) / options.functions for node in large.cluster.nodes
        }
        result["snapshot"] = {node.name: snapshot(large, node) for node in large.cluster.nodes}
        result["invoke"] = compare(
            options, lambda product: floor.load(
                product.target, "--path", product.warm_path, "--body", product.event, "--seconds", str(options.seconds),
                sign=product,
            ), small, large,
        )  # fmt: skip
        result["list_page"] = compare(
            options, lambda product: floor.load(
                product.target, "--method", "GET", "--path", f"{FUNCTIONS}/", "--seconds", str(options.seconds), sign=product
            ), small, large,
        )  # fmt: skip
        result["list_all_seconds"], listed = walk(large)
        # The warm function is listed, too; a creation whose answer did not come may have been done or not.
        failures = result["create"]["failures"]
        if not options.functions + 1 - failures <= listed <= options.functions + 1:
            expected = f"{options.functions + 1} functions in the list, but for {failures} that failed"
            raise SystemExit(f"expected {expected}, got {listed}")
        result["start_seconds"] = {"few functions": start(small), "many functions": start(large)}
    show(result)
    save(result, options.out, "scale")
    return 1 if result["create"]["failures"] else 0


def create(floor: Floor, product: Product, functions: int) -> dict[str, Any]:
    """Creates them, all with the same code, and tells how it went: in all, and in the first and the last tenth."""
    batches = []
    for first in range(0, functions, BATCH):
        count = min(BATCH, functions - first)
        began = time.monotonic()
        seen = floor.load(
            product.target, "--path", FUNCTIONS, "--body", product.creation(), "--expect", "201", "--connections", str(WRITERS),
            "--first", str(first), "--requests", str(count), "--seconds", "580", sign=product,
        )  # fmt: skip
        batches.append({**seen, "count": count, "took": time.monotonic() - began})
        print(f"{first + count} functions, {seen['per_second']:.0f} a second", file=sys.stderr, flush=True)
    tenth = max(1, len(batches) // 10)

    def rate(some: list[dict[str, Any]]) -> float:
        return sum(batch["count"] for batch in some) / sum(batch["took"] for batch in some)

    return {
        "per_second": rate(batches),
        "first_tenth_per_second": rate(batches[:tenth]),
        "last_tenth_per_second": rate(batches[-tenth:]),
        "p50_us": statistics.median(batch["p50_us"] for batch in batches),
        "p99_us": max(batch["p99_us"] for batch in batches),
        "failures": sum(batch["failures"] for batch in batches),
    }


def settle(product: Product, functions: int) -> None:
    """Waits until the last function can be invoked, and a moment for what goes on behind it."""
    product.client.get_waiter("function_active_v2").wait(
        FunctionName=f"created-{functions - 1}", WaiterConfig={"Delay": 1, "MaxAttempts": 300}
    )
    time.sleep(3)


def resident(node: Node) -> int:
    """Bytes of memory that a node's process holds."""
    status = Path(f"/proc/{node.pid()}/status").read_text()
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    assert found
    return int(found[1]) * 1024


def snapshot(product: Product, node: Node) -> dict[str, float]:
    """The newest snapshot that a controller wrote while the functions were created."""

    def told() -> dict[str, float]:
        text = product.cluster.metrics(node.name)
        pattern = r"^dunlin_raft_snapshot_(index|bytes|write_seconds) (\S+)$"
        return {name: float(value) for name, value in re.findall(pattern, text, re.MULTILINE)}

    return wait_until(told, SNAPSHOT_WAIT, f"a snapshot of {node.name}")


def compare(options: argparse.Namespace, measure: Any, small: Product, large: Product) -> dict[str, Any]:
    rounds: dict[str, list[dict[str, Any]]] = {"few functions": [], "many functions": []}
    for _ in range(options.rounds):
        rounds["few functions"].append(measure(small))
        rounds["many functions"].append(measure(large))
    medians = {
        who: {name: statistics.median(each[name] for each in seen) for name in ("per_second", "p50_us", "p99_us")}
        for who, seen in rounds.items()
    }
    ratio = medians["many functions"]["p50_us"] / medians["few functions"]["p50_us"]
    return {**medians, "p50_ratio": ratio, "rounds": rounds}


def walk(product: Product) -> tuple[float, int]:
    """All pages of the list, one after the other, as the SDK asks for them."""
    began, listed = time.monotonic(), 0
    for page in product.client.get_paginator("list_functions").paginate():
        listed += len(page["Functions"])
    return time.monotonic() - began, listed


def start(product: Product) -> float:
    """From the start of a node with all roles until it serves, with its data on disk."""
    product.cluster.terminate("b")
    began = time.monotonic()
    product.cluster.start_node("b")
    product.cluster.wait_ready(names=["b"])
    return time.monotonic() - began


def show(result: dict[str, Any]) -> None:
    made, floor = result["create"], result["floor_write"]
    print(f"{result['program']} on {result['processors']} x {result['processor']}, Linux {result['kernel']}")
    print(f"{result['functions']} functions; load average {result['load_average_before'][0]:.2f} before\n")
    print(f"creation, {WRITERS} at once   {made['per_second']:.0f} a second ({made['per_second'] / floor['per_second']:.2f} of append, fdatasync);")
    print(f"                       the first tenth {made['first_tenth_per_second']:.0f}, the last {made['last_tenth_per_second']:.0f}; p50 {made['p50_us'] / 1000:.1f} ms, p99 {made['p99_us'] / 1000:.1f} ms, {made['failures']} failed")  # fmt: skip
    each = ", ".join(f"{name} {size / 1024:.2f}" for name, size in result["resident_bytes_a_function"].items())
    print(f"memory, KiB a function {each}: all roles in one process, and in the debt of its allocator")
    for name, taken in result["snapshot"].items():
        print(f"snapshot of {name}          {taken['bytes'] / 1e6:.1f} MB at index {taken['index']:.0f}, written in {taken['write_seconds']:.2f} s")
    for what, key in (("warm invoke", "invoke"), ("ListFunctions, page 1", "list_page")):
        few, many = result[key]["few functions"], result[key]["many functions"]
        print(f"{what:23}p50 {many['p50_us'] / 1000:.3f} ms beside {few['p50_us'] / 1000:.3f} ms: {result[key]['p50_ratio']:.3f}")
    print(f"ListFunctions, all     {result['list_all_seconds']:.1f} s")
    print("start of a node        " + ", ".join(f"{took:.2f} s with {who}" for who, took in result["start_seconds"].items()))


if __name__ == "__main__":
    sys.exit(main())
