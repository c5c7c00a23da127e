"""Nodes that die while clients are at work.

Every client here has the SDK's own retries unless it says otherwise, and most speak to one frontend, as a client behind no
load balancer does. A client whose only frontend is dead cannot be helped by the others; a test says so, and another shows
what a load balancer mends.
"""

import itertools
import re
import time

import pytest
import zips
from balancer import Balancer
from botocore.exceptions import ClientError, EndpointConnectionError
from clients import ONE_ATTEMPT, create, invoke, lambda_client, wait_active
from cluster import wait_until
from clusters import TwoAccountCluster, watched
from neighbours import Neighbours
from workload import Invocations, Writes, first_success

# In one zone, so that every frontend sends work to every worker: a frontend prefers its own zone.
NODES = (("a", "z"), ("b", "z"), ("c", "z"), ("d", "z", ("worker",)))
CONTROLLERS = "abc"
# What is asked of the cluster: writes are accepted again so soon after `kill -9` of the leader, a dead node is out of routing, a
# restarted one is back in it.
AGAIN_MAX = 3.0
# A write that cannot have a quorum is not waited for any longer.
REFUSED_MAX = 1.5
SOON = 10.0
FUNCTION = "known"
OTHER = "known-too"
COLD = "known-and-not-run"
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def faulty(dunlin, tmp_path_factory):
    """Three whole nodes, and one that only works."""
    with watched(TwoAccountCluster(dunlin, tmp_path_factory.mktemp("faulty"), nodes=NODES)) as cluster:
        client = client_of(cluster, "a")
        for name in (FUNCTION, OTHER, COLD):
            create(client, name, zips.function("slow_echo"), "slow_echo.handler", Publish=True, Timeout=10)
        client.get_waiter("function_active_v2").wait(FunctionName=FUNCTION)
        client.create_alias(FunctionName=FUNCTION, Name=Writes.ALIAS, FunctionVersion="1")
        for node in CONTROLLERS:
            for name in (FUNCTION, OTHER, COLD):
                wait_active(client_of(cluster, node), name)
        yield cluster


@pytest.fixture(autouse=True)
def healed(faulty):
    """Every test begins with a whole cluster, and with the function warm somewhere."""
    for node in faulty.nodes:
        faulty.resume(node.name)
        faulty.start_node(node.name)
    faulty.wait_ready()
    faulty.wait_leader()
    names = {node.name for node in faulty.nodes}
    for node in faulty.nodes:
        wait_until(lambda: members(faulty, node.name) == names, 15, f"all members at node {node.name}")
    for node in CONTROLLERS:
        invoke(client_of(faulty, node), FUNCTION, {"warm": node})


def client_of(cluster, node, **config):
    return lambda_client(cluster.endpoint(node), cluster.credentials, **config)


def members(cluster, node):
    """The nodes that this node hears of."""
    status = cluster.status(node)
    return {member["name"] for member in status["members"]} if status else set()


def others(*nodes):
    return [node for node in CONTROLLERS if node not in nodes]


def control_write(cluster, node):
    """One write, tried once."""
    client = client_of(cluster, node, **ONE_ATTEMPT)
    return lambda: client.update_alias(FunctionName=FUNCTION, Name="probe", FunctionVersion="1")


@pytest.fixture(scope="module", autouse=True)
def probe(faulty):
    client_of(faulty, "a").create_alias(FunctionName=FUNCTION, Name="probe", FunctionVersion="1")


