"""CloudWatch Logs: what functions print, read with the tools that read it on AWS."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
import zips
from botocore.config import Config
from botocore.exceptions import ClientError
from cluster import Credentials, wait_until
from clusters import TwoAccountCluster, watched
from clients import create, invoke, lambda_client, wait_active
from identities import Identities

AWS = Path(sys.executable).parent / "aws"
STREAM = re.compile(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}")
LIMIT = 20
"""Seconds that everything has that takes a moment."""
PRINTING = """
import json, os

def handler(event, context):
    for line in event["print"]:
        print(line if isinstance(line, str) else json.dumps(line), flush=True)
    return os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
"""

_session = boto3.session.Session()


def logs_client(endpoint, credentials, **config):
    return _session.client(
        "logs",
        endpoint_url=endpoint,
        region_name=credentials.region,
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        # A frontend has one name for everything.
        config=Config(inject_host_prefix=False, **config),
    )


@pytest.fixture
def logs(cluster, credentials):
    return logs_client(cluster.endpoint("b"), credentials)


@pytest.fixture
def printing(deploy):
    """Deploys functions that print what they are told, and return the names of their streams."""
    package = zips.package({"echo.py": PRINTING})
    return lambda **arguments: deploy(package, **arguments)


def say(client, function, *lines):
    return invoke(client, function, {"print": lines}).payload


def group_of(function):
    return f"/aws/lambda/{function}"


def every_event(logs, **arguments):
    """All events of a group, page after page."""
    pages = logs.get_paginator("filter_log_events").paginate(**arguments)
    return [event for page in pages for event in page["events"]]


def texts(events):
    return [event["message"].rstrip("\n") for event in events]


def refused(call, *arguments, **members):
    with pytest.raises(ClientError) as refusal:
        call(*arguments, **members)
    return refusal.value.response["Error"]


def spread(clients, function):
    """Invokes a function through every frontend: each prefers the worker of its own zone."""
    streams = {}
    for number, node in enumerate("abcabc"):
        streams.setdefault(say(clients(node), function, f"line {number}"), []).append(f"line {number}")
    return streams


def test_the_lines_of_all_workers_are_one_log(clients, logs, printing):
    function = printing()
    streams = spread(clients, function)
    assert len(streams) > 1, "every invocation ran on one worker"
    answer = logs.filter_log_events(logGroupName=group_of(function))
    events = answer["events"]
    assert "x-dunlin-unreached" not in answer["ResponseMetadata"]["HTTPHeaders"]
    assert [text for text in texts(events) if text.startswith("line")] == [f"line {n}" for n in range(6)]
    for mark in ("START RequestId: ", "END RequestId: ", "REPORT RequestId: "):
        assert sum(text.startswith(mark) for text in texts(events)) == 6, texts(events)
    assert [event["timestamp"] for event in events] == sorted(event["timestamp"] for event in events)
    assert abs(events[-1]["timestamp"] / 1000 - time.time()) < 60
    assert len({event["eventId"] for event in events}) == len(events)
    assert all(event["message"].endswith("\n") for event in events)

    # Each stream is the one that its environment was told.
    described = logs.describe_log_streams(logGroupName=group_of(function))["logStreams"]
    assert [stream["logStreamName"] for stream in described] == sorted(streams)
    for stream in described:
        name = stream["logStreamName"]
        assert STREAM.fullmatch(name), name
        own = logs.filter_log_events(logGroupName=group_of(function), logStreamNames=[name])["events"]
        assert [text for text in texts(own) if text.startswith("line")] == streams[name]
        assert stream["firstEventTimestamp"] == own[0]["timestamp"]
        assert own == [event for event in events if event["logStreamName"] == name]
    last = logs.describe_log_streams(logGroupName=group_of(function), orderBy="LastEventTime", descending=True, limit=1)
    assert last["logStreams"][0]["logStreamName"] == events[-1]["logStreamName"]
    assert len(last["nextToken"]) > 1
    pages = logs.get_paginator("describe_log_streams").paginate(logGroupName=group_of(function), PaginationConfig={"PageSize": 1})
    assert [stream["logStreamName"] for page in pages for stream in page["logStreams"]] == sorted(streams)


def test_pages_give_every_event_once(clients, logs, printing):
    function = printing()
    group = group_of(function)
    for node in "abc":
        say(clients(node), function, *[f"{node} {number:03d} {'x' * 50}" for number in range(40)])
    whole = every_event(logs, logGroupName=group)
    assert len(whole) >= 3 * 43
    for size in (7, 50):
        assert every_event(logs, logGroupName=group, limit=size) == whole
    # Of some time only.
    middle = whole[len(whole) // 2]["timestamp"]
    late = logs.filter_log_events(logGroupName=group, startTime=middle)["events"]
    assert late == [event for event in whole if event["timestamp"] >= middle]
    early = logs.filter_log_events(logGroupName=group, endTime=middle)["events"]
    assert early == [event for event in whole if event["timestamp"] <= middle]
    assert logs.filter_log_events(logGroupName=group, startTime=whole[-1]["timestamp"] + 60_000)["events"] == []


def walk(logs, stream, way, **arguments):
    """Follows the tokens of GetLogEvents until one comes back."""
    pages, token = [], None
    while True:
        more = {} if token is None else {"nextToken": token}
        page = logs.get_log_events(logStreamName=stream, **arguments, **more)
        pages.append(texts(page["events"]))
        if page[way] == token:
            return pages
        token = page[way]


def test_a_stream_is_read_from_either_end(client, logs, printing):
    function = printing()
    stream = say(client, function, *[f"line {number}" for number in range(10)])
    group = group_of(function)
    whole = texts(logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)["events"])
    assert whole[-12:-2] == [f"line {number}" for number in range(10)]
    # Without a word the last ones come, in order.
    assert texts(logs.get_log_events(logGroupName=group, logStreamName=stream, limit=4)["events"]) == whole[-4:]
    on = walk(logs, stream, "nextForwardToken", logGroupName=group, limit=5, startFromHead=True)
    assert sum(on, []) == whole and len(on[0]) == 5
    back = walk(logs, stream, "nextBackwardToken", logGroupName=group, limit=5)
    assert sum(reversed(back), []) == whole
    # The last token leads to what comes.
    token = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)["nextForwardToken"]
    for _ in range(50):
        if say(client, function, "and more") == stream:
            break
    more = logs.get_log_events(logGroupName=group, logStreamName=stream, nextToken=token, startFromHead=True)
    assert "and more" in texts(more["events"]) and "line 9" not in texts(more["events"])


def test_filters(client, logs, printing):
    function = printing()
    say(
        client, function, "[ERROR] no table", "[WARN] slow", "fine", {"level": "ERROR", "ms": 120, "user": {"name": "ann"}},
        {"level": "INFO", "ms": 3},
    )  # fmt: skip

    def found(pattern):
        return texts(logs.filter_log_events(logGroupName=group_of(function), filterPattern=pattern)["events"])

    assert found('"[ERROR]"') == ["[ERROR] no table"]
    assert found("table no") == ["[ERROR] no table"]
    assert found("?table ?slow") == ["[ERROR] no table", "[WARN] slow"]
    assert found("?table ?slow -WARN") == ["[ERROR] no table"]
    assert [json.loads(line)["ms"] for line in found('{ $.level = "ERROR" }')] == [120]
    assert [json.loads(line)["ms"] for line in found("{ $.ms < 100 || $.user.name = a* }")] == [120, 3]
    assert len(found("REPORT")) == 1
    for pattern in ("%ERR.*%", "[a, b]", "{ $.level ~ 1 }", '"open'):
        error = refused(logs.filter_log_events, logGroupName=group_of(function), filterPattern=pattern)
        assert error["Code"] == "InvalidParameterException" and "filter pattern" in error["Message"], error


def test_who_may_read_what(cluster, credentials, client, clients, logs, printing, name, tmp_path):
    function = printing()
    say(client, function, "secret")
    group = group_of(function)
    described = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    arn = f"arn:aws:logs:us-east-1:{credentials.account}:log-group:{group}"
    assert [(g["logGroupName"], g["arn"], g["logGroupArn"]) for g in described] == [(group, f"{arn}:*", arn)]
    assert described[0]["storedBytes"] > 0

    # Another account sees nothing of it.
    other = logs_client(cluster.endpoint("a"), cluster.other_credentials)
    assert other.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []
    assert refused(other.filter_log_events, logGroupName=group)["Code"] == "ResourceNotFoundException"
    assert refused(other.filter_log_events, logGroupIdentifier=arn)["Code"] == "AccessDeniedException"
    assert refused(other.start_live_tail, logGroupIdentifiers=[arn])["Code"] == "AccessDeniedException"
    # A function of the same name there has a log of its own.
    theirs = clients("a", other_account=True)
    create(theirs, function, zips.package({"echo.py": PRINTING}), "echo.handler")
    wait_active(theirs, function)
    try:
        say(theirs, function, "theirs")
        assert "theirs" in texts(other.filter_log_events(logGroupName=group)["events"])
        assert "secret" not in texts(other.filter_log_events(logGroupName=group)["events"])
    finally:
        theirs.delete_function(FunctionName=function)

    # A user may what their policies say.
    identities = Identities(tmp_path, cluster.grpc_target("a"), credentials)
    allowed = {"Effect": "Allow", "Action": "logs:FilterLogEvents", "Resource": f"{arn}:*"}
    user = logs_client(cluster.endpoint("a"), identities.user(name, allowed))
    wait_until(lambda: "secret" in texts(tried(user.filter_log_events, logGroupName=group)), LIMIT, "the user's policy")
    error = refused(user.filter_log_events, logGroupName="/aws/lambda/another")
    assert error["Code"] == "AccessDeniedException" and "logs:FilterLogEvents" in error["Message"], error
    stream = say(client, function, "x")
    assert refused(user.get_log_events, logGroupName=group, logStreamName=stream)["Code"] == "AccessDeniedException"
    assert refused(user.describe_log_groups)["Code"] == "AccessDeniedException"

    # Nobody.
    nobody = Credentials("AKIANOBODY0123456789", "x" * 40, "", "us-east-1")
    assert refused(logs_client(cluster.endpoint("a"), nobody).describe_log_groups)["Code"] == "UnrecognizedClientException"
    liar = Credentials(credentials.access_key_id, "x" * 40, "", "us-east-1")
    assert refused(logs_client(cluster.endpoint("a"), liar).describe_log_groups)["Code"] == "InvalidSignatureException"


def tried(call, **members):
    """The events of a call that may not be allowed yet."""
    try:
        return call(**members)["events"]
    except ClientError as error:
        assert error.response["Error"]["Code"] in ("AccessDeniedException", "UnrecognizedClientException"), error
        return []


def test_what_there_is_not(client, logs, printing):
    assert refused(logs.filter_log_events, logGroupName="/aws/lambda/nothing")["Code"] == "ResourceNotFoundException"
    error = refused(logs.get_log_events, logGroupName="/nothing", logStreamName="s")
    assert error == {"Code": "ResourceNotFoundException", "Message": "The specified log group does not exist."}
    function = printing()
    # A function that was never invoked has an empty log.
    assert logs.filter_log_events(logGroupName=group_of(function))["events"] == []
    say(client, function, "x")
    error = refused(logs.get_log_events, logGroupName=group_of(function), logStreamName="s")
    assert error == {"Code": "ResourceNotFoundException", "Message": "The specified log stream does not exist."}
    assert refused(logs.create_log_group, logGroupName="/mine")["Code"] == "UnknownOperationException"
    assert refused(logs.filter_log_events, logGroupName="/x", nextToken="none")["Code"] == "InvalidParameterException"
    assert refused(logs.describe_log_groups, logGroupIdentifiers=["/x"])["Code"] == "InvalidParameterException"
    # The log outlives its function.
    client.delete_function(FunctionName=function)
    assert "x" in texts(logs.filter_log_events(logGroupName=group_of(function))["events"])


def test_functions_share_a_group_that_their_owner_names(client, logs, printing, name):
    group = f"/team/{name}"
    functions = [printing(LoggingConfig={"LogFormat": "Text", "LogGroup": group}) for _ in range(2)]
    streams = [say(client, function, function) for function in functions]
    for function, stream in zip(functions, streams):
        assert re.fullmatch(rf"\d{{4}}/\d\d/\d\d/{function}\[\$LATEST\][0-9a-f]{{32}}", stream), stream
        assert function in texts(logs.get_log_events(logGroupName=group, logStreamName=stream)["events"])
    lines = texts(logs.filter_log_events(logGroupName=group)["events"])
    assert set(functions) < set(lines)
    assert group in [g["logGroupName"] for g in logs.describe_log_groups(logGroupNamePattern=name)["logGroups"]]
    assert texts(logs.filter_log_events(logGroupName=group_of(functions[0]))["events"]) == []


def test_records_below_the_level_are_left_out(client, logs, printing):
    function = printing(LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "WARN", "SystemLogLevel": "WARN"})
    now = "2026-01-02T03:04:05Z"
    records = [{"timestamp": now, "level": level, "message": level} for level in ("DEBUG", "INFO", "WARN", "ERROR")]
    say(client, function, *records, {"metric": 1}, "plain")
    lines = texts(logs.filter_log_events(logGroupName=group_of(function))["events"])
    assert [json.loads(line).get("level") for line in lines if "level" in line] == ["WARN", "ERROR"]
    assert "plain" in lines and '{"metric": 1}' in lines
    assert not [line for line in lines if "platform.start" in line], lines


def test_a_live_tail(client, logs, printing):
    function = printing()
    group = group_of(function)
    say(client, function, "before")
    arn = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["logGroupArn"]
    session = logs.start_live_tail(logGroupIdentifiers=[arn], logEventFilterPattern="-REPORT")
    events = iter(session["responseStream"])
    start = next(events)["sessionStart"]
    assert start["logGroupIdentifiers"] == [arn] and start["logEventFilterPattern"] == "-REPORT"
    assert len(start["sessionId"]) == 36
    said, seen, deadline = 0, [], time.monotonic() + LIMIT
    while sum(line.startswith("new") for line in seen) < 4 and time.monotonic() < deadline:
        if said < 4:
            say(client, function, f"new {said}")
            said += 1
        update = next(events)["sessionUpdate"]
        assert update["sessionMetadata"] == {"sampled": False}
        seen += texts(update["sessionResults"])
        assert all(result["logGroupIdentifier"].endswith(f":{group}") for result in update["sessionResults"])
    session["responseStream"].close()
    assert [line for line in seen if line.startswith("new")] == [f"new {n}" for n in range(4)], seen
    assert "before" not in seen and not [line for line in seen if line.startswith("REPORT")]


@pytest.fixture
def environment(cluster, credentials, tmp_path):
    """What command lines find their way by."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL_LAMBDA": cluster.endpoint("c"),
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": cluster.endpoint("c"),
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_DEFAULT_REGION": credentials.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
    }


