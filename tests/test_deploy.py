"""What stands in deploy/ for Docker and for Chaos Mesh, as far as it can be judged without either."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
COMPOSE = DEPLOY / "compose"
CHAOS = DEPLOY / "chaos-mesh"
ROLES = ("controller", "worker", "frontend")
ZONES = ("a", "b", "c")
NAMES = {f"{role}-{zone}" for role in ROLES for zone in ZONES}


# -- Compose -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((COMPOSE / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def keys(dunlin, compose, tmp_path_factory):
    """What init makes, by the script and the arguments that it has in the composition."""
    directory = tmp_path_factory.mktemp("compose")
    places = {f"/{place}": str(directory / place) for place in ("authority", "keys", "master-keys")}
    arguments = [places.get(argument, argument) for argument in compose["services"]["init"]["command"]]
    (directory / "keys").mkdir()
    (directory / "master-keys").mkdir()
    environment = {"PATH": f"{dunlin.parent}:{os.environ['PATH']}"}
    for _ in range(2):  # The second time finds everything there.
        subprocess.run(["sh", COMPOSE / "init.sh", *arguments], check=True, env=environment, timeout=60, capture_output=True)
    return directory / "keys"


def check(dunlin, keys, tmp_path, variables):
    """What the node's own check says of the shared file with these variables."""
    text = (COMPOSE / "dunlin.toml").read_text()
    places = {
        "/etc/dunlin/keys": str(keys),
        "/etc/dunlin/master-keys": str(keys.parent / "master-keys"),
        "/var/lib/dunlin": str(tmp_path / "data"),
    }

    def moved(value):
        for there, here in places.items():
            value = value.replace(there, here)
        return value

    file = tmp_path / "dunlin.toml"
    file.write_text(moved(text))
    environment = {"PATH": os.environ["PATH"], **{name: moved(value) for name, value in variables.items()}}
    return subprocess.run(
        [dunlin, "server", "--config", file, "--check"], capture_output=True, text=True, env=environment, timeout=60
    )


def given(variables, settings):
    """Variables as Compose passes them on, with what its user has set."""

    def put(match):
        name, operator, rest = match.groups()
        if settings.get(name):
            return settings[name]
        assert operator == ":-", f"{name} must be set: {rest}"
        return rest

    return {name: re.sub(r"\$\{(\w+)(:[-?])([^}]*)\}", put, value) for name, value in variables.items()}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_composed_node_has_a_good_configuration(dunlin, compose, keys, tmp_path, name):
    variables = given(compose["services"][name]["environment"], {"COMPOSE_SECRET": "secret"})
    role, zone = name.split("-")
    assert variables["DUNLIN_NODE__NAME"] == name
    assert variables["DUNLIN_NODE__ROLES"] == role
    assert variables["DUNLIN_NODE__ZONE"] == f"zone-{zone}"
    done = check(dunlin, keys, tmp_path, variables)
    assert done.returncode == 0, done.stderr


def test_the_check_of_a_composed_node_finds_what_is_wrong(dunlin, compose, keys, tmp_path):
    good = given(compose["services"]["worker-b"]["environment"], {"COMPOSE_SECRET": "secret"})
    for name, value in [
        ("DUNLIN_NODE__ROLES", "wroker"),
        ("DUNLIN_CLUSTER__IDENTITY_DIR", "/etc/dunlin/keys/worker-x"),
        ("DUNLIN_NODE__NAMES", "worker-b"),
    ]:
        assert check(dunlin, keys, tmp_path, {**good, name: value}).returncode != 0, name


def test_the_composition_is_three_zones_of_three_roles(compose):
    services = compose["services"]
    assert set(services) == NAMES | {"init"}
    init = services["init"]
    assert init["command"][3:] == [f"{role}-{zone}={role}" for zone in ZONES for role in ROLES]
    assert {volume.split(":")[0] for volume in init["volumes"]} == {"authority", "keys", "master-keys"}
    ports = []
    for name in NAMES:
        node = services[name]
        assert node["image"] == init["image"]
        assert node["hostname"] == name, "the others reach it by this name"
        assert node["depends_on"]["init"]["condition"] == "service_completed_successfully"
        assert node["environment"]["DUNLIN_LISTEN__ADVERTISE_INTERNAL"] == f"{name}:9010"
        assert set(node["networks"]) <= set(compose["networks"])
        volumes = dict(volume.split(":", 1) for volume in node["volumes"])
        master = {"master-keys"} if name.startswith("frontend") else set()
        assert set(volumes) == {"keys", name} | master, "master keys are for frontends alone"
        assert set(volumes) <= set(compose["volumes"])
        assert all(volumes[keys].endswith(":ro") for keys in {"keys"} | master), "only init writes keys"
        assert node.get("privileged", False) == name.startswith("worker"), "sandboxes are made by workers alone"
        ports += node.get("ports", [])
    assert len(ports) == len(set(ports)) == 6
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.fixture(scope="module")
def published():
    """What a run of `dunlin chaos` needs beside the composition."""
    return yaml.safe_load((COMPOSE / "chaos.yaml").read_text())["services"]


