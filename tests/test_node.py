"""Functions of the nodejs runtimes, from CreateFunction to the lines of their log."""

import base64
import json
import re
import subprocess
import time
from pathlib import Path

import log_lines
import pytest
import zips
from clients import invoke, wait_updated
from test_streaming import read, stream

# The Node.js of this machine, which a worker finds, too: without it, other tests of this repository do not run either.
MAJOR = int(subprocess.run(["node", "--version"], capture_output=True, check=True, text=True).stdout[1:].split(".")[0])
RUNTIME = f"nodejs{MAJOR}.x"
with_callbacks = pytest.mark.skipif(MAJOR >= 24, reason=f"{RUNTIME} has no callbacks")
# What the line about a failed initialisation begins with.
INIT_ERROR = "Uncaught Exception" if MAJOR < 24 else "Init Error"
EXAMPLE = Path(__file__).parent.parent / "examples" / "hello-node" / "index.mjs"
LINE = re.compile(r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)\t(?P<id>[^\t]+)\t(?P<level>[A-Z]+)\t(?P<message>.*)")


@pytest.fixture
def node(deploy):
    """Deploys a function of these files, or of one index.js."""

    def deployed(files, handler="index.handler", runtime=RUNTIME, **arguments):
        files = {"index.js": files} if isinstance(files, str) else files
        return deploy(zips.package(files), handler, Runtime=runtime, **{"Timeout": 10, **arguments})

    return deployed


def lines(log, request_id):
    """What the code logged in an invocation, as pairs of level and message."""
    parsed = [LINE.fullmatch(line) for line in log.split("\n")]
    return [(line["level"], line["message"]) for line in parsed if line and line["id"] == request_id]


def error_line(log, label):
    """The document in the line that tells of an error; a failed initialisation is tried again and tells it twice."""
    document, *_ = [text.split(f"\tERROR\t{label} \t", 1)[1] for text in log.split("\n") if f"\tERROR\t{label} \t" in text]
    return json.loads(document)


def test_every_node_of_this_machine(client, node, cluster):
    """A node of the cluster finds the interpreters that are installed, and tells which runtimes it can start."""
    (member,) = [m for m in cluster.status("a")["members"] if m["name"] == "a"]
    runtimes = [runtime for runtime in member["runtimes"] if runtime.startswith("nodejs")]
    assert runtimes, "these tests need a Node.js"
    for runtime in runtimes:
        name = node("exports.handler = async () => [process.version, process.env.AWS_EXECUTION_ENV]", runtime=runtime)
        answer = invoke(client, name, LogType="Tail")
        version, execution = answer.payload
        assert execution == f"AWS_Lambda_{runtime}"
        (label,) = re.findall(r"INIT_START Runtime Version: nodejs:(\d+)\.v\d+\t", answer.log)
        assert version.startswith(f"v{label}.")


def test_the_example(client, node):
    name = node({"index.mjs": EXAMPLE.read_text()})
    for number in range(2):
        answer = invoke(client, name, {"name": "dunlin"}, LogType="Tail")
        assert answer.error is None, answer.payload
        assert answer.payload == {"message": "hello, dunlin", "request": answer.request_id}
        ((level, message),) = lines(answer.log, answer.request_id)
        assert level == "INFO" and re.fullmatch(r"greeting dunlin, \d+ ms left", message)
        assert (log_lines.parse(answer.log).report.init_ms is not None) == (number == 0)


MODULES = {
    "index.js": "exports.handler = async () => 'commonjs'; exports.a = { b: { handler: async () => 'nested' } };",
    "esm.mjs": "const value = await Promise.resolve('top-level await'); export const handler = async () => value;",
    "dir/deep/file.cjs": "exports.handler = async () => 'cjs';",
    "typed/package.json": '{"type": "module"}',
    "typed/app.js": "import { sep } from 'node:path'; export const handler = async () => `module${sep}`;",
    "typed/common.cjs": "exports.handler = async () => typeof require;",
    "node_modules/dep/index.js": "exports.word = 'dependency';",
    "uses.js": "exports.handler = async () => require('dep').word;",
    "mixed.mjs": "import dep from 'dep'; export const handler = async () => dep.word;",
}


