"""What is between the nodes is closed to everybody else."""

import socket
import ssl
import subprocess

import grpc
import pytest
from clients import invoke
from cluster import http_get


def may_speak(address, authority, identity=None):
    """Whether a node answers HTTP/2 under TLS; one that misses a certificate hangs up only after the handshake."""
    context = ssl.create_default_context(cafile=str(authority))
    context.check_hostname = False
    context.set_alpn_protocols(["h2"])
    if identity is not None:
        context.load_cert_chain(identity / "node.pem", identity / "node.key")
    host, port = address.split(":")
    try:
        with socket.create_connection((host, int(port)), timeout=5) as plain, context.wrap_socket(plain) as secure:
            # The preface of HTTP/2 and an empty SETTINGS frame; whoever may speak gets a SETTINGS frame back.
            secure.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5))
            return secure.recv(9)[3:4] == b"\x04"
    except (ssl.SSLError, ConnectionError):
        return False


@pytest.fixture
def identity(cluster):
    return cluster.node("a").directory / "identity"


def test_a_node_of_the_cluster_may_speak(cluster, identity):
    assert may_speak(cluster.node("b").internal, identity / "ca.pem", identity)


def test_without_a_certificate_nobody_may(cluster, identity):
    assert not may_speak(cluster.node("b").internal, identity / "ca.pem")


def test_with_a_certificate_of_another_authority_nobody_may(cluster, identity, dunlin, tmp_path):
    subprocess.run([dunlin, "ca", "init", tmp_path / "ca", "--cluster", "local"], check=True, capture_output=True)
    own = issue(dunlin, tmp_path / "ca", "a", "controller,worker,frontend", tmp_path / "own")
    assert not may_speak(cluster.node("b").internal, identity / "ca.pem", own)


def issue(dunlin, authority, node, roles, directory):
    """A certificate of an authority, as its operator makes them."""
    command = [dunlin, "ca", "issue", authority, "--node", node, "--roles", roles, "--out", directory]
    subprocess.run(command, check=True, capture_output=True)
    return directory


@pytest.mark.parametrize(
    ("roles", "service", "method"),
    [("worker", "Raft", "Vote"), ("frontend", "Raft", "Append"), ("worker", "Catalog", "Mutate"), ("worker", "Worker", "Invoke")],
)
def test_a_node_may_only_do_what_its_role_does(cluster, identity, dunlin, tmp_path, roles, service, method):
    """A machine that runs strangers' code must not become a controller by speaking as one."""
    own = issue(dunlin, cluster.directory / "ca", "x", roles, tmp_path / "own")
    credentials = grpc.ssl_channel_credentials(
        (identity / "ca.pem").read_bytes(), (own / "node.key").read_bytes(), (own / "node.pem").read_bytes()
    )
    with grpc.secure_channel(cluster.node("b").internal, credentials, [("grpc.enable_http_proxy", 0)]) as channel:
        path = f"/dunlin.internal.v1.{service}/{method}"
        call = channel.stream_stream(path) if method == "Invoke" else channel.unary_unary(path)
        with pytest.raises(grpc.RpcError) as refused:
            answer = call(iter([b""]) if method == "Invoke" else b"", timeout=10)
            list(answer)
    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED


def test_plain_text_and_noise_are_hung_up_on(cluster, client, deploy):
    host, port = cluster.node("a").internal.split(":")
    for noise in (b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", bytes(5000)):
        with socket.create_connection((host, int(port)), timeout=15) as connection:
            try:
                connection.sendall(noise)
                while connection.recv(4096):
                    pass
            except ConnectionError:
                pass
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gossip:
        for size in (0, 1, 100, 1200, 9000):
            gossip.sendto(b"\xff" * size, (host, int(port)))
    assert invoke(client, deploy("echo"), {"a": 1}).payload == {"a": 1}
    assert len(cluster.status("a")["members"]) == 3


def test_every_node_tells_of_itself(cluster):
    for node in cluster.nodes:
        assert http_get(f"http://{node.admin}/healthz", 2) == (200, "alive\n")
        status = cluster.status(node.name)
        assert status["node"]["name"] == node.name
        assert status["cluster"]["leader"] in "abc"
        assert {member["name"] for member in status["members"]} == {"a", "b", "c"}
        assert status["catalog"]["following"] and status["readiness"]["ready"]
        metrics = cluster.metrics(node.name)
        assert metrics.endswith("# EOF\n") and "dunlin_worker_invocations_total" in metrics


def test_secrets_are_in_no_log(cluster, client, deploy):
    """Neither keys nor environment variables nor payloads."""
    name = deploy("echo", Environment={"Variables": {"TOKEN": "swordfish-of-the-test"}})
    invoke(client, name, {"password": "opensesame-of-the-test"})
    logs = b"".join(node.log_file.read_bytes() for node in cluster.nodes)
    for secret in ("swordfish-of-the-test", "opensesame-of-the-test", cluster.credentials.secret_access_key):
        assert secret.encode() not in logs
