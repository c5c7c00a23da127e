"""Code that a caller names instead of sending: buckets and keys of an object store."""

import subprocess

import pytest
import zips
from clients import ONE_ATTEMPT, ROLE, RUNTIME, invoke, lambda_client, wait_active, wait_updated
from clusters import TwoAccountCluster, watched
from identities import Identities
from object_store import ACCESS_KEY, REGION, SECRET, ObjectStore
from refusals import refusal

LIMITS = {"code_zipped": "100KiB"}


@pytest.fixture(scope="module")
def store():
    store = ObjectStore()
    store.put("packages", "word/one.zip", zips.function("versioned", word="one"))
    yield store
    store.stop()


@pytest.fixture(scope="module")
def cluster_with_store(dunlin, tmp_path_factory, store):
    """One node that knows the store; the endpoint comes from the variable that AWS's own clients read."""
    directory = tmp_path_factory.mktemp("store")
    secret = directory / "store-secret"
    secret.touch(mode=0o600)
    secret.write_text(SECRET + "\n")
    settings = {
        "s3": {
            "endpoint": "http://127.0.0.1:1",
            "region": REGION,
            "access_key_id": ACCESS_KEY,
            "secret_file": str(secret),
        },
        "limits": LIMITS,
    }
    environment = {"AWS_ENDPOINT_URL_S3": store.endpoint}
    nodes = [("a", "a")]
    with watched(TwoAccountCluster(dunlin, directory / "cluster", nodes=nodes, settings=settings, environment=environment)) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def with_store(cluster_with_store):
    return lambda_client(cluster_with_store.endpoint("a"), cluster_with_store.credentials, **ONE_ATTEMPT)


@pytest.fixture(scope="module")
def identities(cluster_with_store, tmp_path_factory):
    return Identities(tmp_path_factory.mktemp("identity"), cluster_with_store.grpc_target("a"), cluster_with_store.credentials)


def create(client, name, key, bucket="packages", **code):
    return client.create_function(
        FunctionName=name,
        Role=ROLE,
        Runtime=RUNTIME,
        Handler="versioned.handler",
        Code={"S3Bucket": bucket, "S3Key": key, **code},
    )


def test_a_function_is_created_from_an_object_and_updated_from_a_version_of_it(with_store, store, name):
    client = with_store
    create(client, name, "word/one.zip")
    wait_active(client, name)
    assert invoke(client, name).payload["word"] == "one"
    store.put("packages", "word/two.zip", zips.function("versioned", word="two"), version="v 1/2")
    store.put("packages", "word/two.zip", zips.function("versioned", word="three"))
    for version, word in (({"S3ObjectVersion": "v 1/2"}, "two"), ({}, "three")):
        client.update_function_code(FunctionName=name, S3Bucket="packages", S3Key="word/two.zip", **version)
        wait_updated(client, name)
        assert invoke(client, name).payload["word"] == word


def test_keys_of_every_alphabet_are_signed(with_store, store, name):
    for number, key in enumerate(["ä ö.zip", "a//b/../c.zip", "+&=?#%25.zip", "~-_.zip", "plain"]):
        store.put("packages", key, zips.function("versioned", word="one"))
        create(with_store, f"{name}-{number}", key)


def test_a_layer_is_published_from_an_object(with_store, store, name):
    archive = zips.package({"python/shared.py": "WORD = 1\n"})
    store.put("packages", "layer.zip", archive)
    made = with_store.publish_layer_version(LayerName=name, Content={"S3Bucket": "packages", "S3Key": "layer.zip"})
    assert made["Content"]["CodeSize"] == len(archive)


def test_a_reference_names_the_version_that_runs_and_outlives_it(with_store, store, name):
    """As on AWS but for one thing: whoever takes the object away stops no function."""
    client = with_store
    store.put("packages", "by/reference.zip", zips.function("versioned", word="one"), version="first")
    create(client, name, "by/reference.zip", S3ObjectStorageMode="REFERENCE")
    wait_active(client, name)
    there = {"S3Bucket": "packages", "S3Key": "by/reference.zip", "S3ObjectVersion": "first"}
    assert client.get_function(FunctionName=name)["Code"]["ResolvedS3Object"] == there
    layer = client.publish_layer_version(
        LayerName=name, Content={"S3Bucket": "packages", "S3Key": "by/reference.zip", "S3ObjectStorageMode": "REFERENCE"}
    )
    assert layer["Content"]["ResolvedS3Object"] == there
    store.delete("packages", "by/reference.zip")
    assert invoke(client, name).payload["word"] == "one"
    client.update_function_code(FunctionName=name, S3Bucket="packages", S3Key="word/one.zip")
    wait_updated(client, name)
    assert "ResolvedS3Object" not in client.get_function(FunctionName=name)["Code"]


def test_what_the_store_refuses_is_passed_on(with_store, name):
    for bucket, code, text in (
        ("packages", "NoSuchKey", "The specified key does not exist."),
        ("nobodys", "NoSuchBucket", "The specified bucket does not exist"),
    ):
        assert refusal(create, client=with_store, name=name, bucket=bucket, key="no/such.zip") == (
            400,
            "InvalidParameterValueException",
            f"Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {text}",
        )
    status, kind, text = refusal(create, client=with_store, name=name, bucket="closed", key="k")
    assert (status, kind) == (403, "AccessDeniedException")
    assert text.endswith("S3 Error Code: AccessDenied. S3 Error Message: Access Denied") and "closed/k" in text


