"""Starts Dunlin clusters on this machine: one process a node, each with its own data directory and certificate.

Only the standard library is used. `make up` and `make down` call the command line at the end of this file; tests and
benchmarks import `LocalCluster`.

Node number i listens on base_port + 100 * i: +0 the AWS API, +1 gRPC, +10 the other nodes (TCP) and gossip (UDP), +20
the admin endpoint. Everything binds 127.0.0.1.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import string
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterable, Optional, Sequence, Union

HOST = "127.0.0.1"
STEP = 100
ALL_ROLES = ("controller", "worker", "frontend")
THREE_ZONES = (("a", "a"), ("b", "b"), ("c", "c"))


class ClusterError(RuntimeError):
    """Something that the caller must know; the text says what to look at."""


@dataclass(frozen=True)
class Credentials:
    """What a caller signs with."""

    access_key_id: str
    secret_access_key: str
    account: str
    region: str


@dataclass
class Node:
    """One process of the cluster."""

    name: str
    zone: str
    roles: tuple[str, ...]
    index: int
    base_port: int
    directory: Path
    process: Optional[subprocess.Popen] = field(default=None, repr=False)

    @property
    def public(self) -> str:
        return f"{HOST}:{self.base_port}"

    @property
    def grpc(self) -> str:
        return f"{HOST}:{self.base_port + 1}"

    @property
    def internal(self) -> str:
        return f"{HOST}:{self.base_port + 10}"

    @property
    def admin(self) -> str:
        return f"{HOST}:{self.base_port + 20}"

    @property
    def config_file(self) -> Path:
        return self.directory / "dunlin.toml"

    @property
    def log_file(self) -> Path:
        return self.directory / "node.log"

    @property
    def pid_file(self) -> Path:
        return self.directory / "pid"

    @property
    def started_file(self) -> Path:
        """When the process of the pid file began; the same id may be given to another one."""
        return self.directory / "pid.started"

    def pid(self) -> Optional[int]:
        """The process id, if the process that was started is still the one with that id."""
        if self.process is not None:
            return self.process.pid if self.process.poll() is None else None
        try:
            pid, started = int(self.pid_file.read_text()), self.started_file.read_text()
        except (OSError, ValueError):
            return None
        return pid if _start_time(pid) == started else None

    def is_running(self) -> bool:
        return self.pid() is not None

    def log_tail(self, lines: int = 20) -> str:
        try:
            text = self.log_file.read_text(errors="replace")
        except OSError:
            return "(no log)"
        return "\n".join(text.splitlines()[-lines:])


class LocalCluster:
    """A cluster of processes on this machine.

    `nodes` holds (name, zone) or (name, zone, roles). `settings` is merged over the generated configuration of every
    node, section by section: {"worker": {"slots": 4}}. With `base_port=None` a free range is looked for. A directory
    that was used before is used again: certificates, keys and data stay.
    """

    def __init__(
        self,
        binary: Union[str, Path],
        directory: Union[str, Path],
        base_port: Optional[int] = None,
        nodes: Iterable[Sequence[Any]] = THREE_ZONES,
        log_level: str = "info",
        settings: Optional[dict[str, dict[str, Any]]] = None,
        environment: Optional[dict[str, str]] = None,
    ) -> None:
        self.binary = Path(binary).resolve()
        self.directory = Path(directory).resolve()
        self.log_level = log_level
        self.settings = settings or {}
        self.environment = environment or {}
        shapes = [(shape[0], shape[1], tuple(shape[2]) if len(shape) > 2 else ALL_ROLES) for shape in nodes]
        self.base_port = base_port if base_port is not None else free_base_port(len(shapes))
        self.nodes = [
            Node(name, zone, roles, i, self.base_port + STEP * i, self.directory / "nodes" / name)
            for i, (name, zone, roles) in enumerate(shapes)
        ]
        self.missing_walls: list[str] = []

    # -- life ------------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Makes what a first start needs: authority, certificates, gossip key, master key, credentials, configuration files."""
        if not self.binary.is_file():
            raise ClusterError(f"{self.binary} is missing; build it first: cargo build")
        self.directory.mkdir(parents=True, exist_ok=True)
        authority = self.directory / "ca"
        if not (authority / "ca.key").exists():
            self._run("ca", "init", str(authority), "--cluster", "local")
        gossip_key = self.directory / "gossip.key"
        if not gossip_key.exists():
            self._run("gossip-key", str(gossip_key))
        if not self.master_key.exists():
            self._run("secret-key", "new", str(self.master_key))
        self._make_credentials()
        self.missing_walls = missing_walls(self.binary)
        for node in self.nodes:
            node.directory.mkdir(parents=True, exist_ok=True)
            identity = node.directory / "identity"
            if not (identity / "node.key").exists():
                self._run(
                    "ca", "issue", str(authority), "--node", node.name, "--roles", ",".join(node.roles),
                    "--out", str(identity), "--san", HOST, "--san", "localhost",
                )  # fmt: skip
            node.config_file.write_text(toml_text(self.config(node)))

    def config(self, node: Node) -> dict[str, Any]:
        """The configuration of one node, as nested dictionaries."""
        controllers = [n for n in self.nodes if "controller" in n.roles]
        config: dict[str, Any] = {
            "node": {
                "name": node.name,
                "zone": node.zone,
                "roles": list(node.roles),
                "data_dir": str(node.directory / "data"),
            },
            "listen": {
                "public": node.public,
                "grpc": node.grpc,
                "internal": node.internal,
                "admin": node.admin,
            },
            "cluster": {
                "name": "local",
                "initial_controllers": [f"{n.name}={n.internal}" for n in controllers],
                "seeds": [n.internal for n in self.nodes],
                "gossip_key_files": [str(self.directory / "gossip.key")],
                "identity_dir": str(node.directory / "identity"),
            },
            "auth": {
                "mode": "sigv4",
                "keys": [
                    {
                        "access_key_id": self.credentials.access_key_id,
                        "secret_file": str(self.directory / "secret"),
                        "account": self.credentials.account,
                    }
                ],
            },
            "sandbox": {"allow_missing": self.missing_walls},
            "log": {"format": "text", "level": self.log_level},
        }
        if "frontend" in node.roles:
            config["secrets"] = {"master_keys": [{"id": "local", "file": str(self.master_key)}]}
        for section, values in self.settings.items():
            config.setdefault(section, {}).update(values)
        return config

    def start(self) -> "LocalCluster":
        """Starts every node that does not run. Returns at once; see `wait_ready`."""
        self.prepare()
        for node in self.nodes:
            if not node.is_running():
                self._launch(node)
        return self

    def start_node(self, which: Union[int, str]) -> Node:
        """Starts one node on the data it left."""
        node = self.node(which)
        if not node.is_running():
            self._launch(node)
        return node

    def wait_ready(self, timeout: float = 60.0, names: Optional[Iterable[Union[int, str]]] = None) -> None:
        """Waits until the nodes (all that were started, or `names`) answer 200 on /readyz."""
        waiting = [self.node(n) for n in names] if names is not None else list(self.nodes)
        deadline = time.monotonic() + timeout
        last = ""
        while waiting:
            node = waiting[0]
            if not node.is_running():
                raise ClusterError(f"node {node.name} ended; the end of {node.log_file}:\n{node.log_tail()}")
            status, last = http_get(f"http://{node.admin}/readyz", 2.0)
            if status == 200:
                waiting.pop(0)
            elif time.monotonic() > deadline:
                raise ClusterError(
                    f"node {node.name} is not ready after {timeout:.0f} s: {last or 'no answer'}\n"
                    f"the end of {node.log_file}:\n{node.log_tail()}"
                )
            else:
                time.sleep(0.05)

    def kill9(self, which: Union[int, str]) -> Node:
        """Kills one node as a crash would: SIGKILL, no drain, no flush."""
        return self._signal(which, signal.SIGKILL)

    def terminate(self, which: Union[int, str], timeout: float = 60.0) -> Node:
        """Lets one node drain and waits until it ended."""
        node = self._signal(which, signal.SIGTERM, wait=False)
        if not self._wait_end(node, timeout):
            raise ClusterError(f"node {node.name} still runs {timeout:.0f} s after SIGTERM")
        return node

    def pause(self, which: Union[int, str]) -> Node:
        """Stops a node's process without ending it: to the others it is silent."""
        return self._signal(which, signal.SIGSTOP, wait=False)

    def resume(self, which: Union[int, str]) -> Node:
        return self._signal(which, signal.SIGCONT, wait=False)

    def stop(self, timeout: float = 20.0) -> None:
        """Drains all nodes at once; kills what has not ended after `timeout` seconds. Data stays."""
        running = [node for node in self.nodes if node.is_running()]
        for node in running:
            self._signal(node.name, signal.SIGTERM, wait=False)
        deadline = time.monotonic() + timeout
        for node in running:
            if not self._wait_end(node, max(0.1, deadline - time.monotonic())):
                self.kill9(node.name)

    def wipe(self, which: Union[int, str]) -> None:
        """Takes away one stopped node's data, as a new disk would."""
        node = self.node(which)
        if node.is_running():
            raise ClusterError(f"node {node.name} runs; stop it before its data is taken away")
        shutil.rmtree(node.directory / "data", ignore_errors=True)

    def __enter__(self) -> "LocalCluster":
        self.start()
        self.wait_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def master_key(self) -> Path:
        """What every environment variable of the cluster is sealed under; outside of every node's data."""
        return self.directory / "master.key"

    # -- questions -------------------------------------------------------------------------------------------------

    def node(self, which: Union[int, str]) -> Node:
        if isinstance(which, int):
            return self.nodes[which]
        for node in self.nodes:
            if node.name == which:
                return node
        raise ClusterError(f"there is no node {which}; there are {', '.join(n.name for n in self.nodes)}")

    def endpoint(self, which: Union[int, str] = 0) -> str:
        """The URL of a node's AWS API."""
        return f"http://{self.node(which).public}"

    def grpc_target(self, which: Union[int, str] = 0) -> str:
        return self.node(which).grpc

    @property
    def credentials(self) -> Credentials:
        try:
            return Credentials(**json.loads((self.directory / "credentials.json").read_text()))
        except OSError as error:
            raise ClusterError(f"there are no credentials yet; start the cluster first ({error})") from error

    def status(self, which: Union[int, str] = 0) -> Optional[dict[str, Any]]:
        """What a node says of itself and its cluster; None if it does not answer."""
        code, text = http_get(f"http://{self.node(which).admin}/status", 2.0)
        return json.loads(text) if code == 200 else None

    def metrics(self, which: Union[int, str] = 0) -> str:
        return http_get(f"http://{self.node(which).admin}/metrics", 2.0)[1]

    def leader(self) -> Optional[str]:
        """The leader's name, as most running controllers see it; None while there is none."""
        seen: list[tuple[int, str]] = []
        for node in self.nodes:
            if node.is_running() and "controller" in node.roles:
                status = self.status(node.name)
                if status and status["cluster"]["leader"]:
                    seen.append((status["cluster"]["term"], status["cluster"]["leader"]))
        if not seen:
            return None
        newest = max(term for term, _ in seen)
        return next(name for term, name in seen if term == newest)

    def wait_leader(self, timeout: float = 30.0, other_than: Optional[str] = None) -> str:
        """Waits until a running node leads (another one than `other_than`) and answers its name."""

        def led() -> Optional[str]:
            name = self.leader()
            return name if name and name != other_than and self.node(name).is_running() else None

        return wait_until(led, timeout, "a leader")

    def command(self, *arguments: str, binary: Union[str, Path, None] = None) -> subprocess.CompletedProcess:
        """Runs `dunlin ARGUMENTS`, as the cluster's build or another one, and answers how it ended and what it said."""
        command = [str(binary or self.binary), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, env=_environment({}))

    # -- inside ----------------------------------------------------------------------------------------------------

    def _launch(self, node: Node) -> None:
        for port in (node.base_port, node.base_port + 1, node.base_port + 10, node.base_port + 20):
            if not _is_free(port):
                raise ClusterError(f"port {port} of node {node.name} is taken; stop what listens there or choose other ports")
        with node.log_file.open("ab") as log:
            node.process = subprocess.Popen(
                [str(self.binary), "server", "--config", str(node.config_file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=node.directory,
                env=_environment(self.environment),
                start_new_session=True,
            )
        node.started_file.write_text(_start_time(node.process.pid))
        node.pid_file.write_text(f"{node.process.pid}\n")

    def _signal(self, which: Union[int, str], number: int, wait: bool = True) -> Node:
        node = self.node(which)
        pid = node.pid()
        if pid is not None:
            os.kill(pid, number)
            if wait and not self._wait_end(node, 10.0):
                raise ClusterError(f"node {node.name} (process {pid}) did not end within 10 s of signal {number}")
        return node

    @staticmethod
    def _wait_end(node: Node, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while node.is_running():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        node.process = None
        node.pid_file.unlink(missing_ok=True)
        return True

    def _make_credentials(self) -> None:
        if (self.directory / "credentials.json").exists():
            return
        letters = string.ascii_uppercase + "234567"
        made = {
            "access_key_id": "AKIA" + "".join(secrets.choice(letters) for _ in range(16)),
            "secret_access_key": secrets.token_urlsafe(30),
            "account": "000000000000",
            "region": "us-east-1",
        }
        _write_private(self.directory / "secret", made["secret_access_key"] + "\n")
        _write_private(
            self.directory / "credentials",
            f"[default]\naws_access_key_id = {made['access_key_id']}\naws_secret_access_key = {made['secret_access_key']}\n",
        )
        _write_private(self.directory / "credentials.json", json.dumps(made, indent=2) + "\n")

    def _run(self, *arguments: str) -> None:
        done = self.command(*arguments)
        if done.returncode != 0:
            raise ClusterError(f"dunlin {' '.join(arguments)} failed:\n{done.stderr or done.stdout}")


def aws_client(boto3: Any, cluster: LocalCluster, which: Union[int, str] = 0, service: str = "lambda", **config: Any) -> Any:
    """A boto3 client of one node. `config` goes to botocore's Config; without it there are no retries."""
    from botocore.config import Config  # noqa: PLC0415  (only callers that have boto3 come here)

    made = cluster.credentials
    config.setdefault("retries", {"total_max_attempts": 1})
    config.setdefault("connect_timeout", 5)
    return boto3.client(
        service,
        endpoint_url=cluster.endpoint(which),
        region_name=made.region,
        aws_access_key_id=made.access_key_id,
        aws_secret_access_key=made.secret_access_key,
        config=Config(**config),
    )


def missing_walls(binary: Union[str, Path]) -> list[str]:
    """The pieces of a sandbox that this machine cannot enforce and that may be waived."""
    done = subprocess.run(
        [str(binary), "doctor", "--json"], capture_output=True, text=True, timeout=60, env=_environment({})
    )
    try:
        report = json.loads(done.stdout)
    except json.JSONDecodeError as error:
        raise ClusterError(f"dunlin doctor gave no report:\n{done.stderr or done.stdout}") from error
    return list(report["sandbox"]["waivable"])


def wait_until(probe: Callable[[], Any], timeout: float, what: str) -> Any:
    """Asks until the answer is truthy, and returns it; raises `ClusterError` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise ClusterError(f"{what}: not within {timeout:.0f} s")
        time.sleep(0.05)


def http_get(url: str, timeout: float) -> tuple[int, str]:
    """Status and body; status 0 if nobody answered. Proxies of the environment are not asked."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except (OSError, ValueError) as error:
        return 0, str(error)


def free_base_port(nodes: int) -> int:
    """A base port whose whole pattern is free now, below the range that outgoing connections use."""
    offsets = [STEP * i + o for i in range(nodes) for o in (0, 1, 10, 20)]
    for _ in range(200):
        base = 10_000 + secrets.randbelow((32_000 - 10_000 - STEP * nodes) // 30) * 30
        if all(_is_free(base + offset) for offset in offsets):
            return base
    raise ClusterError("no free range of ports between 10000 and 32000")


def toml_text(config: dict[str, Any]) -> str:
    """TOML of a dictionary of sections; lists of dictionaries become arrays of tables."""
    lines: list[str] = []
    for section, values in config.items():
        lines.append(f"[{section}]")
        tables = {k: v for k, v in values.items() if isinstance(v, list) and v and isinstance(v[0], dict)}
        lines += [f"{key} = {_toml_value(value)}" for key, value in values.items() if key not in tables]
        lines.append("")
        for key, rows in tables.items():
            for row in rows:
                lines.append(f"[[{section}.{key}]]")
                lines += [f"{k} = {_toml_value(v)}" for k, v in row.items()]
                lines.append("")
    return "\n".join(lines)


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml_value(v) for v in value) + "]"
    return json.dumps(str(value))


def _write_private(path: Path, text: str) -> None:
    with open(path, "w", opener=lambda p, flags: os.open(p, flags, 0o600)) as file:
        file.write(text)


def _environment(extra: dict[str, str]) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("DUNLIN_")}
    return {**inherited, **extra}


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                return False
    return True


def _start_time(pid: int) -> str:
    """When a process began, in clock ticks since boot; a process id that was given anew differs in it."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]
