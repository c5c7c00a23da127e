"""Functions of the ruby runtimes, by the Ruby of this machine. It may be of a version that no runtime has: then it stands in."""

import json
import re
import subprocess

import log_lines
import pytest
import zips
from clients import invoke
from clusters import ROOT

pytestmark = pytest.mark.timeout(600)
VERSION = subprocess.run(["ruby", "-e", "print RUBY_VERSION[/\\d+\\.\\d+/]"], capture_output=True, check=True, text=True).stdout
RUNTIME = f"ruby{VERSION}" if VERSION in ("3.2", "3.3", "3.4", "4.0") else "ruby3.2"
EXAMPLE = ROOT / "examples" / "hello-ruby" / "app.rb"


@pytest.fixture
def ruby(packed_client, deploy):
    """Deploys a function of these files, or of one app.rb."""

    def deployed(files, handler="app.handler", **arguments):
        files = {"app.rb": files} if isinstance(files, str) else files
        arguments = {"Runtime": RUNTIME, "Timeout": 20, **arguments}
        return deploy(zips.package(files), handler, by=packed_client, **arguments)

    return deployed


def test_the_example(packed_client, ruby, measured):
    name = ruby(EXAMPLE.read_text())
    first = invoke(packed_client, name, {"name": "dunlin"}, LogType="Tail")
    assert first.error is None, first.payload
    assert first.payload == {"message": "hello, dunlin", "request": first.request_id}
    assert first.log.startswith(f"INIT_START Runtime Version: ruby:{VERSION}.v")
    stands_in = f"\n{RUNTIME} is not installed here: ruby {VERSION}." in first.log
    assert stands_in == (RUNTIME != f"ruby{VERSION}")
    measured(f"{RUNTIME}: init {log_lines.report_of(first.log).init_ms:.0f} ms")
    again = invoke(packed_client, name, {"name": "dunlin"}, LogType="Tail")
    (line,) = log_lines.parse(again.log).lines
    assert re.fullmatch(r"greeting dunlin, \d+ ms left", line)


FILES = {
    "app.rb": "require 'lib/word'\ndef handler(event:, context:) = Word.of(event)\n",
    "lib/word.rb": "module Word\n  def self.of(event) = { text: event['text'], frozen: true }\nend\n",
    "dir/deep.rb": "module Outer\n  class Inner\n    def self.go(event:, context:) = [event, name]\n  end\nend\n",
    "names.rb": "class Handler; end\nclass Failure; end\nclass RuntimeApi; end\ndef handler(event:, context:) = self.class.name\n",
    "gems.rb": "def handler(event:, context:) = [Gem::VERSION.empty?, Gem::Specification.count > 0]\n",
    "vendored.rb": "require 'word_of_gem'\ndef handler(event:, context:) = WORD\n",
    "io.rb": "require 'stringio'\ndef handler(event:, context:) = StringIO.new('as it is')\n",
    "vendor/bundle/ruby/@ABI@/specifications/word_of_gem-1.0.gemspec": (
        "Gem::Specification.new { |s| s.name = 'word_of_gem'; s.version = '1.0'; s.summary = 'x'; s.author = 'x'; "
        "s.files = ['lib/word_of_gem.rb']; s.require_paths = ['lib'] }\n"
    ),
    "vendor/bundle/ruby/@ABI@/gems/word_of_gem-1.0/lib/word_of_gem.rb": "WORD = 'from a gem'\n",
}


@pytest.mark.parametrize(
    ("handler", "expected"),
    {
        "app.handler": {"text": "ä ☃", "frozen": True},
        "dir/deep.Outer::Inner.go": [{"text": "ä ☃"}, "Outer::Inner"],
        "names.handler": "Module",
        "gems.handler": [False, True],
        "vendored.handler": "from a gem",
    }.items(),
)
def test_files_classes_and_gems(packed_client, ruby, handler, expected):
    vendored = {name.replace("@ABI@", f"{RUNTIME[4:]}.0"): text for name, text in FILES.items()}
    files = vendored if handler == "vendored.handler" else {n: t for n, t in FILES.items() if "@ABI@" not in n}
    name = ruby(files, handler)
    for _ in range(2):
        answer = invoke(packed_client, name, {"text": "ä ☃"})
        assert (answer.error, answer.payload) == (None, expected)