@pytest.mark.parametrize(
    ("handler", "expected"),
    {
        "index.handler": "commonjs",
        "index.a.b.handler": "nested",
        "esm.handler": "top-level await",
        "dir/deep/file.handler": "cjs",
        "typed/app.handler": "module/",
        "typed/common.handler": "function",
        "uses.handler": "dependency",
        "mixed.handler": "dependency",
    }.items(),
)
def test_every_kind_of_module(client, node, handler, expected):
    answer = invoke(client, node(MODULES, handler))
    assert (answer.error, answer.payload) == (None, expected)


RESULTS = {
    "nothing": ("async () => {}", None),
    "falsy": ("async () => 0", 0),
    "unicode": ("async (event) => event.text", "ä ☃ 😀"),
    "promise": ("(event) => Promise.resolve([event.text])", ["ä ☃ 😀"]),
}
BY_CALLBACK = {
    "callback": ("(event, context, callback) => callback(null, { text: event.text })", {"text": "ä ☃ 😀"}),
    "late callback": ("(event, context, callback) => { setTimeout(callback, 20, null, 'late') }", "late"),
    "succeed": ("(event, context) => { context.succeed('succeeded') }", "succeeded"),
    "done": ("(event, context) => { context.done(null, 'done') }", "done"),
    "nobody calls back": ("(event) => event", None),
}


@pytest.mark.parametrize(("handler", "expected"), RESULTS.values(), ids=RESULTS)
def test_results(client, node, handler, expected):
    name = node(f"exports.handler = {handler}")
    for _ in range(2):
        answer = invoke(client, name, {"text": "ä ☃ 😀"})
        assert (answer.error, answer.payload) == (None, expected)


@with_callbacks
@pytest.mark.parametrize(("handler", "expected"), BY_CALLBACK.values(), ids=BY_CALLBACK)
def test_results_by_callback(client, node, handler, expected):
    test_results(client, node, handler, expected)


@with_callbacks
def test_a_callback_waits_for_an_empty_event_loop_unless_told_otherwise(client, node):
    code = """
        exports.handler = (event, context, callback) => {
          context.callbackWaitsForEmptyEventLoop = event.waits;
          setTimeout(() => console.log('done'), 300);
          callback(null, event);
        };
    """
    name = node(code)
    waits = invoke(client, name, {"waits": True}, LogType="Tail")
    assert lines(waits.log, waits.request_id) == [("INFO", "done")]
    assert log_lines.parse(waits.log).report.duration_ms >= 290
    at_once = invoke(client, name, {"waits": False}, LogType="Tail")
    assert at_once.payload == {"waits": False}
    assert lines(at_once.log, at_once.request_id) == []


def test_from_node_24_on_there_are_no_callbacks(client, node, cluster):
    (member,) = [m for m in cluster.status("a")["members"] if m["name"] == "a"]
    without = [r for r in member["runtimes"] if r.startswith("nodejs") and r >= "nodejs24.x"]
    if not without:
        pytest.skip("no Node.js of 24 or newer is installed")
    code = """
        exports.plain = (event) => event;
        exports.members = async (event, context) => Object.keys(context);
        exports.callback = (event, context, callback) => callback(null, 1);
    """
    assert invoke(client, node(code, "index.plain", without[0]), [1]).payload == [1]
    members = invoke(client, node(code, "index.members", without[0])).payload
    assert not {"done", "succeed", "fail", "callbackWaitsForEmptyEventLoop"} & set(members)
    refused = invoke(client, node(code, "index.callback", without[0]))
    assert (refused.error, refused.payload["errorType"]) == ("Unhandled", "Runtime.CallbackHandlerDeprecated")


