"""Environment variables at rest: sealed on every disk and in no log, under keys that can be changed.

Controllers, frontends and a worker are nodes of their own here, so that each file belongs to one role. Everything is
logged, by every library too.
"""

import base64
import hashlib
import itertools
import json
import os
import secrets
import subprocess
from pathlib import Path

import pytest
import zips
from botocore.exceptions import BotoCoreError, ClientError
from canaries import forms, found_in
from clients import ONE_ATTEMPT, create, invoke, lambda_client, wait_active, wait_updated
from cluster import Node, wait_until
from clusters import EVERYTHING, TwoAccountCluster, watched
from identities import Identities, policy
from sessions import assumed, sts_client
from signing import Request

CONTROLLERS, FRONTENDS, WORKER = "abc", "fg", "w"
NODES = (
    *((name, zone, ("controller",)) for name, zone in zip(CONTROLLERS, "xyz", strict=True)),
    *((name, zone, ("frontend",)) for name, zone in zip(FRONTENDS, "xy", strict=True)),
    (WORKER, "x", ("worker",)),
)
NUMBERS = itertools.count(1)


class SealedCluster(TwoAccountCluster):
    """A cluster whose master keys can be changed."""

    master_keys: list[tuple[str, Path]] = []

    def config(self, node: Node) -> dict:
        config = super().config(node)
        if self.master_keys and "frontend" in node.roles:
            keys = [{"id": name, "file": str(file)} for name, file in self.master_keys]
            config["secrets"] = {"master_keys": keys}
        return config

    def give_keys(self, *keys: tuple[str, Path]) -> None:
        """Restarts the frontends with these master keys, the current one first."""
        self.master_keys = list(keys)
        for name in FRONTENDS:
            self.terminate(name)
        self.prepare()
        for name in FRONTENDS:
            self.start_node(name)
        self.wait_ready(names=FRONTENDS)

    def secrets(self, *arguments: str) -> subprocess.CompletedProcess:
        """Runs `dunlin secrets` as an operator of a frontend would."""
        return self.run("secrets", *arguments, "--config", str(self.node(FRONTENDS[0]).config_file))

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        """Runs the program, which takes every variable that begins with DUNLIN_ for a key of the configuration."""
        variables = {name: value for name, value in os.environ.items() if not name.startswith("DUNLIN_")}
        return subprocess.run(
            [str(self.binary), *arguments], capture_output=True, text=True, timeout=60, env=variables, check=False
        )


@pytest.fixture(scope="module")
def sealed(dunlin, tmp_path_factory):
    directory = tmp_path_factory.mktemp("sealed")
    with watched(SealedCluster(dunlin, directory, nodes=NODES, log_level=EVERYTHING)) as cluster:
        yield cluster


@pytest.fixture
def function():
    return f"remembering-{next(NUMBERS)}"


def client_of(cluster, node="f", who=None, **config):
    return lambda_client(cluster.endpoint(node), who or cluster.credentials, **config)


def deploy(client, name, variables, **arguments):
    code = zips.function("remembering")
    answer = create(client, name, code, "remembering.handler", Environment={"Variables": variables}, **arguments)
    wait_active(client, name)
    return answer


def digests(variables):
    return {name: hashlib.sha256(value.encode()).hexdigest() for name, value in variables.items()}


def saw(client, name, variables, **arguments):
    answer = invoke(client, name, list(variables), **arguments)
    assert answer.error is None, answer.raw
    return answer.payload == digests(variables)


def canary(name):
    return f"canary-{name}-{secrets.token_hex(16)}"


# -- the search --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["canary-0123456789abcdef", "Kanarienvögel ✓ 0123456789"])
def test_the_search_finds_every_form(tmp_path, text):
    for number, form in enumerate(forms(text)):
        (tmp_path / "file").write_bytes(b"before" * number + form + b"after")
        assert found_in(tmp_path, [text]), number
    (tmp_path / "file").write_bytes(base64.b64encode(b"{" + text.encode() + b"}"))
    assert found_in(tmp_path, [text])
    (tmp_path / "file").write_bytes(text[:10].encode())
    assert not found_in(tmp_path, [text])


# -- what is promised --------------------------------------------------------------------------------------------------


