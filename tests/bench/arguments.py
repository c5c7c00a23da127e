"""What every benchmark can be told."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).resolve().parents[2]


def parser(description: Optional[str], rounds: int) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--rounds", type=int, default=rounds, help="turns of what is compared (default %(default)s)")
    made.add_argument("--seconds", type=float, default=2.0, help="length of one measurement (default %(default)s)")
    made.add_argument("--binary", type=Path, default=ROOT / "target" / "release" / "dunlin")
    made.add_argument("--floor", type=Path, default=ROOT / "target" / "release" / "bench-floor")
    made.add_argument("--out", type=Path, default=ROOT / "bench-results")
    made.add_argument("--data", type=Path, default=None, help="where the nodes keep their data; a real disk, not a tmpfs")
    return made


def parse(made: argparse.ArgumentParser) -> argparse.Namespace:
    options = made.parse_args()
    for program in (options.binary, options.floor):
        if not program.is_file():
            made.error(f"{program} is missing; build it first: cargo build --release --bins")
    return options
