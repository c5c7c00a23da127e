"""Extensions and what they are told: registered, woken, subscribed, and ended, in real environments."""

import json
import time
from pathlib import Path

import pytest
import zips
from clients import invoke, wait_updated

WATCHER = (Path(__file__).parent / "extensions" / "watcher.py").read_text()
# Shows what lies in /tmp after so long, and prints what it is given.
FUNCTION = """
import json, os, time

def handler(event, context):
    print(event.get("print", ""), end=event.get("end", "\\n"))
    time.sleep(event.get("sleep", 0))
    def read(name):
        try:
            return [json.loads(line) for line in open(f"/tmp/{name}.jsonl")]
        except FileNotFoundError:
            return []
    if event.get("exit"):
        os._exit(event["exit"])
    names = ["registered", "subscribed", "events", "done", "telemetry", "lines"]
    return {**{name: read(name) for name in names}, "id": context.aws_request_id}
"""


@pytest.fixture
def layers(client):
    """Publishes layers of extensions; they go away with the test."""
    made = []

    def published(name, names=("watcher",), mode=0o755, files=None):
        content = files or {f"extensions/{each}": (WATCHER, mode) for each in names}
        answer = client.publish_layer_version(LayerName=name, Content={"ZipFile": zips.with_modes(content)})
        made.append((name, answer["Version"]))
        return answer["LayerVersionArn"]

    yield published
    for name, version in made:
        client.delete_layer_version(LayerName=name, VersionNumber=version)


@pytest.fixture
def watched(client, deploy, layers, name):
    """Deploys the function above, watched by the extension, which follows a plan."""

    def deployed(code=FUNCTION, layer=None, **plan):
        layer = layer or layers(f"{name}-layer")
        return deploy(
            zips.package({"app.py": code}),
            "app.handler",
            Runtime="python3.11",
            Timeout=plan.pop("timeout", 20),
            MemorySize=512,
            Layers=[layer],
            Environment={"Variables": {"WATCHER": json.dumps(plan)}},
            **({"LoggingConfig": plan.pop("logging")} if "logging" in plan else {}),
        )

    return deployed


def logged(cluster, function, wanted, patience=20):
    """Waits until this is in a log file of the function's, on any node."""
    deadline = time.monotonic() + patience
    seen = ""
    while time.monotonic() < deadline:
        files = [path for path in Path(cluster.directory).rglob("*") if path.is_file() and function in str(path) and "logs" in path.parts]
        seen = "".join(path.read_text(errors="replace") for path in files)
        if wanted in seen:
            return seen
        time.sleep(0.1)
    raise AssertionError(f"expected {wanted!r} in the log, got {seen!r}")


def test_an_extension_is_told_of_invocations(client, watched):
    name = watched()
    first = invoke(client, name, {}, LogType="Tail")
    assert first.error is None, first.raw
    (status, about, variables), = first.payload["registered"]
    assert status == 200
    assert about == {
        "functionName": name, "functionVersion": "$LATEST", "handler": "app.handler", "accountId": "000000000000",
    }  # fmt: skip
    assert {"AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_LAMBDA_FUNCTION_NAME", "WATCHER"} <= set(variables)
    of_the_runtime = {"_HANDLER", "AWS_EXECUTION_ENV", "LAMBDA_TASK_ROOT", "AWS_LAMBDA_LOG_STREAM_NAME"}
    assert not of_the_runtime & set(variables)
    assert "EXTENSION\tName: watcher\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n" in first.log
    assert "watcher begins\n" in first.log
    second = invoke(client, name, {})
    told = second.payload["events"][0]
    assert (told["eventType"], told["requestId"]) == ("INVOKE", first.request_id)
    assert told["invokedFunctionArn"].endswith(f":function:{name}")
    assert told["tracing"]["type"] == "X-Amzn-Trace-Id"
    assert abs(told["deadlineMs"] - 1000 * time.time()) < 60_000
    assert second.payload["done"][0] == first.request_id, "it was done before the next one began"


def test_the_caller_need_not_wait_for_extensions(client, watched):
    name = watched(busy=3)
    began = time.monotonic()
    answer = invoke(client, name, {}, LogType="Tail")
    assert time.monotonic() - began > 3, "whoever wants the log waits for its end"
    duration = float(answer.log.split("\tDuration: ")[1].split(" ms")[0])
    assert duration >= 3000
    began = time.monotonic()
    invoke(client, name, {})
    assert time.monotonic() - began < 3, "and nobody else"


def records_of(client, function, which, wanted, patience=30):
    """What a subscriber has got once `wanted` is among it: batches come a little later than what they tell of."""
    deadline = time.monotonic() + patience
    while True:
        answer = invoke(client, function, {"sleep": 0.2}, LogType="Tail")
        records = answer.payload[which]
        if all(any(is_wanted(record) for record in records) for is_wanted in wanted):
            assert answer.payload["subscribed"] == [[200, '"OK"']]
            return records
        assert time.monotonic() < deadline, [record["type"] for record in records]