@pytest.mark.timeout(300)  # It looks for a thousand texts in all that every library says.
def test_no_disk_and_no_log_has_a_variable(sealed, function, tmp_path):
    client, other = client_of(sealed), client_of(sealed, "g")
    short = {"ASCII": canary("ascii"), "UTF8": f"Kanarienvögel-{secrets.token_hex(12)}-✓😀-{secrets.token_hex(12)}"}
    # With its name and the punctuation of JSON this is the most there may be: 4096 bytes.
    long = {"LONG": secrets.token_hex(2048)[: 4096 - len('{"LONG":""}')]}
    large, updated = f"{function}-large", {"UPDATED": canary("updated")}

    shown = deploy(client, function, short, Publish=True)
    assert shown["Environment"]["Variables"] == short
    deploy(client, large, long)
    for name, variables in ((function, short), (large, long)):
        for seen_by in (client, other):
            got = seen_by.get_function_configuration(FunctionName=name)
            assert got["Environment"]["Variables"] == variables
        assert saw(client, name, variables)
    listed = {f["FunctionName"]: f for f in other.list_functions()["Functions"]}
    assert listed[large]["Environment"]["Variables"] == long
    client.update_function_configuration(FunctionName=function, Environment={"Variables": updated})
    wait_updated(client, function)
    assert saw(client, function, updated) and saw(client, function, short, Qualifier="1")
    assert client.publish_version(FunctionName=function)["Environment"]["Variables"] == updated

    # What is refused is in no log either.
    refused = {"REFUSED": canary("refused") + "x" * 5000}
    with pytest.raises(ClientError) as error:
        create(client, f"{function}-refused", zips.function("remembering"), "r.h", Environment={"Variables": refused})
    assert refused["REFUSED"] in error.value.response["Error"]["Message"], "as AWS does, its sender is told"
    malformed = canary("malformed")
    for environment in ({"Variables": {"A": [malformed]}}, {"Variables": malformed}, malformed, [malformed]):
        body = json.dumps({"Environment": environment}).encode()
        request = Request("PUT", f"/2015-03-31/functions/{function}/configuration", body)
        answer = request.sign(sealed.endpoint("f"), sealed.credentials).send(sealed.endpoint("f"))
        assert answer.status == 400, answer
    crashing = {"CRASHING": canary("crashing")}
    deploy(client, f"{function}-crashing", crashing, MemorySize=128)
    client.update_function_configuration(FunctionName=f"{function}-crashing", Handler="remembering.nothing")
    wait_updated(client, f"{function}-crashing")
    assert invoke(client, f"{function}-crashing", []).error == "Unhandled"

    # The credentials of a function go through all of them: worker, frontends, and a frontend again that proves them.
    caller = f"{function}-calling"
    role = f"arn:aws:iam::{sealed.credentials.account}:role/unmade"
    create(client, caller, zips.function("calling"), "calling.handler", Role=role)
    wait_active(client, caller)
    held = invoke(client, caller, {"do": "credentials"}).payload
    for changed in ({}, {"Token": held["Token"][:-8] + "AAAAAAA="}, {"SecretAccessKey": "x" * 40}):
        call = {"service": "lambda", "method": "GET", "path": "/2015-03-31/functions", **changed}
        assert invoke(client, caller, {"do": "call", "with": call}).payload["status"] == 403
    # So do those of somebody who becomes a role.
    identities = Identities(tmp_path, sealed.grpc_target("f"), sealed.credentials)
    root = f"arn:aws:iam::{sealed.credentials.account}:root"
    trust = policy({"Effect": "Allow", "Principal": {"AWS": root}, "Action": "sts:AssumeRole"})
    identities.call("CreateRole", role_name="to-be", assume_role_policy_document=trust)
    sts = sts_client(sealed.endpoint("f"), sealed.credentials)
    _, became = assumed(sts, role.replace("unmade", "to-be"))
    for name in FRONTENDS:
        assert sts_client(sealed.endpoint(name), became).get_caller_identity()["Arn"].endswith(":assumed-role/to-be/me")
    # The beginning of a token says who it is, the end proves it.
    proofs = [held["SecretAccessKey"], held["Token"][-40:], became.secret_access_key, became.token[-40:]]

    # A description is no secret: where it is found, a variable would be found too.
    control = canary("control")
    client.update_function_configuration(FunctionName=large, Description=control)
    wait_updated(client, large)
    # A controller with a new disk gets everything by snapshot.
    sealed.terminate("c")
    sealed.wipe("c")
    sealed.start_node("c")
    sealed.wait_ready(names="c")
    wait_until(lambda: sealed.status("c")["catalog"]["caught_up"], 20, "node c has caught up")
    sealed.stop()
    try:
        values = [v for each in (short, long, updated, refused, crashing) for v in each.values()]
        assert found_in(sealed.directory, [*values, malformed, *proofs]) == []
        where = {Path(file).parts[1] for file, _ in found_in(sealed.directory, [control]) if "data" in Path(file).parts}
        assert where == {node.name for node in sealed.nodes}, "every node has the catalog on its disk"
        log = "".join(node.log_file.read_text(errors="replace") for node in sealed.nodes)
        assert " TRACE " in log and "a request was refused" in log, "everything was logged"
    finally:
        sealed.start()
        sealed.wait_ready()


def test_another_account_reads_nothing(sealed, function):
    client, stranger = client_of(sealed), client_of(sealed, who=sealed.other_credentials)
    variables = {"TOKEN": canary("mine")}
    arn = deploy(client, function, variables)["FunctionArn"]
    for name in (function, arn):
        with pytest.raises(ClientError) as error:
            stranger.get_function_configuration(FunctionName=name)
        assert variables["TOKEN"] not in str(error.value.response)
    theirs = {"TOKEN": canary("theirs")}
    deploy(stranger, function, theirs)
    assert saw(stranger, function, theirs) and saw(client, function, variables)
    assert stranger.get_function_configuration(FunctionName=function)["Environment"]["Variables"] == theirs


