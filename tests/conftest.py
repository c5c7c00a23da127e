"""What the tests share: the cluster, clients of it, and functions that go away when a test ends."""

from __future__ import annotations

import itertools
import re
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterator

import builds
import pytest
import zips
from botocore.client import BaseClient
from clients import create, lambda_client, wait_active
from cluster import Credentials
from clusters import TwoAccountCluster, binary, watched, watched_clusters
from stalls import Stalls

_measured: list[str] = []


@pytest.fixture(scope="session")
def dunlin() -> Path:
    """The program under test."""
    path = binary()
    if not path.is_file():
        pytest.exit(f"{path} is missing; build it first: cargo build", returncode=2)
    return path


@pytest.fixture(scope="session")
def cluster(dunlin: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoAccountCluster]:
    """Three nodes in three zones, every role each. Tests leave its nodes alive."""
    with watched(TwoAccountCluster(dunlin, tmp_path_factory.mktemp("cluster"))) as running:
        yield running


@pytest.fixture(scope="session")
def packed(dunlin: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoAccountCluster]:
    """One node with the pack for Java, where another version of a language may stand in for the one asked for."""
    directory = tmp_path_factory.mktemp("packed")
    packs = directory / "packs"
    subprocess.run([dunlin, "runtime", "add", "java", "--from", builds.java_pack(), "--packs", packs], check=True)
    settings = {"worker": {"pack_dir": str(packs), "nearest_runtime": True}}
    with watched(TwoAccountCluster(dunlin, directory / "cluster", nodes=[("a", "a")], settings=settings)) as running:
        yield running


@pytest.fixture(scope="session")
def packed_client(packed: TwoAccountCluster) -> BaseClient:
    return lambda_client(packed.endpoint("a"), packed.credentials)


@pytest.fixture(scope="session")
def credentials(cluster: TwoAccountCluster) -> Credentials:
    return cluster.credentials


@pytest.fixture(scope="session")
def clients(cluster: TwoAccountCluster) -> Callable[..., BaseClient]:
    """Clients by the name of the frontend's node, made once each."""
    made: dict[str, BaseClient] = {}

    def client(node: str = "a", other_account: bool = False, region: str | None = None, **config: Any) -> BaseClient:
        key = repr((node, other_account, region, config))
        if key not in made:
            who = cluster.other_credentials if other_account else cluster.credentials
            made[key] = lambda_client(cluster.endpoint(node), who, region, **config)
        return made[key]

    return client


@pytest.fixture(scope="session")
def client(clients: Callable[..., BaseClient]) -> BaseClient:
    """A client of node a with the SDK's own retries."""
    return clients("a")


_numbers = itertools.count(1)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A function name that no other test has."""
    test = re.sub(r"[^a-zA-Z0-9]+", "-", request.node.name)[:44].strip("-")
    return f"{test}-{next(_numbers)}"


@pytest.fixture
def deploy(client: BaseClient, name: str) -> Iterator[Callable[..., str]]:
    """Creates functions, waits until they are active, and deletes them when the test is over."""
    made: list[tuple[BaseClient, str]] = []

    def deployed(code: bytes | str, handler: str | None = None, by: BaseClient | None = None, **arguments: Any) -> str:
        """`code` is a package, or the name of a sample in functions/."""
        handler = handler or (f"{code}.handler" if isinstance(code, str) else "echo.handler")
        package = zips.function(code) if isinstance(code, str) else code
        function = name if not made else f"{name}-{len(made)}"
        creator = by or client
        create(creator, function, package, handler, **arguments)
        made.append((creator, function))
        wait_active(creator, function)
        return function

    yield deployed
    for creator, function in made:
        try:
            creator.delete_function(FunctionName=function)
        except creator.exceptions.ResourceNotFoundException:
            pass


@pytest.fixture
def stalls(tmp_path: Path) -> Iterator[Stalls]:
    """Watches how long the machine stands still while the test runs."""
    with Stalls(tmp_path) as watching:
        yield watching


@pytest.fixture(scope="session")
def measured() -> Callable[[str], None]:
    """Notes a figure that the end of the run prints."""
    return _measured.append


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if _measured:
        terminalreporter.section("measured")
        for line in _measured:
            terminalreporter.write_line(line)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if report.failed:
        for cluster in watched_clusters:
            report.sections.extend(cluster.log_tails())
    return report


