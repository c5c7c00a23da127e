"""Does one thing to one node of a local cluster: what `dunlin chaos run --target` calls.

    hook.py kill|terminate|start|pause|resume|wipe|is-up NODE [--binary FILE] [--directory FOLDER] [--base-port PORT]

Without options it is about the cluster of `make up`. A line of a target file: kill = "python3 deploy/local/hook.py kill {node}".
Needs nothing but Python.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cluster import ClusterError, LocalCluster

ROOT = Path(__file__).resolve().parents[2]
ACTIONS = {
    "kill": LocalCluster.kill9,
    "terminate": LocalCluster.terminate,
    "start": LocalCluster.start_node,
    "pause": LocalCluster.pause,
    "resume": LocalCluster.resume,
    "wipe": LocalCluster.wipe,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=[*ACTIONS, "is-up"])
    parser.add_argument("node")
    parser.add_argument("--binary", type=Path, default=ROOT / "target" / "release" / "dunlin")
    parser.add_argument("--directory", type=Path, default=ROOT / ".dunlin")
    parser.add_argument("--base-port", type=int, default=9000)
    options = parser.parse_args()
    cluster = LocalCluster(options.binary, options.directory, options.base_port)
    try:
        if options.action == "is-up":
            return 0 if cluster.node(options.node).is_running() else 1
        ACTIONS[options.action](cluster, options.node)
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
