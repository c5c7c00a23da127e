"""Accounts, users, roles, policies and access keys, by `dunlin iam` as an operator uses it.

Everything is logged, by every library too, and node c serves by TLS.
"""

from __future__ import annotations

import configparser
import json
import os
import subprocess
from pathlib import Path
from typing import Any, Optional

import pytest
from botocore.exceptions import ClientError
from canaries import found_in
from clients import ONE_ATTEMPT, lambda_client
from cluster import Credentials, Node, wait_until
from clusters import EVERYTHING, OTHER_ACCOUNT, TwoAccountCluster, watched

NODES = "abc"
TLS_NODE = "c"
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "lambda:*", "Resource": "*"}]}


class SecureCluster(TwoAccountCluster):
    """A cluster of which one node serves by TLS, with the certificate that it has anyhow."""

    def config(self, node: Node) -> dict[str, Any]:
        config = super().config(node)
        if node.name == TLS_NODE:
            identity = node.directory / "identity"
            config["listen"] |= {
                "tls_cert_file": str(identity / "node.pem"),
                "tls_key_file": str(identity / "node.key"),
            }
        return config


class Operator:
    """Somebody at a command line with an access key in the environment."""

    def __init__(self, cluster: TwoAccountCluster, home: Path) -> None:
        self.cluster = cluster
        self.home = home

    def run(
        self,
        *arguments: str,
        node: str = "a",
        stdin: Optional[str] = None,
        who: Optional[Credentials] = None,
        environment: Optional[dict[str, str]] = None,
        plain: bool = False,
    ) -> subprocess.CompletedProcess:
        """Runs `dunlin iam`. An environment, even an empty one, stands in place of the key; `plain` is without TLS anywhere."""
        who = who or self.cluster.credentials
        key = {"AWS_ACCESS_KEY_ID": who.access_key_id, "AWS_SECRET_ACCESS_KEY": who.secret_access_key}
        given = key if environment is None else environment
        where = ["--endpoint", self.cluster.grpc_target(node)]
        if node == TLS_NODE and not plain:
            where += ["--ca", str(self.cluster.directory / "ca" / "ca.pem")]
        return subprocess.run(
            [str(self.cluster.binary), "iam", *where, *arguments],
            capture_output=True,
            text=True,
            input=stdin,
            timeout=60,
            env={"PATH": os.environ["PATH"], "HOME": str(self.home)} | given,
            check=False,
        )

    def __call__(self, *arguments: str, **more: Any) -> Any:
        """What a command that succeeds says to a program."""
        done = self.run(*arguments, "--json", **more)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def refused(self, *arguments: str, **more: Any) -> str:
        """What a command that fails says."""
        done = self.run(*arguments, **more)
        assert done.returncode == 1 and done.stdout == "", done
        return done.stderr

    def names(self, kind: str, **more: Any) -> list[str]:
        """The names of all users, roles or policies."""
        listed = self(kind, "list", **more)
        (items,) = listed.values()
        return [item[f"{kind.title()}Name"] for item in items]


@pytest.fixture(scope="module")
def secure(dunlin, tmp_path_factory):
    directory = tmp_path_factory.mktemp("iam")
    with watched(SecureCluster(dunlin, directory, log_level=EVERYTHING)) as cluster:
        yield cluster


@pytest.fixture
def iam(secure, tmp_path):
    return Operator(secure, tmp_path)


@pytest.fixture
def policy_file(tmp_path):
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(ALLOW, indent=4))
    return str(file)