def test_the_context_and_the_environment(client, node):
    code = """
        exports.handler = async (event, context) => ({
          ...context, remaining: context.getRemainingTimeInMillis(), trace: process.env._X_AMZN_TRACE_ID,
          path: process.env.NODE_PATH, setting: process.env.SETTING, files: [__filename, process.cwd()],
        });
    """
    name = node(code, MemorySize=256, Environment={"Variables": {"SETTING": "mine"}})
    client.publish_version(FunctionName=name)
    custom = base64.b64encode(json.dumps({"custom": {"k": "ä"}, "client": {"app_title": "t"}}).encode()).decode()
    answer = invoke(client, name, {}, Qualifier="1", ClientContext=custom)
    said = answer.payload
    assert 0 < said.pop("remaining") <= 10000
    assert said.pop("trace").startswith("Root=1-")
    assert said.pop("logStreamName").startswith("20")
    assert said.pop("callbackWaitsForEmptyEventLoop", True) is True
    assert said.pop("path").startswith(f"/opt/nodejs/node{MAJOR}/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:")
    assert said == {
        "functionName": name,
        "functionVersion": "1",
        "memoryLimitInMB": "256",
        "logGroupName": f"/aws/lambda/{name}",
        "invokedFunctionArn": f"arn:aws:lambda:us-east-1:000000000000:function:{name}:1",
        "awsRequestId": answer.request_id,
        "clientContext": {"custom": {"k": "ä"}, "client": {"app_title": "t"}},
        "setting": "mine",
        "files": ["/var/task/index.js", "/var/task"],
    }


def test_modules_of_layers(client, node, name):
    content = {
        "nodejs/node_modules/shared/index.js": "exports.word = 'for all';",
        "nodejs/node_modules/other/index.js": "exports.word = 'for all';",
        f"nodejs/node{MAJOR}/node_modules/shared/index.js": "exports.word = 'for one';",
    }
    layer = client.publish_layer_version(LayerName=name, Content={"ZipFile": zips.package(content)})
    try:
        code = "exports.handler = async () => [require('shared').word, require('other').word]"
        function = node(code, Layers=[layer["LayerVersionArn"]])
        assert invoke(client, function).payload == ["for one", "for all"]
    finally:
        client.delete_layer_version(LayerName=name, VersionNumber=layer["Version"])


THROWN = {
    "error": ("throw new RangeError('too far ☃')", "RangeError", "too far ☃"),
    "own": ("throw Object.assign(new Error('mine'), { name: 'OrderRefused', code: 7 })", "OrderRefused", "mine"),
    "text": ("throw 'only text'", "string", "only text"),
    "object": ("throw { a: 1 }", "object", "[object Object]"),
    "nothing": ("throw undefined", "undefined", "undefined"),
    "circular": ("const it = {}; it.it = it; return it", "Error", "Unable to stringify response body"),
    "unsettled": ("return new Promise(() => {})", "Runtime.NodeJsExit", None),
}


@pytest.mark.parametrize("which", THROWN)
def test_an_error_is_told_and_logged_and_does_not_end_the_environment(client, node, which):
    statement, kind, message = THROWN[which]
    name = node(f"let calls = 0;\nexports.handler = async () => {{ if (calls++) return calls;\n{statement} }}")
    answer = invoke(client, name, LogType="Tail")
    assert (answer.status, answer.error) == (200, "Unhandled")
    payload = answer.payload
    assert set(payload) == {"errorType", "errorMessage", "trace"}
    assert payload["errorType"] == kind
    assert message is None or payload["errorMessage"] == message
    logged = error_line(answer.log, "Invoke Error")
    assert (logged["errorType"], logged["errorMessage"]) == (kind, payload["errorMessage"])
    assert logged["stack"] == payload["trace"]
    if which == "error":
        assert payload["trace"][0] == "RangeError: too far ☃"
        assert "/var/task/index.js:3:" in payload["trace"][1]
    if which == "own":
        assert logged["code"] == 7
    assert invoke(client, name).payload == 2