def run(*command, environment, succeeds=True):
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert (done.returncode == 0) == succeeds, done.stderr or done.stdout
    return done.stdout if succeeds else done.stderr


def test_the_aws_cli(client, printing, environment):
    function = printing()
    stream = say(client, function, "by the CLI")
    aws = [sys.executable, str(AWS), "logs"]
    group = ["--log-group-name", group_of(function)]
    answer = json.loads(run(*aws, "filter-log-events", *group, "--filter-pattern", "CLI", environment=environment))
    assert texts(answer["events"]) == ["by the CLI"]
    answer = json.loads(run(*aws, "get-log-events", *group, "--log-stream-name", stream, environment=environment))
    assert "by the CLI" in texts(answer["events"])
    answer = json.loads(run(*aws, "describe-log-streams", *group, environment=environment))
    assert [each["logStreamName"] for each in answer["logStreams"]] == [stream]
    told = run(*aws, "filter-log-events", "--log-group-name", "/none", environment=environment, succeeds=False)
    assert "(ResourceNotFoundException)" in told, told


def test_the_aws_cli_follows(client, logs, printing, environment, tmp_path):
    function = printing()
    arn = logs.describe_log_groups(logGroupNamePrefix=group_of(function))["logGroups"][0]["logGroupArn"]
    seen = tmp_path / "seen"
    with seen.open("wb") as out:
        following = subprocess.Popen(
            [sys.executable, AWS, "logs", "start-live-tail", "--log-group-identifiers", arn],
            # A frontend has one name for everything.
            env={**environment, "AWS_DISABLE_HOST_PREFIX_INJECTION": "true", "PYTHONUNBUFFERED": "1"}, stdout=out, stderr=out,
        )  # fmt: skip

    def followed():
        say(client, function, "by the CLI")
        return "by the CLI" in seen.read_text()

    try:
        wait_until(followed, LIMIT, "what came")
    finally:
        following.terminate()
        following.wait(LIMIT)


