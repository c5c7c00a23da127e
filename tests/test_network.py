"""Network policies: what real functions reach, against listeners behind a router that the tests make."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import zips
from botocore.exceptions import ClientError
from clients import create, invoke, lambda_client, wait_active
from cluster import wait_until
from clusters import TwoAccountCluster, watched

PROBES = Path(__file__).parent / "security" / "probes.py"
sys.path.insert(0, str(PROBES.parent))
from probes import NETWORK_PROBES  # noqa: E402

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who makes networks")

FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
# Addresses for documentation: nobody's.
SERVER, OTHER, METADATA = "203.0.113.10", "203.0.113.11", "169.254.169.254"
NAMES = {
    "api.example.com": [SERVER],
    "other.example.com": [OTHER],
    "evil.example.com": [METADATA, "127.0.0.1"],
}
SERVE = """
import socket, sys, threading
def serve(listener):
    while True:
        connection, _ = listener.accept()
        connection.sendall(b"hello")
        connection.close()
for address in sys.argv[1:]:
    host, port = address.rsplit(":", 1)
    threading.Thread(target=serve, args=(socket.create_server((host, int(port))),)).start()
print("up", flush=True)
"""
CODE = """
import socket, uuid
HERE = str(uuid.uuid4())

def reach(to):
    host, _, port = to.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            return connection.recv(5).decode()
    except OSError as error:
        return type(error).__name__

def handler(event, context):
    return {"reached": {to: reach(to) for to in event}, "environment": HERE}