FATAL = {
    "exception": ("setTimeout(() => { throw new RangeError('later') }, 10)", "RangeError", "later", "Uncaught Exception"),
    "rejection": (
        "Promise.reject(new RangeError('lost'))",
        "Runtime.UnhandledPromiseRejection",
        "RangeError: lost",
        "Unhandled Promise Rejection",
    ),
}


@pytest.mark.parametrize("which", FATAL)
def test_what_nobody_catches_ends_the_process(client, node, which):
    statement, kind, message, label = FATAL[which]
    code = f"""
        let calls = 0;
        exports.handler = async (event) => {{
          if (event.fails) {{ {statement}; await new Promise((resolve) => setTimeout(resolve, 3000)); }}
          return ++calls;
        }};
    """
    name = node(code)
    assert invoke(client, name, {}).payload == 1
    answer = invoke(client, name, {"fails": True}, LogType="Tail")
    assert answer.error == "Unhandled"
    assert (answer.payload["errorType"], answer.payload["errorMessage"]) == (kind, message)
    logged = error_line(answer.log, label)
    assert logged["errorType"] == kind
    if which == "rejection":
        assert logged["reason"]["errorMessage"] == "lost"
    assert invoke(client, name, {}).payload == 1, "a new process"


@pytest.mark.parametrize(("status", "said"), [(0, "Runtime exited without providing a reason"), (3, "Runtime exited with error: exit status 3")])
def test_a_process_that_exits(client, node, status, said):
    name = node(f"exports.handler = async (event) => event.fails ? process.exit({status}) : 'fine'")
    answer = invoke(client, name, {"fails": True})
    assert answer.payload == {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: {answer.request_id} Error: {said}"}
    assert invoke(client, name, {}).payload == "fine"


def test_a_function_that_takes_too_long(client, node):
    name = node("exports.handler = async (ms) => new Promise((resolve) => setTimeout(resolve, ms, 'fine'))", Timeout=1)
    assert invoke(client, name, 1).payload == "fine"
    late = invoke(client, name, 20000)
    assert late.payload["errorType"] == "Sandbox.Timedout"
    assert invoke(client, name, 1).payload == "fine"


def test_the_heap_is_bounded_by_the_memory(client, node):
    """Garbage beyond the function's memory is collected, instead of ending the function."""
    code = """
        exports.handler = async (megabytes) => {
          let kept = [];
          for (let n = 0; n < megabytes; n++) { kept.push(new Array(1 << 17).fill(n)); kept = kept.slice(-8); }
          return kept.length;
        };
    """
    assert invoke(client, node(code, MemorySize=128, Timeout=60), 400).payload == 8


BROKEN = {
    "no-module": ("nowhere.handler", "", "Runtime.ImportModuleError", "Error: Cannot find module 'nowhere'\nRequire stack:\n- /var/runtime/"),
    "import": ("index.handler", "require('nonsense')", "Runtime.ImportModuleError", "Error: Cannot find module 'nonsense'\nRequire stack:\n- /var/task/index.js\n"),
    "no-handler": ("index.nothing", "exports.handler = 1", "Runtime.HandlerNotFound", "index.nothing is undefined or not exported"),
    "no-function": ("index.handler", "exports.handler = 1", "Runtime.HandlerNotFound", "index.handler is not a function"),
    "no-dot": ("index", "", "Runtime.MalformedHandlerName", "Bad handler"),
    "syntax": ("index.handler", "exports.handler = (", "Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected end of input"),
    "import-statement": ("index.handler", "import fs from 'node:fs'; exports.handler = async () => 1; exports = 1", "Runtime.UserCodeSyntaxError", "SyntaxError: Cannot use import statement outside a module"),
    "raises": ("index.handler", "throw new RangeError('at import')", "RangeError", "at import"),
}  # fmt: skip


@pytest.mark.parametrize("which", BROKEN)
def test_code_that_cannot_be_loaded(client, node, which):
    handler, code, kind, message = BROKEN[which]
    # Newer versions of Node.js tell modules by their syntax, unless the package says what they are.
    name = node({"index.js": code, "package.json": '{"type": "commonjs"}'}, handler)
    for _ in range(2):
        answer = invoke(client, name, LogType="Tail")
        assert answer.error == "Unhandled"
        assert answer.payload["errorType"] == kind
        assert answer.payload["errorMessage"].startswith(message)
        assert answer.payload["trace"][0].startswith(f"{kind}: ")
        assert error_line(answer.log, INIT_ERROR)["errorType"] == kind
    client.update_function_code(FunctionName=name, ZipFile=zips.package({"index.js": "exports.handler = async () => 'mended'"}))
    wait_updated(client, name)
    client.update_function_configuration(FunctionName=name, Handler="index.handler")
    wait_updated(client, name)
    assert invoke(client, name).payload == "mended"


LOGGING = """
    exports.handler = async () => {
      console.trace('traced'); console.debug('n is', 1, { b: [2] }); console.log('two\\nlines'); console.warn('%s: %d', 'it', 3);
      console.error('wrong:', new TypeError('bad')); console.info({ order: 7 }); console.fatal('over');
    };
"""


def test_lines_of_the_log(client, node):
    answer = invoke(client, node("console.log('at import');" + LOGGING), LogType="Tail")
    logged = lines(answer.log, answer.request_id)
    assert logged[:4] == [("TRACE", "traced"), ("DEBUG", "n is 1 { b: [ 2 ] }"), ("INFO", "two\rlines"), ("WARN", "it: 3")]
    assert logged[4][0] == "ERROR" and logged[4][1].startswith("wrong: TypeError: bad\r    at exports.handler (/var/task/index.js:")
    assert logged[5:] == [("INFO", "{ order: 7 }"), ("FATAL", "over")]
    assert "\tundefined\tINFO\tat import\n" in answer.log


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("TRACE", ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "INFO", "FATAL"]),
        ("WARN", ["WARN", "ERROR", "FATAL"]),
        ("FATAL", ["FATAL"]),
    ],
)
def test_a_log_in_json(client, node, level, expected):
    name = node(LOGGING, LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": level})
    answer = invoke(client, name, LogType="Tail")
    records = [record for record in map(json.loads, answer.log.splitlines()) if "level" in record]
    assert [record["level"] for record in records] == expected
    assert {record["requestId"] for record in records} == {answer.request_id}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["timestamp"]) for record in records)
    for record in records:
        if record["level"] == "ERROR":
            assert (record["errorType"], record["errorMessage"]) == ("TypeError", "bad")
            assert record["message"].startswith("wrong: TypeError: bad\n")
            assert record["stackTrace"][0] == "TypeError: bad"
    if level == "TRACE":
        assert [record["message"] for record in records[1:3]] == ["n is 1 { b: [ 2 ] }", "two\nlines"]
        assert records[5]["message"] == {"order": 7}


