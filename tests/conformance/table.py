"""Writes docs/compatibility.md: what each operation can do, and what is missing."""

from __future__ import annotations

import textwrap

from conformance import api_model
from conformance.absent import ABSENT
from conformance.run import UNKNOWN, Findings, Outcome
from conformance.stored import STORED

# So many things that are missing are named; the run's own report has them all.
NAMED_MOST = 16
YES, STORED_ONLY, NOTHING, PARTIAL, NO = "yes", "stored", "absent", "partial", "no"
MEANINGS = {
    YES: "every check passes",
    STORED_ONLY: "every check passes; what it is told is kept, and nothing acts on it yet",
    NOTHING: "nothing that it is about can be there yet; every check passes: each request is validated, and answered as one about nothing",
    PARTIAL: "the least request that makes sense works, some check does not pass",
    NO: "the operation is not there, or its least request fails",
}


def verdict(found: Findings) -> str:
    if found.is_absent:
        return NOTHING
    if not found.minimal.served:
        return NO
    if found.failed:
        return PARTIAL
    return STORED_ONLY if found.operation in STORED else YES


def missing(found: Findings) -> str:
    """What keeps an operation from its best verdict, in one line."""
    if found.minimal.faults == [UNKNOWN]:
        return ""
    if found.is_absent:
        return ABSENT[found.operation].why
    if not found.minimal.served and not found.absent:
        return f"the least request: {found.minimal.faults[0]}"
    every = [] if found.absent else found.minimal.faults
    by_fault: dict[str, list[str]] = {fault: ["every answer"] for fault in every}
    failed = list(_telling(found.absent or found.others))
    for outcome in failed[:NAMED_MOST]:
        by_fault.setdefault(outcome.faults[0], []).append(outcome.title or "the least request")
    named = [f"{fault}: {', '.join(titles)}" for fault, titles in by_fault.items()]
    if len(failed) > NAMED_MOST:
        named.append(f"{len(failed) - NAMED_MOST} more")
    return "; ".join(named) or STORED.get(found.operation, "")


def _telling(outcomes: list[Outcome]) -> list[Outcome]:
    """The failures that do not follow from others: if a way to give a member fails, so does each change of it."""
    failed = [outcome for outcome in outcomes if outcome.faults]
    failed_ways = {outcome.title for outcome in failed}
    telling = [outcome for outcome in failed if outcome.way not in failed_ways]
    apart = [outcome for outcome in telling if not outcome.title.startswith("everything together")]
    return apart or telling


def render(groups: dict[str, list[Findings]], waiters: dict[str, list[str]]) -> str:
    """The page. The same findings give the same text."""
    every = [found for group in groups.values() for found in group]
    verdicts = [verdict(found) for found in every]
    requests = sum(found.generated for found in every)
    lines = [
        "# Compatibility",
        "",
        *textwrap.wrap(
            f"What each of the {len(every)} operations of the Lambda API (model 2015-03-31 of botocore {api_model.VERSION}) "
            "does on this cluster. `make compatibility` writes this page from a run of `tests/conformance`: "
            f"{requests} requests that are made from the model (valid ones, one at every bound of every member, one a step "
            "past it), each answer checked against the model: status, headers, error, message, and the shape of the body. "
            "The tests fail when the page is not what a run finds.",
            120,
        ),
        "",
        "| verdict | operations | meaning |",
        "|---|---|---|",
        *(f"| {name} | {verdicts.count(name)} | {meaning} |" for name, meaning in MEANINGS.items()),
    ]
    for group, findings in groups.items():
        lines += ["", f"## {group}", "", "| operation | verdict | what is missing |", "|---|---|---|"]
        lines += [f"| {found.operation} | {verdict(found)} | {_cell(missing(found))} |" for found in findings]
    lines += ["", "## Waiters", "", "| waiter | verdict | what is missing |", "|---|---|---|"]
    lines += [f"| {name} | {NO if faults else YES} | {_cell('; '.join(faults))} |" for name, faults in sorted(waiters.items())]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def report(groups: dict[str, list[Findings]]) -> str:
    """Every check that did not pass, with the answer that it was about."""
    lines = []
    for found in (found for group in groups.values() for found in group):
        for outcome in found.failed:
            lines.append(f"{found.operation}: {outcome.title or 'the least request'}: {'; '.join(outcome.faults)}")
            lines.append(textwrap.indent(outcome.detail or "-", "    "))
    return "\n".join(lines) + "\n"