def test_telemetry_over_http(client, watched):
    name = watched(telemetry=True)
    first = invoke(client, name, {"print": "hello ☃"}, LogType="Tail")
    invoke(client, name, {"print": "unfinished", "end": ""}, LogType="Tail")
    kinds = (
        "platform.initStart", "platform.telemetrySubscription", "platform.initRuntimeDone", "platform.extension",
        "platform.initReport", "platform.start", "platform.runtimeDone", "platform.report",
    )  # fmt: skip
    wanted = [lambda record, kind=kind: record["type"] == kind for kind in kinds]
    wanted.append(lambda record: record["type"] == "function" and record["record"] == "unfinished")
    records = records_of(client, name, "telemetry", wanted)
    order = [record["type"] for record in records]
    assert order.index("platform.initStart") < order.index("platform.initReport") < order.index("platform.start")

    def of(kind):
        return [record["record"] for record in records if record["type"] == kind]

    assert "hello ☃" in of("function")
    assert "watcher begins" in of("extension")
    start = of("platform.initStart")[0]
    assert (start["functionName"], start["instanceMaxMemory"]) == (name, 512 << 20)
    done = of("platform.runtimeDone")[0]
    assert (done["requestId"], done["status"]) == (first.request_id, "success")
    assert done["metrics"]["producedBytes"] == len(first.raw)
    report = of("platform.report")[0]
    assert report["requestId"] == first.request_id
    assert report["metrics"]["durationMs"] >= done["metrics"]["durationMs"]


def test_the_older_logs_api_over_tcp(client, watched):
    name = watched(logs=True)
    first = invoke(client, name, {"print": "hello"}, LogType="Tail")
    kinds = ("function", "platform.end", "platform.report", "platform.logsSubscription")
    wanted = [lambda record, kind=kind: record["type"] == kind for kind in kinds]
    records = records_of(client, name, "lines", wanted)
    assert not {"platform.initStart", "platform.initReport", "extension"} & {record["type"] for record in records}
    ends = [record["record"] for record in records if record["type"] == "platform.end"]
    assert ends[0] == {"requestId": first.request_id}


@pytest.mark.parametrize(
    "crash, kind, message",
    [
        ("first", "Extension.Crash", "exit status 7"),
        ("init", "Extension.InitError", "Mine.NoConfig"),
        ("invoke", "Extension.Crash", "exit status 3"),
        ("exit", "Extension.ExitError", "Mine.NoConfig"),
    ],
)
def test_an_extension_that_fails_takes_the_invocation_with_it(client, watched, crash, kind, message):
    name = watched(crash=crash)
    answer = invoke(client, name, {"sleep": 10}, LogType="Tail")
    assert answer.error == "Unhandled"
    assert answer.payload == {"errorType": kind, "errorMessage": f"RequestId: {answer.request_id} Error: {message}"}
    assert f"RequestId: {answer.request_id} Error: {message}\n{kind}\n" in answer.log


def test_programs_that_cannot_be_started(client, watched, layers, name):
    function = watched(layer=layers(f"{name}-plain", mode=0o644))
    answer = invoke(client, function, {})
    assert answer.payload["errorType"] == "Extension.LaunchError"
    assert "fork/exec /opt/extensions/watcher: permission denied" in answer.payload["errorMessage"]
    function = watched(layer=layers(f"{name}-many", [f"watcher-{n}" for n in range(11)]))
    answer = invoke(client, function, {})
    assert answer.payload["errorType"] == "Extension.TooManyExtensions"
    assert "Extension limit (10) reached" in answer.payload["errorMessage"]


def test_several_extensions(client, watched, layers, name):
    function = watched(layer=layers(f"{name}-both", ["alpha", "beta"]), events=["INVOKE"])
    invoke(client, function, {}, LogType="Tail")
    answer = invoke(client, function, {}, LogType="Tail")
    assert len(answer.payload["registered"]) == 2
    assert "alpha INVOKE" in answer.log and "beta INVOKE" in answer.log


def test_the_end_is_told(client, cluster, watched):
    name = watched(linger=0.2)
    assert invoke(client, name, {}).error is None
    client.update_function_configuration(FunctionName=name, Timeout=21)
    wait_updated(client, name)
    log = logged(cluster, name, "watcher ends")
    assert "watcher SHUTDOWN spindown" in log


@pytest.mark.parametrize("event, reason", [({"sleep": 10}, "timeout"), ({"exit": 5}, "failure")])
def test_a_reset_is_told_and_begins_anew(client, cluster, watched, event, reason):
    name = watched(timeout=2)
    assert invoke(client, name, {}, LogType="Tail").error is None
    assert invoke(client, name, event).error == "Unhandled"
    logged(cluster, name, f"watcher SHUTDOWN {reason}")
    answer = invoke(client, name, {})
    assert answer.error is None, answer.raw


INTERNAL = """
import http.client, json, os, threading

def call(method, path, headers, body=None):
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    connection.request(method, path, body=body, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.headers, json.loads(answer.read())

seen = []
REGISTER = "/2020-01-01/extension/register"
refused = call("POST", REGISTER, {"Lambda-Extension-Name": "inside"}, '{"events":["SHUTDOWN"]}')
status, headers, _ = call("POST", REGISTER, {"Lambda-Extension-Name": "inside"}, '{"events":["INVOKE"]}')
me = {"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}

def follow():
    while True:
        seen.append(call("GET", "/2020-01-01/extension/event/next", me)[2])

threading.Thread(target=follow, daemon=True).start()

def handler(event, context):
    late = call("POST", REGISTER, {"Lambda-Extension-Name": "late"}, '{"events":[]}')
    return {"refused": [refused[0], refused[2]], "seen": seen, "late": [late[0], late[2]]}
"""


def test_an_internal_extension(client, deploy):
    name = deploy(zips.package({"app.py": INTERNAL}), "app.handler", Runtime="python3.11", MemorySize=512)
    first = invoke(client, name, {}, LogType="Tail")
    assert first.error is None, first.raw
    assert "EXTENSION\tName: inside\tState: Ready\tEvents: [INVOKE]\n" in first.log
    assert first.payload["refused"][0] == 403
    assert first.payload["refused"][1]["errorType"] == "Extension.InvalidEventType"
    assert first.payload["late"][1]["errorType"] == "Extension.RegistrationClosed"
    second = invoke(client, name, {})
    assert [event["requestId"] for event in second.payload["seen"]][0] == first.request_id