def test_a_user_with_a_key_is_seen_everywhere_until_it_is_deleted(iam):
    made = iam("user", "create", "alice", "--path", "/team/")["User"]
    assert made["Arn"] == f"arn:aws:iam::{iam.cluster.credentials.account}:user/team/alice"
    done = iam.run("key", "create", "--user", "alice")
    assert done.returncode == 0, done.stderr
    assert "only time" in done.stdout
    profiles = configparser.RawConfigParser()
    profiles.read_string(done.stdout)
    key = dict(profiles["alice"])
    assert len(key["aws_secret_access_key"]) == 40
    for node in NODES:
        assert iam("user", "show", "alice", node=node)["User"] == made
        (listed,) = iam("key", "list", "--user", "alice", node=node)["AccessKeys"]
        assert listed["AccessKeyId"] == key["aws_access_key_id"] and listed["Status"] == "Active"
        assert "SecretAccessKey" not in listed
    assert "alice" in iam.run("user", "list").stdout

    off = iam("key", "deactivate", key["aws_access_key_id"], node="b")["AccessKey"]
    assert off["Status"] == "Inactive"
    assert iam("key", "activate", key["aws_access_key_id"], node="c")["AccessKey"]["Status"] == "Active"
    iam("user", "delete", "alice", node="b")
    for node in NODES:
        assert "NoSuchEntity" in iam.refused("user", "show", "alice", node=node)
        assert "NoSuchEntity" in iam.refused("key", "delete", key["aws_access_key_id"], node=node)
        assert "alice" not in iam.names("user", node=node)


def test_what_users_and_roles_are_allowed(iam, policy_file):
    iam("user", "create", "bob")
    trust = iam("role", "create", "runner", "--service", "lambda.amazonaws.com")["Role"]["AssumeRolePolicyDocument"]
    (statement,) = trust["Statement"]
    assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
    assert iam("policy", "put", "all", policy_file)["Policy"]["PolicyDocument"] == ALLOW
    for whom in (("--user", "bob"), ("--role", "runner")):
        kind = whom[0][2:].title()
        assert iam("attach", "all", *whom)[kind]["AttachedPolicies"] == ["all"]
        assert iam("boundary", "set", "all", *whom)[kind]["PermissionsBoundary"] == "all"
        granted = iam("inline", "put", "own", "-", *whom, stdin=json.dumps(ALLOW))[kind]
        assert granted["InlinePolicies"] == {"own": ALLOW}
    shown = iam.run("role", "show", "runner", node="b").stdout
    assert "lambda.amazonaws.com" in shown and "own policy own" in shown and "bounded by policy\nall" in shown

    updated = iam("role", "update", "runner", "--max-session", "7200")["Role"]
    assert updated["MaxSessionDuration"] == 7200 and updated["AssumeRolePolicyDocument"] == trust
    assert "DeleteConflict" in iam.refused("policy", "delete", "all")
    for whom in (("--user", "bob"), ("--role", "runner")):
        iam("detach", "all", *whom)
        iam("boundary", "clear", *whom)
        iam("inline", "drop", "own", *whom)
    iam("policy", "delete", "all")
    iam("role", "delete", "runner")
    iam("user", "delete", "bob")
    assert (iam.names("policy"), iam.names("role")) == ([], [])


def test_a_key_works_while_it_is_active_and_its_user_is_allowed(iam, policy_file):
    iam("user", "create", "fred")
    made = iam("key", "create", "--user", "fred")["AccessKey"]
    fred = Credentials(made["AccessKeyId"], made["SecretAccessKey"], made["Account"], "us-east-1")
    client = lambda_client(iam.cluster.endpoint("b"), fred, **ONE_ATTEMPT)

    def answered(code):
        """Frontends know a moment later what was changed through another one."""

        def probe():
            try:
                client.list_functions()
                return code is None
            except ClientError as error:
                return error.response["Error"]["Code"] == code

        return wait_until(probe, 5, f"the answer is {code}")

    answered("AccessDeniedException")
    iam("inline", "put", "all", policy_file, "--user", "fred", node="c")
    answered(None)
    iam("key", "deactivate", fred.access_key_id)
    answered("UnrecognizedClientException")
    iam("key", "activate", fred.access_key_id)
    answered(None)
    iam("user", "delete", "fred", node="c")
    answered("UnrecognizedClientException")


