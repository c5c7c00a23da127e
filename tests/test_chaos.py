"""`dunlin chaos`: real nodes in network namespaces, broken on purpose, and clusters that others made, broken by commands.

Namespaces need root and /dev/net/tun; without them those runs are skipped, loudly, unless DUNLIN_REQUIRE_CHAOS is set.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from cluster import LocalCluster

HOOK = Path(__file__).resolve().parent.parent / "deploy" / "local" / "hook.py"

# One of each: a process that dies, and a network that is cut.
SCENARIO = """
summary = "a leader dies, a zone is cut off"
[load]
rate = 15.0
[pace]
warmup = "2s"
settle = "2s"
[[step]]
fault = { kind = "kill", who = "leader", down = "3s" }
leader_change = true
[[step]]
fault = { kind = "cut-zone", zone = "c", lasts = "5s" }
"""


def chaos(dunlin, *arguments, timeout=30):
    return subprocess.run([str(dunlin), "chaos", *map(str, arguments)], capture_output=True, text=True, timeout=timeout)


@pytest.fixture
def possible():
    missing = []
    if os.geteuid() != 0:
        missing.append("root")
    if not os.path.exists("/dev/net/tun"):
        missing.append("/dev/net/tun")
    if missing and not os.environ.get("DUNLIN_REQUIRE_CHAOS"):
        pytest.skip(f"NOT RUN: chaos needs {' and '.join(missing)}")
    assert not missing, f"DUNLIN_REQUIRE_CHAOS is set, and there is no {' and no '.join(missing)}"


def play(dunlin, scenario, out, *arguments, timeout=110):
    return chaos(dunlin, "run", scenario, "--out", out, "--python", sys.executable, *arguments, timeout=timeout)


@pytest.fixture
def scenario(tmp_path):
    file = tmp_path / "two.toml"
    file.write_text(SCENARIO)
    return file


def test_a_cluster_holds_what_it_promises_while_it_is_broken(dunlin, possible, scenario, tmp_path, measured):
    out = tmp_path / "out"
    done = play(dunlin, scenario, out, "--seed", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((out / "result.json").read_text())
    assert result["format"] == 1
    assert (result["verdict"], result["seed"], result["scenario"]) == ("held", 1, "two")
    kill, cut = result["faults"]
    assert kill["leader_before"] != kill["leader_after"]
    assert kill["blast_radius"] == []
    assert cut["victims"] == ["c1", "c2"]
    assert cut["blast_radius"] == ["c2"]
    for fault in (kill, cut):
        assert fault["begins_ms"] < fault["over_ms"]
        assert fault["judged"] > 50
        lines = {line["name"]: line["measured"] for line in fault["lines"]}
        measured(f"{fault['what']}: {', '.join(f'{name} {value}' for name, value in lines.items())}")
    # The cut was felt where it had to be, so it happened.
    lines = [json.loads(line) for line in (out / "load.jsonl").read_text().splitlines()]
    invokes = [line for line in lines if line["kind"] == "invoke"]
    assert len(invokes) == result["totals"]["invokes"] > 150
    # What ran on the node that was killed may fail through any frontend; the cut is felt through its own zone's alone.
    cut_began = result["began_wall_ms"] + cut["begins_ms"]
    assert {line["via"] for line in invokes if line["outcome"] != "ok" and line["start"] > cut_began} == {"c2"}
    assert any(line["via"] == "c2" and line["outcome"] == "unanswered" for line in invokes)
    assert sum(second["acked"] for second in result["series"]) > 30
    page = (out / "report.html").read_text()
    assert "kill" in page and not re.search(r'(src|href)="(?!#)', page), "a report needs nothing else"
    data = [path for path in (out / "cluster" / "nodes").glob("*/data")]
    assert data == [], "data of a run that held is taken away"
    assert not chaos_namespaces(), "namespaces are left"


def chaos_namespaces():
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split() if name.startswith("chaos-")]


def test_a_promise_that_cannot_be_kept_is_reported_as_broken(dunlin, possible, tmp_path):
    """The judge itself: with every controller dead no write can go on, and a scenario that demands it fails."""
    scenario = tmp_path / "demanding.toml"
    scenario.write_text(
        'summary = "too much"\n[pace]\nwarmup = "1s"\nsettle = "1s"\n'
        '[[step]]\nfault = { kind = "kill", who = "controller", count = 3, down = "6s" }\n'
        'limits = { writes = "continue", write_gap = "4s" }\n'
    )
    out = tmp_path / "out"
    done = play(dunlin, scenario, out)
    assert done.returncode == 1, done.stdout + done.stderr
    result = json.loads((out / "result.json").read_text())
    assert result["verdict"] == "broken"
    broken = {line["name"] for line in result["faults"][0]["lines"] if not line["held"]}
    assert "longest gap of writes" in broken
    promises = {line["name"]: line["held"] for line in result["promises"]}
    assert promises["acknowledged writes lost"], "though nothing was lost"
    assert list((out / "cluster" / "nodes").glob("*/data")), "data of a run that did not hold stay"


def test_wall_clocks_that_jump_are_survived(dunlin, possible, tmp_path, measured):
    """A leader an hour ahead, a follower an hour behind. A fault whose node still shows our time would make the run invalid."""
    plan = chaos(dunlin, "run", "clock", "--dry-run").stdout
    if "DOES NOT FIT" in plan and not os.environ.get("DUNLIN_REQUIRE_CHAOS"):
        pytest.skip("NOT RUN: moving wall clocks needs libfaketime")
    scenario = tmp_path / "hour.toml"
    scenario.write_text(
        'summary = "clocks an hour off"\n[pace]\nwarmup = "2s"\nsettle = "1s"\n'
        '[[step]]\nfault = { kind = "clock-step", who = "leader", by = "+1h", lasts = "6s" }\n'
        '[[step]]\nfault = { kind = "clock-step", who = "follower", by = "-1h", lasts = "6s" }\n'
    )
    out, before = tmp_path / "out", shared_memory()
    done = play(dunlin, scenario, out, "--seed", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((out / "result.json").read_text())
    for fault in result["faults"]:
        lines = {line["name"]: line["measured"] for line in fault["lines"]}
        measured(f"{fault['what']}: {', '.join(f'{name} {value}' for name, value in lines.items())}")
    assert shared_memory() <= before, "shared memory is left"


def shared_memory():
    return {name for name in os.listdir("/dev/shm") if "faketime" in name}


def test_scenarios_are_listed_shown_and_rehearsed(dunlin):
    listed = chaos(dunlin, "list").stdout
    names = [line.split()[0] for line in listed.splitlines()]
    assert {"smoke", "leader", "zone", "flapping", "gray", "disk", "clock", "soak"} <= set(names)
    assert "[[step]]" in chaos(dunlin, "show", "smoke").stdout
    plan = chaos(dunlin, "run", "smoke", "--seed", "1", "--dry-run")
    assert plan.returncode == 0
    assert "begins: kill a1" in plan.stdout and "ends:   start a1" in plan.stdout
    wrong = chaos(dunlin, "run", "smokee")
    assert wrong.returncode == 2
    assert 'did you mean "smoke"?' in wrong.stderr


def test_a_cluster_of_ones_own_is_hurt_only_by_its_commands_and_on_demand(dunlin, tmp_path):
    witness = tmp_path / "witness"
    target = tmp_path / "staging.toml"
    target.write_text(
        'name = "mine"\naccess_key_id = "AKIA"\nsecret_file = "secret"\n'
        f'[hooks]\nkill = "touch {witness}; ssh {{host}} kill {{node}}"\nstart = "touch {witness}; ssh {{host}} start {{node}}"\n'
        '[[node]]\nname = "n1"\nzone = "a"\nroles = ["controller", "worker", "frontend"]\n'
        'host = "n1.example.org"\nendpoint = "http://127.0.0.1:1"\n'
    )
    plan = chaos(dunlin, "run", "leader", "--target", target, "--dry-run")
    assert plan.returncode == 0, plan.stderr
    assert "ssh n1.example.org kill n1" in plan.stdout
    assert "DOES NOT FIT: needs a way to pause a node: hooks.pause is not given" in plan.stdout
    assert "DOES NOT FIT: needs links between the nodes that are ours to break" in plan.stdout
    assert "6 of 9 faults do not fit this cluster: --skip-unfit leaves them out" in plan.stdout
    unsure = chaos(dunlin, "run", "leader", "--target", target)
    assert unsure.returncode == 2
    assert "--yes" in unsure.stderr
    assert not witness.exists(), "nothing was run"


class OwnCluster:
    """A cluster that `dunlin chaos` did not make, with a target file whose commands really hurt its nodes."""

    HOOKS = ("kill", "terminate", "start", "pause", "resume", "wipe", "is-up")

    def __init__(self, dunlin, directory):
        self.cluster = LocalCluster(dunlin, directory / "cluster", settings={"worker": {"nearest_runtime": True}})
        self.target = directory / "target.toml"

    def __enter__(self):
        self.cluster.start()
        self.cluster.wait_ready()
        for node in self.cluster.nodes:
            # From here on others start and end it, too: who runs is in its file.
            node.process = None
        return self

    def __exit__(self, *_):
        self.cluster.stop()

    def pids(self):
        return {node.name: node.pid() for node in self.cluster.nodes}

    def write_target(self, hooks=HOOKS):
        cluster = self.cluster
        place = ["--binary", cluster.binary, "--directory", cluster.directory, "--base-port", cluster.base_port]
        lines = ['name = "own"', f'access_key_id = "{cluster.credentials.access_key_id}"', 'secret_file = "cluster/secret"', "[hooks]"]
        for name in hooks:
            command = shlex.join([sys.executable, "-B", *map(str, [HOOK, name, "{node}", *place])])
            lines.append(f"{name.replace('-', '_')} = {json.dumps(command.replace(chr(39) + '{node}' + chr(39), '{node}'))}")
        for node in cluster.nodes:
            lines += ["[[node]]", f'name = "{node.name}"', f'zone = "{node.zone}"', f"roles = {json.dumps(node.roles)}"]
            lines += [f'endpoint = "http://{node.public}"', f'admin = "{node.admin}"']
        self.target.write_text("\n".join(lines) + "\n")


@pytest.fixture
def own(dunlin, tmp_path):
    with OwnCluster(dunlin, tmp_path) as own:
        yield own


@pytest.mark.timeout(300)
def test_a_cluster_of_ones_own_is_hurt_and_judged(dunlin, own, tmp_path, measured):
    own.write_target()
    before, out = own.pids(), tmp_path / "out"
    done = play(dunlin, "staging", out, "--seed", "1", "--target", own.target, "--yes", timeout=280)
    # Service levels are for a machine that does nothing else, and judged there; here it is the commands that have to work.
    assert done.returncode in (0, 1), done.stdout + done.stderr
    result = json.loads((out / "result.json").read_text())
    assert (result["target"], result["not_tried"], result["invalid"]) == ("own", [], [])
    assert result["verdict"] == ("held" if done.returncode == 0 else "broken")
    assert all(promise["held"] for promise in result["promises"]), result["promises"]
    kinds = [fault["kind"] for fault in result["faults"]]
    assert kinds == ["kill", "terminate", "pause", "pause", "restart-storm", "wipe"]
    for fault in result["faults"]:
        (victim,) = fault["victims"]
        assert fault["trouble"] is None and fault["judged"] > 50 and fault["ready_ms"]
        assert fault["blast_radius"] == [victim]
        lines = {line["name"]: line["measured"] for line in fault["lines"]}
        measured(f"{fault['what']}: {', '.join(f'{name} {value}' for name, value in lines.items())}")
    # The commands were carried out: who was killed or drained is another process, and the wiped one another member.
    after = own.pids()
    ended = {fault["victims"][0] for fault in result["faults"] if fault["kind"] != "pause"}
    assert all(after.values()) and {name for name in before if before[name] != after[name]} == ended


@pytest.mark.timeout(300)
def test_what_does_not_fit_a_cluster_is_left_out_and_told_or_makes_the_run_invalid(dunlin, own, tmp_path):
    scenario = tmp_path / "part.toml"
    scenario.write_text(
        'summary = "one that fits, and two that do not"\n[pace]\nwarmup = "1s"\nsettle = "1s"\n'
        '[[step]]\nfault = { kind = "cut-zone" }\n'
        '[[step]]\nfault = { kind = "kill", who = "worker", down = "2s" }\n'
        '[[step]]\nfault = { kind = "pause", who = "worker" }\n'
    )
    own.write_target(hooks=("kill", "start"))
    strict = play(dunlin, scenario, tmp_path / "strict", "--target", own.target, "--yes")
    assert strict.returncode == 2, strict.stdout + strict.stderr
    assert "--skip-unfit leaves such faults out" in strict.stdout

    out = tmp_path / "out"
    done = play(dunlin, scenario, out, "--target", own.target, "--yes", "--skip-unfit")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not tried    stop one worker where it stands for 5s: needs a way to pause a node: hooks.pause is not given" in done.stdout
    result = json.loads((out / "result.json").read_text())
    assert (result["verdict"], [fault["kind"] for fault in result["faults"]]) == ("held", ["kill"])
    assert [(left["kind"], left["times"]) for left in result["not_tried"]] == [("cut-zone", 1), ("pause", 1)]
    assert "<h2>Not tried</h2>" in (out / "report.html").read_text()

    # A run in which nothing was tried says nothing.
    scenario.write_text('summary = "nothing fits"\n[pace]\nwarmup = "1s"\n[[step]]\nfault = { kind = "cut-zone" }\n')
    nothing = play(dunlin, scenario, tmp_path / "nothing", "--target", own.target, "--yes", "--skip-unfit")
    assert nothing.returncode == 2, nothing.stdout + nothing.stderr
    assert "says nothing: no fault was played" in nothing.stdout


def test_a_load_without_its_sdk_says_what_to_do(dunlin, tmp_path):
    done = chaos(dunlin, "run", "smoke", "--out", tmp_path / "out", "--python", "/bin/false")
    assert done.returncode == 2
    assert "boto3" in done.stderr and "venv.sh" in done.stderr
