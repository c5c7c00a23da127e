"""Plants bugs on purpose, one at a time, and proves that the checks of this project find them.

Every file of crates/sim/planted is a bug: its first lines say what is wrong, which promise that breaks and which check should
find it; the rest is a patch. Each is applied to a copy of the present commit under target/planted/, built, and run from seed 1
on until one of the checks that its header names finds it. What else goes wrong is told, and is no find: another check, a run that
says nothing, one that does not end. The commit as it is must survive the same seeds.

A check is an invariant or another name that the simulator gives to what it finds, or `an assertion of CRATE`: the product ended
itself there with a panic. The crash matrix is named by its test.

    planted.py            all of them; writes the table in docs/reliability.md
    planted.py NAME...    some of them; renews their rows of it
    planted.py --check    only looks whether every patch still applies and says what it should

Needs nothing but Python, git and cargo.
"""

import argparse
import datetime
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "crates"
BUGS = SOURCES / "sim" / "planted"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- planted bugs: made by make sim-planted -->\n", "<!-- planted bugs: end -->\n"
PLACE = ROOT / "target" / "planted"
TREE, TARGET = PLACE / "tree", PLACE / "target"
BINARY = TARGET / "debug" / "dunlin-sim"
LEAST = 18
"""Fewer bugs than this prove too little."""
SIM, MATRIX = "sim", "crash-matrix"
ASSERTION = "an assertion of "
RUN_MAX = 180
HELD, VIOLATED, INVALID, NOT_RUN = range(4)
"""What the simulator ends with."""


@dataclass
class Bug:
    name: str
    wrong: str
    promise: str
    check: str
    found_by: list[str]
    options: list[str] = field(default_factory=list)


@dataclass
class Found:
    seed: str
    check: str


@dataclass
class Failure:
    """Why a seed did not hold."""

    checks: list[str]
    """What was violated; nothing, if the run says nothing."""
    told: str


class Unfit(Exception):
    """A patch cannot be used, or the commit itself does not pass."""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    try:
        bugs = [read(file) for file in sorted(BUGS.glob("*.patch"))]
        if len(bugs) < LEAST:
            raise Unfit(f"expected at least {LEAST} planted bugs, found {len(bugs)}")
        if unknown := set(arguments.names) - {bug.name for bug in bugs}:
            raise Unfit(f"expected names of planted bugs, got {', '.join(sorted(unknown))}")
        known = checks()
        for bug in bugs:
            if bug.check == SIM and (strange := [name for name in bug.found_by if name not in known]):
                raise Unfit(f"{bug.name}: expected names of checks of the simulator, got {', '.join(strange)}")
        if arguments.check:
            for bug in bugs:
                applies(bug, ROOT)
            return 0
        chosen = [bug for bug in bugs if not arguments.names or bug.name in arguments.names]
        return plant(chosen, arguments)
    except Unfit as error:
        print(error, file=sys.stderr)
        return 1


def read(file: Path) -> Bug:
    head, mark, _ = file.read_text().partition("\ndiff --git ")
    lines = head.strip().split("\n\n")
    said = dict(re.findall(r"^(Promise|Found by|Options|Because): (.+)$", lines[-1], re.MULTILINE))
    if not mark or len(lines) != 2 or not {"Promise", "Found by"} <= said.keys():
        raise Unfit(f"{file}: expected words, an empty line, 'Promise:', 'Found by:' and a patch")
    if ("Options" in said) != ("Because" in said):
        raise Unfit(f"{file}: expected 'Because:' with 'Options:', to say why what a seed draws is not enough")
    check, _, by = said["Found by"].partition(" (")
    if check not in (SIM, MATRIX) or not by.endswith(")"):
        raise Unfit(f"{file}: expected 'Found by: {SIM} (...)' or 'Found by: {MATRIX} (...)', got {said['Found by']!r}")
    wrong = " ".join(lines[0].split())
    found_by = re.split(r", or |, | or ", by[:-1])
    return Bug(file.stem, wrong, said["Promise"], check, found_by, shlex.split(said.get("Options", "")))


def checks() -> set[str]:
    """What the simulator can find, by the names that it tells."""
    names = set()
    for file in sorted((SOURCES / "sim" / "src").rglob("*.rs")):
        text = file.read_text()
        names.update(re.findall(r'violated\(\s*"([^"]+)"', text))
        names.update(re.findall(r'const CHECK: &str = "([^"]+)"', text))
        names.update(re.findall(r'InvariantEntry = InvariantEntry \{\s*name: "([^"]+)"', text))
    crates = re.findall(r'^name = "([^"]+)"', (ROOT / "Cargo.lock").read_text(), re.MULTILINE)
    return names | {ASSERTION + crate for crate in crates}


