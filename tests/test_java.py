"""Functions of the java runtimes: the official runtime client, by a pack, on the JDK of this machine."""

import json
import re
import subprocess

import builds
import log_lines
import pytest
import zips
from clients import invoke
from clusters import ROOT

# The first test waits until the runtime client is fetched.
pytestmark = pytest.mark.timeout(600)
# How long a JVM may take on a busy machine.
PATIENT = {"Timeout": 60, "MemorySize": 512}
EXAMPLE = ROOT / "examples" / "hello-java" / "Hello.java"


@pytest.fixture(scope="module")
def member(packed):
    (member,) = packed.status("a")["members"]
    return member


@pytest.fixture(scope="module")
def runtime():
    """The identifier that the pack is for."""
    text = (builds.java_pack() / "pack.toml").read_text()
    return re.search(r'^runtimes = \["(java[^"]+)"', text, re.MULTILINE)[1]


@pytest.fixture
def java(packed_client, deploy, runtime):
    """Deploys one of the functions of runtimes/java/."""

    def deployed(handler, **arguments):
        package = zips.package(builds.java_classes(builds.SOURCES / "java" / "Functions.java"))
        return deploy(package, handler, by=packed_client, **{"Runtime": runtime, **PATIENT, **arguments})

    return deployed


def test_an_object_with_a_method(packed_client, java):
    name = java("Functions::plain")
    for number in range(2):
        answer = invoke(packed_client, name, {"item": "ä ☃", "count": number}, LogType="Tail")
        assert answer.error is None, answer.payload
        assert answer.payload == {"text": f"{number} ä ☃"}
        log = log_lines.parse(answer.log)
        assert log.lines == [f"selling {number}"]
        assert (log.report.init_ms is not None) == (number == 0)


def test_the_interface_for_values(packed_client, java, runtime):
    name = java("Functions$Values", Environment={"Variables": {"JAVA_TOOL_OPTIONS": "-Dset.by.owner=yes"}})
    packed_client.publish_version(FunctionName=name)
    answer = invoke(packed_client, name, {"a": [1, None]}, Qualifier="1", LogType="Tail")
    assert answer.error is None, answer.payload
    said = answer.payload
    assert (said["event"], said["request"]) == ({"a": [1, None]}, answer.request_id)
    assert said["arn"].endswith(f":function:{name}:1")
    assert said["memory"] == 512
    assert 0 < said["remaining"] <= 60000
    assert said["set"] == "yes", "what the owner tells the JVM counts"
    assert said["execution"] == f"AWS_Lambda_{runtime}"
    # 85 of 100 parts of the memory, of which collectors keep some for themselves.
    assert 0.75 * (512 << 20) < said["heap"] < 0.87 * (512 << 20)
    assert re.search(rf"^INIT_START Runtime Version: java:{said['version']}\.", answer.log)
    assert "logged by the context" in answer.log
    assert said["home"]


def test_the_interface_for_bytes(packed_client, java):
    name = java("Functions$Streams::handleRequest")
    assert invoke(packed_client, name, raw=b'"abc"').raw == b'"cba"'


def test_an_error_is_told_with_its_stack(packed_client, java):
    name = java("Functions::failing")
    logs = ""
    for _ in range(3):
        answer = invoke(packed_client, name, "on purpose", LogType="Tail")
        assert (answer.status, answer.error) == (200, "Unhandled")
        assert answer.payload["errorMessage"] == "on purpose"
        assert answer.payload["errorType"] == "java.lang.IllegalStateException"
        assert re.match(r"Functions\.failing\(Functions\.java:\d+\)", answer.payload["stackTrace"][0])
        logs += answer.log
    # The client logs an error once it has told it, when the tail of the log may be on its way already.
    assert "on purpose: java.lang.IllegalStateException" in logs


@pytest.mark.parametrize(
    ("handler", "kind"), {"Nowhere::go": "java.lang.ClassNotFoundException", "Functions$Broken": "java.lang.ExceptionInInitializerError"}.items()
)
def test_what_cannot_be_loaded(packed_client, java, handler, kind):
    answer = invoke(packed_client, java(handler))
    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] in (kind, "java.lang.NumberFormatException")


def test_json_logs(packed_client, java):
    name = java("Functions$Values", LoggingConfig={"LogFormat": "JSON"})
    answer = invoke(packed_client, name, {}, LogType="Tail")
    assert answer.error is None, answer.payload
    records = [json.loads(line) for line in answer.log.splitlines()]
    (record,) = [record for record in records if "logged by the context" in str(record.get("message"))]
    assert record["AWSRequestId"] == answer.request_id


def test_a_jar_with_its_libraries(packed_client, deploy, runtime, tmp_path):
    """The other form of a package: jars in lib/, and classes in the order of the class path."""
    jar = zips.package(builds.java_classes(builds.SOURCES / "java" / "Functions.java"))
    name = deploy(zips.package({"lib/functions.jar": jar}), "Functions::plain", by=packed_client, Runtime=runtime, **PATIENT)
    assert invoke(packed_client, name, {"item": "jar", "count": 1}).payload == {"text": "1 jar"}


def test_the_example_runs_with_the_smallest_memory(packed_client, deploy, runtime, measured):
    package = zips.package(builds.java_classes(EXAMPLE))
    name = deploy(package, "Hello::handle", by=packed_client, Runtime=runtime, Timeout=60, MemorySize=128)
    answer = invoke(packed_client, name, {"name": "dunlin"}, LogType="Tail")
    assert answer.error is None, answer.payload
    assert answer.payload == {"message": "hello, dunlin", "request": answer.request_id}
    report = log_lines.parse(answer.log).report
    measured(f"{runtime}: init {report.init_ms:.0f} ms, {report.used_mb} of 128 MB used")


def test_another_version_stands_in_and_the_log_says_so(packed_client, java, member, runtime):
    other = "java25" if runtime != "java25" else "java21"
    assert other in member["runtimes"]
    answer = invoke(packed_client, java("Functions::plain", Runtime=other), {"item": "x", "count": 1}, LogType="Tail")
    assert answer.payload == {"text": "1 x"}
    assert re.search(rf"^{other} is not installed here: java [\d.]+\S* runs this function$", answer.log, re.MULTILINE), answer.log


def test_the_list_names_the_pack(dunlin, packed, runtime):
    packs = packed.directory.parent / "packs"
    listed = subprocess.run([dunlin, "runtime", "list", "--packs", packs], capture_output=True, check=True, text=True).stdout
    (line,) = [line.split() for line in listed.splitlines() if line.startswith(f"{runtime} ")]
    assert line[0] == runtime and line[1].startswith("java:") and line[2:] == ["pack", "java"]
    assert re.search(r"^python3\.\d+ +python:\S+ +this machine$", listed, re.MULTILINE), listed
