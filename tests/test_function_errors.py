"""Functions that fail: what the caller is told, and that the next invocation works."""

import re
import time

import log_lines
import pytest
import zips
from clients import invoke


@pytest.fixture
def failing(client, deploy):
    """Invokes a function that fails as told; afterwards it must work again."""
    name = deploy("failing", Timeout=10, MemorySize=128)

    def fail(kind, **details):
        answer = invoke(client, name, {"fail": kind, **details}, LogType="Tail")
        assert answer.status == 200
        assert answer.error == "Unhandled"
        assert answer.version == "$LATEST"
        assert log_lines.report_of(answer.log).request_id == answer.request_id
        return answer

    yield fail
    assert invoke(client, name, {"fail": "nothing"}).payload == "fine"


def test_an_exception_is_told_in_full(failing):
    answer = failing("raise", text="no stock ☃")
    payload = answer.payload
    assert payload["errorType"] == "OrderRefused"
    assert payload["errorMessage"] == "no stock ☃"
    assert payload["requestId"] == answer.request_id
    assert any('failing.py", line ' in frame and "in handler" in frame for frame in payload["stackTrace"])
    assert "OrderRefused" in answer.log


def test_an_exception_does_not_end_the_environment(client, deploy):
    name = deploy(zips.package({"app.py": "seen = []\ndef handler(e, c):\n    seen.append(1)\n    assert len(seen) > 1\n    return len(seen)\n"}), "app.handler")  # fmt: skip
    first = invoke(client, name)
    assert first.error == "Unhandled" and first.payload["errorType"] == "AssertionError"
    assert invoke(client, name).payload == 2


@pytest.mark.parametrize("status", [1, 3, 255])
def test_a_process_that_exits(failing, status):
    answer = failing("exit", status=status)
    assert answer.payload["errorType"] == "Runtime.ExitError"
    assert answer.payload["errorMessage"] == (
        f"RequestId: {answer.request_id} Error: Runtime exited with error: exit status {status}"
    )


def test_a_process_that_exits_as_if_all_were_well(failing):
    answer = failing("exit", status=0)
    assert answer.payload["errorType"] == "Runtime.ExitError"
    assert answer.payload["errorMessage"] == (
        f"RequestId: {answer.request_id} Error: Runtime exited without providing a reason"
    )


def test_sys_exit_in_a_handler(failing):
    answer = failing("sys_exit", status=4)
    assert answer.payload["errorType"] in ("Runtime.ExitError", "SystemExit")


@pytest.mark.parametrize(("name", "said"), [("SIGKILL", "killed"), ("SIGSEGV", "segmentation fault")])
def test_a_process_that_a_signal_ends(failing, name, said):
    answer = failing("signal", name=name)
    assert answer.payload["errorType"] == "Runtime.ExitError"
    assert re.fullmatch(
        rf"RequestId: {answer.request_id} Error: Runtime exited with error: signal: {said}( \(core dumped\))?",
        answer.payload["errorMessage"],
    )


def test_memory_is_what_was_asked_for_and_tmp_does_not_count(client, deploy):
    name = deploy("hoarding", MemorySize=128, Timeout=60)
    assert invoke(client, name, {"where": "memory", "mib": 60}).payload == 60 << 20
    kept = invoke(client, name, {"where": "tmp", "mib": 200}, LogType="Tail")
    assert kept.payload == "/tmp/held"
    assert int(re.search(r"Max Memory Used: (\d+) MB", kept.log)[1]) <= 128
    too_much = invoke(client, name, {"where": "memory", "mib": 200})
    assert too_much.payload["errorType"] == "Runtime.ExitError"
    assert too_much.payload["errorMessage"].endswith("Runtime exited with error: signal: killed")
    assert invoke(client, name, {"where": "memory", "mib": 10}).payload == 10 << 20


def test_a_function_that_needs_more_memory_than_it_has(failing):
    answer = failing("memory")
    assert answer.payload["errorType"] in ("Runtime.OutOfMemory", "Runtime.ExitError")
    assert answer.payload["errorMessage"].startswith(f"RequestId: {answer.request_id} Error: Runtime exited with error: signal: killed")


def test_a_result_that_is_no_json(failing):
    answer = failing("unserialisable")
    assert answer.payload["errorType"] == "Runtime.MarshalError"
    assert answer.payload["errorMessage"].startswith("Unable to marshal response: ")