def test_what_can_be_read_is_passed_on_as_it_is(packed_client, ruby):
    assert invoke(packed_client, ruby(FILES, "io.handler")).raw == b"as it is"


def test_the_context(packed_client, ruby):
    code = """
        def handler(event:, context:)
          { name: context.function_name, version: context.function_version, memory: context.memory_limit_in_mb,
            arn: context.invoked_function_arn, id: context.aws_request_id, group: context.log_group_name,
            left: context.get_remaining_time_in_millis, trace: ENV['_X_AMZN_TRACE_ID'], home: Dir.pwd,
            client: context.client_context }
        end
    """
    name = ruby(code, MemorySize=256)
    answer = invoke(packed_client, name, {}, ClientContext="eyJjdXN0b20iOnsiayI6InYifX0=")
    said = answer.payload
    assert 0 < said.pop("left") <= 20000
    assert said.pop("trace").startswith("Root=1-")
    assert said == {
        "name": name,
        "version": "$LATEST",
        "memory": "256",
        "arn": f"arn:aws:lambda:us-east-1:000000000000:function:{name}",
        "id": answer.request_id,
        "group": f"/aws/lambda/{name}",
        "home": "/var/task",
        "client": {"custom": {"k": "v"}},
    }


def test_an_error_is_told_and_does_not_end_the_environment(packed_client, ruby):
    name = ruby("CALLS = []\ndef handler(event:, context:)\n  CALLS << 1\n  raise ArgumentError, 'on purpose ☃' if event['fail']\n  CALLS.size\nend\n")
    answer = invoke(packed_client, name, {"fail": True}, LogType="Tail")
    assert (answer.status, answer.error) == (200, "Unhandled")
    assert answer.payload["errorType"] == "Function<ArgumentError>"
    assert answer.payload["errorMessage"] == "on purpose ☃"
    (frame,) = answer.payload["stackTrace"]
    assert frame.startswith("/var/task/app.rb:4:in ")
    assert "Error raised from handler method" in answer.log
    assert invoke(packed_client, name, {}).payload == 2


BROKEN = {
    "file": ("nowhere.handler", "", "Init<LoadError>", "cannot load such file -- nowhere"),
    "syntax": ("app.handler", "def handler(\n", "Init<SyntaxError>", None),
    "raises": ("app.handler", "raise 'too early'\n", "Init<RuntimeError>", "too early"),
    "name": ("app", "", "Init<ArgumentError>", "Invalid handler app, must be of form FILENAME.METHOD"),
}


@pytest.mark.parametrize("which", BROKEN)
def test_what_cannot_be_loaded(packed_client, ruby, which):
    handler, code, kind, message = BROKEN[which]
    answer = invoke(packed_client, ruby(code, handler), {})
    assert (answer.error, answer.payload["errorType"]) == ("Unhandled", kind)
    assert message is None or answer.payload["errorMessage"].startswith(message)


def test_a_method_that_is_not_there(packed_client, ruby):
    answer = invoke(packed_client, ruby("", "app.nothing"), {})
    assert (answer.error, answer.payload["errorType"]) == ("Unhandled", "Function<NoMethodError>")


def test_a_process_that_exits(packed_client, ruby):
    name = ruby("def handler(event:, context:) = event['exit'] ? exit(3) : 'fine'\n")
    answer = invoke(packed_client, name, {"exit": True})
    assert (answer.error, answer.payload["errorType"]) == ("Unhandled", "Function<SystemExit>")
    assert invoke(packed_client, name, {}).payload == "fine"


def test_lines_of_loggers_have_the_request(packed_client, ruby):
    code = "require 'logger'\nLOG = Logger.new($stdout)\ndef handler(event:, context:) = LOG.warn('mind this')\n"
    plain = invoke(packed_client, ruby(code), {}, LogType="Tail")
    assert re.search(rf"^W, \[\S+ #\d+\]  WARN {plain.request_id} -- : mind this$", plain.log, re.MULTILINE), plain.log
    structured = invoke(packed_client, ruby(code, LoggingConfig={"LogFormat": "JSON"}), {}, LogType="Tail")
    records = [json.loads(line) for line in structured.log.splitlines() if line.startswith("{")]
    (record,) = [record for record in records if record.get("message") == "mind this"]
    assert record["level"] == "WARN" and record["requestId"] == structured.request_id
