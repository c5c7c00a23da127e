"""Functions that are container images: pushed into a registry on this machine, brought by workers, invoked."""

import hashlib

import pytest
import zips
from clients import ONE_ATTEMPT, ROLE, invoke, lambda_client
from clients import create as create_zipped
from cluster import wait_until
from clusters import TwoAccountCluster, watched
from refusals import refusal
from registry import ARCHITECTURE, EXTENSION, PASSWORD, USER, Registry, base, layer

OTHER = {"amd64": "arm64", "arm64": "amd64"}[ARCHITECTURE]


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    registry = Registry(tmp_path_factory.mktemp("registry") / "open")
    yield registry
    registry.stop()


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    registry = Registry(tmp_path_factory.mktemp("registry") / "private", private=True)
    yield registry
    registry.stop()


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    """A registry that the cluster has no credentials for."""
    registry = Registry(tmp_path_factory.mktemp("registry") / "locked", private=True)
    yield registry
    registry.stop()


@pytest.fixture(scope="module")
def cluster_of_images(dunlin, tmp_path_factory, registry, private, locked):
    """Two nodes that know the registries."""
    directory = tmp_path_factory.mktemp("images")
    secret = directory / "password"
    secret.touch(mode=0o600)
    secret.write_text(PASSWORD + "\n")
    hosts = [
        {"host": registry.host, "plain": True},
        {"host": private.host, "plain": True, "username": USER, "password_file": str(secret)},
        {"host": locked.host, "plain": True},
    ]
    settings = {"registries": {"others": False, "hosts": hosts}}
    nodes = [("a", "a"), ("b", "b")]
    with watched(TwoAccountCluster(dunlin, directory / "cluster", nodes=nodes, settings=settings)) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def images(cluster_of_images):
    return lambda_client(cluster_of_images.endpoint("a"), cluster_of_images.credentials, **ONE_ATTEMPT)


@pytest.fixture(scope="module")
def app(registry):
    """The digest of an image of three layers: the second is seen, the third hides some of the first two."""
    hiding = layer({"srv/.wh.seen-two": "", "opt/.wh..wh..opq": "", "opt/seen-new": "", "srv/seen-three": ""})
    second = layer({"srv/seen-two": "", "srv/seen-kept": "", "opt/seen-old": "", "srv/seen-link": ("link", "srv/seen-kept")})
    config = {"Entrypoint": ["runtime"], "Cmd": ["app.handler", "more"], "Env": ["FROM_IMAGE=1", "FROM_BOTH=image"], "WorkingDir": "/srv"}
    return registry.push("app:1", [base(), second, hiding], config)


def create(client, name, uri, **arguments):
    return client.create_function(FunctionName=name, Role=ROLE, PackageType="Image", Code={"ImageUri": uri}, **arguments)


def settled(client, name):
    def look():
        shown = client.get_function_configuration(FunctionName=name)
        return shown["State"] != "Pending" and shown.get("LastUpdateStatus") != "InProgress" and shown

    return wait_until(look, 60, f"the end of {name}'s creation or update")


def active(client, name, uri, **arguments):
    create(client, name, uri, **arguments)
    shown = settled(client, name)
    assert shown["State"] == "Active", shown
    return shown


def test_an_image_runs_as_its_layers_and_its_configuration_say(images, registry, app, name):
    uri = f"{registry.host}/app:1"
    made = create(images, name, uri, Environment={"Variables": {"FROM_BOTH": "function"}})
    assert made["State"] == "Pending" and made["CodeSha256"] == app.removeprefix("sha256:")
    assert settled(images, name)["State"] == "Active"
    code = images.get_function(FunctionName=name)["Code"]
    assert code == {"RepositoryType": "ECR", "ImageUri": uri, "ResolvedImageUri": f"{registry.host}/app@{app}"}
    answer = invoke(images, name, {"n": 1}).payload
    assert answer["event"] == {"n": 1}
    assert answer["seen"].split() == ["/opt/seen-new", "/srv/seen-kept", "/srv/seen-link", "/srv/seen-three"]
    assert (answer["program"], answer["args"], answer["cwd"]) == ("/usr/local/bin/runtime", "app.handler more", "/srv")
    assert {"FROM_IMAGE=1", "FROM_BOTH=function", "LAMBDA_TASK_ROOT=/var/task"} <= set(answer["env"].split())
    assert "AWS_EXECUTION_ENV" not in answer["env"] and "_HANDLER" not in answer["env"]
    # The sandbox's user, in a root that cannot be written, with the sandbox's own names of hosts.
    assert (answer["uid"], answer["write"], answer["hosts"] > 0) == (993, "no", True)
    # What the image has, the places of the sandbox, and nothing of the host.
    assert answer["root"].split() == [".", "..", "bin", "dev", "etc", "opt", "proc", "srv", "tmp", "usr"]
    crashed = invoke(images, name, {"do": "crash"})
    assert crashed.error == "Unhandled" and crashed.payload["errorType"] == "Runtime.ExitError"
    assert crashed.payload["errorMessage"].endswith("Runtime exited with error: exit status 7")
    assert invoke(images, name, {"n": 2}).payload["event"] == {"n": 2}