def test_what_chaos_needs_is_published_to_this_machine_alone(dunlin, compose, published, keys, tmp_path):
    assert set(published) == NAMES
    ports = [port for name in NAMES for port in compose["services"][name].get("ports", []) + published[name]["ports"]]
    assert len({port.rpartition(":")[0] for port in ports}) == len(ports) == 6 + 9, "every port of the host is used once"
    for name, node in published.items():
        assert set(node) == {"environment", "ports"}
        (port,) = node["ports"]
        assert port.startswith("127.0.0.1:") and port.endswith(":9020")
        variables = given({**compose["services"][name]["environment"], **node["environment"]}, {"COMPOSE_SECRET": "secret"})
        done = check(dunlin, keys, tmp_path, variables)
        assert done.returncode == 0, done.stderr


def test_the_composition_is_a_target_of_chaos(dunlin, compose, published):
    file = COMPOSE / "chaos.toml"
    target = tomllib.loads(file.read_text())
    assert {node["name"] for node in target["node"]} == NAMES
    for node in target["node"]:
        name, (role,) = node["name"], node["roles"]
        assert (name, node["zone"]) == (f"{role}-{name[-1]}", f"zone-{name[-1]}")
        assert f"{node['admin']}:9020" in published[name]["ports"]
        if role == "frontend":
            assert node["endpoint"].removeprefix("http://") + ":9000" in compose["services"][name]["ports"]
    (key,) = tomllib.loads((COMPOSE / "dunlin.toml").read_text())["auth"]["keys"]
    assert target["access_key_id"] == key["access_key_id"]
    volumes = {f"{compose['name']}_{name}" for name in compose["volumes"]}
    wiped = re.search(r"docker volume rm (\S+)$", target["hooks"]["wipe"]).group(1)
    assert {wiped.format(node=name) for name in NAMES} <= volumes
    plan = subprocess.run(
        [dunlin, "chaos", "run", "staging", "--target", file, "--seed", "1", "--dry-run"], capture_output=True, text=True, timeout=30
    )
    assert plan.returncode == 0, plan.stderr
    assert "DOES NOT FIT" not in plan.stdout and "NOT POSSIBLE" not in plan.stdout
    for command in ("kill controller-a", "up --detach --no-deps controller-a", "pause controller-a", "unpause controller-a"):
        assert f"docker compose {command}\n" in plan.stdout
    assert re.search(r"docker compose rm --force controller-[bc] && docker volume rm dunlin_controller-[bc]\n", plan.stdout)


def test_the_image_has_what_the_composition_calls(compose):
    text = (COMPOSE / "Dockerfile").read_text()
    toolchain = re.search(r'channel = "(\d+\.\d+)', (DEPLOY.parent / "rust-toolchain.toml").read_text()).group(1)
    stages = re.findall(r"^FROM (\S+)(?: AS (\w+))?$", text, re.MULTILINE)
    assert stages[0][0].startswith(f"rust:{toolchain}-") and stages[0][1] == "build"
    assert len(stages) == 2 and stages[1][1] == ""
    copied = re.findall(r"^COPY (?:--chmod=\d+ )?(deploy/\S+) (\S+)$", text, re.MULTILINE)
    assert copied and all((DEPLOY.parent / source).is_file() for source, _ in copied)
    assert f"/usr/local/bin/{compose['services']['init']['entrypoint'][0]}" in dict((place, source) for source, place in copied)
    for source, _, place in re.findall(r"^COPY --from=(\w+) (\S+) (\S+)$", text, re.MULTILINE):
        assert source == "build" and place == "/usr/local/bin/dunlin"


# -- Chaos Mesh --------------------------------------------------------------------------------------------------------

MODES = {"one", "all", "fixed", "fixed-percent", "random-max-percent"}
DURATION = re.compile(r"-?(\d+(ms|s|m|h))+$")
IO_METHODS = {"LOOKUP", "READ", "WRITE", "OPEN", "CREATE", "MKDIR", "UNLINK", "RENAME", "FLUSH", "FSYNC", "FSYNCDIR", "FALLOCATE"}
# What a fault must have, and what it may have besides: by kind, then by action.
COMMON = {"mode", "selector", "duration"}
FIELDS = {
    "PodChaos": {"pod-kill": ({"action"}, {"gracePeriod"}), "pod-failure": ({"action"}, set())},
    "NetworkChaos": {
        "partition": ({"action", "direction", "target"}, set()),
        "delay": ({"action", "delay"}, {"direction", "target"}),
        "loss": ({"action", "loss"}, {"direction", "target"}),
    },
    "IOChaos": {
        "latency": ({"action", "volumePath", "path", "delay", "percent"}, {"methods"}),
        "fault": ({"action", "volumePath", "path", "errno", "percent"}, {"methods"}),
    },
    "TimeChaos": {None: ({"timeOffset", "clockIds"}, set())},
    "StressChaos": {None: ({"stressors"}, set())},
}
KEYS = {"PodChaos": "podChaos", "NetworkChaos": "networkChaos", "IOChaos": "ioChaos", "TimeChaos": "timeChaos", "StressChaos": "stressChaos"}