def applies(bug: Bug, where: Path) -> None:
    done = subprocess.run(
        ["git", "apply", "--check", str(BUGS / f"{bug.name}.patch")], cwd=where, capture_output=True, text=True
    )
    if done.returncode:
        raise Unfit(f"{bug.name} does not apply any more; make the patch anew:\n{done.stderr}")


def plant(bugs: list[Bug], arguments: argparse.Namespace) -> int:
    commit = git("rev-parse", "--short=10", "HEAD", where=ROOT)
    if TREE.exists():
        clean()
        git("checkout", "--quiet", "--detach", commit, where=TREE)
    else:
        PLACE.mkdir(parents=True, exist_ok=True)
        git("worktree", "prune", where=ROOT)
        git("worktree", "add", "--quiet", "--detach", str(TREE), commit, where=ROOT)
    today = datetime.datetime.now(datetime.timezone.utc).date()
    healthy = Healthy(arguments)
    rows, missed = [], []
    for bug in sorted(bugs, key=lambda bug: (bug.check == MATRIX, touched(bug))):
        began = time.monotonic()
        clean()
        try:
            applies(bug, TREE)
            git("apply", str(BUGS / f"{bug.name}.patch"), where=TREE)
            found = seek(bug, arguments) or Found("–", "**nothing**")
        except Unfit as error:
            print(f"{bug.name}: {error}", file=sys.stderr)
            found = Found("–", "**not run**")
        seconds = round(time.monotonic() - began)
        if found.seed == "–":
            missed.append(bug)
        told = [f"`{bug.name}`", bug.wrong, found.check, found.seed, str(seconds), f"{today} at {commit}"]
        rows.append(f"| {' | '.join(told)} |")
        print(rows[-1], flush=True)
        if bug not in missed:
            healthy.needs(bug, found)
    clean()
    unhealthy = healthy.prove()
    for line in unhealthy:
        print(f"the commit itself fails: {line}", file=sys.stderr)
    if not unhealthy:
        print(f"\n{renew(rows)}")
    return 0 if len(missed) <= 1 and not unhealthy else 1


def touched(bug: Bug) -> str:
    """The first file of its patch: those that are neighbours share most of a build."""
    return re.search(r"^\+\+\+ b/(.+)$", (BUGS / f"{bug.name}.patch").read_text(), re.MULTILINE)[1]


def seek(bug: Bug, arguments: argparse.Namespace) -> Found | None:
    if bug.check == MATRIX:
        return crash_matrix(bug.found_by)
    build()
    binary = PLACE / "planted-sim"
    binary.unlink(missing_ok=True)
    binary.write_bytes(BINARY.read_bytes())
    binary.chmod(0o755)
    seeds = range(1, arguments.seeds + 1)
    failed = first_failure(binary, bug.options, seeds, arguments.jobs, lambda failure: named(bug, failure))
    if failed is None:
        return None
    seed, failure = failed
    return Found(str(seed) + "".join(f" {option}" for option in bug.options), failure.told)


def named(bug: Bug, failure: Failure) -> bool:
    """Whether one of the checks that should find a bug has found something. The row names that one."""
    found = [check for check in failure.checks if check in bug.found_by]
    if not found:
        return False
    if not found[0].startswith(ASSERTION):
        failure.told = found[0]
    return True


def build() -> None:
    # From the checkout itself, so that cargo reads its configuration once and not twice.
    command = ["cargo", "build", "--quiet", "--package", "sim", "--bin", "dunlin-sim"]
    done = cargo(command)
    if done.returncode:
        raise Unfit(f"the planted tree does not build:\n{done.stderr[-3000:]}")


def crash_matrix(tests: list[str] | None = None) -> Found | None:
    """What the crash matrix finds, if anything; by one of these tests, if they are given."""
    command = ["cargo", "test", "--quiet", "--package", "faultfs", "--test", "crash_matrix", "--", "--nocapture"]
    done = cargo(command)
    said = done.stdout + done.stderr
    if done.returncode == 0:
        if "points, " not in said:
            raise Unfit("the crash matrix tried nothing: this machine has no FUSE")
        return None
    point = re.search(r"FAILED (\S+): (.*)", said)
    if point is None:
        raise Unfit(f"the crash matrix could not be run:\n{said[-3000:]}")
    failed = re.findall(r"^    (\w+)$", said, re.MULTILINE)
    if tests is not None and not set(tests) & set(failed):
        raise Unfit(f"expected that {', '.join(tests)} fails, got {', '.join(failed)}")
    return Found(f"`{point[1]}`", "the crash matrix")