def test_accounts_are_the_operators(iam):
    iam("account", "put", OTHER_ACCOUNT, "--name", "Ärzte & Co", "--limit", "concurrent_executions=5")
    put = {"Account": OTHER_ACCOUNT, "Name": "Ärzte & Co", "Limits": {"concurrent_executions": 5}}
    for node in NODES:
        assert iam("account", "show", OTHER_ACCOUNT, node=node)["Account"] == put
    assert put in iam("account", "list")["Accounts"]
    iam("user", "create", "theirs", "--account", OTHER_ACCOUNT)
    assert "theirs" in iam.names("user", who=iam.cluster.other_credentials)
    assert "theirs" not in iam.names("user")
    iam("user", "delete", "theirs", "--account", OTHER_ACCOUNT)

    # The root of an account, by a key of the catalog, has its account and no other.
    made = iam("key", "create", "--account", OTHER_ACCOUNT)["AccessKey"]
    root = Credentials(made["AccessKeyId"], made["SecretAccessKey"], OTHER_ACCOUNT, "us-east-1")
    iam("user", "create", "own", who=root)
    iam("user", "delete", "own", who=root)
    assert iam("account", "show", OTHER_ACCOUNT, who=root)["Account"] == put
    for arguments in (
        ("account", "put", OTHER_ACCOUNT, "--name", "mine"),
        ("account", "list"),
        ("user", "list", "--account", iam.cluster.credentials.account),
    ):
        assert "AccessDenied" in iam.refused(*arguments, who=root), arguments
    iam("key", "delete", root.access_key_id, who=root)
    assert "UnrecognizedClient" in iam.refused("user", "list", who=root)
    iam("account", "delete", OTHER_ACCOUNT)
    assert "NoSuchEntity" in iam.refused("account", "show", OTHER_ACCOUNT)
    assert "concurrent_executions" in iam.refused("account", "put", OTHER_ACCOUNT, "--limit", "concurrency=5")


def test_what_cannot_be_is_said(iam, tmp_path, policy_file):
    iam("user", "create", "carol")
    assert "EntityAlreadyExists" in iam.refused("user", "create", "carol", node="b")
    for number in range(2):
        iam("key", "create", "--user", "carol", node="ab"[number])
    assert "LimitExceeded: expected at most 2 access keys" in iam.refused("key", "create", "--user", "carol", node="c")
    for number in range(11):
        iam("policy", "put", f"p{number}", policy_file)
    for number in range(10):
        iam("attach", f"p{number}", "--user", "carol")
    assert "LimitExceeded: expected at most 10 attached policies" in iam.refused("attach", "p10", "--user", "carol")
    assert "NoSuchEntity" in iam.refused("attach", "absent", "--user", "carol")

    for text, said in (
        ("{", "expected JSON"),
        ('{"Statement": [{"Effect": "Maybe", "Action": "a:b", "Resource": "*"}]}', "at $.Statement[0].Effect"),
        ('{"Statement": [{"Effect": "Allow", "Action": "a:b", "Resource": "*", "Principal": "*"}]}', "at $.Statement[0]"),
        ("", "expected JSON"),
    ):
        refusal = iam.refused("policy", "put", "bad", "-", stdin=text)
        assert "MalformedPolicyDocument" in refusal and said in refusal, refusal
    assert "bad" not in iam.names("policy")
    long = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": f"a:{'b' * 2100}", "Resource": "*"}]}
    assert "LimitExceeded" in iam.refused("inline", "put", "long", "-", "--user", "carol", stdin=json.dumps(long))
    iam("policy", "put", "p0", "-", stdin=json.dumps(long))
    assert "cannot be read" in iam.refused("policy", "put", "bad", str(tmp_path / "absent.json"))
    assert "say who may be" in iam.refused("role", "create", "r")
    refusal = iam.refused("role", "create", "r", "--service", "lambda.amazonaws.com", "--max-session", "60")
    assert "3600 to 43200" in refusal
    iam("user", "delete", "carol")
    for number in range(11):
        iam("policy", "delete", f"p{number}")


def test_odd_names(iam):
    for name in ("+", "a_+=,.@-Z", "n" * 64, "-"):
        # What stands after two dashes is a name, however it looks.
        for verb, there in (("create", [name]), ("delete", [])):
            done = iam.run("user", verb, "--", name)
            assert done.returncode == 0, done.stderr
            assert iam.names("user") == there
    for name in ("", "n" * 65, "a b", "a/b", "ä", "a\nb", "../a", "*", "a:b"):
        refusal = iam.refused("user", "create", name)
        assert "ValidationError: user_name" in refusal, name
    assert "ValidationError: policy_name" in iam.refused("policy", "put", "n" * 129, "-", stdin=json.dumps(ALLOW))
    for path in ("x", "/x", "//", "/a b/"):
        assert "ValidationError: path" in iam.refused("user", "create", "someone", "--path", path), path
    assert iam.names("user") == []


