"""What code in a sandbox can reach, as a user's function finds it."""

import os
import socket

import pytest
import zips
from clients import create, invoke, wait_active

REFUSALS = {"ENOENT", "EACCES", "EPERM", "EROFS", "ENOTDIR"}
NO_NETWORK = {"ECONNREFUSED", "ENETUNREACH", "EHOSTUNREACH", "EACCES", "EPERM", "EADDRNOTAVAIL"}
CLONE_NEWUSER = 0x10000000
CLONE_NEWNS = 0x00020000


@pytest.fixture(scope="module")
def explorer(client):
    """Lets a function try something; answers what happened."""
    name = "explorer"
    create(client, name, zips.function("exploring"), "exploring.handler", Timeout=30, MemorySize=512)
    wait_active(client, name)

    def explore(do, **arguments):
        answer = invoke(client, name, {"do": do, "with": arguments})
        assert answer.error is None, answer.payload
        return answer.payload

    yield explore
    client.delete_function(FunctionName=name)


def refused(result, allowed=REFUSALS):
    assert result.get("refused") in allowed, result


def test_it_sees_its_own_code(explorer):
    assert explorer("listing", path="/var/task") == {"done": ["exploring.py"]}


def test_it_does_not_see_the_hosts_files(explorer, cluster, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("of the host")
    secret.chmod(0o644)
    for path in (secret, cluster.directory / "secret", cluster.nodes[0].config_file, "/root", "/home", "/etc/shadow", __file__):
        result = explorer("listing" if os.path.isdir(path) else "read", path=str(path))
        assert result.get("refused") in REFUSALS or result == {"done": []}, (path, result)
    marker = f"/tmp/{tmp_path.name}"
    os.mkdir(marker)
    try:
        assert os.path.basename(marker) not in explorer("listing", path="/tmp")["done"]
    finally:
        os.rmdir(marker)


def test_it_does_not_see_the_hosts_processes(explorer):
    seen = explorer("identity")["done"]
    assert len(seen["processes"]) < 10
    # A process id that is surely alive on the host, and not inside.
    refused(explorer("kill", pid=os.getpid()), {"ESRCH"})


def test_it_has_no_privileges(explorer):
    seen = explorer("identity")["done"]
    assert seen["uid"] != 0 and seen["gid"] != 0 and 0 not in seen["groups"]
    assert seen["effective_capabilities"] == seen["permitted_capabilities"] == 0
    assert seen["no_new_privileges"] == "1"
    assert seen["seccomp"] == "2"
    assert seen["open_files"] < 12
    # No user of the sandbox is the host's root, so there may be nobody to become.
    refused(explorer("become", uid=0), REFUSALS | {"EINVAL"})
    refused(explorer("mount", target="/tmp"))
    refused(explorer("unshare", flags=CLONE_NEWUSER), REFUSALS | {"ENOSPC", "ENOSYS", "EINVAL"})
    refused(explorer("unshare", flags=CLONE_NEWNS))


def test_it_does_not_inherit_the_hosts_environment(explorer):
    inside = explorer("identity")["done"]["environment"]
    for name in ("HOME", "USER", "SUDO_USER", "CARGO_HOME", "VIRTUAL_ENV", "PYTEST_CURRENT_TEST"):
        assert inside.get(name) != os.environ.get(name) or name not in os.environ
    assert not [name for name in inside if name.startswith("DUNLIN_")]


@pytest.mark.parametrize("path", ["/x", "/var/task/x", "/var/runtime/x", "/opt/x", "/usr/x", "/etc/x", "/var/x", "/bin/sh", "/var/task/exploring.py"])
def test_it_writes_nowhere_but_in_tmp(explorer, path):
    refused(explorer("write", path=path), REFUSALS | {"ETXTBSY"})


def test_tmp_is_its_own_and_lasts_as_long_as_the_environment(client, deploy):
    first, second = deploy("exploring", Timeout=20), deploy("exploring", Timeout=20)

    def explore(name, do, **arguments):
        return invoke(client, name, {"do": do, "with": arguments}).payload

    assert explore(first, "write", path="/tmp/note", text="of the first") == {"done": 12}
    assert explore(first, "read", path="/tmp/note") == {"done": "of the first"}
    assert explore(second, "read", path="/tmp/note")["refused"] == "ENOENT"
    assert not os.path.exists("/tmp/note")


def test_tmp_is_as_large_as_configured(explorer):
    assert explorer("reserve", path="/tmp/large", size=100 << 20) == {"done": 100 << 20}
    refused(explorer("reserve", path="/tmp/large", size=600 << 20), {"ENOSPC"})


def test_it_has_a_network_of_its_own(explorer, client, deploy):
    own = explorer("link", path="/proc/self/ns/net")["done"]
    assert own != os.readlink("/proc/self/ns/net")
    assert explorer("identity")["done"]["network_interfaces"] == ["lo"]
    other = deploy("exploring")
    assert invoke(client, other, {"do": "link", "with": {"path": "/proc/self/ns/net"}}).payload["done"] != own


def test_it_reaches_its_own_runtime_api_the_public_api_and_nothing_else(explorer, cluster):
    for port in (9000, 9001):
        assert explorer("connect", host="127.0.0.1", port=port) == {"done": "connected"}
    for node in cluster.nodes:
        for port in (node.base_port, node.base_port + 1, node.base_port + 10, node.base_port + 20):
            refused(explorer("connect", host="127.0.0.1", port=port), NO_NETWORK)


def host_addresses():
    """Loopback, and the address from which this machine would go out. Connecting a datagram socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return ["127.0.0.1", probe.getsockname()[0]]
        except OSError:
            return ["127.0.0.1"]


def test_it_cannot_knock_at_a_door_of_the_host(explorer):
    """A listener on all of the host's addresses that is never reached, and the metadata address of clouds."""
    with socket.create_server(("0.0.0.0", 0)) as listener:
        listener.settimeout(0)
        port = listener.getsockname()[1]
        for address in host_addresses():
            refused(explorer("connect", host=address, port=port), NO_NETWORK)
        with pytest.raises(BlockingIOError):
            listener.accept()
    refused(explorer("connect", host="169.254.169.254", port=80), NO_NETWORK)


def test_two_functions_do_not_reach_each_other(client, deploy):
    """Both have a runtime API at the same address; each finds only its own there."""
    first, second = deploy("exploring"), deploy("exploring")
    seen = {}
    for name in (first, second):
        answer = invoke(client, name, {"do": "connect", "with": {"host": "127.0.0.1", "port": 9001}})
        seen[name] = answer.payload
        other = invoke(client, name, {"do": "identity"}).payload["done"]
        assert other["environment"]["AWS_LAMBDA_RUNTIME_API"] == "127.0.0.1:9001"
    assert seen == {first: {"done": "connected"}, second: {"done": "connected"}}
    assert invoke(client, first, {"do": "identity"}).payload["done"]["environment"]["AWS_LAMBDA_FUNCTION_NAME"] == first


@pytest.mark.parametrize(
    ("family", "kind", "protocol"),
    [(socket.AF_PACKET, socket.SOCK_RAW, 3), (socket.AF_INET, socket.SOCK_RAW, 1), (40, socket.SOCK_STREAM, 0)],
    ids=["packet", "raw", "vsock"],
)
def test_odd_sockets_are_refused(explorer, family, kind, protocol):
    refused(explorer("open_socket", family=int(family), kind=int(kind), protocol=protocol), REFUSALS | {"EAFNOSUPPORT", "EPROTONOSUPPORT"})


def test_a_fork_bomb_hits_its_limit_and_harms_nobody(explorer, client, deploy):
    neighbour = deploy("echo")
    done = explorer("fork_until_refused", limit=3000)["done"]
    assert 100 < done <= 1024
    assert invoke(client, neighbour, {"fine": True}).payload == {"fine": True}
    assert explorer("identity")["done"]["uid"] != 0


def test_kernel_and_devices_are_out_of_reach(explorer):
    refused(explorer("read", path="/dev/mem"))
    refused(explorer("read", path="/dev/kmsg"))
    refused(explorer("write", path="/proc/sysrq-trigger"))
    refused(explorer("write", path="/proc/sys/kernel/core_pattern"))
    refused(explorer("read", path="/proc/kcore"), REFUSALS)
    assert explorer("write", path="/dev/null") == {"done": 1}