def test_an_error_in_a_json_log(client, node):
    code = "exports.handler = async () => { throw new RangeError('too far') }"
    answer = invoke(client, node(code, LoggingConfig={"LogFormat": "JSON"}), LogType="Tail")
    (record,) = [record for record in map(json.loads, answer.log.splitlines()) if record.get("level") == "ERROR"]
    trace = answer.payload["trace"]
    assert record["message"] == {"errorType": "RangeError", "errorMessage": "too far", "stackTrace": trace}
    assert record["requestId"] == answer.request_id


STREAMING = """
    const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    const { pipeline } = require('node:stream/promises');
    exports.chunks = awslambda.streamifyResponse(async (event, stream) => {
      for (const part of event) { stream.write(part); await pause(10); }
      stream.end();
    });
    exports.page = awslambda.streamifyResponse(async (event, stream) => {
      stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { 'x-a': 'b' }, cookies: ['c=d'] });
      await pipeline(require('node:stream').Readable.from(event), stream);
    });
    exports.late = awslambda.streamifyResponse(async (event, stream) => {
      stream.write('x'); stream.end('y'); throw new Error('too late');
    });
    exports.talkative = awslambda.streamifyResponse(async (event, stream) => {
      stream.write('part'); await pause(10); throw new RangeError('x'.repeat(50_000));
    });
    exports.typed = awslambda.streamifyResponse(async (type, stream) => {
      stream.setContentType(type); stream.write('x'); stream.end();
    });
    let done = 0;
    exports.slow = awslambda.streamifyResponse(async (ms, stream) => {
      if (ms < 0) { stream.end(`done ${done}`); return; }
      stream.write('first'); await pause(ms); stream.end('second'); done += 1;
    });
    exports.long = awslambda.streamifyResponse(async (megabytes, stream) => {
      await pipeline(require('node:stream').Readable.from(Array(megabytes).fill('x'.repeat(1 << 20))), stream);
    });
    exports.dying = awslambda.streamifyResponse(async (event, stream) => {
      stream.write('part'); await pause(300); process.exit(3);
    });
    exports.broken = awslambda.streamifyResponse(async (event, stream) => {
      stream.write('part'); await pause(10); throw new RangeError('in the middle');
    });
"""