def test_a_version_keeps_what_its_tag_meant(images, registry, name):
    uri = f"{registry.host}/moving:now"
    config = {"Entrypoint": ["runtime"]}
    registry.push("moving:now", [base(), layer({"seen-first": ""})], config, compress="zstd")
    active(images, name, uri, Publish=True)
    registry.push("moving:now", [base(), layer({"seen-second": ""})], config, compress="")
    assert invoke(images, name).payload["seen"] == "/seen-first "
    assert images.update_function_code(FunctionName=name, ImageUri=uri)["LastUpdateStatus"] == "InProgress"
    assert settled(images, name)["LastUpdateStatus"] == "Successful"
    assert invoke(images, name).payload["seen"] == "/seen-second "
    assert invoke(images, f"{name}:1").payload["seen"] == "/seen-first "


def test_a_function_overrides_what_its_image_says(images, registry, app, name):
    overrides = {"EntryPoint": ["/bin/sh", "-c"], "Command": ["exec /usr/local/bin/runtime $0", "arg"], "WorkingDirectory": "/opt"}
    active(images, name, f"{registry.host}/app:1", ImageConfig=overrides)
    answer = invoke(images, name).payload
    assert (answer["args"], answer["cwd"]) == ("arg", "/opt")
    # The image's command stays beside another entry point.
    images.update_function_configuration(FunctionName=name, ImageConfig={"EntryPoint": ["/usr/local/bin/runtime", "first"]})
    settled(images, name)
    answer = invoke(images, name).payload
    assert (answer["args"], answer["cwd"]) == ("first app.handler more", "/srv")


@pytest.mark.parametrize(
    ("overrides", "kind", "text"),
    [
        ({"EntryPoint": ["/no/such"]}, "Runtime.InvalidEntrypoint", "fork/exec /no/such: no such file or directory"),
        ({"EntryPoint": ["nothing"]}, "Runtime.InvalidEntrypoint", 'exec: "nothing": executable file not found in $PATH'),
        ({"WorkingDirectory": "/no"}, "Runtime.InvalidWorkingDir", "the working directory doesn't exist: /no"),
        ({"EntryPoint": ["/bin/false"]}, "Runtime.ExitError", "Runtime exited with error: exit status 1"),
    ],
    ids=["missing", "not-in-path", "directory", "exits"],
)
def test_what_cannot_be_started_is_told_as_aws_tells_it(images, registry, app, name, overrides, kind, text):
    registry.push("errors:1", [base(), layer({"bin/false": "#!/bin/busybox sh\nexit 1\n"})], {"Entrypoint": ["runtime"]})
    active(images, name, f"{registry.host}/errors:1", ImageConfig=overrides)
    failed = invoke(images, name)
    assert failed.error == "Unhandled" and failed.payload["errorType"] == kind, failed.payload
    assert failed.payload["errorMessage"].endswith(f"Error: {text}"), failed.payload


def test_an_image_with_the_layout_of_aws_finds_its_bootstrap(images, registry, name):
    entry = "#!/bin/busybox sh\nexport _HANDLER=$1\nexec /var/runtime/bootstrap\n"
    aws = layer({"lambda-entrypoint.sh": entry, "var/runtime/bootstrap": ("symlink", "/usr/local/bin/runtime"), "var/task/app.py": ""})
    config = {"Entrypoint": ["/lambda-entrypoint.sh"], "Cmd": ["app.handler"], "WorkingDir": "/var/task"}
    registry.push("aws:1", [base(), aws], config)
    active(images, name, f"{registry.host}/aws:1")
    answer = invoke(images, name).payload
    assert "_HANDLER=app.handler" in answer["env"] and answer["cwd"] == "/var/task"


def test_extensions_of_an_image_start_before_it(images, registry, name):
    extended = layer({"opt/extensions/hidden": EXTENSION, "opt/extensions/watch": EXTENSION})
    hiding = layer({"opt/extensions/.wh.hidden": ""})
    registry.push("extended:1", [base(), extended, hiding], {"Entrypoint": ["runtime"]})
    active(images, name, f"{registry.host}/extended:1")
    for _ in range(2):
        assert invoke(images, name).payload["seen"] == "/tmp/seen-extension "


