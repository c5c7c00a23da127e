"""Other SDKs as their registries have them, each on the same walk through a function's life; see sdk/."""

import os
import shutil
import subprocess

import pytest
import zips
from clients import RUNTIME
from clusters import ROOT

SDK = ROOT / "tests" / "sdk"


@pytest.fixture
def walk(cluster, name, tmp_path):
    """Runs a program with the environment in which SDKs look for endpoint and credentials."""
    packages = []
    for word in ("one", "two"):
        packages.append(tmp_path / f"{word}.zip")
        packages[-1].write_bytes(zips.function("versioned", word=word))

    def run(*command, **rest):
        made = cluster.credentials
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AWS_ENDPOINT_URL_LAMBDA": cluster.endpoint("c"),
            "AWS_ACCESS_KEY_ID": made.access_key_id,
            "AWS_SECRET_ACCESS_KEY": made.secret_access_key,
            "AWS_REGION": made.region,
        }
        output(*command, RUNTIME, name, *packages, env=environment, timeout=100, **rest)

    return run


def output(*command, **rest):
    done = subprocess.run(command, capture_output=True, text=True, **rest)
    assert done.returncode == 0, f"{' '.join(map(str, command))}:\n{done.stdout}{done.stderr}"
    return done.stdout


def program(name, how):
    path = shutil.which(name)
    if path is None:
        pytest.fail(f"{name} is missing: {how}")
    return path


@pytest.mark.timeout(300)
def test_the_sdk_for_javascript(walk):
    how = "install Node.js 20 or newer with npm, as https://nodejs.org says"
    node, npm = program("node", how), program("npm", how)
    # Installed below target/, so that the sources stay as they are; again only when what is asked for has changed.
    home = ROOT / "target" / "sdk-node"
    home.mkdir(parents=True, exist_ok=True)
    asked = (SDK / "node" / "package-lock.json").read_bytes()
    installed = home / "installed.json"
    if not installed.exists() or installed.read_bytes() != asked:
        for file in ("package.json", "package-lock.json"):
            shutil.copy(SDK / "node" / file, home)
        output(npm, "ci", "--no-audit", "--no-fund", cwd=home, timeout=200)
        installed.write_bytes(asked)
    shutil.copy(SDK / "node" / "walk.mjs", home)
    walk(node, "walk.mjs", cwd=home)


@pytest.mark.timeout(1200)
def test_the_sdk_for_rust(walk):
    cargo = program("cargo", "install rustup as https://rustup.rs says")
    target = ROOT / "target" / "sdk-rust"
    manifest = SDK / "rust" / "Cargo.toml"
    output(cargo, "build", "--quiet", "--locked", "--manifest-path", manifest, "--target-dir", target, timeout=1000)
    walk(target / "debug" / "sdk-walk")