def die_under_load(faulty, victim, measured, stalls, prefix):
    """Kills a node under load. No client of another node may notice; nothing acknowledged may be missing."""
    alive = others(victim)
    leads = victim == faulty.wait_leader()
    functions = [FUNCTION, OTHER, *preferred_by(faulty, victim, alive[0], 3)]
    invocations = Invocations([(client_of(faulty, node), name) for node in alive[:2] for name in functions], seconds=0.2)
    writes = Writes(client_of(faulty, alive[0]), FUNCTION, prefix)
    before = invocations_served(faulty, victim)
    with invocations, writes:
        invocations.wait_for(100)
        writes.wait_for(20)
        assert invocations_served(faulty, victim) > before + 10
        killed = time.monotonic()
        faulty.kill9(victim)
        first_success(control_write(faulty, alive[-1]), killed, SOON)
        writable = time.monotonic()
        wait_until(
            lambda: all(victim not in members(faulty, node) for node in alive),
            max(0.1, killed + SOON - time.monotonic()),
            f"node {victim} is out of routing",
        )
        gone = time.monotonic()
        invocations.wait_for(200)
        writes.wait_for(20)
    measured(
        f"kill -9 of {'the leader' if leads else 'a node that does not lead'} ({victim}): "
        f"{invocations.done} invocations of 0.2 s, slowest {invocations.slowest:.2f} s, {invocations.retries} tried again by the SDK"
    )
    assert invocations.failures == []
    measured(stalls.hold(AGAIN_MAX, f"  {victim} killed: control writes again", killed, writable))
    measured(stalls.hold(AGAIN_MAX, f"  {victim} killed: out of routing", killed, gone))
    for node in alive:
        writes.verify(client_of(faulty, node))
    # To start is work, where to notice a death is mostly to wait.
    neighbours = Neighbours()
    restarted = neighbours.now()
    faulty.start_node(victim)
    wait_until(
        lambda: all(victim in members(faulty, node) for node in alive),
        SOON,
        f"node {victim} is in routing again",
    )
    measured(neighbours.hold(AGAIN_MAX, f"  {victim} started anew: in routing again", restarted, neighbours.now()))
    faulty.wait_ready(names=[victim])
    if victim in CONTROLLERS:
        writes.verify(client_of(faulty, victim))
    functions += preferred_by(faulty, victim, alive[0], 1)
    writes.clean_up(client_of(faulty, alive[0]))
    for name in functions[2:]:
        client_of(faulty, alive[0]).delete_function(FunctionName=name)


def invocations_served(cluster, node):
    """How many invocations the worker of a node has taken, by its own count."""
    counts = re.findall(r"^dunlin_worker_invocations_total(?:\{[^}]*\})? (\d+(?:\.\d+)?)$", cluster.metrics(node), re.MULTILINE)
    return sum(map(float, counts))


def preferred_by(faulty, node, frontend, count):
    """Functions that the worker of a node runs: new ones, of which every worker gets some, until `count` came to it."""
    client = client_of(faulty, frontend)
    found = []
    for _ in range(30 * count):
        name = f"new-{next(NUMBERS)}"
        create(client, name, zips.function("slow_echo"), "slow_echo.handler", Timeout=10)
        wait_active(client, name)
        before = invocations_served(faulty, node)
        invoke(client, name, {})
        if invocations_served(faulty, node) > before:
            found.append(name)
        else:
            client.delete_function(FunctionName=name)
        if len(found) == count:
            return found
    raise AssertionError(f"the worker of node {node} gets no work")


def test_the_leader_is_killed(faulty, measured, stalls):
    die_under_load(faulty, faulty.wait_leader(), measured, stalls, "leader")


def test_a_follower_is_killed(faulty, measured, stalls):
    leader = faulty.wait_leader()
    die_under_load(faulty, others(leader)[0], measured, stalls, "follower")


def test_a_node_that_only_works_is_killed(faulty, measured, stalls):
    die_under_load(faulty, "d", measured, stalls, "worker")


def test_behind_a_load_balancer_the_death_of_a_frontend_fails_nothing(faulty, measured):
    """The node that has the clients' connections dies, and leads, and works: all at once."""
    victim = faulty.wait_leader()
    with Balancer(faulty) as balancer:
        # Each has connections of its own, which the balancer deals out in turn.
        each = [lambda_client(balancer.endpoint, faulty.credentials) for _ in range(6)]
        invocations = Invocations([(client, FUNCTION) for client in each], seconds=0.5)
        with invocations:
            invocations.wait_for(30)
            through = balancer.carried(victim)
            faulty.kill9(victim)
            invocations.wait_for(100)
    measured(
        f"kill -9 of the node ({victim}) that served {through} of {len(each)} clients: {invocations.done} invocations, "
        f"slowest {invocations.slowest:.2f} s, {invocations.retries} tried again by the SDK"
    )
    assert through > 0
    assert invocations.retries > 0
    assert invocations.failures == []


def test_a_mapping_outlives_the_leader_that_took_it(faulty):
    """Acknowledged by a leader that dies at once, and settled by the next one."""
    leader = faulty.wait_leader()
    client = client_of(faulty, others(leader)[0])
    arn = "arn:aws:sqs:us-east-1:000000000000:outliving"
    uuid = client.create_event_source_mapping(FunctionName=FUNCTION, EventSourceArn=arn)["UUID"]
    faulty.kill9(leader)
    state = lambda: client.get_event_source_mapping(UUID=uuid)["State"]
    wait_until(lambda: state() == "Enabled", SOON, "the mapping is enabled")
    client.delete_event_source_mapping(UUID=uuid)
    listed = lambda: client.list_event_source_mappings(EventSourceArn=arn)["EventSourceMappings"]
    wait_until(lambda: listed() == [], SOON, "the mapping is gone")