def test_manifests_of_docker_and_lists_of_them(images, registry, app, name):
    registry.copy_as_docker("app:1", "app:docker")
    active(images, name, f"{registry.host}/app:docker")
    assert invoke(images, name).payload["args"] == "app.handler more"
    other = registry.push("app:other", [layer({"a": ""})], {}, architecture=OTHER)
    registry.push_list("app:list", {OTHER: other, ARCHITECTURE: app})
    shown = active(images, f"{name}-2", f"{registry.host}/app:list")
    assert shown["CodeSha256"] == app.removeprefix("sha256:")


def test_an_image_of_another_architecture_is_refused(images, registry, name):
    registry.push("wrong:1", [layer({"a": ""})], {}, architecture=OTHER)
    status, kind, message = refusal(create, client=images, name=name, uri=f"{registry.host}/wrong:1")
    assert (status, kind) == (400, "InvalidParameterValueException") and f"linux/{OTHER}" in message


def test_a_private_registry_gives_to_whom_it_knows(images, private, locked, name):
    for registry in (private, locked):
        registry.push("app:1", [base()], {"Entrypoint": ["runtime"]})
    active(images, name, f"{private.host}/app:1")
    assert invoke(images, name, {"n": 1}).payload["event"] == {"n": 1}
    status, kind, message = refusal(create, client=images, name=f"{name}-2", uri=f"{locked.host}/app:1")
    assert (status, kind) == (403, "AccessDeniedException"), message
    assert message.startswith("Lambda does not have permission to access the ECR image. Check the ECR permissions.")


def test_images_and_zips_do_not_mix(images, registry, app, name):
    uri = f"{registry.host}/app:1"
    zipped = f"{name}-zip"
    create_zipped(images, zipped, zips.function("echo"), "echo.handler")
    made = create(images, name, uri, ImageConfig={"Command": ["app.handler"], "WorkingDirectory": "/srv"})
    assert made["PackageType"] == "Image" and made["CodeSize"] == 0
    assert made.keys().isdisjoint({"Runtime", "Handler", "RuntimeVersionConfig"})
    assert made["ImageConfigResponse"] == {"ImageConfig": {"Command": ["app.handler"], "WorkingDirectory": "/srv"}}
    for function in (name, zipped):
        settled(images, function)
    for function, code, text in (
        (zipped, {"ImageUri": uri}, "Please don't provide ImageUri when updating a function with packageType Zip."),
        (name, {"ZipFile": zips.function("echo")}, "Please provide ImageUri when updating a function with packageType Image."),
    ):
        for dry_run in (True, False):
            refused = refusal(images.update_function_code, FunctionName=function, DryRun=dry_run, **code)
            assert refused == (400, "InvalidParameterValueException", text)
    for members in ({"Handler": "h"}, {"Runtime": "python3.11"}):
        refused = refusal(images.update_function_configuration, FunctionName=name, **members)
        assert refused[1] == "InvalidParameterValueException" and "PackageType is Image" in refused[2]
    images.update_function_configuration(FunctionName=name, ImageConfig={})
    assert "ImageConfigResponse" not in settled(images, name)
    bad = refusal(create, client=images, name=f"{name}-bad", uri="no image")
    assert bad == (400, "InvalidParameterValueException", "Source image no image is not valid. Provide a valid source image.")


def test_an_image_that_is_not_there(images, registry, app, name):
    for uri in (f"{registry.host}/app:none", f"{registry.host}/none:1"):
        refused = refusal(create, client=images, name=name, uri=uri)
        expected = f"Source image {uri} does not exist. Provide a valid source image."
        assert refused == (400, "InvalidParameterValueException", expected)
    unlisted = refusal(create, client=images, name=name, uri="127.0.0.1:1/app:1")
    assert unlisted[1] == "InvalidParameterValueException" and "is not listed" in unlisted[2]
    # Its manifest is there, and a layer is not any more.
    lost = layer({"lost": name})
    registry.push("lost:1", [lost], {"Entrypoint": ["runtime"]}, compress="")
    registry.ask("DELETE", f"/v2/lost/blobs/sha256:{hashlib.sha256(lost).hexdigest()}")
    create(images, name, f"{registry.host}/lost:1")
    shown = settled(images, name)
    assert (shown["State"], shown["StateReasonCode"]) == ("Failed", "ImageDeleted"), shown
    assert "push the image again" in shown["StateReason"]
    assert refusal(images.invoke, FunctionName=name)[:2] == (409, "ResourceConflictException")


def test_a_layer_that_leads_out_fails_the_function(images, registry, name):
    registry.push("evil:1", [layer({"../../../tmp/out": ""})], {"Entrypoint": ["runtime"]})
    create(images, name, f"{registry.host}/evil:1")
    shown = settled(images, name)
    assert (shown["State"], shown["StateReasonCode"]) == ("Failed", "InvalidImage"), shown
    assert "inside the image" in shown["StateReason"]