def test_whose_key_it_is(iam, tmp_path):
    known = iam.cluster.credentials
    file = tmp_path / ".aws" / "credentials"
    file.parent.mkdir()
    file.write_text(
        f"[default]\naws_access_key_id = AKIAWRONG0WRONG0WRONG\naws_secret_access_key = wrong\n\n"
        f"[operator]\naws_access_key_id = {known.access_key_id}\naws_secret_access_key = {known.secret_access_key}\n"
    )
    for environment, arguments in (({}, ("--profile", "operator")), ({"AWS_PROFILE": "operator"}, ())):
        assert iam("user", "list", *arguments, environment=environment) == {"Users": []}
    assert "UnrecognizedClient" in iam.refused("user", "list", environment={})
    assert "no profile" in iam.refused("user", "list", "--profile", "absent", environment={})
    file.unlink()
    assert "AWS_ACCESS_KEY_ID" in iam.refused("user", "list", environment={})
    wrong = Credentials(known.access_key_id, "wrong", known.account, known.region)
    assert "InvalidSignature" in iam.refused("user", "list", who=wrong)
    assert "is it the gRPC address" in iam.refused("user", "list", node=TLS_NODE, plain=True)


def test_identities_outlive_every_node_and_no_disk_has_a_secret(iam, policy_file):
    iam("user", "create", "dora")
    iam("policy", "put", "kept", policy_file)
    iam("attach", "kept", "--user", "dora")
    made = [iam("key", "create", "--user", "dora", node=node)["AccessKey"] for node in "ac"]
    keys = iam("key", "list", "--user", "dora")
    # What is no secret is found where a secret would be.
    control = iam("user", "show", "dora")["User"]["UserId"]
    cluster = iam.cluster
    cluster.stop()
    secrets = [key["SecretAccessKey"] for key in made]
    assert found_in(cluster.directory, secrets) == []
    found = {Path(file).parts for file, _ in found_in(cluster.directory, [control])}
    with_data = {parts[1] for parts in found if "data" in parts}
    assert with_data == {node.name for node in cluster.nodes}
    log = "".join(node.log_file.read_text(errors="replace") for node in cluster.nodes)
    assert " TRACE " in log
    cluster.start()
    cluster.wait_ready()
    for node in NODES:
        assert iam("user", "show", "dora", node=node)["User"]["AttachedPolicies"] == ["kept"]
        assert iam("key", "list", "--user", "dora", node=node) == keys
    iam("user", "delete", "dora")
    iam("policy", "delete", "kept")


def test_changes_are_in_the_audit_log(iam, policy_file):
    iam("user", "create", "erin", node="b")
    iam("inline", "put", "own", policy_file, "--user", "erin", node="b")
    made = iam("key", "create", "--user", "erin", node="b")["AccessKey"]
    iam("user", "delete", "erin", node="b")
    shown = iam.cluster.command("audit", "show", "--endpoint", iam.cluster.node("b").admin, "--since", "1m", "--json")
    assert shown.returncode == 0, shown.stderr
    assert made["SecretAccessKey"] not in shown.stdout
    calls = [json.loads(line) for line in shown.stdout.splitlines()]
    erins = [call for call in calls if call.get("parameters", {}).get("UserName") == "erin"]
    assert [call["operation"] for call in erins] == [
        "iam:CreateUser", "iam:PutUserPolicy", "iam:CreateAccessKey", "iam:DeleteUser",
    ]  # fmt: skip
    assert all(call["outcome"] == "done" and call["resource"].endswith(":user/erin") for call in erins)
    assert json.loads(erins[1]["parameters"]["PolicyDocument"]) == ALLOW
    assert erins[2]["parameters"]["AccessKeyId"] == made["AccessKeyId"]
