"""Stops the nodes that `make up` started. Their data stays in .dunlin/. Needs nothing but Python."""

import sys
from pathlib import Path

from cluster import LocalCluster

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    cluster = LocalCluster(ROOT / "target" / "release" / "dunlin", ROOT / ".dunlin", 9000)
    running = [node.name for node in cluster.nodes if node.is_running()]
    cluster.stop()
    print(f"stopped {', '.join(running)}" if running else "no node was running")
    return 0


if __name__ == "__main__":
    sys.exit(main())
