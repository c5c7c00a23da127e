"""The audit log: what calls through three frontends leave, and whether tampering is found."""

import json
import shutil
import subprocess
import threading
from collections import Counter

import grpc_api
import pytest
import zips
from botocore.exceptions import BotoCoreError, ClientError
from clients import ONE_ATTEMPT, create, invoke, lambda_client, wait_active
from cluster import wait_until
from clusters import TwoAccountCluster, watched
from signing import Request

FUNCTIONS = "/2015-03-31/functions"
NODES = "abc"
CANARIES = {"value": "canary-7f3a-value", "payload": "canary-7f3a-payload", "tag": "canary-7f3a-tag", "text": "canary-7f3a-text"}
SMALL = {"audit": {"segment_size": "64KiB", "keep_size": "16MiB"}}


@pytest.fixture(scope="module")
def audited(dunlin, tmp_path_factory):
    """Three whole nodes with short audit files."""
    with watched(TwoAccountCluster(dunlin, tmp_path_factory.mktemp("audited"), settings=SMALL)) as cluster:
        yield cluster


def directory(cluster, node):
    return cluster.node(node).directory / "data" / "audit"


def text_of(cluster, node):
    return "".join(file.read_text() for file in sorted(directory(cluster, node).glob("*.jsonl")))


def records(cluster, node):
    return [json.loads(line) for line in text_of(cluster, node).splitlines()]


