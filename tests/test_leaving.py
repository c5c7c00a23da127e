"""`dunlin controller leave`: an operator takes a controller out, and it stays out or comes back."""

import time

import pytest
import zips
from clients import ONE_ATTEMPT, create, invoke, lambda_client, wait_active
from cluster import wait_until
from clusters import TwoAccountCluster, watched
from workload import first_success

FUNCTION = "known"


@pytest.fixture
def group(dunlin, tmp_path):
    """Three nodes with every role each."""
    with watched(TwoAccountCluster(dunlin, tmp_path)) as cluster:
        client = lambda_client(cluster.endpoint("a"), cluster.credentials)
        create(client, FUNCTION, zips.function("echo"), "echo.handler", Publish=True)
        wait_active(client, FUNCTION)
        client.create_alias(FunctionName=FUNCTION, Name="probe", FunctionVersion="1")
        yield cluster


def members(cluster, node):
    """The controllers' group as this node sees it: who is in it, and whether with a vote."""
    status = cluster.status(node)
    return {each["name"]: each["voter"] for each in status["cluster"]["controllers"]} if status else None


def wait_voters(cluster, names):
    """Waits until each of these nodes sees them in the group, all with a vote, and nobody else."""
    for node in names:
        wait_until(lambda: members(cluster, node) == dict.fromkeys(names, True), 20, f"the voters {names} at node {node}")


def leave(cluster, who, asked_by):
    return cluster.command("controller", "leave", who, "--config", str(cluster.node(asked_by).config_file))


def write(cluster, node, text):
    client = lambda_client(cluster.endpoint(node), cluster.credentials, **ONE_ATTEMPT)
    client.update_alias(FunctionName=FUNCTION, Name="probe", Description=text)


def come_back(group, victim, measured, who):
    """Starts a controller that was taken out: it is in the group again, and has what was written without it."""
    began = time.monotonic()
    group.start_node(victim)
    wait_voters(group, ["a", "b", "c"])
    measured(f"{who}: in the group again {time.monotonic() - began:.2f} s after its start")
    group.wait_ready(names=[victim])
    client = lambda_client(group.endpoint(victim), group.credentials)
    assert client.get_alias(FunctionName=FUNCTION, Name="probe")["Description"] == "without it"
    return client


def test_a_follower_leaves_and_comes_back_with_an_empty_disk(group, measured):
    leader = group.wait_leader()
    victim, other = (node.name for node in group.nodes if node.name != leader)
    before = group.status(victim)["node"]["incarnation"]
    group.terminate(victim)

    # Asked with the identity of either: a follower says who leads.
    done = leave(group, victim, asked_by=other)
    assert (done.returncode, done.stdout) == (0, f"{victim} is no controller of this cluster any more\n"), done.stderr
    wait_voters(group, [leader, other])
    again = leave(group, victim, asked_by=leader)
    assert again.returncode == 1 and f"expected the name of a member, got {victim}" in again.stderr, again.stderr
    write(group, other, "without it")

    group.wipe(victim)
    client = come_back(group, victim, measured, "a controller that had left")
    assert group.status(victim)["node"]["incarnation"] != before

    # It counts: with it and one other there is a quorum.
    group.kill9(leader)
    first_success(lambda: write(group, other, "with it"), time.monotonic(), 10)
    assert client.get_alias(FunctionName=FUNCTION, Name="probe")["Description"] == "with it"
    assert invoke(client, FUNCTION, {"by": victim}).payload == {"by": victim}


def test_a_controller_that_was_taken_out_while_it_was_down_comes_back_with_its_disk(group, measured):
    leader = group.wait_leader()
    victim, other = (node.name for node in group.nodes if node.name != leader)
    before = group.status(victim)["node"]["incarnation"]
    group.kill9(victim)
    done = leave(group, victim, asked_by=other)
    assert done.returncode == 0, done.stderr
    write(group, other, "without it")

    # Its disk says that it is a member.
    come_back(group, victim, measured, "a controller that had left, with its disk")
    assert group.status(victim)["node"]["incarnation"] == before


def test_a_controller_that_is_taken_out_while_it_runs_stays_out(group):
    leader = group.wait_leader()
    victim, other = (node.name for node in group.nodes if node.name != leader)
    done = leave(group, victim, asked_by=other)
    assert done.returncode == 0, done.stderr
    # Longer than one that comes back waits before it asks.
    until = time.monotonic() + 5
    while time.monotonic() < until:
        wait_voters(group, sorted([leader, other]))
        time.sleep(0.5)