def test_a_streamed_response(client, node):
    name = node(STREAMING, "index.chunks")
    for _ in range(2):
        payload, end = read(stream(client, name, ["hel", "lo ", "☃"]))
        assert (payload.decode(), end) == ("hello ☃", {})
        assert invoke(client, name, ["a", "b"]).raw == b"ab", "collected"
    parts = ["x" * 100_000] * 30
    assert read(stream(client, name, parts))[0] == "".join(parts).encode()


def test_a_streamed_response_with_a_prelude(client, node):
    answer = invoke(client, node(STREAMING, "index.page"), ["one", " two"])
    prelude, _, body = answer.raw.partition(b"\0" * 8)
    assert json.loads(prelude) == {"statusCode": 201, "headers": {"x-a": "b"}, "cookies": ["c=d"]}
    assert body == b"one two"


def test_a_stream_arrives_while_it_is_made(client, node):
    name = node(STREAMING, "index.slow")
    events = iter(stream(client, name, 2000)["EventStream"])
    assert next(events)["PayloadChunk"]["Payload"] == b"first"
    began = time.monotonic()
    assert next(events)["PayloadChunk"]["Payload"] == b"second"
    assert time.monotonic() - began > 1
    assert next(events)["InvokeComplete"] == {}


def test_a_stream_may_be_longer_than_a_response(client, node):
    payload, end = read(stream(client, node(STREAMING, "index.long", MemorySize=512), 20))
    assert (len(payload), set(payload), end) == (20 << 20, {ord("x")}, {})


def test_a_stream_that_is_not_read_does_not_stop_its_function(client, node):
    name = node(STREAMING, "index.slow")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    answer = stream(client, name, 500)
    next(iter(answer["EventStream"]))
    answer["EventStream"].close()
    deadline = time.monotonic() + 20
    while True:
        try:
            assert invoke(client, name, -1).raw == b"done 1"
            return
        except client.exceptions.TooManyRequestsException:
            assert time.monotonic() < deadline, "it runs on"


def test_a_stream_that_takes_too_long_or_dies(client, node):
    name = node(STREAMING, "index.slow", Timeout=3)
    payload, end = read(stream(client, name, 20_000))
    assert payload == b"first"
    assert end["ErrorCode"] == "Unhandled" and "timed out after 3.00 seconds" in end["ErrorDetails"]
    name = node(STREAMING, "index.dying")
    payload, end = read(stream(client, name, {}))
    assert payload == b"part"
    assert end["ErrorCode"] == "Unhandled" and "exit status 3" in end["ErrorDetails"]