def test_a_cold_start_needs_no_controller(sealed, function):
    client = client_of(sealed)
    variables = {"TOKEN": canary("cold")}
    deploy(client, function, variables)
    sealed.terminate("f"), sealed.terminate(WORKER)
    for name in CONTROLLERS:
        sealed.kill9(name)
    try:
        # Both have nothing in memory.
        sealed.start_node("f"), sealed.start_node(WORKER)

        def runs():
            try:
                return saw(client_of(sealed, **ONE_ATTEMPT), function, variables)
            except (BotoCoreError, ClientError):
                return False

        wait_until(runs, 20, "the function runs")
        with pytest.raises(ClientError) as error:
            client_of(sealed, **ONE_ATTEMPT).get_function_configuration(FunctionName=function)
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    finally:
        sealed.start()
        sealed.wait_ready()


def test_an_unchanged_function_publishes_no_new_version(sealed, function):
    client, other = client_of(sealed), client_of(sealed, "g")
    variables = {"TOKEN": canary("same")}
    deploy(client, function, variables)
    assert client.publish_version(FunctionName=function)["Version"] == "1"
    other.update_function_configuration(FunctionName=function, Environment={"Variables": variables})
    wait_updated(client, function)
    assert client.publish_version(FunctionName=function)["Version"] == "1"


def test_master_keys_are_changed_without_a_gap(sealed, function):
    old = ("local", sealed.master_key)
    new = ("new", sealed.directory / "new.key")
    assert sealed.run("secret-key", "new", str(new[1])).returncode == 0
    before = {"TOKEN": canary("before")}
    deploy(client_of(sealed), function, before)
    readable = lambda: client_of(sealed).get_function_configuration(FunctionName=function)["Environment"]  # noqa: E731

    try:
        sealed.give_keys(old, new)
        assert "can be taken out" in sealed.secrets("rewrap").stdout
        sealed.give_keys(new, old)
        assert readable() == {"Variables": before}
        done = sealed.secrets("rewrap")
        accounts = 2  # Both tests' accounts have functions with variables.
        assert done.returncode == 0, done.stderr
        assert f"{accounts} data keys wrapped under it now, 0 were before" in done.stdout
        again = sealed.secrets("rewrap")
        assert f"0 data keys wrapped under it now, {accounts} were before" in again.stdout

        sealed.give_keys(new)
        assert readable() == {"Variables": before}
        assert saw(client_of(sealed), function, before)
        after = {"TOKEN": canary("after")}
        deploy(client_of(sealed), f"{function}-after", after)
        assert saw(client_of(sealed, "g"), f"{function}-after", after)

        # The old key opens nothing any more.
        sealed.give_keys(old)
        assert readable()["Error"]["ErrorCode"] == "NotFoundException"
        with pytest.raises(ClientError) as error:
            invoke(client_of(sealed, **ONE_ATTEMPT), function, [])
        assert error.value.response["Error"]["Code"] == "KMSNotFoundException"
        failed = sealed.secrets("rewrap")
        assert failed.returncode == 1 and "master key new" in failed.stdout
    finally:
        sealed.give_keys(new, old)
    assert readable() == {"Variables": before}


def test_data_keys_are_changed_and_what_was_sealed_stays(sealed, function):
    client = client_of(sealed)
    before, after = {"TOKEN": canary("before")}, {"TOKEN": canary("after")}
    deploy(client, function, before)
    done = sealed.secrets("rotate", "--account", sealed.credentials.account)
    assert (done.returncode, done.stdout) == (0, "1 account has a new data key\n"), done.stderr
    deploy(client, f"{function}-after", after)
    assert saw(client, function, before) and saw(client, f"{function}-after", after)
    got = client_of(sealed, "g").get_function_configuration(FunctionName=function)
    assert got["Environment"]["Variables"] == before


def test_a_frontend_without_a_usable_master_key_does_not_start(sealed, tmp_path):
    head, last, _ = sealed.node("f").config_file.read_text().partition("[secrets]")
    assert last, "it is the last section"
    key = tmp_path / "master.key"

    def refused(secrets_section):
        file = tmp_path / "dunlin.toml"
        file.write_text(head + secrets_section)
        done = sealed.run("server", "--config", str(file), "--check")
        assert done.returncode == 2, done.stdout
        return done.stderr

    assert "`dunlin secret-key new FILE`" in refused("")
    named = f'[[secrets.master_keys]]\nid = "m"\nfile = "{key}"\n'
    assert "cannot be read" in refused(named)
    password = "correct horse battery staple bla"
    key.write_text(password)
    key.chmod(0o600)
    told = refused(named)
    assert "is no master key" in told and password not in told
    key.unlink()
    assert sealed.run("secret-key", "new", str(key)).returncode == 0
    key.chmod(0o644)
    told = refused(named)
    assert "chmod 0600" in told and key.read_text().strip() not in told