def cargo(command: list[str]) -> subprocess.CompletedProcess:
    command = [*command[:2], "--manifest-path", str(TREE / "Cargo.toml"), *command[2:]]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(TARGET)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def first_failure(
    binary: Path, options: list[str], seeds: range, jobs: int, counts: Callable[[Failure], bool] = lambda _: True
) -> tuple[int, Failure] | None:
    """The lowest seed that fails in a way that counts. As many at once as there are jobs."""
    with ThreadPoolExecutor(jobs) as pool:
        left = iter(seeds)
        running = {}
        failures: dict[int, Failure] = {}
        while True:
            while len(running) < jobs and not failures and (seed := next(left, None)) is not None:
                running[pool.submit(run, binary, options, seed)] = seed
            if not running:
                break
            done = next(as_completed(running))
            seed = running.pop(done)
            if (failure := done.result()) is None:
                continue
            if counts(failure):
                failures[seed] = failure
            else:
                print(f"  seed {seed}: {failure.told}; that is no find", file=sys.stderr, flush=True)
    return min(failures.items(), key=lambda item: item[0]) if failures else None


def run(binary: Path, options: list[str], seed: int) -> Failure | None:
    """Why a seed did not hold."""
    command = [str(binary), "run", "--seed", str(seed), *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_MAX)
    except subprocess.TimeoutExpired:
        return Failure([], f"the run has not ended after {RUN_MAX} s")
    if done.returncode == NOT_RUN:
        raise Unfit(f"{shlex.join(command)}\n{done.stderr[-1000:]}")
    return judged(done.returncode, done.stdout, done.stderr)


def judged(code: int, said: str, complaints: str) -> Failure | None:
    """What the end of a run means."""
    if code == HELD:
        return None
    if code == INVALID:
        return Failure([], "too little happened to say anything")
    if code == VIOLATED:
        violated = list(dict.fromkeys(re.findall(r"^  (.+?) at \d+ ms: ", said, re.MULTILINE)))
        return Failure(violated, ", ".join(violated))
    # The first panic is the reason: those after it come from what was left.
    panic = re.search(r"panicked at (\S+?):\d+:\d+:\n(.*)", complaints)
    if panic is None:
        return Failure([], f"the process of the run ended with {code}")
    check = ASSERTION + crate_of(panic[1])
    return Failure([check], f"{check}: {' '.join(panic[2].split())[:100]}")


def crate_of(file: str) -> str:
    """The crate of a source file, of this project or of the registry."""
    parts = Path(file).parts
    if "registry" in parts:
        return re.sub(r"-\d.*$", "", parts[parts.index("registry") + 3])
    return parts[parts.index("crates") + 1] if "crates" in parts else file


class Healthy:
    """The commit without a bug, under everything that found one."""

    def __init__(self, arguments: argparse.Namespace):
        self.jobs = arguments.jobs
        self.seeds: dict[tuple[str, ...], int] = {}
        self.matrix = False

    def needs(self, bug: Bug, found: Found) -> None:
        if bug.check == MATRIX:
            self.matrix = True
            return
        options = tuple(bug.options)
        self.seeds[options] = max(self.seeds.get(options, 0), int(found.seed.split()[0]))

    def prove(self) -> list[str]:
        failed = []
        if self.seeds:
            build()
        for options, last in self.seeds.items():
            failure = first_failure(BINARY, list(options), range(1, last + 1), self.jobs)
            if failure:
                failed.append(f"seed {failure[0]} {' '.join(options)}: {failure[1].told}")
            else:
                print(f"the commit itself holds from seed 1 to {last} {' '.join(options)}", flush=True)
        if self.matrix and (found := crash_matrix()):
            failed.append(f"{found.seed}: {found.check}")
        return failed


def renew(rows: list[str]) -> str:
    """Puts rows into the table of docs/reliability.md in the place of older ones, and forgets those of bugs that are no more."""
    before, rest = PAGE.read_text().split(BEGIN)
    old, after = rest.split(END)
    named = {name_of(row): row for row in [*old.splitlines(), *rows] if row.startswith("| `")}
    kept = [row for name, row in sorted(named.items()) if (BUGS / f"{name}.patch").exists()]
    found = sum("**" not in row for row in kept)
    text = "\n".join(
        [
            "",
            f"{found} of {len(kept)} were found. Without a bug, the same seeds hold.",
            "",
            "| bug | what is wrong | found by | at seed | seconds, build included | when |",
            "|---|---|---|---|---|---|",
            *kept,
            "",
        ]
    )
    PAGE.write_text(f"{before}{BEGIN}{text}{END}{after}")
    return text


def name_of(row: str) -> str:
    return row.split("`")[1]


def clean() -> None:
    git("checkout", "--quiet", "--", ".", where=TREE)
    git("clean", "-fdq", where=TREE)


def git(*arguments: str, where: Path) -> str:
    done = subprocess.run(["git", *arguments], cwd=where, capture_output=True, text=True)
    if done.returncode:
        raise Unfit(f"git {shlex.join(arguments)}: {done.stderr}")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