"""


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def answer(query):
    """The addresses of a name, behind the question as it came."""
    end, labels = 12, []
    while query[end]:
        labels.append(query[end + 1 : end + 1 + query[end]].decode())
        end += query[end] + 1
    kind = int.from_bytes(query[end + 1 : end + 3], "big")
    found = NAMES.get(".".join(labels), []) if kind == 1 else []
    records = b"".join(b"\xc0\x0c" + bytes([0, 1, 0, 1, 0, 0, 0, 30, 0, 4]) + socket.inet_aton(a) for a in found)
    return query[:2] + b"\x81\x80\0\1" + len(found).to_bytes(2, "big") + bytes(4) + query[12 : end + 5] + records


@pytest.fixture(scope="module")
def beyond():
    """What there is to reach: two addresses behind a link, and one that stands in for a metadata service."""
    namespace = link = f"dlnet{os.getpid() % 100000}"
    forwarded = FORWARD.read_text()
    servers = []
    try:
        ip("netns", "add", namespace)
        ip("link", "add", link, "type", "veth", "peer", "name", "in", "netns", namespace)
        ip("addr", "add", "203.0.113.1/24", "dev", link)
        ip("link", "set", link, "up")
        for address in (f"{SERVER}/24", f"{OTHER}/24", f"{METADATA}/32"):
            ip("-n", namespace, "addr", "add", address, "dev", "in")
        ip("-n", namespace, "link", "set", "in", "up")
        ip("route", "add", f"{METADATA}/32", "dev", link)
        FORWARD.write_text("1")
        addresses = [f"{SERVER}:8080", f"{SERVER}:8081", f"{OTHER}:8080", f"{METADATA}:80"]
        command = ["nsenter", f"--net=/var/run/netns/{namespace}", sys.executable, "-c", SERVE, *addresses]
        servers.append(subprocess.Popen(command, stdout=subprocess.PIPE))
        assert servers[0].stdout.read(2) == b"up"
        yield
    finally:
        for server in servers:
            server.kill()
            server.wait()
        FORWARD.write_text(forwarded)
        subprocess.run(["ip", "link", "del", link], capture_output=True)
        subprocess.run(["ip", "netns", "del", namespace], capture_output=True)


@pytest.fixture(scope="module")
def name_server():
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                query, asker = names.recvfrom(1500)
                names.sendto(answer(query), asker)
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    yield f"127.0.0.1:{names.getsockname()[1]}"
    names.close()


@pytest.fixture(scope="module")
def networked(dunlin, beyond, name_server, tmp_path_factory):
    settings = {
        "network": {
            "allowed": ["none", "block", "name", "open"],
            "name_servers": [name_server],
            "policies": [
                {"name": "block", "egress": [f"{SERVER}/32:8080"]},
                {"name": "name", "egress": ["api.example.com:8080", "evil.example.com:80"]},
                {"name": "kept", "egress": ["open"]},
            ],
        }
    }
    cluster = TwoAccountCluster(dunlin, tmp_path_factory.mktemp("networked"), nodes=[("a", "a")], settings=settings)
    with watched(cluster) as running:
        yield running
    assert "dunlin" not in subprocess.run(["nft", "list", "tables"], capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def client(networked):
    return lambda_client(networked.endpoint("a"), networked.credentials)


def function(client, name, tag=None, code=CODE, **arguments):
    tags = {"Tags": {"dunlin:network": tag}} if tag else {}
    made = create(client, name, zips.package({"app.py": code}), "app.handler", Timeout=60, **tags, **arguments)
    wait_active(client, name)
    return made["FunctionArn"]


def reached(client, name, *to):
    answer = invoke(client, name, list(to))
    assert answer.error is None, answer.payload
    return answer.payload["reached"]


def test_a_function_without_a_tag_has_the_default(client):
    function(client, "net-untagged")
    assert reached(client, "net-untagged", f"{SERVER}:8080") == {f"{SERVER}:8080": "OSError"}


def test_a_block_and_a_port_are_reached_and_nothing_else(client):
    function(client, "net-block", "block")
    found = reached(client, "net-block", f"{SERVER}:8080", f"{SERVER}:8081", f"{OTHER}:8080", "api.example.com:8080")
    assert found == {
        f"{SERVER}:8080": "hello", f"{SERVER}:8081": "OSError", f"{OTHER}:8080": "OSError", "api.example.com:8080": "gaierror",
    }  # fmt: skip


def test_a_name_opens_its_addresses_and_other_names_are_refused(client, networked):
    function(client, "net-name", "name")
    found = reached(client, "net-name", f"{OTHER}:8080", "other.example.com:8080", "evil.example.com:80", "api.example.com:8080")
    assert found == {
        f"{OTHER}:8080": "OSError", "other.example.com:8080": "gaierror", "evil.example.com:80": "gaierror",
        "api.example.com:8080": "hello",
    }  # fmt: skip
    log = networked.node("a").log_file.read_text()
    assert "a name was refused that is not on the list" in log or "stands for addresses that no sandbox reaches" in log


def test_open_reaches_what_there_is(client):
    function(client, "net-open", "open")
    to = [f"{SERVER}:8080", f"{SERVER}:8081", "other.example.com:8080"]
    assert reached(client, "net-open", *to) == dict.fromkeys(to, "hello")


@pytest.mark.parametrize("tag,remedy", [("nope", "[[network.policies]]"), ("kept", "network.allowed"), ("No_Way", "a-z")])
def test_a_policy_that_is_not_there_or_not_allowed_is_refused_in_words(networked, tag, remedy):
    once = lambda_client(networked.endpoint("a"), networked.credentials, retries={"total_max_attempts": 1})
    name = f"net-refused-{tag.lower()}"
    function(once, name, tag)
    # The log names one such function every ten seconds.
    deadline = time.monotonic() + 60
    while True:
        with pytest.raises(ClientError) as refused:
            invoke(once, name, [])
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        lines = networked.node("a").log_file.read_text().splitlines()
        if any(f"function={name}" in line and remedy in line for line in lines):
            return
        assert time.monotonic() < deadline, networked.node("a").log_tail()


def test_a_changed_tag_holds_for_the_next_environment_and_ends_the_old_ones(client):
    arn = function(client, "net-changed", "open")
    to = f"{SERVER}:8080"
    before = invoke(client, "net-changed", [to]).payload
    assert before["reached"] == {to: "hello"}
    client.tag_resource(Resource=arn, Tags={"dunlin:network": "none"})
    after = {}

    def cut_off():
        after.update(invoke(client, "net-changed", [to]).payload)
        return after["reached"] == {to: "OSError"}

    wait_until(cut_off, 30, "an environment without a network")
    assert after["environment"] != before["environment"]
    client.untag_resource(Resource=arn, TagKeys=["dunlin:network"])
    assert invoke(client, "net-changed", [to]).payload["reached"] == {to: "OSError"}


@pytest.fixture(scope="module")
def world(networked):
    node = networked.nodes[0]
    own = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
    ports = [int(address.rsplit(":", 1)[1]) for address in (node.public, node.grpc, node.internal, node.admin)]
    # The addresses of this machine, its end of the link, and where sandboxes are.
    return {
        "addresses": ["203.0.113.1", *(a for a in own if ":" not in a), "198.18.0.1", "198.18.0.2", "198.18.0.3"],
        "ports": [22, *ports],
        "neighbours": [f"198.18.{block}.{last}" for block in (0, 64) for last in range(8)],
        "metadata": METADATA,
        "rebound": "evil.example.com",
    }


@pytest.fixture(scope="module")
def prober(client):
    function(client, "net-prober", "open", PROBES.read_text())
    function(client, "net-neighbour", "open")
    invoke(client, "net-neighbour", [])
    return "net-prober"


@pytest.mark.parametrize("probe", NETWORK_PROBES)
def test_no_probe_gets_anywhere_with_an_open_policy(client, prober, world, probe):
    answer = invoke(client, prober, {"probe": probe, "world": world})
    assert answer.error is None and answer.payload == {"evidence": None}, answer.payload


@pytest.mark.parametrize("probe", ["scan_the_node", "ask_for_the_credentials_of_the_machine", "scan_the_neighbours"])
def test_without_walls_it_would(networked, world, probe):
    done = subprocess.run([sys.executable, PROBES, probe, json.dumps(world)], capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout or "null") is not None, done.stderr
