"""Nothing gets out of an execution environment: each probe is run as a real function, and once without any walls, where it
must succeed. A probe that fails without walls proves nothing.
"""

import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import zips
from clients import invoke

PROBES = Path(__file__).parent / "security" / "probes.py"
sys.path.insert(0, str(PROBES.parent))
from probes import PROBES as NAMES  # noqa: E402

MEMORY_MB = 256
TMP_MB = 512
TOKEN = "a secret of the host"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="without walls it needs root")
# What a kernel may lack: then there is nothing to get at.
FAMILIES = {
    "reach_the_virtual_machine_below": (socket.AF_VSOCK, socket.SOCK_STREAM),
    "use_ciphers_of_the_kernel": (socket.AF_ALG, socket.SOCK_SEQPACKET),
}


def is_there(probe):
    if probe not in FAMILIES:
        return True
    try:
        socket.socket(*FAMILIES[probe]).close()
    except OSError:
        return False
    return True


def serve(listener):
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.sendall(b"hello")


@pytest.fixture(scope="module")
def world(cluster, tmp_path_factory):
    """What is there to be taken: a file, a process, servers, memory; and where all of it is."""
    place = tmp_path_factory.mktemp("world")
    secret = Path("/var/tmp") / f"dunlin-secret-{os.getpid()}"
    secret.write_text(TOKEN)
    secret.chmod(0o644)
    victim_name = f"dunlin-victim-{os.getpid()}"
    victim = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(10000)", victim_name], env={"SECRET": TOKEN})
    tcp = socket.create_server(("0.0.0.0", 0))
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind("\0" + victim_name)
    file = socket.socket(socket.AF_UNIX)
    file.bind(str(place / "socket"))
    for listener in (tcp, abstract, file):
        listener.listen()
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
    libc = ctypes.CDLL(None)
    key = 0x6475_0000 + os.getpid() % 0xFFFF
    segment = libc.shmget(key, 4096, 0o1666)
    node = cluster.nodes[0]
    ports = [int(address.rsplit(":", 1)[1]) for address in (node.public, node.grpc, node.internal, node.admin)]
    own = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
    yield {
        "secret": str(secret),
        "victim": victim.pid,
        "victim_name": victim_name,
        "data": str(node.directory),
        "memory_mb": MEMORY_MB,
        "tmp_mb": TMP_MB,
        "inodes": 150_000,
        "addresses": ["127.0.0.1", *own],
        "ports": ports,
        "server": tcp.getsockname()[1],
        "abstract": victim_name,
        "socket": str(place / "socket"),
        "shared_memory": key,
        "residue": "/tmp/dunlin-residue",
    }
    libc.shmctl(segment, 0, None)
    victim.kill()
    victim.wait()
    secret.unlink()
    for listener in (tcp, abstract, file):
        listener.close()


@pytest.fixture(scope="module")
def prober(client):
    """The function that probes, and one that leaves something behind."""
    names = {"security-prober": PROBES.read_text(), "security-leaver": LEAVER}
    for name, code in names.items():
        client.create_function(
            FunctionName=name, Runtime="python3.11", Role="arn:aws:iam::000000000000:role/r", Handler="app.handler",
            Code={"ZipFile": zips.package({"app.py": code})}, MemorySize=MEMORY_MB, Timeout=60,
        )  # fmt: skip
        client.get_waiter("function_active_v2").wait(FunctionName=name)
    yield "security-prober"
    for name in names:
        client.delete_function(FunctionName=name)


LEAVER = """
def handler(event, context):
    with open(event["path"], "w") as file:
        file.write("left behind")
    return open(event["path"]).read()
"""


def test_there_are_enough():
    assert len(NAMES) >= 40


@pytest.mark.parametrize("probe", NAMES)
def test_shut_in(client, prober, world, probe):
    if probe == "see_what_another_function_left":
        assert invoke(client, "security-leaver", {"path": world["residue"]}).payload == "left behind"
    answer = invoke(client, prober, {"probe": probe, "world": world})
    if answer.error is None:
        assert answer.payload == {"evidence": None}
    else:
        # The platform ended it for what it tried.
        assert answer.payload["errorType"] in ("Runtime.ExitError", "Runtime.OutOfMemory"), answer.payload


@needs_root
@pytest.mark.parametrize("probe", list(filter(is_there, NAMES)))
def test_without_walls(world, tmp_path, probe):
    Path(world["residue"]).write_text("left behind")
    (tmp_path / "code").mkdir()
    (tmp_path / "runtime").mkdir()
    here = {**world, "code": str(tmp_path / "code"), "runtime": str(tmp_path / "runtime"), "walls": False}
    command = [sys.executable, str(PROBES), probe, json.dumps(here)]
    # In namespaces of its own where it changes them, for the machine's sake: with all rights in them.
    if probe in ("change_the_network", "rename_the_host"):
        command = ["unshare", "--net", "--uts", *command]
    handle = os.open("/usr", os.O_RDONLY)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, pass_fds=[handle])
    finally:
        os.close(handle)
        Path(world["residue"]).unlink(missing_ok=True)
    assert json.loads(done.stdout or "null") is not None, done.stderr
