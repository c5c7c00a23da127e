"""What a recipe says about one operation, and what may come of a request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Optional

from conformance.wire import Answer
from conformance.world import World

Params = dict[str, Any]
Make = Callable[[World], Any]


@dataclass(frozen=True)
class Expected:
    """What may come of a request: success, or one of these errors, whose text holds `text`.

    `violation` is a pattern of the one violation that a ValidationException must list.
    """

    success: bool
    errors: frozenset[str] = frozenset()
    text: str = ""
    violation: str = ""


ACCEPTED = Expected(True)
# An odd value: nothing is wrong with its form, and whether it makes sense is the operation's to say.
PASSES = Expected(True, frozenset({"*"}))


def refused(*errors: str, text: str = "") -> Expected:
    return Expected(False, frozenset(errors), text)


INVALID_VALUE = "InvalidParameterValueException"


@dataclass(frozen=True)
class Given:
    """One way to give a member. Values may be functions of the world; they are called at any depth.

    `beside` is what other members must be for it to make sense; a `None` there leaves one out. Ways of one `group` go
    together into one full request; a way without a group goes into none.
    """

    member: str
    value: Any
    label: str = ""
    beside: Mapping[str, Any] = field(default_factory=dict)
    group: Optional[str] = ""
    expected: Expected = ACCEPTED

    @property
    def title(self) -> str:
        return self.label or self.member


def alone(member: str, value: Any, **rest: Any) -> Given:
    """A member that is given by itself only."""
    return Given(member, value, group=None, **rest)


@dataclass(frozen=True)
class Recipe:
    """How one operation is called.

    `base` is the least that it can be called with: what the model requires, and what it cannot be without all the same.
    `undo` is called after each request that was accepted. `verify` tells what is wrong with an answer beyond its shape.
    `beside` has the members of a group that several ways share. `apart` names members that are not tried, and why.
    """

    operation: str
    base: Make
    given: tuple[Given, ...] = ()
    undo: Callable[[World, Params, Answer], None] = lambda world, params, answer: None
    verify: Callable[[Params, Answer], list[str]] = lambda params, answer: []
    groups: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    statuses: Callable[[Params], set[int]] = lambda params: set()
    pages: Optional[Make] = None
    serial: bool = False
    not_echoed: frozenset[str] = frozenset()
    apart: Mapping[str, str] = field(default_factory=dict)

    def minimal(self, world: World) -> Params:
        return resolved(self.base, world)

    def request(self, world: World, *ways: Given) -> Params:
        """The least request with these members added."""
        params = self.minimal(world)
        for group in dict.fromkeys(way.group for way in ways if way.group):
            _lay(params, self.groups.get(group, {}), world)
        for way in ways:
            _lay(params, way.beside, world)
        for way in ways:
            params[way.member] = resolved(way.value, world)
        return params


def _lay(params: Params, members: Mapping[str, Any], world: World) -> None:
    for member, value in members.items():
        if value is None:
            params.pop(member, None)
        else:
            params[member] = resolved(value, world)


def resolved(value: Any, world: World) -> Any:
    """A value with every function in it called."""
    if callable(value):
        return resolved(value(world), world)
    if isinstance(value, dict):
        return {key: resolved(inner, world) for key, inner in value.items()}
    if isinstance(value, list):
        return [resolved(inner, world) for inner in value]
    return value