def test_whoever_names_an_object_must_be_allowed_to_read_it(with_store, store, name, identities):
    store.put("packages", "old.zip", zips.function("versioned", word="old"), version="v1")
    functions = {"Effect": "Allow", "Action": ["lambda:*", "iam:PassRole"], "Resource": "*"}
    read = lambda action, key: {"Effect": "Allow", "Action": action, "Resource": f"arn:aws:s3:::packages/{key}"}
    reader, versions, nobody = (
        lambda_client(with_store.meta.endpoint_url, identities.user(f"{who}-of-objects", functions, *more), **ONE_ATTEMPT)
        for who, more in (("reader", [read("s3:GetObject", "word/*")]), ("versions", [read("s3:GetObjectVersion", "*")]), ("nobody", []))
    )

    def denied(user, action, key):
        arn = f"arn:aws:iam::{identities.credentials.account}:user/{user}-of-objects"
        return (
            403,
            "AccessDeniedException",
            "Your access has been denied by S3, please make sure your request credentials have permission to GetObject for "
            f"packages/{key}. S3 Error Code: AccessDenied. S3 Error Message: User: {arn} is not authorized to perform: {action} on "
            f"resource: arn:aws:s3:::packages/{key} because no identity-based policy allows the {action} action",
        )

    assert refusal(create, client=nobody, name=name, key="word/one.zip") == denied("nobody", "s3:GetObject", "word/one.zip")
    # Whether the object is there is for those to know who may read it.
    assert refusal(create, client=nobody, name=name, key="absent") == denied("nobody", "s3:GetObject", "absent")
    assert refusal(create, client=reader, name=name, key="old.zip") == denied("reader", "s3:GetObject", "old.zip")
    create(reader, name, "word/one.zip")
    wait_active(reader, name)
    update = {"FunctionName": name, "S3Bucket": "packages", "S3Key": "old.zip", "S3ObjectVersion": "v1"}
    assert refusal(reader.update_function_code, **update) == denied("reader", "s3:GetObjectVersion", "old.zip")
    versions.update_function_code(**update)
    layer = {"LayerName": name, "Content": {"S3Bucket": "packages", "S3Key": "word/one.zip"}}
    assert refusal(nobody.publish_layer_version, **layer) == denied("nobody", "s3:GetObject", "word/one.zip")
    reader.publish_layer_version(**layer)


def test_an_object_is_a_package_like_any_other(with_store, store, name):
    store.put("packages", "no.zip", zips.not_a_zip())
    unzip = "Could not unzip uploaded file. Please check your file, then try to upload again."
    assert refusal(create, client=with_store, name=name, key="no.zip") == (400, "InvalidParameterValueException", unzip)
    store.put("packages", "large.zip", bytes(200 << 10))
    assert refusal(create, client=with_store, name=name, key="large.zip") == (
        413,
        "RequestEntityTooLargeException",
        "Zipped size must be smaller than 102400 bytes",
    )


def test_a_cluster_without_a_store_says_what_to_configure(client, name):
    status, kind, text = refusal(create, client=client, name=name, key="word/one.zip")
    assert (status, kind) == (400, "InvalidParameterValueException")
    assert "[s3]" in text
    assert refusal(client.create_function, FunctionName=name, Role=ROLE, Runtime=RUNTIME, Handler="h", Code={"S3Bucket": "abc"}) == (
        400,
        "InvalidParameterValueException",
        "Please provide both S3Bucket and S3Key.",
    )


def one_node(dunlin, directory, **section):
    """A cluster of one node with an object store; `section` completes or replaces what it is told of it."""
    secret = directory / "store-secret"
    secret.write_text(SECRET)
    store = {"region": REGION, "access_key_id": ACCESS_KEY, "secret_file": str(secret), **section}
    return watched(TwoAccountCluster(dunlin, directory / "cluster", nodes=[("a", "a")], settings={"s3": store}))


def test_a_store_that_is_gone_is_no_fault_of_the_caller(dunlin, tmp_path, name):
    with one_node(dunlin, tmp_path, endpoint="http://127.0.0.1:1") as cluster:
        client = lambda_client(cluster.endpoint("a"), cluster.credentials, **ONE_ATTEMPT)
        assert refusal(create, client=client, name=name, key="k")[:2] == (503, "ServiceUnavailableException")


def test_a_store_behind_tls_must_prove_itself(dunlin, tmp_path, name):
    run = lambda *arguments: subprocess.run([dunlin, "ca", *arguments], check=True, capture_output=True)
    for authority in ("trusted", "other"):
        run("init", tmp_path / authority, "--cluster", "store")
    issued = tmp_path / "issued"
    run("issue", tmp_path / "trusted", "--node", "store", "--roles", "frontend", "--out", issued, "--san", "localhost")
    store = ObjectStore(tls=(issued / "node.pem", issued / "node.key"))
    store.put("packages", "one.zip", zips.function("versioned", word="one"))
    try:
        for authority in ("trusted", "other"):
            directory = tmp_path / f"with-{authority}"
            directory.mkdir()
            ca_file = str(tmp_path / authority / "ca.pem")
            with one_node(dunlin, directory, endpoint=store.endpoint, ca_file=ca_file) as cluster:
                client = lambda_client(cluster.endpoint("a"), cluster.credentials, **ONE_ATTEMPT)
                if authority == "trusted":
                    create(client, name, "one.zip")
                    wait_active(client, name)
                else:
                    refused = refusal(create, client=client, name=name, key="one.zip")
                    assert refused[:2] == (503, "ServiceUnavailableException")
    finally:
        store.stop()
