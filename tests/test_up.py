"""`make up` and `make down` as a newcomer meets them: the cluster of deploy/local/up.py, and what README says to type then."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import zips
from clients import create, invoke, lambda_client, wait_active
from cluster import LocalCluster, free_base_port
from clusters import ROOT

pytestmark = pytest.mark.timeout(600)
LOCAL = ROOT / "deploy" / "local"
NODES = "abc"
# What is typed here starts the AWS CLI many times.
PATIENCE = 250


class Place:
    """A directory as a clone is to `make up`, with ports of its own."""

    def __init__(self, dunlin, home):
        self.home = home
        self.directory = home / ".dunlin"
        self.port = free_base_port(len(NODES))
        self.dunlin = dunlin

    def up(self, *arguments, succeeds=True):
        return self._run("up.py", "--binary", self.dunlin, "--port", self.port, *arguments, succeeds=succeeds)

    def down(self):
        return self._run("down.py")

    def shell(self, text, **environment):
        """What these lines print in a terminal that was opened in this place."""
        variables = {"PATH": "/usr/bin:/bin", "HOME": str(self.home), "AWS_PAGER": "", **environment}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text], capture_output=True, text=True, timeout=PATIENCE, cwd=self.home, env=variables
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        return done.stdout

    @property
    def cluster(self):
        return LocalCluster(self.dunlin, self.directory, self.port)

    def pids(self):
        return [node.pid() for node in self.cluster.nodes]

    def client(self, node="a"):
        return lambda_client(self.cluster.endpoint(node), self.cluster.credentials)

    def _run(self, script, *arguments, succeeds=True):
        command = [sys.executable, "-B", LOCAL / script, "--directory", self.directory, *arguments]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=PATIENCE)
        assert (done.returncode == 0) == succeeds, done.stdout + done.stderr
        return done.stdout if succeeds else done.stderr


@pytest.fixture
def place(dunlin, tmp_path):
    made = Place(dunlin, tmp_path)
    yield made
    made.down()


def block(page, beginning):
    """The first block of commands of a page that begins so."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    blocks += [re.sub("^    ", "", text, flags=re.MULTILINE) for text in re.findall(r"(?:^    .*\n)+", page.read_text(), re.MULTILINE)]
    return next(text for text in blocks if text.startswith(beginning))


def answers(printed):
    """The JSON texts in what was printed, one after the other."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while (at := printed.find("{", at)) >= 0:
        value, at = decoder.raw_decode(printed, at)
        found.append(value)
    return found


def test_up_again_goes_on_and_down_keeps_the_data(place):
    said = place.up()
    assert "deployed examples/hello-python/app.py as hello" in said
    assert re.search(r'invoked it in \d+ ms: \{"message": "hello, you"', said), said
    assert re.search(r"^REPORT RequestId: ", said, re.MULTILINE), said
    running = place.pids()
    assert None not in running
    create(place.client(), "kept", zips.function("echo"), "echo.handler")
    wait_active(place.client(), "kept")

    said = place.up()
    assert "updated hello from examples/hello-python/app.py" in said
    assert place.pids() == running

    assert place.down() == "stopped a, b, c\n"
    assert place.pids() == [None] * len(NODES)
    assert place.down() == "no node was running\n"

    assert "updated hello" in place.up()
    assert set(place.pids()).isdisjoint({None, *running})
    for node in NODES:
        wait_active(place.client(node), "kept")
        assert invoke(place.client(node), "kept", {"node": node}).payload == {"node": node}


def test_what_up_and_the_readme_say_to_type_works(place):
    said = place.up()
    following = [line.strip() for line in said.partition("next:\n")[2].splitlines() if line.strip()]
    export, call, status, down = following
    shown = answers(place.shell(f"{export}\n{call}"))
    assert shown[0]["message"] == "hello, world", shown
    assert all(re.search(rf"^ *{node}\b", place.shell(status), re.MULTILINE) for node in NODES)

    # As in a clone of this repository: there, .venv and .dunlin are beside the examples.
    shutil.copytree(ROOT / "examples", place.home / "examples")
    (place.home / ".venv").symlink_to(Path(sys.executable).parents[1])
    typed = [block(ROOT / "README.md", "export PATH="), "cd ..", block(ROOT / "examples" / "README.md", "cd hello-provided")]
    script = "\n".join(typed)
    assert ":9000" in script
    shown = answers(place.shell(script.replace(":9000", f":{place.port}")))
    results = [answer for answer in shown if "message" in answer]
    assert [result["message"] for result in results] == ["hello, you", "hello from bash"], shown
    assert results[1]["event"] == {"a": 1}
    assert place.shell(down) == "stopped a, b, c\n"


def test_a_function_that_fails_fails_up(place, tmp_path):
    failing = tmp_path / "failing.py"
    failing.write_text("def handler(event, context):\n    raise ValueError('by ' + event['name'])\n")
    said = place.up("--example", failing, succeeds=False)
    assert said.startswith("error: hello failed (Unhandled): "), said
    assert '"by you"' in said and "REPORT RequestId: " in said, said
