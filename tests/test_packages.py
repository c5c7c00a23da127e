"""Deployment packages that are broken or mean harm: refused with AWS's words, and nothing is left behind."""

import secrets

import pytest
import zips
from botocore.exceptions import ClientError
from clients import ONE_ATTEMPT, create, invoke

NOT_UNZIPPABLE = "Could not unzip uploaded file. Please check your file, then try to upload again."
TOO_LARGE = "Unzipped size must be smaller than 262144000 bytes"
EMPTY = "Uploaded file must be a non-empty zip"
NO_SOURCE = "Please provide a source for function code."

BAD = {
    "no-zip": (zips.not_a_zip, {NOT_UNZIPPABLE}),
    "empty": (lambda: b"", {EMPTY, NOT_UNZIPPABLE, NO_SOURCE}),
    "no-entries": (zips.without_entries, {EMPTY, NOT_UNZIPPABLE}),
    "truncated": (zips.truncated, {NOT_UNZIPPABLE}),
    "up-and-out": (lambda: zips.escaping_by_path("../escaped"), {NOT_UNZIPPABLE}),
    "far-up-and-out": (lambda: zips.escaping_by_path("a/../../../../../../../tmp/dunlin-escaped"), {NOT_UNZIPPABLE}),
    "absolute": (lambda: zips.escaping_by_path("/tmp/dunlin-escaped"), {NOT_UNZIPPABLE}),
    "backslashes": (lambda: zips.escaping_by_path("..\\..\\escaped"), {NOT_UNZIPPABLE}),
    "link-out": (lambda: zips.escaping_by_link("/tmp"), {NOT_UNZIPPABLE}),
    "link-up": (lambda: zips.escaping_by_link("../../.."), {NOT_UNZIPPABLE}),
    "bomb": (zips.bomb, {TOO_LARGE}),
    "lying-bomb": (zips.lying_bomb, {TOO_LARGE, NOT_UNZIPPABLE}),
    "overlapping-bomb": (zips.overlapping_bomb, {TOO_LARGE, NOT_UNZIPPABLE}),
}


@pytest.mark.parametrize("which", BAD)
def test_a_bad_package(client, clients, cluster, name, which):
    make, texts = BAD[which]
    code = make()
    once = clients("a", **ONE_ATTEMPT)
    with pytest.raises(ClientError) as refused:
        create(once, name, code, "echo.handler")
    error = refused.value.response
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert error["Error"]["Code"] == "InvalidParameterValueException"
    assert error["Error"]["Message"] in texts
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName=name)
    assert all(node.is_running() for node in cluster.nodes)


def test_a_bad_update_leaves_the_function_as_it_was(client, deploy):
    name = deploy("echo")
    before = client.get_function_configuration(FunctionName=name)["CodeSha256"]
    for which in ("no-zip", "up-and-out", "link-out", "lying-bomb"):
        with pytest.raises(client.exceptions.InvalidParameterValueException):
            client.update_function_code(FunctionName=name, ZipFile=BAD[which][0]())
    assert client.get_function_configuration(FunctionName=name)["CodeSha256"] == before
    assert invoke(client, name, {"still": "here"}).payload == {"still": "here"}


def test_a_link_inside_a_package_is_followed(client, deploy):
    """Packages of Node.js modules have links like this one."""
    code = zips.linked({"pkg/app.py": "def handler(e, c):\n    return 'linked'\n"}, {"app.py": "pkg/app.py"})
    assert invoke(client, deploy(code, "app.handler")).payload == "linked"


def test_a_large_package_works(client, deploy):
    """Tens of megabytes unpacked, a thousand files."""
    files = {f"data/{n:04d}.txt": f"{n:032d}" * 1024 for n in range(1000)}
    files["app.py"] = "import os\ndef handler(e, c):\n    return len(os.listdir('data'))\n"
    name = deploy(zips.package(files), "app.handler", Timeout=30)
    assert invoke(client, name).payload == 1000


def test_modes_of_a_package_do_not_matter(client, deploy):
    """Archives made on other systems carry none, or odd ones."""
    code = zips.with_modes({"app.py": ("def handler(e, c):\n    import sub\n    return sub.x\n", 0o000), "sub/__init__.py": ("x = 5\n", 0o200)})
    assert invoke(client, deploy(code, "app.handler")).payload == 5


def test_a_package_over_the_limit_of_uploads(clients, name):
    """52428800 bytes are the most; the body of the request then still fits."""
    code = zips.package({"noise": secrets.token_bytes(52428800)})
    assert 52428800 < len(code) < 52600000
    with pytest.raises(ClientError) as refused:
        create(clients("a", **ONE_ATTEMPT), name, code, "echo.handler")
    error = refused.value.response
    assert error["Error"] == {
        "Code": "RequestEntityTooLargeException",
        "Message": "Zipped size must be smaller than 52428800 bytes",
    }
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 413
