"""Upgrades a running cluster from one build of Dunlin to another, and back, under load, and says what held.

The previous build is made from a git revision in a worktree under target/upgrade/, today's from this checkout. For each order
of nodes a cluster of the previous build starts, takes load from stock boto3 through a load balancer, and goes

    forward node by node -> back node by node -> forward again -> finalize -> back (must be refused)

Meanwhile no acknowledged write may be lost, no invocation may fail with the SDK's default retries, and writes are acknowledged
again within 3 s of every step. The verdict is printed and written to target/upgrade/result.json.

    upgrade.py [--previous REV] [--orders leader-first,leader-last,edges-first]

Needs git, cargo and what tests/requirements.txt pins of boto3.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import json
import os
import shlex
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterator, Optional

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "tests")]

import zips  # noqa: E402
from balancer import Balancer  # noqa: E402
from botocore.exceptions import BotoCoreError, ClientError  # noqa: E402
from clients import ONE_ATTEMPT, create, lambda_client, wait_active  # noqa: E402
from cluster import LocalCluster, Node, http_get, toml_text, wait_until  # noqa: E402
from workload import Invocations, Writes  # noqa: E402

PLACE = ROOT / "target" / "upgrade"
TREE = PLACE / "tree"
ALL = ("controller", "worker", "frontend")
EDGE = ("worker", "frontend")
THREE = (("a", "a", ALL), ("b", "b", ALL), ("c", "c", ALL))
SHAPES = {
    "leader-first": THREE,
    "leader-last": THREE,
    "edges-first": (*THREE, ("d", "a", EDGE), ("e", "b", EDGE)),
}
FUNCTION = "known"
PROBE = "probe"
GATED = 2
"""The format that what `Upgrade.is_refused` tries needs."""
WRITES_AGAIN_MAX = 3.0
READY_MAX = 30.0
REFUSED_MAX = 15.0
"""How long a build that is too old may take to say so."""
STAYS_UNREADY = 6.0
"""How long a worker or frontend that is too old is watched: it must not become ready."""


class Failed(Exception):
    """Something that must hold does not."""


@dataclass
class Build:
    name: str
    commit: str
    binary: Path
    newest: int = 0

    def knows(self, section: str, key: str) -> bool:
        """Whether the build has this key of the configuration; one that it has not it refuses."""
        return f"{section}.{key}" in self._keys

    @functools.cached_property
    def _keys(self) -> set[str]:
        return {line.split()[0] for line in command(str(self.binary), "config", "keys").splitlines() if line.strip()}


@dataclass
class Result:
    order: str
    steps: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def expect(self, holds: bool, what: str) -> None:
        if not holds:
            self.broken.append(what)
            print(f"  BROKEN: {what}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--previous", default=os.environ.get("PREVIOUS") or "HEAD~1", help="the revision of the older build")
    parser.add_argument("--orders", default=",".join(SHAPES), help="which orders, separated by commas")
    arguments = parser.parse_args()
    orders = arguments.orders.split(",")
    if unknown := set(orders) - set(SHAPES):
        parser.error(f"expected orders among {', '.join(SHAPES)}, got {', '.join(sorted(unknown))}")
    try:
        previous, today = build_previous(arguments.previous), build_today()
    except Failed as error:
        print(error, file=sys.stderr)
        return 2
    results = []
    for order in orders:
        print(f"{order}: {previous.commit} -> {today.commit}", flush=True)
        result = Result(order)
        try:
            run(result, previous, today)
        except Exception as error:  # noqa: BLE001  (whatever it was, the other orders and the report go on)
            result.expect(False, f"{type(error).__name__}: {error}")
        results.append(result)
    return report(results, previous, today)


# -- builds ------------------------------------------------------------------------------------------------------------


def build_previous(revision: str) -> Build:
    commit = command("git", "rev-parse", "--short=10", f"{revision}^{{commit}}")
    PLACE.mkdir(parents=True, exist_ok=True)
    if (TREE / ".git").exists():
        command("git", "checkout", "--quiet", "--detach", "--force", commit, where=TREE)
    else:
        command("git", "worktree", "prune")
        command("git", "worktree", "add", "--quiet", "--force", "--detach", str(TREE), commit)
    return build("previous", commit, PLACE / "target", ["--manifest-path", str(TREE / "Cargo.toml")])


def build_today() -> Build:
    commit = command("git", "rev-parse", "--short=10", "HEAD")
    changed = command("git", "status", "--porcelain", "--untracked-files=no")
    return build("today", f"{commit} with changes" if changed else commit, ROOT / "target", [])


def build(name: str, commit: str, target: Path, arguments: list[str]) -> Build:
    """Each in a folder of its own: cargo tells two checkouts of one workspace apart by nothing but times."""
    print(f"building {name}: {commit}", flush=True)
    cargo = ["cargo", "build", "--quiet", "--locked", "--package", "node", "--bin", "dunlin", *arguments]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target)}
    # From the checkout itself, so that cargo reads its configuration once and not twice.
    done = subprocess.run(cargo, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{shlex.join(cargo)}:\n{done.stderr[-3000:]}")
    binary = PLACE / f"dunlin-{name}"
    binary.unlink(missing_ok=True)
    binary.write_bytes((target / "debug" / "dunlin").read_bytes())
    binary.chmod(0o755)
    return Build(name, commit, binary)


def command(*words: str, where: Path = ROOT) -> str:
    done = subprocess.run(words, cwd=where, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{shlex.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()


# -- one order ---------------------------------------------------------------------------------------------------------


def run(result: Result, previous: Build, today: Build) -> None:
    place = PLACE / "clusters" / f"{result.order}-{datetime.datetime.now():%H%M%S}"
    # Today's build makes what any build needs; each gets the configuration that it knows.
    cluster = LocalCluster(today.binary, place, nodes=SHAPES[result.order])
    result.facts["directory"] = str(place.relative_to(ROOT))
    cluster.prepare()
    try:
        for node in cluster.nodes:
            start(cluster, node, previous)
        cluster.wait_ready()
        settle(cluster)
        with Balancer(cluster) as balancer:
            climb(result, Upgrade(result, cluster, balancer.endpoint), previous, today)
    finally:
        cluster.stop()


def climb(result: Result, upgrade: "Upgrade", previous: Build, today: Build) -> None:
    cluster, client = upgrade.cluster, upgrade.client()
    functions = [FUNCTION, "known-too"]
    for name in functions:
        create(client, name, zips.function("slow_echo"), "slow_echo.handler", Publish=True, Timeout=10)
        client.get_waiter("function_active_v2").wait(FunctionName=name)
    for alias in (Writes.ALIAS, PROBE):
        client.create_alias(FunctionName=FUNCTION, Name=alias, FunctionVersion="1")
    for node in frontends(cluster):
        for name in functions:
            wait_active(upgrade.client_of(node), name)

    previous.newest = max(n["newest_format"] for n in upgrade.members())
    invocations = Invocations([(upgrade.client(), name) for name in functions * 2], seconds=0.05)
    writes = Writes(upgrade.client(), FUNCTION, "made")
    with invocations, writes, upgrade.probe:
        invocations.wait_for(20)
        writes.wait_for(10)
        began = upgrade.format(today)
        upgrade.move(today, "forward", after_first=lambda: refuses_early(result, upgrade, today, previous))
        today.newest = max(n["newest_format"] for n in upgrade.members())
        gated = today.newest > previous.newest
        upgrade.move(previous, "back")
        upgrade.move(today, "forward again")
        result.expect(upgrade.is_refused() == (began < GATED), "what needs a newer format is refused until then, and only then")
        result.expect(upgrade.format(today) == began, "the format changed although nobody finished the upgrade")
        finalized = upgrade.finalize(today)
        result.expect(finalized.returncode == 0, f"finalize was refused: {finalized.stderr.strip()}")
        result.expect(upgrade.format(today) == today.newest, "the cluster does not write the newest format")
        result.facts["formats"] = {"before": began, "previous": previous.newest, "today": today.newest}
        print(f"  finalize: {finalized.stdout.strip()}", flush=True)
        result.expect(not upgrade.is_refused(), "what needs the newer format is refused after finalize")
        for node in reversed(upgrade.order()):
            (upgrade.must_not_go_back if gated else upgrade.may_go_back)(node, previous, today)
        invocations.wait_for(20)
        writes.wait_for(10)
    judge(result, upgrade, invocations, writes)


def refuses_early(result: Result, upgrade: "Upgrade", today: Build, previous: Build) -> None:
    """In the middle of an upgrade nothing can be finished, and the answer says why."""
    newest = max(n["newest_format"] for n in upgrade.members())
    if newest == previous.newest:
        return
    refused = upgrade.finalize(today)
    result.facts["refused early"] = refused.stderr.strip()
    result.expect(refused.returncode == 1, "finalize was not refused in the middle of the upgrade")


def judge(result: Result, upgrade: "Upgrade", invocations: Invocations, writes: Writes) -> None:
    for kind, stream in (("invocations", invocations), ("writes", writes)):
        result.facts[kind] = stream.done
        result.facts[f"failed {kind}"] = stream.failures[:10]
        result.expect(not stream.failures, f"{len(stream.failures)} {kind} failed, the first: {stream.failures[:1]}")
    result.facts["slowest invocation, s"] = round(invocations.slowest, 2)
    result.facts["invocations repeated by the SDK"] = invocations.retries
    result.facts["functions created meanwhile"] = len(writes.promised.created)
    for node in frontends(upgrade.cluster):
        try:
            writes.verify(upgrade.client_of(node))
        except Exception as error:  # noqa: BLE001  (an assertion, an error of the SDK or a wait that ended)
            result.expect(False, f"an acknowledged write is missing at {node.name}: {error}")


class Upgrade:
    """A cluster whose nodes change their build."""

    def __init__(self, result: Result, cluster: LocalCluster, endpoint: str) -> None:
        self.result, self.cluster, self.endpoint = result, cluster, endpoint
        self.probe = Probe(self.client(**ONE_ATTEMPT))

    def client(self, **config: Any) -> Any:
        """A client of the load balancer, with the SDK's own retries unless told otherwise."""
        return lambda_client(self.endpoint, self.cluster.credentials, **config)

    def client_of(self, node: Node) -> Any:
        return lambda_client(self.cluster.endpoint(node.name), self.cluster.credentials)

    def members(self) -> list[dict[str, Any]]:
        """Every node as gossip shows it; builds that know of no formats read the first."""
        told = [self.cluster.status(n.name) for n in self.cluster.nodes if n.is_running()]
        members = {m["name"]: {"newest_format": 1, **m} for status in told if status for m in status["members"]}
        for status in filter(None, told):
            members[status["node"]["name"]]["newest_format"] = status["node"].get("newest_format", 1)
        return list(members.values())

    def order(self) -> list[Node]:
        """The nodes in the order of this run, by who leads now."""
        leader = self.cluster.wait_leader()
        controllers = [n for n in self.cluster.nodes if "controller" in n.roles]
        edges = [n for n in self.cluster.nodes if "controller" not in n.roles]
        first = self.result.order == "leader-first"
        controllers.sort(key=lambda n: (n.name == leader) != first)
        return edges + controllers

    def move(self, build: Build, phase: str, after_first: Optional[Callable[[], None]] = None) -> None:
        for number, node in enumerate(self.order()):
            with self.step(phase, node, build):
                self.exchange(node, build)
            if number == 0 and after_first:
                after_first()

    def exchange(self, node: Node, build: Build) -> None:
        """Ends a node in order and starts it as another build, as its operator would."""
        self.cluster.terminate(node.name)
        start(self.cluster, node, build)
        self.cluster.wait_ready(READY_MAX, [node.name])
        settle(self.cluster)

    def must_not_go_back(self, node: Node, previous: Build, today: Build) -> None:
        """A build that does not read what the cluster writes ends, or never becomes ready; the others do not care."""
        with self.step("back after finalize", node, previous) as fact:
            self.cluster.terminate(node.name)
            began = node.log_file.stat().st_size
            start(self.cluster, node, previous)
            said = lambda: node.log_file.read_text(errors="replace")[began:]  # noqa: E731
            if "controller" in node.roles:
                wait_until(lambda: not node.is_running(), REFUSED_MAX, f"{node.name} with the older build ends")
                told = [line for line in said().splitlines() if "error" in line.lower()]
                fact["told"] = told[-1] if told else ""
                self.result.expect(bool(told), f"{node.name} ended without a word")
            else:
                self._stays_unready(node)
                fact["told"] = " ".join(http_get(f"http://{node.admin}/readyz", 2.0)[1].split())
                self.cluster.terminate(node.name)
            start(self.cluster, node, today)
            self.cluster.wait_ready(READY_MAX, [node.name])
            settle(self.cluster)

    def _stays_unready(self, node: Node) -> None:
        until = time.monotonic() + STAYS_UNREADY
        while time.monotonic() < until:
            ready = http_get(f"http://{node.admin}/readyz", 2.0)[0] == 200
            if ready:
                self.result.expect(False, f"{node.name} with the older build became ready in a newer cluster")
                return
            time.sleep(0.1)

    def may_go_back(self, node: Node, previous: Build, today: Build) -> None:
        """Both builds read the same: there was nothing to finish."""
        with self.step("back and forward, same formats", node, previous):
            self.exchange(node, previous)
            self.exchange(node, today)

    def is_refused(self) -> bool:
        """Tries what format 1 cannot express, at every frontend; all must say the same."""
        refusals = []
        for node in frontends(self.cluster):
            try:
                self.client_of(node).put_function_event_invoke_config(FunctionName=FUNCTION, MaximumRetryAttempts=1)
                refusals.append(False)
            except ClientError as error:
                if error.response["Error"]["Code"] != "ResourceConflictException" or "dunlin cluster finalize" not in str(error):
                    raise
                self.result.facts["refused before"] = str(error)
                refusals.append(True)
        self.result.expect(len(set(refusals)) == 1, f"frontends differ in what they refuse: {refusals}")
        return refusals[0]

    def finalize(self, today: Build) -> subprocess.CompletedProcess:
        return self.ask(today, "finalize")

    def format(self, today: Build) -> int:
        """The format that the cluster writes, as today's build reads it off any controller."""
        said = self.ask(today, "status")
        if said.returncode:
            raise Failed(f"dunlin cluster status: {said.stderr.strip()}")
        return int(said.stdout.split("writes format ")[1].split()[0].rstrip(";"))

    def ask(self, today: Build, what: str) -> subprocess.CompletedProcess:
        node = next(n for n in self.cluster.nodes if "controller" in n.roles)
        # The node may run with a configuration that only the other build knows.
        config = node.directory / "operator.toml"
        config.write_text(toml_text(self.cluster.config(node)))
        return self.cluster.command("cluster", what, "--config", str(config), binary=today.binary)

    def step(self, phase: str, node: Node, build: Build) -> "Step":
        return Step(self, {"phase": phase, "node": node.name, "build": build.name, "leads": self.cluster.leader() == node.name})