def test_our_own_command(dunlin, client, clients, printing, environment):
    function = printing()
    first = invoke(client, function, {"print": ["one"]})
    invoke(clients("b"), function, {"print": ["two"]})
    text = run(dunlin, "logs", function, environment=environment)
    assert [line.split(" ", 2)[2] for line in text.splitlines() if line.endswith((" one", " two"))] == ["one", "two"]
    text = run(dunlin, "logs", function, "--filter", "?one ?two -two", environment=environment)
    assert len(text.splitlines()) == 1 and text.endswith(" one\n")
    text = run(dunlin, "logs", function, "--request", first.request_id, "--json", environment=environment)
    records = [json.loads(line) for line in text.splitlines()]
    assert {record["requestId"] for record in records} == {first.request_id}
    messages = [record["message"] for record in records]
    assert messages[0].startswith("START") and messages[1] == "one" and messages[-1].startswith("REPORT"), messages
    assert run(dunlin, "logs", function, "--since", "2035-01-01T00:00:00Z", environment=environment) == ""
    told = run(dunlin, "logs", "nothing-of-that-name", environment=environment, succeeds=False)
    assert "ResourceNotFoundException" in told, told
    told = run(dunlin, "logs", function, "--filter", "%x%", environment=environment, succeeds=False)
    assert "InvalidParameterException" in told, told