def test_a_leader_that_hangs_is_replaced(faulty, measured):
    """Stopped, not killed: its connections stay open and nobody answers."""
    leader = faulty.wait_leader()
    alive = others(leader)
    invocations = Invocations([(client_of(faulty, node), name) for node in alive for name in (FUNCTION, OTHER)])
    with invocations:
        invocations.wait_for(50)
        began = time.monotonic()
        faulty.pause(leader)
        gap = first_success(control_write(faulty, alive[0]), began, 15)
        invocations.wait_for(100)
        faulty.resume(leader)
        invocations.wait_for(50)
    measured(f"a hanging leader: control writes again after {gap:.2f} s, slowest invocation {invocations.slowest:.2f} s")
    assert invocations.failures == []
    wait_until(lambda: faulty.status(leader)["cluster"]["leader"] == faulty.leader(), 10, "the old leader follows")


def test_a_client_of_a_dead_frontend_waits_for_it_and_others_do_not(faulty):
    """An SDK knows one endpoint: what it does when that is gone is for a load balancer, or the caller, to mend."""
    victim, other = others(faulty.wait_leader())
    client = client_of(faulty, victim, connect_timeout=2)
    assert invoke(client, FUNCTION, {"a": 1}).payload == {"a": 1}
    faulty.kill9(victim)
    with pytest.raises(EndpointConnectionError):
        invoke(client, FUNCTION, {"a": 2})
    assert invoke(client_of(faulty, other), FUNCTION, {"a": 2}).payload == {"a": 2}
    faulty.start_node(victim)
    first_success(lambda: invoke(client, FUNCTION, {"a": 3}), time.monotonic(), 20)


def test_all_nodes_are_killed_at_once(faulty, measured):
    writes = Writes(client_of(faulty, "a"), FUNCTION, "all")
    with writes:
        writes.wait_for(60)
        for node in faulty.nodes:
            faulty.kill9(node.name)
    assert len(writes.promised.created) >= 5
    began = time.monotonic()
    faulty.start()
    took = first_success(control_write(faulty, "a"), began, 30)
    measured(f"all four nodes killed at once: control writes {took:.2f} s after their start")
    for node in CONTROLLERS:
        writes.verify(client_of(faulty, node))
        assert invoke(client_of(faulty, node), FUNCTION, {"after": node}).payload == {"after": node}
    writes.clean_up(client_of(faulty, "a"))


def test_what_is_set_for_a_function_survives_the_leader(faulty):
    leader = faulty.wait_leader()
    client = client_of(faulty, others(leader)[0])
    client.put_function_event_invoke_config(FunctionName=FUNCTION, MaximumRetryAttempts=1)
    url = client.create_function_url_config(FunctionName=FUNCTION, AuthType="NONE")["FunctionUrl"]
    client.put_function_concurrency(FunctionName=FUNCTION, ReservedConcurrentExecutions=50)
    faulty.kill9(leader)

    def settings(reader):
        return (
            reader.get_function_event_invoke_config(FunctionName=FUNCTION)["MaximumRetryAttempts"],
            reader.get_function_url_config(FunctionName=FUNCTION)["FunctionUrl"],
            reader.get_function_concurrency(FunctionName=FUNCTION)["ReservedConcurrentExecutions"],
        )

    first_success(lambda: settings(client), time.monotonic(), 20)
    assert settings(client) == (1, url, 50)
    faulty.start_node(leader)
    faulty.wait_ready(names=[leader], timeout=60)
    assert settings(client_of(faulty, leader)) == (1, url, 50)
    client.delete_function_event_invoke_config(FunctionName=FUNCTION)
    client.delete_function_url_config(FunctionName=FUNCTION)
    client.delete_function_concurrency(FunctionName=FUNCTION)