def test_a_function_that_takes_too_long(client, deploy):
    name = deploy("failing", Timeout=1)
    assert invoke(client, name, {"fail": "nothing"}).payload == "fine"
    began = time.monotonic()
    answer = invoke(client, name, {"fail": "sleep", "seconds": 20}, LogType="Tail")
    took = time.monotonic() - began
    assert 1.0 <= took < 15
    assert answer.status == 200 and answer.error == "Unhandled"
    assert answer.payload == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {answer.request_id} Error: Task timed out after 1.00 seconds",
    }
    report = log_lines.report_of(answer.log)
    assert 1000 <= report.duration_ms < 10_000
    assert "Task timed out after 1.00 seconds" in answer.log
    assert invoke(client, name, {"fail": "nothing"}).payload == "fine"


def test_the_timeout_counts_from_the_handler_on_not_from_the_cold_start(client, deploy):
    code = zips.package({"app.py": "import time\ntime.sleep(2)\ndef handler(e, c):\n    return 'late'\n"})
    assert invoke(client, deploy(code, "app.handler", Timeout=1)).payload == "late"


BROKEN = {
    "no-module": ("nowhere.handler", {"app.py": "def handler(e, c): pass\n"}, "Runtime.ImportModuleError", "Unable to import module 'nowhere': No module named 'nowhere'"),
    "no-handler": ("app.nothing", {"app.py": "def handler(e, c): pass\n"}, "Runtime.HandlerNotFound", "Handler 'nothing' missing on module 'app'"),
    "no-dot": ("app", {"app.py": "def handler(e, c): pass\n"}, "Runtime.MalformedHandlerName", "Bad handler 'app'"),
    "syntax": ("app.handler", {"app.py": "def handler(e, c:\n"}, "Runtime.UserCodeSyntaxError", "Syntax error in module 'app': "),
    "import-error": ("app.handler", {"app.py": "import not_there\n"}, "Runtime.ImportModuleError", "Unable to import module 'app': No module named 'not_there'"),
    "raises": ("app.handler", {"app.py": "raise ValueError('at import')\n"}, "ValueError", "at import"),
}  # fmt: skip


@pytest.mark.parametrize("which", BROKEN)
def test_code_that_cannot_be_loaded(client, deploy, which):
    handler, files, kind, message = BROKEN[which]
    name = deploy(zips.package(files), handler)
    for _ in range(2):
        answer = invoke(client, name, LogType="Tail")
        assert answer.status == 200 and answer.error == "Unhandled"
        assert answer.payload["errorType"] == kind
        assert answer.payload["errorMessage"].startswith(message)
    client.update_function_code(FunctionName=name, ZipFile=zips.function("echo"))
    client.get_waiter("function_updated_v2").wait(FunctionName=name)
    client.update_function_configuration(FunctionName=name, Handler="echo.handler")
    client.get_waiter("function_updated_v2").wait(FunctionName=name)
    assert invoke(client, name, {"mended": True}).payload == {"mended": True}


def test_odd_handlers_that_work(client, deploy):
    source = "def handler(e, c):\n    return __name__\nclass Inner:\n    pass\n"
    files = {"pkg/__init__.py": "", "pkg/sub/__init__.py": "", "pkg/sub/mod.py": source, "dash-ed.py": source, "päckchen.py": source}
    name = deploy(zips.package(files), "pkg/sub/mod.handler")
    for handler in ("pkg.sub.mod.handler", "dash-ed.handler", "päckchen.handler", "pkg/sub/mod.handler"):
        client.update_function_configuration(FunctionName=name, Handler=handler)
        client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 600})
        answer = invoke(client, name)
        assert answer.error is None, (handler, answer.payload)


def test_a_custom_runtime_without_an_executable(client, deploy):
    name = deploy(zips.package({"readme.txt": "no bootstrap here"}), "any", Runtime="provided.al2023")
    answer = invoke(client, name)
    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] == "Runtime.InvalidEntrypoint"
    assert "/var/task/bootstrap" in answer.payload["errorMessage"]


def test_a_custom_runtime_that_ends_at_once(client, deploy):
    name = deploy(zips.package({"bootstrap": "#!/bin/sh\nexit 7\n"}), "any", Runtime="provided.al2023")
    answer = invoke(client, name)
    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] == "Runtime.ExitError"
    assert answer.payload["errorMessage"].endswith("Error: Runtime exited with error: exit status 7")