class Step:
    """One node's change, with the longest time in it without an acknowledged write."""

    def __init__(self, upgrade: Upgrade, fact: dict[str, Any]) -> None:
        self.upgrade, self.fact = upgrade, fact

    def __enter__(self) -> dict[str, Any]:
        self.began = time.monotonic()
        return self.fact

    def __exit__(self, kind: Any, *_: object) -> None:
        if kind is not None:
            return
        probe = self.upgrade.probe
        probe.wait_for_another()
        gap = probe.longest_gap(self.began)
        self.fact |= {"writes again after, s": round(gap, 2), "took, s": round(time.monotonic() - self.began, 1)}
        self.upgrade.result.steps.append(self.fact)
        words = "{phase}: {node}{leader} is now {build}".format(**self.fact, leader=", the leader," if self.fact["leads"] else "")
        told = f"; it said: {self.fact['told']}" if self.fact.get("told") else ""
        print(f"  {words}: {gap:.2f} s without an acknowledged write{told}", flush=True)
        self.upgrade.result.expect(gap <= WRITES_AGAIN_MAX, f"{words}: no write was acknowledged for {gap:.1f} s")


class Probe:
    """One client that writes all the time, without retries, and remembers when it was acknowledged."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._acknowledged = [time.monotonic()]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Probe":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._over.wait(0.05):
            try:
                self._client.update_alias(FunctionName=FUNCTION, Name=PROBE, FunctionVersion="1")
            except (BotoCoreError, ClientError):
                continue
            self._acknowledged.append(time.monotonic())

    def wait_for_another(self) -> None:
        now = time.monotonic()
        wait_until(lambda: self._acknowledged[-1] > now, 30, "a write is acknowledged")

    def longest_gap(self, since: float) -> float:
        times = [since, *(at for at in list(self._acknowledged) if at > since)]
        return max(later - earlier for earlier, later in zip(times, times[1:], strict=False))


def frontends(cluster: LocalCluster) -> Iterator[Node]:
    return (node for node in cluster.nodes if "frontend" in node.roles)


def start(cluster: LocalCluster, node: Node, build: Build) -> None:
    """Starts a node as a build, with the part of its configuration that this build knows."""
    config: dict[str, Any] = {}
    for section, values in cluster.config(node).items():
        for key, value in values.items():
            tables = isinstance(value, list) and value and isinstance(value[0], dict)
            if tables:
                value = [{k: v for k, v in row.items() if build.knows(f"{section}.{key}", k)} for row in value]
                value = [row for row in value if row]
            if value if tables else build.knows(section, key):
                config.setdefault(section, {})[key] = value
    node.config_file.write_text(toml_text(config))
    cluster.binary = build.binary
    cluster.start_node(node.name)


def settle(cluster: LocalCluster) -> None:
    """Waits until every node that runs hears of every other one, and somebody leads."""
    running = {node.name for node in cluster.nodes if node.is_running()}

    def heard(name: str) -> bool:
        status = cluster.status(name)
        return bool(status) and {m["name"] for m in status["members"] if not m["draining"]} == running

    for name in running:
        wait_until(lambda name=name: heard(name), 30, f"all members at node {name}")
    cluster.wait_leader()


# -- the verdict -------------------------------------------------------------------------------------------------------


def report(results: list[Result], previous: Build, today: Build) -> int:
    held = all(not result.broken for result in results)
    document = {
        "date": f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC",
        "previous": previous.commit,
        "today": today.commit,
        "cores": os.cpu_count(),
        "held": held,
        "orders": [vars(result) for result in results],
    }
    file = PLACE / "result.json"
    file.write_text(json.dumps(document, indent=2) + "\n")
    print()
    for result in results:
        gaps = [step["writes again after, s"] for step in result.steps]
        facts = result.facts
        print(
            f"{result.order}: {'held' if not result.broken else 'BROKEN'}; {len(result.steps)} steps, "
            f"{facts.get('invocations', 0)} invocations ({facts.get('invocations repeated by the SDK', 0)} repeated by the SDK, "
            f"slowest {facts.get('slowest invocation, s', 0)} s), {facts.get('writes', 0)} writes, "
            f"longest time without an acknowledged write {max(gaps, default=0)} s"
        )
        for what in result.broken:
            print(f"  {what}")
    print(f"{'held' if held else 'BROKEN'}: {previous.commit} -> {today.commit}; see {file.relative_to(ROOT)}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