def test_our_own_command_follows(dunlin, client, clients, printing, environment, tmp_path):
    function = printing()
    say(client, function, "first")
    seen = tmp_path / "seen"
    with seen.open("wb") as out:
        following = subprocess.Popen([dunlin, "logs", "-f", function, "--filter", "-REPORT"], stdout=out, stderr=out, env=environment)
    try:
        wait_until(lambda: "first" in seen.read_text(), LIMIT, "what was there")
        for number, node in enumerate("abcabc"):
            say(clients(node), function, f"then {number}")
        wait_until(lambda: "then 5" in seen.read_text(), LIMIT, "what came")
        # Nothing twice, once everything has been asked for again.
        time.sleep(2)
    finally:
        following.terminate()
        following.wait(LIMIT)
    lines = [line.split(" ", 2)[2] for line in seen.read_text().splitlines()]
    assert sorted(line for line in lines if line.startswith("then")) == [f"then {n}" for n in range(6)]
    assert lines.count("first") == 1


def test_a_worker_that_is_dead_or_silent_makes_an_answer_partial(dunlin, tmp_path):
    with watched(TwoAccountCluster(dunlin, tmp_path)) as cluster:
        credentials = cluster.credentials
        clients = {node: lambda_client(cluster.endpoint(node), credentials) for node in "abc"}
        create(clients["a"], "f", zips.package({"echo.py": PRINTING}), "echo.handler")
        streams = {}
        for node, client in clients.items():
            wait_active(client, "f")
            streams[say(client, "f", f"of {node}")] = node
        assert len(streams) == 3, "every zone has a worker of its own"
        logs = logs_client(cluster.endpoint("a"), credentials, read_timeout=LIMIT)

        def ask():
            answer = logs.filter_log_events(logGroupName="/aws/lambda/f", filterPattern='"of "')
            unreached = answer["ResponseMetadata"]["HTTPHeaders"].get("x-dunlin-unreached", "")
            return texts(answer["events"]), unreached

        assert ask() == (["of a", "of b", "of c"], "")
        cluster.pause("c")
        try:
            began = time.monotonic()
            assert ask() == (["of a", "of b"], "c")
            assert time.monotonic() - began < LIMIT
        finally:
            cluster.resume("c")
        wait_until(lambda: ask() == (["of a", "of b", "of c"], ""), LIMIT, "the worker that was silent")
        cluster.kill9("c")
        lines, unreached = ask()
        assert lines == ["of a", "of b"] and unreached in ("", "c")
        # A stream that may be there is not said to be none.
        dead = next(stream for stream, node in streams.items() if node == "c")
        if unreached:
            assert logs.get_log_events(logGroupName="/aws/lambda/f", logStreamName=dead)["events"] == []
        cluster.start_node("c")
        cluster.wait_ready(names=["c"])
        wait_until(lambda: ask() == (["of a", "of b", "of c"], ""), LIMIT, "the log of the worker that was dead")