def audit(dunlin, *arguments):
    """`dunlin audit ...`: the exit code and what was printed."""
    done = subprocess.run([dunlin, "audit", *map(str, arguments)], capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout + done.stderr


def data(cluster, node):
    return cluster.node(node).directory / "data"


def head(dunlin, cluster, node):
    code, said = audit(dunlin, "head", "--endpoint", cluster.node(node).admin)
    assert code == 0, said
    return said.strip()


def by_request(cluster):
    """The records of calls of all frontends, by request id, once nothing waits any more."""
    found = {}
    for node in NODES:
        for record in records(cluster, node):
            if record["event"] == "call":
                found.setdefault(record["request_id"], []).append((node, record))
    return found


def answered(call):
    """Request id and outcome of a call by boto3."""
    try:
        metadata = call()["ResponseMetadata"]
        return metadata["HTTPHeaders"]["x-amzn-requestid"], metadata["HTTPStatusCode"], None
    except ClientError as error:
        metadata = error.response["ResponseMetadata"]
        return metadata["HTTPHeaders"]["x-amzn-requestid"], metadata["HTTPStatusCode"], error.response["Error"]["Code"]


def test_calls_through_three_frontends_appear_once_each_with_their_outcome(audited, dunlin, name):
    expected = {}

    def expect(node, operation, call):
        request_id, status, error = answered(call)
        expected[request_id] = (node, operation, status, error)

    clients = {node: lambda_client(audited.endpoint(node), audited.credentials, **ONE_ATTEMPT) for node in NODES}
    strangers = {node: lambda_client(audited.endpoint(node), audited.other_credentials, **ONE_ATTEMPT) for node in NODES}
    expect(
        "a",
        "CreateFunction",
        lambda: create(
            clients["a"], name, zips.function("echo"), "echo.handler",
            Environment={"Variables": {"TOKEN": CANARIES["value"]}}, Tags={"team": CANARIES["tag"]}, Description=CANARIES["text"],
        ),
    )  # fmt: skip
    wait_active(clients["b"], name)
    arn = f"arn:aws:lambda:us-east-1:{audited.credentials.account}:function:{name}"
    for node in NODES:
        expect(node, "GetFunction", lambda: clients[node].get_function(FunctionName=name))
        expect(node, "GetFunction", lambda: clients[node].get_function(FunctionName="there-is-none"))
        # Another account's function, by its ARN.
        expect(node, "GetFunction", lambda: strangers[node].get_function(FunctionName=arn))
        assert invoke(clients[node], name, {"secret": CANARIES["payload"]}).status == 200
    expect("b", "PublishVersion", lambda: clients["b"].publish_version(FunctionName=name))
    expect("c", "CreateAlias", lambda: clients["c"].create_alias(FunctionName=name, Name="live", FunctionVersion="1"))
    expect("c", "CreateAlias", lambda: clients["c"].create_alias(FunctionName=name, Name="live", FunctionVersion="1"))
    expect("a", "DeleteFunction", lambda: clients["a"].delete_function(FunctionName=name))
    unsigned = Request("GET", FUNCTIONS).send(audited.endpoint("b"))
    expected[unsigned.headers["x-amzn-requestid"]] = ("b", "ListFunctions", 403, unsigned.error)
    assert {error for _, _, _, error in expected.values()} >= {
        None, "ResourceNotFoundException", "AccessDeniedException", "ResourceConflictException", "MissingAuthenticationTokenException",
    }  # fmt: skip

    found = wait_until(lambda: (got := by_request(audited)).keys() >= expected.keys() and got, 5, "every record")
    for request_id, (node, operation, status, error) in expected.items():
        [(where, record)] = found[request_id]
        assert (where, record["node"], record["operation"], record["status"], record.get("error")) == (node, node, operation, status, error)
        assert record["outcome"] == ("failed" if error else "done")
        assert record["source"].startswith("127.0.0.1:")
    [(_, made)] = found[next(iter(expected))]
    assert made["account"] == audited.credentials.account
    assert audited.credentials.access_key_id in made["caller"]
    assert made["principal"] == f"arn:aws:iam::{audited.credentials.account}:root"
    assert made["resource"] == arn and made["parameters"]["Environment"] == ["TOKEN"]
    assert "Boto3" in made["user_agent"]
    [(_, stranger)] = found[unsigned.headers["x-amzn-requestid"]]
    assert not {"account", "caller", "principal"} & set(stranger)
    assert not any(record["operation"] == "Invoke" for calls in found.values() for _, record in calls)

    for node in NODES:
        code, said = audit(dunlin, "verify", "--data-dir", data(audited, node), "--head", head(dunlin, audited, node))
        assert code == 0, said
        text = text_of(audited, node)
        for secret in (*CANARIES.values(), audited.credentials.secret_access_key, audited.other_credentials.secret_access_key):
            assert secret not in text


def test_grpc_calls_appear_too(audited, tmp_path, name):
    messages, stubs = grpc_api.generate(tmp_path)
    import grpc

    target = audited.grpc_target("b")
    with grpc.insecure_channel(target) as channel:
        stub = stubs.FunctionsStub(channel)
        call = stub.ListFunctions.with_call
        _, done = call(
            messages.ListFunctionsRequest(), metadata=grpc_api.signature(target, "ListFunctions", audited.credentials), timeout=10
        )
        done_id = dict(done.initial_metadata())["dunlin-request-id"]
        with pytest.raises(grpc.RpcError) as refused:
            call(messages.ListFunctionsRequest(), timeout=10)
        refused_id = dict(refused.value.trailing_metadata())["dunlin-request-id"]
    wait_until(lambda: {done_id, refused_id} <= by_request(audited).keys(), 5, "both records")
    found = by_request(audited)
    [(node, record)] = found[done_id]
    assert (node, record["api"], record["operation"], record["status"]) == ("b", "grpc", "ListFunctions", 0)
    [(_, record)] = found[refused_id]
    assert (record["outcome"], record["status"], record["error"]) == ("failed", 16, "MissingAuthenticationTokenException")


def test_the_command_line_shows_records_from_files_and_from_a_frontend(audited, dunlin, name):
    client = lambda_client(audited.endpoint("a"), audited.credentials, **ONE_ATTEMPT)
    request_id, *_ = answered(lambda: create(client, name, zips.function("echo"), "echo.handler"))
    answered(lambda: client.delete_function(FunctionName=name))
    for source in (("--data-dir", data(audited, "a")), ("--endpoint", audited.node("a").admin)):
        code, said = audit(dunlin, "show", *source, "--operation", "CreateFunction", "--account", audited.credentials.account, "--json")
        assert code == 0, said
        shown = [json.loads(line) for line in said.splitlines()]
        assert {record["operation"] for record in shown} == {"CreateFunction"}
        assert request_id in {record["request_id"] for record in shown}
        # As they stand in the log.
        lines = text_of(audited, "a").splitlines()
        assert set(said.splitlines()) <= set(lines)
        code, said = audit(dunlin, "show", *source, "--since", "1h")
        assert code == 0 and f"function:{name}" in said and request_id in said
        code, said = audit(dunlin, "show", *source, "--since", "2100-01-01T00:00:00Z")
        assert (code, said) == (0, "")
        code, said = audit(dunlin, "show", *source, "--account", "111111111111")
        assert (code, said) == (0, "")
    assert audited.status("a")["node"]["audit"]["writable"]
    metrics = audited.metrics("a")
    assert "dunlin_audit_writable 1" in metrics and "dunlin_audit_breaks 0" in metrics


def test_a_kill_in_the_middle_leaves_a_chain_and_every_answered_change(audited, dunlin, name):
    client = lambda_client(audited.endpoint("c"), audited.credentials, **ONE_ATTEMPT)
    create(client, name, zips.function("echo"), "echo.handler", Publish=True)
    wait_active(client, name)
    acknowledged, stop = [], threading.Event()

    def write(number):
        own = lambda_client(audited.endpoint("c"), audited.credentials, connect_timeout=2, read_timeout=5, **ONE_ATTEMPT)
        n = 0
        while not stop.is_set():
            n += 1
            try:
                made = own.create_alias(FunctionName=name, Name=f"a{number}-{n}", FunctionVersion="1")
            except (ClientError, BotoCoreError):
                continue
            acknowledged.append(made["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"])

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(3):
            already = len(acknowledged)
            wait_until(lambda: len(acknowledged) >= already + 10, 30, "writes")
            kept = head(dunlin, audited, "c")
            audited.kill9("c")
            code, said = audit(dunlin, "verify", "--data-dir", data(audited, "c"), "--head", kept)
            assert code == 0, said
            recorded = Counter(record["request_id"] for record in complete(audited, "c") if record["event"] == "call")
            missing = [request_id for request_id in list(acknowledged) if recorded[request_id] != 1]
            assert not missing, f"{len(missing)} answered changes are not recorded once"
            audited.start_node("c")
            audited.wait_ready(names=["c"])
            audited.wait_leader()
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    code, said = audit(dunlin, "verify", "--data-dir", data(audited, "c"), "--head", kept)
    assert code == 0, said
    assert sum(record["event"] == "started" for record in records(audited, "c")) >= 4
    assert 'dunlin_audit_breaks 0' in audited.metrics("c")


def complete(cluster, node):
    """The whole records that a killed process left."""
    whole = text_of(cluster, node).rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


def test_any_edit_is_found_with_its_place(audited, dunlin, tmp_path):
    kept = head(dunlin, audited, "a")
    original = directory(audited, "a")
    first = sorted(original.glob("*.jsonl"))[0].name

    def verify(edit, *arguments):
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(original, copy)
        edit(copy / first)
        return audit(dunlin, "verify", "--data-dir", copy, *arguments)

    def flip(file):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)

    def without_line(file):
        lines = file.read_bytes().splitlines(keepends=True)
        file.write_bytes(b"".join(lines[:1] + lines[2:]))

    def cut(file):
        last = sorted(file.parent.glob("*.jsonl"))[-1]
        lines = last.read_bytes().splitlines(keepends=True)
        last.write_bytes(b"".join(lines[:-1]))

    code, said = verify(lambda file: None, "--head", kept)
    assert code == 0 and "verified" in said, said
    code, said = verify(flip)
    assert code == 1 and f"BROKEN: file {first.removesuffix('.jsonl')}, line " in said and ", byte " in said, said
    code, said = verify(without_line)
    assert code == 1 and "line 2" in said and "expected record 2, got record 3" in said, said
    code, said = verify(lambda file: file.unlink(), "--head", kept)
    assert code == 1, said
    # What was cut off is missed only by whoever knows that it was there.
    newest = head(dunlin, audited, "a")
    assert verify(cut)[0] == 0
    code, said = verify(cut, "--head", newest)
    assert code == 1 and "cut off" in said, said


def test_a_frontend_that_finds_its_log_changed_says_so_and_goes_on(audited, dunlin, name):
    audited.terminate("b")
    last = sorted(directory(audited, "b").glob("*.jsonl"))[-1]
    content = bytearray(last.read_bytes())
    content[len(content) // 2] ^= 1
    last.write_bytes(content)
    audited.start_node("b")
    audited.wait_ready(names=["b"])
    client = lambda_client(audited.endpoint("b"), audited.credentials)
    create(client, name, zips.function("echo"), "echo.handler")
    newest = sorted(directory(audited, "b").glob("*.jsonl"))[-1]
    assert newest.name > last.name
    began = json.loads(newest.read_text().splitlines()[0])
    assert began["event"] == "broken" and began["segment"] == int(last.stem)
    assert "dunlin_audit_breaks 1" in audited.metrics("b")
    assert "the audit log does not verify" in audited.node("b").log_file.read_text()
    code, said = audit(dunlin, "verify", "--data-dir", data(audited, "b"))
    assert code == 1 and last.stem in said
