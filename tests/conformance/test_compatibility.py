"""The page that says what each operation can do is what a run finds."""

import difflib
import os

import pytest
from clusters import ROOT

from conformance import table
from conformance.recipes import GROUPS
from conformance.run import Runner
from conformance.waiters import waiter_faults
from conformance.wire import Wire

PAGE = ROOT / "docs" / "compatibility.md"
REPORT = ROOT / "target" / "compatibility.txt"


@pytest.mark.timeout(300)
def test_the_page_is_what_a_run_finds(conformant, measured):
    wire = Wire(conformant)
    findings = Runner(wire).run([recipe for recipes in GROUPS.values() for recipe in recipes])
    by_name = {found.operation: found for found in findings}
    groups = {group: [by_name[recipe.operation] for recipe in recipes] for group, recipes in GROUPS.items()}
    page = table.render(groups, waiter_faults(wire))
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(table.report(groups))
    measured(
        f"conformance: {sum(found.generated for found in findings)} requests generated, {wire.sent} sent; failures: {REPORT}"
    )
    if os.environ.get("DUNLIN_WRITE_COMPATIBILITY") == "1":
        PAGE.write_text(page)
    committed = PAGE.read_text() if PAGE.exists() else ""
    if page != committed:
        lines = difflib.unified_diff(committed.splitlines(), page.splitlines(), "committed", "this run", lineterm="", n=0)
        pytest.fail("docs/compatibility.md is stale; run: make compatibility\n" + "\n".join(lines), pytrace=False)
