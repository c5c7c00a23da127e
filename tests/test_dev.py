"""`dunlin dev`: a cluster in one process, with nothing to configure."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import log_lines
import pytest
import zips
from clients import create, invoke, lambda_client, wait_active
from cluster import ClusterError, Credentials, free_base_port, http_get, wait_until
from neighbours import Neighbours

# What a developer waits for it, as it counts itself; this build is not optimized.
READY_MAX = 1.0


class Dev:
    """A running `dunlin dev`."""

    def __init__(self, program, directory, *arguments, through=()):
        self.port = free_base_port(1)
        self.output = directory / "output"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*through, program, "dev", "--port", str(self.port), *arguments],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=directory, start_new_session=True,
            )  # fmt: skip
        try:
            wait_until(lambda: "Ctrl-C" in self.said() or self.process.poll() is not None, 30, "the banner")
        except ClusterError:
            self.stop(signal.SIGKILL)
            raise
        assert self.process.poll() is None, self.said()

    def said(self):
        return self.output.read_text(errors="replace")

    def client(self, access_key="any", region="us-east-1"):
        return lambda_client(f"http://127.0.0.1:{self.port}", Credentials(access_key, "whatever", "", region))

    def stop(self, number=signal.SIGINT):
        if self.process.poll() is None:
            os.kill(self.process.pid, number)
        return self.process.wait(20)


def session_of(stat):
    """The session of a process; everything that a program starts stays in its session unless it leaves it."""
    try:
        return int(stat.read_text().rpartition(")")[2].split()[3])
    except OSError:
        return None


@pytest.fixture
def dev(dunlin, tmp_path):
    running = Dev(dunlin, tmp_path)
    yield running
    running.stop(signal.SIGKILL)


def test_it_is_ready_soon(dunlin, tmp_path, measured):
    neighbours = Neighbours()
    started = neighbours.now()
    dev = Dev(dunlin, tmp_path)
    shown = neighbours.now()
    try:
        told = re.search(r"^dunlin \S+ is ready after (\d+) ms$", dev.said(), re.MULTILINE)
        assert told, dev.said()
        own = int(told[1]) / 1000
        assert own <= shown.at - started.at
        measured(f"dunlin dev: the banner {shown.at - started.at:.2f} s after the start")
        measured(neighbours.hold(READY_MAX, "dunlin dev: ready by its own clock", started, shown, took=own))
    finally:
        dev.stop(signal.SIGKILL)


def test_the_banner_says_where_everything_is_and_is_right(dev):
    rows = dict(re.findall(r"^  (AWS API|credentials|gRPC|status|metrics|data|sandbox) +(\S.*)$", dev.said(), re.MULTILINE))
    assert rows["AWS API"] == f"http://127.0.0.1:{dev.port}"
    assert rows["gRPC"] == f"127.0.0.1:{dev.port + 1}"
    assert rows["credentials"].startswith("any; an access key of 12 digits chooses the account")
    assert rows["data"] == "gone at exit; keep it with --data-dir DIR"
    assert rows["sandbox"], dev.said()
    code, page = http_get(rows["status"], 5.0)
    assert code == 200 and "<html" in page
    code, metrics = http_get(rows["metrics"], 5.0)
    assert code == 200 and re.search(r"^dunlin_process_", metrics, re.MULTILINE)


def test_the_next_command_works_as_it_is_printed(dev, tmp_path):
    following = dev.said().partition("next, in another terminal:\n")[2].partition("Ctrl-C")[0]
    lines = [line.strip() for line in following.splitlines() if line.strip()]
    assert lines[-1].startswith("aws "), dev.said()
    # Another terminal: nothing but the `aws` of these tests.
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    environment = {"PATH": path, "HOME": str(tmp_path), "AWS_PAGER": "", "AWS_EC2_METADATA_DISABLED": "true"}
    create(dev.client("000000000000"), "listed", zips.function("echo"), "echo.handler")
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(lines)], capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert [function["FunctionName"] for function in json.loads(done.stdout)["Functions"]] == ["listed"]


def test_any_credential_works_and_twelve_digits_are_the_account(dev):
    own, other, named = dev.client(), dev.client("111122223333"), dev.client("AKIAWHATEVERITIS1234")
    for client in (own, other):
        create(client, "here", zips.function("context"), "context.handler")
        wait_active(client, "here")
    arn = "arn:aws:lambda:us-east-1:{}:function:here"
    assert invoke(own, "here").payload["invoked_function_arn"] == arn.format("000000000000")
    assert invoke(other, "here").payload["invoked_function_arn"] == arn.format("111122223333")
    # Any other key is the same account as the first.
    assert invoke(named, "here").payload["invoked_function_arn"] == arn.format("000000000000")


def test_the_region_is_the_callers(dev):
    there = dev.client(region="eu-central-1")
    create(there, "there", zips.function("context"), "context.handler")
    wait_active(there, "there")
    seen = invoke(there, "there").payload
    assert seen["invoked_function_arn"] == "arn:aws:lambda:eu-central-1:000000000000:function:there"
    assert seen["variables"]["AWS_REGION"] == "eu-central-1"
    with pytest.raises(there.exceptions.ResourceNotFoundException):
        dev.client().get_function(FunctionName="there")


def test_it_stops_when_told_and_leaves_nothing(dunlin, tmp_path):
    running = Dev(dunlin, tmp_path)
    client = running.client()
    create(client, "f", zips.function("echo"), "echo.handler")
    wait_active(client, "f")
    invoke(client, "f", {})
    began = time.monotonic()
    assert running.stop(signal.SIGINT) == 0
    assert time.monotonic() - began < 15
    left = [process for process in Path("/proc").glob("[0-9]*/stat") if session_of(process) == running.process.pid]
    assert left == []


def test_a_data_directory_keeps_functions(dunlin, tmp_path):
    kept = tmp_path / "kept"
    running = Dev(dunlin, tmp_path, "--data-dir", str(kept))
    variables = {"Variables": {"KEPT": "sealed under the key beside it"}}
    create(running.client(), "f", zips.function("echo"), "echo.handler", Environment=variables)
    wait_active(running.client(), "f")
    assert running.stop() == 0
    assert (kept / "master.key").stat().st_mode & 0o777 == 0o600
    running = Dev(dunlin, tmp_path, "--data-dir", str(kept))
    try:
        assert invoke(running.client(), "f", {"kept": True}).payload == {"kept": True}
        assert running.client().get_function_configuration(FunctionName="f")["Environment"] == variables
    finally:
        running.stop()


def test_a_taken_port_is_named(dunlin, dev, tmp_path):
    done = subprocess.run([dunlin, "dev", "--port", str(dev.port)], capture_output=True, text=True, timeout=30, cwd=tmp_path)
    assert done.returncode != 0
    assert re.search(r"port \d+ is taken|in use", done.stderr), done.stderr
    assert "--port" in done.stderr


@pytest.fixture
def nobodys(dunlin):
    """The program where anybody may run it, and what runs it as a user without rights."""
    through = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        os.chmod(place, 0o755)
        program = shutil.copy(dunlin, place)
        doctor = subprocess.run([*through, program, "doctor", "--json"], capture_output=True, text=True, cwd=place)
        if not json.loads(doctor.stdout)["ok"]:
            pytest.skip(f"an ordinary user can confine nothing here: {doctor.stdout}")
        yield program, through


def test_an_ordinary_user_is_told_of_memory_and_held_to_it(nobodys):
    """There is no cgroup to ask or to limit with: the processes themselves are looked at."""
    program, through = nobodys
    running = Dev(program, Path(program).parent, through=through)
    try:
        client = running.client()
        create(client, "hoarding", zips.function("hoarding"), "hoarding.handler", MemorySize=128, Timeout=30)
        wait_active(client, "hoarding")

        def used(answer):
            return log_lines.report_of(answer.log).used_mb

        small = invoke(client, "hoarding", {"where": "memory", "mib": 10}, LogType="Tail")
        assert 10 < used(small) < 60
        held = invoke(client, "hoarding", {"where": "memory", "mib": 60}, LogType="Tail")
        assert held.payload == 60 << 20 and 60 < used(held) < 128
        in_tmp = invoke(client, "hoarding", {"where": "tmp", "mib": 200}, LogType="Tail")
        assert in_tmp.payload == "/tmp/held" and used(in_tmp) < 128
        too_much = invoke(client, "hoarding", {"where": "memory", "mib": 200}, LogType="Tail")
        assert too_much.payload["errorType"] == "Runtime.ExitError"
        assert too_much.payload["errorMessage"].endswith("Runtime exited with error: signal: killed")
        assert used(too_much) == 128
    finally:
        running.stop()
