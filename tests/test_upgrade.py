"""A rolling upgrade, played with one build: nodes that `cluster.newest_format` holds back behave as an older one.

`make upgrade` does the same with two builds, under load.
"""

import pytest
import zips
from botocore.exceptions import ClientError
from clients import create, lambda_client, wait_active
from cluster import http_get, toml_text, wait_until
from clusters import TwoAccountCluster, watched
from workload import Writes

OLD = 1
NODES = (("a", "z"), ("b", "z"), ("c", "z"), ("d", "z", ("worker", "frontend")))
FUNCTION = "known"


class MixedCluster(TwoAccountCluster):
    """A cluster with nodes that are held back at the first format."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.held_back = {node.name for node in self.nodes}

    def config(self, node):
        config = super().config(node)
        if node.name in self.held_back:
            config["cluster"]["newest_format"] = OLD
        return config

    def exchange(self, name, held_back=False):
        """Ends a node in order and starts it as another build, ready or not."""
        (self.held_back.add if held_back else self.held_back.discard)(name)
        node = self.terminate(name)
        node.config_file.write_text(toml_text(self.config(node)))
        return self.start_node(name)

    def ask(self, what):
        """`dunlin cluster ...`, asked with the identity of node a."""
        return self.command("cluster", what, "--config", str(self.node("a").config_file))

    def seen(self):
        """The format of the cluster, and what each node reads, as each node that runs sees it."""
        told = [self.status(node.name) for node in self.nodes if node.is_running()]
        return [
            (status["cluster"]["format"], {m["name"]: m["newest_format"] for m in status["members"]}) for status in told if status
        ]

    def wait_seen(self, format, reads):
        wait_until(lambda: self.seen() == [(format, reads)] * len(self.nodes), 15, f"format {format} with {reads} at every node")


@pytest.fixture
def mixed(dunlin, tmp_path):
    with watched(MixedCluster(dunlin, tmp_path, nodes=NODES)) as cluster:
        yield cluster


def test_an_upgrade_ends_when_every_node_is_new_and_no_node_goes_back(mixed):
    client = lambda_client(mixed.endpoint("c"), mixed.credentials)
    create(client, FUNCTION, zips.function("echo"), "echo.handler", Publish=True)
    wait_active(client, FUNCTION)
    client.create_alias(FunctionName=FUNCTION, Name=Writes.ALIAS, FunctionVersion="1")
    reads = dict.fromkeys("abcd", OLD)
    mixed.wait_seen(OLD, reads)
    assert mixed.ask("status").stdout.startswith("cluster  writes format 1\n")

    # Node by node; what is left is named, and nothing is finished.
    for name in "bcad":
        refused = mixed.ask("finalize")
        assert refused.returncode == 1
        old = [node for node, newest in sorted(reads.items()) if newest == OLD]
        assert all(f"{node} [" in refused.stderr for node in old), refused.stderr
        assert refused.stderr.count(f"reads format {OLD}") == len(old), refused.stderr
        mixed.exchange(name)
        mixed.wait_ready(names=[name])
        reads[name] = mixed.status(name)["node"]["newest_format"]
        assert reads[name] > OLD
        mixed.wait_seen(OLD, reads)
    newest = reads["a"]

    # What the first format cannot express is refused at once, in words that an operator understands.
    newer = {"FunctionName": FUNCTION, "MaximumRetryAttempts": 1}
    with pytest.raises(ClientError, match="finishes the upgrade with `dunlin cluster finalize`") as refused:
        client.put_function_event_invoke_config(**newer)
    assert refused.value.response["Error"]["Code"] == "ResourceConflictException"
    assert refused.value.response["ResponseMetadata"]["RetryAttempts"] == 0

    done = mixed.ask("finalize")
    assert (done.returncode, done.stdout.split(";")[0]) == (0, f"the cluster writes format {newest}"), done.stderr
    assert mixed.ask("finalize").stdout == done.stdout
    mixed.wait_seen(newest, reads)
    assert client.put_function_event_invoke_config(**newer)["MaximumRetryAttempts"] == 1
    assert mixed.ask("status").stdout.startswith(f"cluster  writes format {newest}\n")

    # Back: a controller ends and says why, a worker with a frontend never becomes ready and says why.
    back = mixed.exchange("b", held_back=True)
    wait_until(lambda: not back.is_running(), 15, "the older build ends")
    assert "run the newer build of Dunlin on this node" in back.log_tail(5)
    edge = mixed.exchange("d", held_back=True)
    wait_until(lambda: "run the newer build" in http_get(f"http://{edge.admin}/readyz", 2.0)[1], 15, "d says why it is not ready")
    client.update_alias(FunctionName=FUNCTION, Name=Writes.ALIAS, Description="without b and d")
    for name in "bd":
        mixed.held_back.discard(name)
        if mixed.node(name).is_running():
            mixed.terminate(name)
        mixed.node(name).config_file.write_text(toml_text(mixed.config(mixed.node(name))))
        mixed.start_node(name)
    mixed.wait_ready()
    mixed.wait_seen(newest, reads)
    for name in "bd":
        made = lambda_client(mixed.endpoint(name), mixed.credentials).get_alias(FunctionName=FUNCTION, Name=Writes.ALIAS)
        assert made["Description"] == "without b and d"
