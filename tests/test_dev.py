"""`dunlin dev`: a cluster in one process, with nothing to configure."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
import zips
from clients import create, invoke, lambda_client, wait_active
from cluster import Credentials, free_base_port, wait_until


class Dev:
    """A running `dunlin dev`."""

    def __init__(self, program, directory, *arguments):
        self.port = free_base_port(1)
        self.output = directory / "output"
        began = time.monotonic()
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [program, "dev", "--port", str(self.port), *arguments],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=directory, start_new_session=True,
            )  # fmt: skip
        wait_until(lambda: "Ctrl-C" in self.said() or self.process.poll() is not None, 30, "the banner")
        self.took = time.monotonic() - began
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


def test_it_is_ready_soon_and_says_how_to_use_it(dev, measured):
    measured(f"dunlin dev: the banner after {dev.took:.2f} s")
    banner = dev.said()
    ready = re.search(r"dunlin \S+ is ready after (\d+) ms", banner)
    assert ready and int(ready[1]) < 10_000, banner
    measured(f"dunlin dev: ready after {ready[1]} ms by its own clock")
    assert f"http://127.0.0.1:{dev.port}" in banner
    assert f"127.0.0.1:{dev.port + 1}" in banner
    assert f"http://127.0.0.1:{dev.port + 20}/metrics" in banner
    assert "aws --endpoint-url" in banner


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
