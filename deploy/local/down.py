"""Stops the nodes that `make up` started. Their data stays where it is. Needs nothing but Python."""

import argparse
import sys
from pathlib import Path

from cluster import LocalCluster

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, default=ROOT / ".dunlin", help="where the cluster lives (default %(default)s)")
    # The nodes are known by the files that they left: no port and no program is asked.
    cluster = LocalCluster(ROOT / "target" / "release" / "dunlin", parser.parse_args().directory, base_port=0)
    running = [node.name for node in cluster.nodes if node.is_running()]
    cluster.stop()
    print(f"stopped {', '.join(running)}" if running else "no node was running")
    return 0


if __name__ == "__main__":
    sys.exit(main())