def resources():
    return [
        (file.name, resource)
        for file in sorted(CHAOS.glob("*.yaml"))
        for resource in yaml.safe_load_all(file.read_text())
    ]


def judge_selector(selector):
    assert set(selector) <= {"namespaces", "labelSelectors", "expressionSelectors"}
    assert selector["namespaces"] == ["dunlin"]
    labels = selector["labelSelectors"]
    assert labels["app.kubernetes.io/name"] == "dunlin"
    assert labels.get("app.kubernetes.io/component", "worker") in ROLES
    zones = {f"zone-{zone}" for zone in ZONES}
    assert labels.get("topology.kubernetes.io/zone", "zone-a") in zones
    assert set(labels) <= {"app.kubernetes.io/name", "app.kubernetes.io/component", "topology.kubernetes.io/zone"}
    for one in selector.get("expressionSelectors", []):
        assert one["key"] == "topology.kubernetes.io/zone" and one["operator"] in ("In", "NotIn")
        assert set(one["values"]) <= zones


def judge_fault(kind, spec):
    """Whether a fault has what its kind and action need, and nothing that they do not know."""
    needed, allowed = FIELDS[kind][spec.get("action")]
    assert needed | {"mode", "selector"} <= set(spec) <= needed | allowed | COMMON
    assert spec["mode"] in MODES
    judge_selector(spec["selector"])
    if "duration" in spec:
        assert DURATION.match(spec["duration"])
    if "target" in spec:
        assert spec["direction"] in ("to", "from", "both")
        assert spec["target"]["mode"] in MODES
        judge_selector(spec["target"]["selector"])
        assert spec["target"]["selector"] != spec["selector"]
    if kind == "NetworkChaos" and spec["action"] == "delay":
        assert all(DURATION.match(spec["delay"][name]) for name in ("latency", "jitter"))
    if kind == "NetworkChaos" and spec["action"] == "loss":
        assert 0 < float(spec["loss"]["loss"]) <= 100 and isinstance(spec["loss"]["loss"], str)
    if kind == "IOChaos":
        assert spec["path"].startswith(spec["volumePath"] + "/") and 0 < spec["percent"] <= 100
        assert set(spec.get("methods", [])) <= IO_METHODS
        assert spec["action"] != "latency" or DURATION.match(spec["delay"])
    if kind == "TimeChaos":
        assert DURATION.match(spec["timeOffset"]) and set(spec["clockIds"]) <= {"CLOCK_REALTIME", "CLOCK_MONOTONIC"}
    if kind == "StressChaos":
        assert spec["stressors"] and set(spec["stressors"]) <= {"cpu", "memory"}
        assert all(stressor["workers"] > 0 for stressor in spec["stressors"].values())


def judge_workflow(spec):
    templates = {template["name"]: template for template in spec["templates"]}
    assert len(templates) == len(spec["templates"]), "names are used once"
    reached, todo = set(), [spec["entry"]]
    while todo:
        name = todo.pop()
        template = templates[name]
        reached.add(name)
        kind = template["templateType"]
        assert DURATION.match(template["deadline"])
        if kind in ("Serial", "Parallel"):
            todo += template["children"]
        elif kind != "Suspend":
            fault = template[KEYS[kind]]
            assert "duration" not in fault, "the template's deadline ends it"
            judge_fault(kind, fault)
    assert reached == set(templates)


@pytest.mark.parametrize(("file", "resource"), resources(), ids=lambda value: value if isinstance(value, str) else value["metadata"]["name"])
def test_a_fault_for_chaos_mesh_is_well_formed(file, resource):
    assert resource["apiVersion"] == "chaos-mesh.org/v1alpha1"
    assert resource["metadata"]["namespace"] == "dunlin"
    kind, spec = resource["kind"], resource["spec"]
    if kind == "Workflow":
        judge_workflow(spec)
    elif kind == "Schedule":
        assert len(spec["schedule"].split()) == 5
        assert spec["concurrencyPolicy"] in ("Forbid", "Allow")
        judge_fault(spec["type"], spec[KEYS[spec["type"]]])
    else:
        judge_fault(kind, spec)
    lasts = kind in ("Workflow", "Schedule") or spec.get("action") == "pod-kill" or "duration" in spec
    assert lasts, "a fault that nobody ends must end by itself"


def test_faults_of_every_kind_are_there_and_explained():
    found = resources()
    names = [resource["metadata"]["name"] for _, resource in found]
    assert len(names) == len(set(names))
    assert {resource["kind"] for _, resource in found} == set(FIELDS) | {"Workflow", "Schedule"}
    explained = re.findall(r"`([a-z0-9-]+)`", (CHAOS / "README.md").read_text())
    assert set(names) <= set(explained)
