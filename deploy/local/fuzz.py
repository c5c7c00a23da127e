"""Fuzzes the parsers: every target of tests/fuzz, from the corpus that is kept there.

    fuzz.py run                      all of them, two at a time, FUZZ_SECONDS each or a minute; ends with 1 if one broke
    fuzz.py run --seconds 600 --target policy --resume
    fuzz.py replay TARGET INPUT      one input again: a file, or the bytes in base64
    fuzz.py keep                     makes the kept corpus anew: of it and of what was found since, what reaches most

What a run finds worth keeping lies in target/fuzz/inputs/, what broke a target in target/fuzz/broke/. The targets are built by
the pinned toolchain with LLVM's own coverage and run by libFuzzer, whose source the crate libfuzzer-sys brings along.
"""

import argparse
import base64
import binascii
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CRATE = ROOT / "tests" / "fuzz"
CORPUS = CRATE / "corpus"
SCHEMA = ROOT / "crates" / "lambda-api" / "src" / "schema" / "lambda.txt"
PLACE = ROOT / "target" / "fuzz"
INPUTS, BROKE, WORDS = PLACE / "inputs", PLACE / "broke", PLACE / "words"
TARGETS = {
    "arn": 4096,
    "event_stream": 2048,
    "object_store": 1024,
    "package": 5120,
    "pattern": 2048,
    "policy": 3072,
    "request": 4096,
    "sigv4": 2048,
    "sts": 3072,
}
"""And the longest input that is tried on each, in bytes."""
SIDE_BY_SIDE = 2
INPUT_SECONDS_MAX = 10
MEMORY_MIB_MAX = 512
GRACE_SECONDS = 120
"""For reading the corpus, beside the time that was asked for."""
KEPT_INPUT_BYTES_MAX = 512
KEPT_INPUTS_MAX = 250
CORPUS_BYTES_MAX = 700_000
TOLD_LINES = 40


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run")
    run.add_argument("--seconds", type=int, default=int(os.environ.get("FUZZ_SECONDS", "60")))
    run.add_argument("--target", choices=TARGETS, action="append", dest="targets")
    run.add_argument("--resume", action="store_true", help="from all that runs before have found, too")
    replay = commands.add_parser("replay")
    replay.add_argument("target", choices=TARGETS)
    replay.add_argument("input")
    commands.add_parser("keep")
    arguments = parser.parse_args()
    built = build()
    if arguments.command == "replay":
        return again(built / arguments.target, arguments.input)
    if arguments.command == "keep":
        return keep(built)
    targets = arguments.targets or list(TARGETS)
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        held = list(pool.map(lambda name: fuzz(built, name, arguments.seconds, arguments.resume), targets))
    return 0 if all(held) else 1


