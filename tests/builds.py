"""What functions of other languages are built from, once: below target/, and again only when what they are made of has changed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Sequence

import pytest
from clusters import ROOT

SOURCES = ROOT / "tests" / "runtimes"
TARGET = ROOT / "target"


def program(name: str, how: str, *places: str) -> str:
    """The path of a program that the tests need."""
    path = shutil.which(name) or next((place for place in places if Path(place).is_file()), None)
    if path is None:
        pytest.fail(f"{name} is missing: {how}")
    return path


def output(*command: Any, timeout: float, **rest: Any) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, **rest)
    assert done.returncode == 0, f"{' '.join(map(str, command))}:\n{done.stdout}{done.stderr}"
    return done.stdout


def once(name: str, made_of: Sequence[Path | str], make: Callable[[Path], None]) -> Path:
    """A directory that `make` fills, unless it did so from the same files and texts before."""
    digest = hashlib.sha256()
    for part in made_of:
        digest.update(part.read_bytes() if isinstance(part, Path) else part.encode())
        digest.update(b"\0")
    place = TARGET / f"runtimes-{name}"
    done = place / "made-of"
    if not done.is_file() or done.read_text() != digest.hexdigest():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        make(place)
        done.write_text(digest.hexdigest())
    return place


def java_pack() -> Path:
    """A pack with the official runtime client, on the JDK of this machine."""
    recipe = ROOT / "deploy" / "packs" / "java.py"
    java = program("java", "install a JDK")
    version = subprocess.run([java, "-version"], capture_output=True, text=True, check=True).stderr

    def make(place: Path) -> None:
        output(sys.executable, "-B", recipe, place / "pack", timeout=300)

    return once("java-pack", [recipe, recipe.parent / "pom.xml", version], make) / "pack"


def java_classes(source: Path) -> dict[str, bytes]:
    """The classes of one source, which may use the interfaces of the runtime client."""
    javac = program("javac", "install a JDK, not only a JRE")
    pack = java_pack()

    def make(place: Path) -> None:
        jars = ":".join(str(jar) for jar in sorted((pack / "lib").glob("*.jar")))
        output(javac, "-cp", jars, "-d", place / "classes", source, timeout=100)

    classes = once(f"java-{source.stem.lower()}", [source], make) / "classes"
    return {str(path.relative_to(classes)): path.read_bytes() for path in sorted(classes.rglob("*.class"))}


def rust_function() -> bytes:
    """A program with the official runtime of Rust."""
    cargo = program("cargo", "install rustup as https://rustup.rs says")
    manifest, target = SOURCES / "rust" / "Cargo.toml", TARGET / "runtimes-rust"
    output(cargo, "build", "--quiet", "--locked", "--manifest-path", manifest, "--target-dir", target, timeout=1000)
    return (target / "debug" / "bootstrap").read_bytes()


def go_function(source: Path) -> bytes:
    """A program with the official library of Go."""
    go = program("go", "install Go as https://go.dev/doc/install says", "/usr/local/go/bin/go", "/usr/lib/go/bin/go")
    files = [source / name for name in ("main.go", "go.mod", "go.sum")]

    def make(place: Path) -> None:
        environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}
        copied = [shutil.copy(file, place) for file in files]
        assert copied
        flags = ["-trimpath", "-ldflags", "-s -w", "-o", "bootstrap"]
        output(go, "build", *flags, ".", cwd=place, env=environment, timeout=500)

    return (once(f"go-{source.name}", files, make) / "bootstrap").read_bytes()


def node_client() -> dict[str, bytes]:
    """The official runtime client of Node.js, with its native part, as its registry has it."""
    npm = program("npm", "install Node.js 20 or newer with npm, as https://nodejs.org says")
    program("cmake", "install cmake: the official runtime client of Node.js builds with it")
    asked = SOURCES / "node"
    files = [asked / "package.json", asked / "package-lock.json"]

    def make(place: Path) -> None:
        for file in files:
            shutil.copy(file, place)
        # It says that it wants a newer Node.js than it needs.
        output(npm, "ci", "--no-audit", "--no-fund", "--engine-strict=false", cwd=place, timeout=900)
        assert (place / "node_modules" / "aws-lambda-ric" / "rapid-client.node").is_file(), "its native part was not built"

    modules = once("node", files, make) / "node_modules"
    wanted = [
        path
        for name in ("aws-lambda-ric", "@aws/lambda-invoke-store")
        for path in sorted((modules / name).rglob("*"))
        if path.is_file() and "deps" not in path.relative_to(modules / name).parts
    ]
    return {f"node_modules/{path.relative_to(modules)}": path.read_bytes() for path in wanted}
