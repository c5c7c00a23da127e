"""The AWS CLI as it comes from the package index, used as its users do."""

import base64
import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import log_lines
import pytest
import zips
from clients import ROLE, RUNTIME

AWS = Path(sys.executable).parent / "aws"


@pytest.fixture
def aws(cluster, tmp_path):
    """Runs `aws lambda ...` against node b; answers what it printed."""
    made = cluster.credentials
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL_LAMBDA": cluster.endpoint("b"),
        "AWS_ACCESS_KEY_ID": made.access_key_id,
        "AWS_SECRET_ACCESS_KEY": made.secret_access_key,
        "AWS_DEFAULT_REGION": made.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
    }

    def run(*arguments, succeeds=True):
        done = subprocess.run(
            [sys.executable, AWS, "lambda", *arguments], capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=60
        )
        assert (done.returncode == 0) == succeeds, done.stderr or done.stdout
        if not succeeds:
            return done.stderr.strip()
        return json.loads(done.stdout) if done.stdout.strip() else None

    return run


def test_a_whole_life_at_the_command_line(aws, name, tmp_path):
    (tmp_path / "one.zip").write_bytes(zips.function("versioned", word="one"))
    (tmp_path / "two.zip").write_bytes(zips.function("versioned", word="two"))
    made = aws(
        "create-function", "--function-name", name, "--role", ROLE, "--runtime", RUNTIME, "--handler", "versioned.handler",
        "--zip-file", "fileb://one.zip", "--timeout", "5", "--environment", "Variables={SETTING=cli}", "--tags", "team=blue",
    )  # fmt: skip
    assert made["State"] == "Pending"
    aws("wait", "function-active-v2", "--function-name", name)

    answer = aws("invoke", "--function-name", name, "--payload", '{"a": 1}', "--log-type", "Tail", "out.json")
    assert answer["StatusCode"] == 200 and answer["ExecutedVersion"] == "$LATEST"
    assert json.loads((tmp_path / "out.json").read_text()) == {"word": "one", "version": "$LATEST", "setting": "cli"}
    assert log_lines.parse(base64.b64decode(answer["LogResult"]).decode()).report.init_ms

    assert aws("publish-version", "--function-name", name)["Version"] == "1"
    aws("update-function-code", "--function-name", name, "--zip-file", "fileb://two.zip")
    aws("wait", "function-updated-v2", "--function-name", name)
    assert aws("publish-version", "--function-name", name)["Version"] == "2"
    aws("create-alias", "--function-name", name, "--name", "live", "--function-version", "1")
    aws("update-alias", "--function-name", name, "--name", "live", "--routing-config", "AdditionalVersionWeights={2=1.0}")
    aws("invoke", "--function-name", f"{name}:live", "out.json")
    assert json.loads((tmp_path / "out.json").read_text())["word"] == "two"

    listed = aws("list-versions-by-function", "--function-name", name, "--page-size", "1", "--query", "Versions[].Version")
    assert listed == ["$LATEST", "1", "2"]
    assert aws("get-function", "--function-name", name)["Tags"] == {"team": "blue"}
    aws("delete-function", "--function-name", name)
    said = aws("get-function", "--function-name", name, succeeds=False)
    assert said == (
        "An error occurred (ResourceNotFoundException) when calling the GetFunction operation: "
        f"Function not found: arn:aws:lambda:us-east-1:000000000000:function:{name}"
    ) or said.endswith(f"Function not found: arn:aws:lambda:us-east-1:000000000000:function:{name}")


def test_every_waiter_at_the_command_line(aws, name, tmp_path):
    (tmp_path / "one.zip").write_bytes(zips.function("versioned", word="one"))
    function = ("--function-name", name)
    aws(
        "create-function", *function, "--role", ROLE, "--runtime", RUNTIME, "--handler", "versioned.handler",
        "--zip-file", "fileb://one.zip",
    )  # fmt: skip
    for waiter in ("function-exists", "function-active", "function-active-v2"):
        aws("wait", waiter, *function)
    aws("update-function-configuration", *function, "--description", "changed")
    for waiter in ("function-updated", "function-updated-v2"):
        aws("wait", waiter, *function)
    version = aws("publish-version", *function)["Version"]
    aws("wait", "published-version-active", *function, "--qualifier", version)
    aws("delete-function", *function)
    said = aws("wait", "function-updated", *function, succeeds=False)
    assert "Waiter FunctionUpdated failed: An error occurred (ResourceNotFoundException)" in said


def test_lists_in_pages_at_the_command_line(aws, deploy, client):
    name = deploy("echo", Publish=True)
    for alias in "abc":
        client.create_alias(FunctionName=name, Name=alias, FunctionVersion="1")
    function, names = ("--function-name", name), ("--query", "Aliases[].Name")
    assert aws("list-aliases", *function, "--page-size", "1", *names) == ["a", "b", "c"]
    # A list that is cut short at the client's side goes on where it was cut.
    first = aws("list-aliases", *function, "--page-size", "2", "--max-items", "2")
    assert [alias["Name"] for alias in first["Aliases"]] == ["a", "b"]
    rest = aws("list-aliases", *function, "--starting-token", first["NextToken"])
    assert [alias["Name"] for alias in rest["Aliases"]] == ["c"] and "NextToken" not in rest
    # The service's own paging, without the client's.
    page = aws("list-aliases", *function, "--no-paginate", "--max-items", "1")
    assert [alias["Name"] for alias in page["Aliases"]] == ["a"] and page["NextMarker"]
    every = aws("list-functions", "--function-version", "ALL", "--page-size", "1")["Functions"]
    assert {"$LATEST", "1"} == {each["Version"] for each in every if each["FunctionName"] == name}


def test_code_comes_back_at_the_command_line(aws, name, tmp_path):
    function, package = ("--function-name", name), tmp_path / "a package.zip"
    calls = [
        ("create-function", *function, "--role", ROLE, "--runtime", RUNTIME, "--handler", "versioned.handler"),
        ("update-function-code", *function),
    ]
    for call, word in zip(calls, ("one", "two")):
        package.write_bytes(zips.function("versioned", word=word))
        aws(*call, "--zip-file", f"fileb://{package}")
        aws("wait", "function-active-v2", *function)
        aws("wait", "function-updated-v2", *function)
        with urllib.request.urlopen(aws("get-function", *function, "--query", "Code.Location")) as answer:
            assert answer.read() == package.read_bytes()
    aws("delete-function", *function)


def test_a_function_error_at_the_command_line(aws, deploy, client, cluster, tmp_path):
    name = deploy("failing")
    aws("wait", "function-exists", "--function-name", name)
    answer = aws("invoke", "--function-name", name, "--payload", '{"fail": "raise"}', "out.json")
    assert answer["FunctionError"] == "Unhandled"
    assert json.loads((tmp_path / "out.json").read_text())["errorType"] == "OrderRefused"
