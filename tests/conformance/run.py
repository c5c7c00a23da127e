"""Runs the cases of every recipe, several at a time, and says of each what was wrong."""

from __future__ import annotations

import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Optional

from conformance import answers
from conformance.absent import ABSENT, Absence
from conformance.cases import Case, cases
from conformance.pages import page_faults
from conformance.recipe import Params, Recipe
from conformance.wire import Answer, Wire
from conformance.world import IMAGINED, LackingWorld, RealWorld, Unavailable

# Requests in flight. More gain nothing: the machine's cores are busy with these.
THREADS = 8
UNKNOWN = "UnknownOperationException"


@dataclass
class Outcome:
    """What came of one case. `way` is the title of the valid request that it is a change of."""

    way: str
    title: str
    faults: list[str]
    detail: str = ""
    served: bool = False


@dataclass
class Findings:
    """What came of one operation: of every case, or of the least request alone if nothing is served for it.

    `absent` is what came of every case, if the operation is about things that cannot be there and says so.
    """

    operation: str
    minimal: Outcome
    others: list[Outcome] = field(default_factory=list)
    absent: list[Outcome] = field(default_factory=list)
    generated: int = 0

    @property
    def is_absent(self) -> bool:
        """Whether every request was answered as one about nothing."""
        return not self.minimal.served and bool(self.absent) and not any(outcome.faults for outcome in self.absent)

    @property
    def failed(self) -> list[Outcome]:
        tried = self.absent or (self.minimal, *self.others)
        return [outcome for outcome in tried if outcome.faults]


class Runner:
    """Runs recipes in one world."""

    def __init__(self, wire: Wire) -> None:
        self.wire, self.world = wire, RealWorld(wire)
        self.lacking = LackingWorld(self.world)

    def run(self, recipes: list[Recipe]) -> list[Findings]:
        """Every case of every recipe. Everything that was made on the way is gone afterwards, or it is an error."""
        made = {recipe.operation: list(cases(recipe)) for recipe in recipes}
        with ThreadPoolExecutor(THREADS) as pool:
            findings = list(pool.map(lambda recipe: self._begin(recipe, made[recipe.operation]), recipes))
            there = [(recipe, found) for recipe, found in zip(recipes, findings) if found.minimal.served]
            # Lists are paged through while they are short.
            paged = [(found, pool.submit(self._try_pages, recipe)) for recipe, found in there if recipe.pages is not None]
            pages = {found.operation: future.result() for found, future in paged}
            waiting = [(found, self._rest(pool, recipe, made[recipe.operation][1:])) for recipe, found in there]
            not_there = [(recipe, found) for recipe, found in zip(recipes, findings) if self._is_named_absent(found)]
            lacking = [(found, self._rest(pool, recipe, made[recipe.operation], ABSENT[recipe.operation])) for recipe, found in not_there]
            for found, futures in lacking:
                found.absent = [outcome for future in futures for outcome in future.result()]
            for found, futures in waiting:
                found.others = [_less(found.minimal, outcome) for future in futures for outcome in future.result()]
                if found.operation in pages:
                    found.others.append(pages[found.operation])
        left = self.world.take_back()
        if left:
            raise AssertionError(f"could not be taken away: {', '.join(sorted(set(left)))}")
        return findings

    def _begin(self, recipe: Recipe, made: list[Case]) -> Findings:
        minimal = self._try(recipe, made[0])
        pages = 1 if recipe.pages is not None else 0
        return Findings(recipe.operation, minimal, generated=len(made) + pages)

    @staticmethod
    def _is_named_absent(found: Findings) -> bool:
        """Whether it is to be held to saying that there is nothing. Who serves more must not be named any more."""
        if found.operation in ABSENT and found.minimal.served:
            found.minimal.faults.append("is served, and named in absent.py")
        return found.operation in ABSENT and not found.minimal.served and found.minimal.faults != [UNKNOWN]

    def _rest(
        self, pool: ThreadPoolExecutor, recipe: Recipe, made: list[Case], absence: Optional[Absence] = None
    ) -> list[Future[list[Outcome]]]:
        in_turn = [made] if recipe.serial else [[case] for case in made]
        return [pool.submit(self._try_all, recipe, turn, absence) for turn in in_turn]

    def _try_all(self, recipe: Recipe, made: list[Case], absence: Optional[Absence]) -> list[Outcome]:
        return [self._try(recipe, case, absence) for case in made]

    def _try(self, recipe: Recipe, case: Case, absence: Optional[Absence] = None) -> Outcome:
        expected = absence.of(case.expected, case.member) if absence else case.expected
        try:
            world = IMAGINED if case.imagined else self.lacking if absence else self.world
            params = case.make(world)
        except Unavailable as missing:
            return Outcome(case.way, case.title, [self._without(recipe, case, missing)], str(missing))
        try:
            answer = self.wire.send(recipe.operation, params, case.edit)
            faults = answers.faults(recipe, params, answer, expected)
            if answer.error == UNKNOWN:
                faults = [UNKNOWN]
            served = 200 <= answer.status < 300
            if served and absence:
                faults += absence.verify(answer)
            if served:
                faults += self._undo(recipe, params, answer)
            return Outcome(case.way, case.title, list(dict.fromkeys(faults)), str(answer), served)
        except Exception as broken:  # noqa: BLE001  (a defect of one case must not hide the others)
            return Outcome(case.way, case.title, [f"the case broke: {type(broken).__name__}"], traceback.format_exc())

    def _undo(self, recipe: Recipe, params: Params, answer: Answer) -> list[str]:
        try:
            recipe.undo(self.world, params, answer)
        except Unavailable as stuck:
            return [f"cannot be undone: {stuck}"]
        return []

    def _without(self, recipe: Recipe, case: Case, missing: Unavailable) -> str:
        """Why a request could not be made; whether the operation is there at all is asked all the same."""
        if case.is_minimal and self.wire.send(recipe.operation, recipe.minimal(IMAGINED)).error == UNKNOWN:
            return UNKNOWN
        return f"needs {missing}"

    def _try_pages(self, recipe: Recipe) -> Outcome:
        try:
            params: Params = recipe.pages(self.world)  # type: ignore[misc]
            faults = page_faults(self.wire, recipe.operation, params)
        except Unavailable as missing:
            faults = [f"needs {missing}"]
        except Exception as broken:  # noqa: BLE001
            return Outcome("", "paginator", [f"the case broke: {type(broken).__name__}"], traceback.format_exc())
        return Outcome("", "paginator", faults)


def _less(minimal: Outcome, outcome: Outcome) -> Outcome:
    """An outcome without the faults that every answer of the operation has: the least request's tell them."""
    return replace(outcome, faults=[fault for fault in outcome.faults if fault not in minimal.faults])
