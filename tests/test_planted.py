"""What counts as a find of a planted bug."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[1] / "deploy" / "local" / "planted.py"
spec = importlib.util.spec_from_file_location("planted", TOOL)
planted = importlib.util.module_from_spec(spec)
spec.loader.exec_module(planted)

VIOLATED = "seed 3: VIOLATED in 9 ms\n  clients end at 12 ms: one has not\n  one leader a term at 14 ms: a and b at 7 ms: c\n"
PANIC = "thread 'main' panicked at {file}:12:5:\nassertion failed: self.fits()\nnote: run\nthread 'main' panicked at x.rs:1:1:\nlater\n"


def bug(*found_by: str) -> planted.Bug:
    return planted.Bug("any", "wrong", "promise", planted.SIM, list(found_by))


def test_a_run_that_held_is_no_failure():
    assert planted.judged(planted.HELD, "seed 3: held", "") is None


def test_a_named_check_is_a_find_wherever_it_stands():
    failure = planted.judged(planted.VIOLATED, VIOLATED, "")
    assert failure.checks == ["clients end", "one leader a term"]
    assert planted.named(bug("one leader a term"), failure)
    assert failure.told == "one leader a term"


@pytest.mark.parametrize(
    ("code", "said"),
    [(planted.VIOLATED, VIOLATED), (planted.INVALID, "seed 3: INVALID\n  3 of 60 calls succeeded\n"), (-9, "")],
)
def test_anything_else_is_no_find(code: int, said: str):
    failure = planted.judged(code, said, "")
    assert failure is not None
    assert not planted.named(bug("calm means served", "an assertion of worker"), failure)


@pytest.mark.parametrize(
    ("file", "crate"),
    [
        ("crates/worker/src/pool/table.rs", "worker"),
        ("/r/registry/src/index.crates.io-1/openraft-0.10.0-alpha.37/src/engine.rs", "openraft"),
        ("/w/target/planted/tree/crates/replica/src/log_store.rs", "replica"),
    ],
)
def test_a_panic_is_named_by_its_crate(file: str, crate: str):
    failure = planted.judged(101, "", PANIC.format(file=file))
    assert failure.checks == [f"an assertion of {crate}"]
    assert planted.named(bug(f"an assertion of {crate}"), failure)
    assert failure.told == f"an assertion of {crate}: assertion failed: self.fits()"


def test_a_run_that_does_not_end_is_no_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    hangs = tmp_path / "hangs"
    hangs.write_text("#!/bin/sh\nexec sleep 60\n")
    hangs.chmod(0o755)
    monkeypatch.setattr(planted, "RUN_MAX", 0.2)
    failure = planted.run(hangs, [], 1)
    assert failure.checks == []
    assert planted.first_failure(hangs, [], range(1, 3), 2, lambda f: planted.named(bug("clients end"), f)) is None
