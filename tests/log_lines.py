"""The platform's lines in a function's log, as AWS writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
START = re.compile(rf"START RequestId: (?P<id>{UUID}) Version: (?P<version>\$LATEST|\d+)")
END = re.compile(rf"END RequestId: (?P<id>{UUID})")
REPORT = re.compile(
    rf"REPORT RequestId: (?P<id>{UUID})\t"
    r"Duration: (?P<duration>\d+\.\d\d) ms\t"
    r"Billed Duration: (?P<billed>\d+) ms\t"
    r"Memory Size: (?P<memory>\d+) MB\t"
    r"Max Memory Used: (?P<used>\d+) MB\t"
    r"(?:Init Duration: (?P<init>\d+\.\d\d) ms\t)?"
    r"(?:Status: (?P<status>timeout|error)(?:\tError Type: (?P<error_type>[A-Za-z]+\.[A-Za-z]+))?)?"
)


@dataclass
class Report:
    """The numbers of one REPORT line."""

    request_id: str
    duration_ms: float
    billed_ms: int
    memory_mb: int
    used_mb: int
    init_ms: Optional[float]


@dataclass
class Log:
    """The log of one whole invocation."""

    request_id: str
    version: str
    lines: list[str]
    report: Report


def parse(text: str) -> Log:
    """Reads a whole log: START, the function's lines, END, REPORT. An INIT_START line may come first."""
    assert text.endswith("\n"), f"the log does not end with a line end: {text!r}"
    lines = text[:-1].split("\n")
    if lines[0].startswith("INIT_START "):
        lines = lines[1:]
    start, end, report = START.fullmatch(lines[0]), END.fullmatch(lines[-2]), REPORT.fullmatch(lines[-1])
    assert start, f"no START line: {lines[0]!r}"
    assert end, f"no END line: {lines[-2]!r}"
    assert report, f"no REPORT line: {lines[-1]!r}"
    assert start["id"] == end["id"] == report["id"], f"lines of different invocations: {text!r}"
    return Log(start["id"], start["version"], lines[1:-2], _report(report))


def report_of(text: str) -> Report:
    """The REPORT line of a log whose beginning may be cut off."""
    found = [line for line in map(REPORT.fullmatch, text.split("\n")) if line]
    assert len(found) == 1, f"expected one REPORT line in {text!r}"
    return _report(found[0])


def _report(line: re.Match[str]) -> Report:
    return Report(
        line["id"],
        float(line["duration"]),
        int(line["billed"]),
        int(line["memory"]),
        int(line["used"]),
        None if line["init"] is None else float(line["init"]),
    )