def test_a_stream_that_breaks(client, node):
    name = node(STREAMING, "index.broken")
    payload, end = read(stream(client, name, {}))
    assert (payload, end["ErrorCode"]) == (b"part", "Unhandled")
    assert json.loads(end["ErrorDetails"])["errorMessage"] == "in the middle"
    answer = invoke(client, name, {}, LogType="Tail")
    assert (answer.error, answer.payload["errorMessage"]) == ("Unhandled", "in the middle")
    assert error_line(answer.log, "Invoke Error")["errorType"] == "RangeError"


def test_a_stream_that_had_ended_when_its_handler_failed(client, node):
    name = node(STREAMING, "index.late")
    environments = set()
    for _ in range(2):
        answer = invoke(client, name, {}, LogType="Tail")
        assert (answer.error, answer.raw) == (None, b"xy")
        assert error_line(answer.log, "Invoke Error")["errorMessage"] == "too late"
        environments.add("INIT_START" in answer.log)
    assert environments == {True, False}, "the second one finds the environment of the first"


def test_a_long_error_in_the_middle_of_a_stream(client, node):
    answer = invoke(client, node(STREAMING, "index.talkative"), {})
    assert (answer.error, answer.payload["errorType"]) == ("Unhandled", "RangeError")
    assert answer.payload["errorMessage"] == "x" * 50_000


@pytest.mark.parametrize("kind", ["a/b\r\nContent-Length: 0\r\n\r\nGET /2018-06-01/runtime/invocation/next HTTP/1.1", "a/\u010d\u010a"])
def test_a_content_type_ends_no_head(client, node, kind):
    name = node(STREAMING, "index.typed")
    answer = invoke(client, name, kind)
    assert (answer.error, answer.payload["errorType"]) == ("Unhandled", "TypeError")
    assert invoke(client, name, "text/plain").raw == b"x", "the connection is as it was"


def test_a_rejection_while_the_module_loads(client, node):
    name = node("Promise.reject(new Error('no database')); exports.handler = async () => 1")
    answer = invoke(client, name, {}, LogType="Tail")
    assert (answer.error, answer.payload["errorType"]) == ("Unhandled", "Runtime.UnhandledPromiseRejection")
    assert answer.payload["errorMessage"] == "Error: no database"


def test_an_error_with_a_ring_in_a_json_log(client, node):
    code = """
        exports.handler = async () => {
          const error = new Error('socket hang up');
          Object.assign(error, { self: error, requestId: 'another', many: 1n });
          console.error('call failed', error);
          return 'fallback';
        };
    """
    answer = invoke(client, node(code, LoggingConfig={"LogFormat": "JSON"}), LogType="Tail")
    assert answer.payload == "fallback"
    (record,) = [record for record in map(json.loads, answer.log.splitlines()) if record.get("level") == "ERROR"]
    assert (record["requestId"], record["errorMessage"]) == (answer.request_id, "socket hang up")


def test_payloads_at_the_limit(client, node):
    name = node("exports.handler = async (text) => text")
    text = "ä" * ((6 << 20) // 2 - 8)
    assert invoke(client, name, raw=json.dumps(text, ensure_ascii=False).encode()).payload == text
    over = invoke(client, node("exports.handler = async () => 'x'.repeat(7 << 20)"))
    assert over.payload["errorType"] == "Function.ResponseSizeTooLarge"


def test_tenants(client, node):
    code = "exports.handler = async (event, context) => { console.log('for one'); return context.tenantId }"
    name = node(code, TenancyConfig={"TenantIsolationMode": "PER_TENANT"}, LoggingConfig={"LogFormat": "JSON"})
    answer = invoke(client, name, {}, TenantId="blue", LogType="Tail")
    assert answer.payload == "blue"
    assert '"tenantId":"blue"' in answer.log
