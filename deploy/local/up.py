"""Starts a cluster of three nodes in .dunlin/, deploys examples/hello-python to it, and invokes it.

    make up                                    release build first
    .venv/bin/python deploy/local/up.py --help

Run again, it starts what does not run and deploys anew. Data, keys and certificates stay where they are.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import shlex
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from cluster import ClusterError, LocalCluster, aws_client

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "hello-python" / "app.py"
FUNCTION = "hello"
RUNTIME = "python3.12"
ROLE = "arn:aws:iam::000000000000:role/any"
DIRECTORY = ROOT / ".dunlin"
BASE_PORT = 9000


def main() -> int:
    options = parse()
    # A function runs on the nearest Python that this machine has.
    settings = {"worker": {"nearest_runtime": True}}
    try:
        return run(LocalCluster(options.binary, options.directory, options.port, settings=settings), options.example)
    except (ClusterError, BotoCoreError, ClientError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=ROOT / "target" / "release" / "dunlin")
    parser.add_argument("--directory", type=Path, default=DIRECTORY, help="where the cluster lives (default %(default)s)")
    parser.add_argument("--port", type=int, default=BASE_PORT, help="AWS API of the first node (default %(default)s)")
    parser.add_argument("--example", type=Path, default=EXAMPLE, help="the module with the handler (default %(default)s)")
    return parser.parse_args()


def run(cluster: LocalCluster, example: Path) -> int:
    began = time.monotonic()
    end_outdated(cluster)
    cluster.start()
    cluster.wait_ready()
    leader = cluster.wait_leader()
    print(f"three nodes are ready after {time.monotonic() - began:.1f} s; {leader} leads")
    if cluster.missing_walls:
        print(f"the sandbox goes without: {', '.join(cluster.missing_walls)} (`dunlin doctor` says what to do)")
    client = aws_client(boto3, cluster, retries={"mode": "standard"})
    if not has_python(cluster):
        raise ClusterError("no worker found a Python interpreter; install python3, or deploy examples/hello-provided")
    deploy(client, example)
    invoke(client)
    tell(cluster)
    return 0


def end_outdated(cluster: LocalCluster) -> None:
    """Ends nodes that run an older build, one after the other: the rest serves meanwhile."""
    built = cluster.binary.stat().st_mtime
    for node in cluster.nodes:
        if node.is_running() and node.pid_file.stat().st_mtime < built:
            print(f"node {node.name} runs an older build; starting it anew")
            cluster.terminate(node.name)
            cluster.start_node(node.name)
            cluster.wait_ready(names=[node.name])


def has_python(cluster: LocalCluster) -> bool:
    status = cluster.status() or {"members": []}
    return any(RUNTIME in member["runtimes"] for member in status["members"])


def deploy(client: Any, example: Path) -> None:
    shown = example.relative_to(ROOT) if example.is_relative_to(ROOT) else example
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        # A fixed date makes the same package of the same file.
        archive.writestr(zipfile.ZipInfo("app.py"), example.read_bytes())
    try:
        client.create_function(
            FunctionName=FUNCTION, Runtime=RUNTIME, Handler="app.handler", Role=ROLE, Code={"ZipFile": package.getvalue()}
        )
        client.get_waiter("function_active_v2").wait(FunctionName=FUNCTION, WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})
        print(f"deployed {shown} as {FUNCTION} ({RUNTIME})")
    except client.exceptions.ResourceConflictException:
        client.update_function_code(FunctionName=FUNCTION, ZipFile=package.getvalue())
        client.get_waiter("function_updated_v2").wait(FunctionName=FUNCTION, WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})
        print(f"updated {FUNCTION} from {shown}")


def invoke(client: Any) -> None:
    began = time.monotonic()
    answer = client.invoke(FunctionName=FUNCTION, Payload=json.dumps({"name": "you"}), LogType="Tail")
    took = (time.monotonic() - began) * 1000
    payload = answer["Payload"].read().decode()
    log = base64.b64decode(answer["LogResult"]).decode()
    if "FunctionError" in answer:
        raise ClusterError(f"{FUNCTION} failed ({answer['FunctionError']}): {payload}\nits log:\n{log}")
    report = next((line for line in log.splitlines() if line.startswith("REPORT")), None)
    if report is None:
        raise ClusterError(f"{FUNCTION} answered {payload}, and no line of its log is a REPORT:\n{log}")
    print(f"invoked it in {took:.0f} ms: {payload}")
    print(report)


def tell(cluster: LocalCluster) -> None:
    """Says what to type next, in lines that work in any directory."""
    beside = Path(sys.executable).parent / "aws"
    aws = beside if beside.exists() else "aws"
    by_hand = ["python3", ROOT / "deploy" / "local" / "down.py", "--directory", cluster.directory]
    down = ["make", "-C", ROOT, "down"] if cluster.directory == DIRECTORY else by_hand
    print("\nAWS API:", " ".join(cluster.endpoint(node.index) for node in cluster.nodes))
    print(f"status:  http://{cluster.node(0).admin}/  (metrics: /metrics)")
    print("\nnext:\n")
    print(f"  export AWS_SHARED_CREDENTIALS_FILE={shell(cluster.directory / 'credentials')} AWS_DEFAULT_REGION=us-east-1")
    print(f"  {shell(aws)} --endpoint-url {cluster.endpoint(0)} lambda invoke --function-name {FUNCTION} /dev/stdout")
    print(f"  {shell(cluster.binary)} status --endpoint {cluster.node(0).admin}")
    print(f"  {shell(*down)}      # stops the nodes; their data stays")


def shell(*words: object) -> str:
    return shlex.join(map(str, words))


if __name__ == "__main__":
    sys.exit(main())
