"""The clusters that the tests run against: real processes on this machine, with two accounts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cluster import Credentials, LocalCluster, Node

ROOT = Path(__file__).resolve().parent.parent
OTHER_ACCOUNT = "210987654321"
# A log level: everything. A library is quiet unless it is named.
EVERYTHING = ",".join(["trace", *(f"{name}=trace" for name in ("h2", "hyper", "sled", "openraft", "chitchat", "tower"))])


def binary() -> Path:
    """The program under test: DUNLIN_TEST_BINARY, or the debug build."""
    return Path(os.environ.get("DUNLIN_TEST_BINARY", ROOT / "target" / "debug" / "dunlin")).resolve()


class TwoAccountCluster(LocalCluster):
    """A local cluster that knows the key of a second account too."""

    @property
    def other_credentials(self) -> Credentials:
        return Credentials("AKIAOTHERACCOUNT2345", "the-other-accounts-secret-key-0123456789", OTHER_ACCOUNT, "us-east-1")

    def prepare(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        secret = self.directory / "other-secret"
        secret.touch(mode=0o600)
        secret.write_text(self.other_credentials.secret_access_key + "\n")
        super().prepare()

    def config(self, node: Node) -> dict[str, Any]:
        config = super().config(node)
        other = self.other_credentials
        config["auth"]["keys"].append(
            {
                "access_key_id": other.access_key_id,
                "secret_file": str(self.directory / "other-secret"),
                "account": other.account,
            }
        )
        return config

    def log_tails(self, lines: int = 30) -> list[tuple[str, str]]:
        """The end of every node's log, for a report of a failure."""
        return [(f"log of node {node.name}: {node.log_file}", node.log_tail(lines)) for node in self.nodes]


watched_clusters: list[TwoAccountCluster] = []


class watched:
    """Runs a cluster; while it runs, the report of a failed test shows the end of its logs."""

    def __init__(self, cluster: TwoAccountCluster) -> None:
        self.cluster = cluster

    def __enter__(self) -> TwoAccountCluster:
        watched_clusters.append(self.cluster)
        try:
            self.cluster.start()
            self.cluster.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self.cluster

    def __exit__(self, *_: object) -> None:
        self.cluster.stop()
        watched_clusters.remove(self.cluster)