def build() -> Path:
    """Builds every target, and says where they are."""
    # Flags of the environment would take the place of those that instrument the code.
    ours = ("RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "CARGO_BUILD_TARGET")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    subprocess.run(
        ["cargo", "build", "--quiet", "--locked", "--target-dir", PLACE], cwd=CRATE, env=environment, check=True
    )
    version = subprocess.run(["rustc", "-vV"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    host = re.search(r"^host: (.+)$", version, re.MULTILINE)
    return PLACE / host[1] / "debug"


def fuzz(built: Path, name: str, seconds: int, resume: bool = False) -> bool:
    broke, inputs = BROKE / name, INPUTS / name
    broke.mkdir(parents=True, exist_ok=True)
    inputs.mkdir(parents=True, exist_ok=True)
    command = [
        built / name,
        f"-max_total_time={seconds}",
        f"-max_len={TARGETS[name]}",
        f"-timeout={INPUT_SECONDS_MAX}",
        f"-rss_limit_mb={MEMORY_MIB_MAX}",
        f"-artifact_prefix={broke}/",
        "-len_control=20",
        "-print_final_stats=1",
    ]
    if words := dictionary(name):
        command.append(f"-dict={words}")
    with tempfile.TemporaryDirectory() as found:
        # What is new goes to the first of the folders. Without more than the kept corpus to read, every run is as short.
        command += [found, CORPUS / name, *([inputs] if resume else [])]
        try:
            done = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds + GRACE_SECONDS, check=False
            )
            said, code = done.stdout.decode(errors="replace"), done.returncode
        except subprocess.TimeoutExpired as late:
            said, code = (late.stdout or b"").decode(errors="replace"), "none, it did not end"
        shutil.copytree(found, inputs, dirs_exist_ok=True)
    if code == 0:
        tried = re.search(r"number_of_executed_units: (\d+)", said)
        reached = re.findall(r"cov: (\d+)", said)
        print(f"{name} held: {tried[1]} inputs, {reached[-1]} edges", flush=True)
        return True
    tell(name, said, code)
    return False


def tell(name: str, said: str, code: object) -> None:
    lines = [line for line in said.splitlines() if not re.match(r"#\d+\s|\s*NEW_FUNC", line)]
    told = [f"{name} broke, exit code {code}:", *(f"  {line[:500]}" for line in lines[-TOLD_LINES:])]
    if wrote := re.search(r"Test unit written to (\S+)", said):
        # In base64, because the machine that it broke on may be gone with its files.
        content = base64.b64encode(Path(wrote[1]).read_bytes()).decode()
        told.append(f"replay it:  python3 -B deploy/local/fuzz.py replay {name} {shlex.quote(content)}")
    print("\n".join(told), flush=True)


def dictionary(name: str) -> Path | None:
    """The words that a target is helped with, in libFuzzer's form: those beside it and, for requests, those of the schema."""
    beside = CRATE / "words" / f"{name}.txt"
    words = set(beside.read_text().splitlines()) if beside.exists() else set()
    if name == "request":
        for line in SCHEMA.read_text().splitlines():
            if not line.startswith("#"):
                words |= {word for word in re.findall(r"[A-Za-z0-9_.:-]{3,40}", line.split("/(")[0])}
    if not words:
        return None
    WORDS.mkdir(parents=True, exist_ok=True)
    path = WORDS / f"{name}.txt"
    escaped = (re.sub(r'(["\\])', r"\\\1", word) for word in sorted(words - {""}))
    path.write_text("".join(f'"{word}"\n' for word in escaped))
    return path


def again(target: Path, given: str) -> int:
    path = Path(given)
    if path.is_file():
        return subprocess.run([target, path], check=False).returncode
    try:
        content = base64.b64decode(given, validate=True)
    except binascii.Error:
        print(f"no file, and not base64: {given}", file=sys.stderr)
        return 2
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        return subprocess.run([target, file.name], check=False).returncode


def keep(built: Path) -> int:
    """Few and short inputs that reach most of what short inputs reach, each named by the hash of its content."""
    size = 0
    for name in TARGETS:
        kept = CORPUS / name
        chosen = [path.read_bytes() for path in choose(reached(built, name))]
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        for content in chosen:
            (kept / hashlib.sha1(content, usedforsecurity=False).hexdigest()).write_bytes(content)
        length = sum(map(len, chosen))
        print(f"{name}: {len(chosen)} inputs, {length} bytes", flush=True)
        size += length
    if size > CORPUS_BYTES_MAX:
        print(f"the corpus is too large: {size} bytes, at most {CORPUS_BYTES_MAX}", file=sys.stderr)
        return 1
    return 0


def reached(built: Path, name: str) -> dict[Path, set[int]]:
    """What each short input of a target reaches, as libFuzzer notes it when it merges folders."""
    folders = [folder for folder in (CORPUS / name, INPUTS / name) if folder.is_dir()]
    # How often a place is reached says too little for a file of its own.
    options = ["-merge=1", "-set_cover_merge=1", "-use_counters=0", f"-max_len={KEPT_INPUT_BYTES_MAX}"]
    with tempfile.TemporaryDirectory() as place:
        notes, merged = Path(place) / "notes", Path(place) / "merged"
        merged.mkdir()
        command = [built / name, *options, f"-merge_control_file={notes}", merged, *folders]
        subprocess.run(command, stderr=subprocess.DEVNULL, check=True)
        count, _, *lines = notes.read_text().splitlines()
    paths = [Path(line) for line in lines[: int(count)]]
    noted = (line.split() for line in lines[int(count) :] if line.startswith("FT "))
    places = {paths[int(number)]: {int(one) for one in features} for _, number, *features in noted}
    return {path: features for path, features in places.items() if path.stat().st_size <= KEPT_INPUT_BYTES_MAX}


def choose(places: dict[Path, set[int]]) -> list[Path]:
    """Always the one that adds most, of equals the shortest."""
    left, chosen = dict(places), []
    while left and len(chosen) < KEPT_INPUTS_MAX:
        best = max(left, key=lambda path: (len(left[path]), -path.stat().st_size, path.name))
        new = left.pop(best)
        if not new:
            break
        chosen.append(best)
        left = {path: more for path, features in left.items() if (more := features - new)}
    return chosen


if __name__ == "__main__":
    sys.exit(main())
