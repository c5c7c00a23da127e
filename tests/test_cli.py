"""The AWS CLI as it comes from the package index, used as its users do."""

import base64
import json
import os
import subprocess
import sys
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


def test_a_function_error_at_the_command_line(aws, deploy, client, cluster, tmp_path):
    name = deploy("failing")
    aws("wait", "function-exists", "--function-name", name)
    answer = aws("invoke", "--function-name", name, "--payload", '{"fail": "raise"}', "out.json")
    assert answer["FunctionError"] == "Unhandled"
    assert json.loads((tmp_path / "out.json").read_text())["errorType"] == "OrderRefused"