def test_records_of_every_kind_outlive_the_leader_and_a_restart_of_all(faulty):
    client = client_of(faulty, others(faulty.wait_leader())[0])
    archive = zips.package({"python/kept.py": "WORD = 'kept'\n"})
    layer = client.publish_layer_version(LayerName="kept", Content={"ZipFile": archive})["LayerVersionArn"]
    profiles = {"SigningProfileVersionArns": ["arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/0"]}
    signing = client.create_code_signing_config(AllowedPublishers=profiles)["CodeSigningConfig"]["CodeSigningConfigArn"]
    client.create_capacity_provider(
        CapacityProviderName="kept",
        VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": []},
        PermissionsConfig={"CapacityProviderOperatorRoleArn": "arn:aws:iam::000000000000:role/r"},
    )
    code = zips.package({"app.py": "import kept\ndef handler(event, context):\n    return kept.WORD\n"})
    create(client, "keeper", code, "app.handler", Layers=[layer], CodeSigningConfigArn=signing, Publish=True)
    faulty.kill9(faulty.wait_leader())
    faulty.wait_leader()
    wait_active(client, "keeper")
    client.delete_layer_version(LayerName="kept", VersionNumber=1)
    for node in faulty.nodes:
        faulty.kill9(node.name)
    for node in faulty.nodes:
        faulty.start_node(node.name)
    faulty.wait_ready()
    faulty.wait_leader()
    for node in CONTROLLERS:
        reader = client_of(faulty, node)
        assert invoke(reader, "keeper", Qualifier="1").payload == "kept"
        assert reader.get_function_code_signing_config(FunctionName="keeper")["CodeSigningConfigArn"] == signing
        assert reader.get_capacity_provider(CapacityProviderName="kept")["CapacityProvider"]["State"] == "Failed"
        assert reader.list_layer_versions(LayerName="kept")["LayerVersions"] == []
    assert client.publish_layer_version(LayerName="kept", Content={"ZipFile": archive})["Version"] == 2


def test_a_follower_that_lost_its_disk_comes_back_as_another(faulty):
    leader = faulty.wait_leader()
    victim, other = others(leader)
    old = faulty.status(victim)
    faulty.kill9(victim)
    faulty.wipe(victim)
    writes = Writes(client_of(faulty, other), FUNCTION, "wiped")
    with writes:
        writes.wait_for(30)
        faulty.start_node(victim)
        faulty.wait_ready(names=[victim], timeout=60)
        writes.wait_for(10)
    assert writes.failures == []
    new = faulty.status(victim)
    assert new["node"]["incarnation"] != old["node"]["incarnation"]
    assert new["cluster"]["id"] == old["cluster"]["id"]
    goal = faulty.status(leader)["cluster"]["applied"]
    wait_until(lambda: faulty.status(victim)["cluster"]["applied"] >= goal, 20, "the new member has caught up")
    writes.verify(client_of(faulty, victim))
    # It counts again: with it and one other, without the old leader, there is a quorum.
    faulty.kill9(leader)
    first_success(control_write(faulty, other), time.monotonic(), 10)
    writes.clean_up(client_of(faulty, other))


def assert_refused_soon(faulty, node, measured, stalls):
    """A control write without a quorum is refused as temporary, and soon."""
    client = client_of(faulty, node, **ONE_ATTEMPT)
    for call in (
        lambda: client.update_alias(FunctionName=FUNCTION, Name="probe", FunctionVersion="1"),
        lambda: create(client, "never", zips.function("echo"), "echo.handler"),
    ):
        began = time.monotonic()
        with pytest.raises(ClientError) as refused:
            call()
        ended = time.monotonic()
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        assert refused.value.response["Error"]["Code"] in ("ServiceUnavailableException", "ServiceException")
        measured(stalls.hold(REFUSED_MAX, "a control write without a quorum: refused", began, ended))


def test_without_a_quorum_functions_run_and_control_writes_are_refused(faulty, measured, stalls):
    leader = faulty.wait_leader()
    survivor = others(leader)[0]
    invocations = Invocations([(client_of(faulty, survivor), name) for name in (FUNCTION, OTHER)])
    with invocations:
        invocations.wait_for(50)
        for node in others(survivor):
            faulty.kill9(node)
        invocations.wait_for(100)
        assert_refused_soon(faulty, survivor, measured, stalls)
        invocations.wait_for(100)
        # A cold start needs nobody either.
        cold = invoke(client_of(faulty, survivor), COLD, {"cold": True}, LogType="Tail")
        assert cold.payload == {"cold": True} and "Init Duration" in cold.log
    assert invocations.failures == []


def test_a_node_restarted_alone_serves_from_its_own_copy(faulty, measured, stalls):
    for node in faulty.nodes:
        faulty.kill9(node.name)
    began = time.monotonic()
    faulty.start_node("b")
    client = client_of(faulty, "b", **ONE_ATTEMPT)
    took = first_success(lambda: invoke(client, FUNCTION, {"alone": True}), began, 20)
    measured(f"a node restarted alone: first invocation answered {took:.2f} s after its start")
    assert invoke(client, FUNCTION, {"alone": True}).payload == {"alone": True}
    assert invoke(client, OTHER, {"alone": True}).payload == {"alone": True}
    assert_refused_soon(faulty, "b", measured, stalls)
