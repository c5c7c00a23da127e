"""The requests of one operation: valid ones, ones at every bound, and ones a step past it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Optional

from botocore.model import Shape

from conformance import api_model, values
from conformance.recipe import ACCEPTED, INVALID_VALUE, PASSES, Expected, Given, Params, Recipe, refused
from conformance.sites import KEY, VALUE, Path, Site, found, replaced, sites, without
from conformance.wire import Edit
from conformance.world import IMAGINED, World

# Members whose every enum value is tried; of longer enums elsewhere, the first and the last.
EVERY_VALUE = {("CreateFunction", "Runtime")}
ENUM_MOST = 8
CURRENT_RUNTIMES = frozenset(
    "nodejs20.x nodejs22.x nodejs24.x nodejs26.x python3.9 python3.10 python3.11 python3.12 python3.13 python3.14 "
    "python3.15 java8.al2 java11 java17 java21 java25 java8.al2023 java11.al2023 java17.al2023 dotnet8 dotnet10 ruby3.2 "
    "ruby3.3 ruby3.4 ruby4.0 provided.al2 provided.al2023".split()
)
WRONG_TYPES: dict[str, Any] = {
    "string": {"an": "object"},
    "integer": "many",
    "long": "many",
    "double": "much",
    "float": "much",
    "boolean": "maybe",
    "timestamp": {"an": "object"},
    "blob": {"an": "object"},
    "list": "a text",
    "map": "a text",
    "structure": "a text",
}
# What a service says of JSON whose types are wrong; the model has no name for it.
UNREADABLE = ("SerializationException", "InvalidRequestContentException", "ValidationException", INVALID_VALUE)


@dataclass(frozen=True)
class Case:
    """One request, and what may come of it.

    `way` is the title of the valid request that this one is a change of. `imagined`: it names nothing real, since it
    cannot or must not get that far. `make` answers the parameters, `edit` changes what botocore makes of them.
    """

    operation: str
    way: str
    title: str
    make: Callable[[World], Params]
    expected: Expected = ACCEPTED
    imagined: bool = False
    edit: Optional[Edit] = None
    # The member that a valid request adds to the least one, if it adds one.
    member: Optional[str] = None

    @property
    def is_minimal(self) -> bool:
        return not self.title


def cases(recipe: Recipe) -> Iterator[Case]:
    """Every case of an operation, the least request first."""
    name = recipe.operation
    yield Case(name, "", "", recipe.minimal)
    yield from _given(recipe)
    yield from _full(recipe)
    seen: set[Path] = set()
    for host in (None, *recipe.given):
        yield from _sites(recipe, host, seen)


def _given(recipe: Recipe) -> Iterator[Case]:
    for way in recipe.given:
        yield Case(recipe.operation, "", way.title, _maker(recipe, way), way.expected, member=way.member)


def _full(recipe: Recipe) -> Iterator[Case]:
    groups: dict[str, list[Given]] = {}
    for way in recipe.given:
        if way.group is not None:
            groups.setdefault(way.group, []).append(way)
    for group, ways in groups.items():
        if len(ways) > 1:
            title = f"everything together ({group})" if group else "everything together"
            expected = next((way.expected for way in ways if way.expected is not ACCEPTED), ACCEPTED)
            yield Case(recipe.operation, "", title, _maker(recipe, *ways), expected)


def _maker(recipe: Recipe, *ways: Given) -> Callable[[World], Params]:
    return lambda world: recipe.request(world, *ways)


# -- one place changed -------------------------------------------------------------------------------------------------


def _sites(recipe: Recipe, host: Optional[Given], seen: set[Path]) -> Iterator[Case]:
    """The cases of the places that a way to give a member adds to the requests before it."""
    owner = api_model.operation(recipe.operation).input_shape
    if owner is None:
        return
    ways = () if host is None else (host,)
    request = recipe.request(IMAGINED, *ways)
    for site in sites(owner, request):
        if site.path in seen or (host is not None and site.top != host.member):
            continue
        seen.add(site.path)
        changer = _Changer(recipe, ways, site, found(request, site.path))
        yield from changer.at_bounds()
        yield from changer.past_bounds()


class _Changer:
    """Makes the cases of one place. `example` is what the request has there."""

    def __init__(self, recipe: Recipe, ways: tuple[Given, ...], site: Site, example: Any) -> None:
        self.recipe, self.ways, self.site, self.example = recipe, ways, site, example
        self.shape, self.way = site.shape, ways[0].title if ways else ""
        expected = {way.expected for way in ways} | {ACCEPTED}
        # A request that may be refused as it is may be refused with another value, too.
        self.host_expected = next((e for e in expected if e is not ACCEPTED), ACCEPTED)

    def at_bounds(self) -> Iterator[Case]:
        kind = self.shape.type_name
        if kind == "string" and api_model.enum(self.shape):
            yield from self._enum_values()
        elif kind == "string":
            yield from self._text_bounds()
        elif kind == "blob":
            _, most = api_model.bounds(self.shape)
            if most is not None and most <= values.LONGEST:
                yield self._changed(f"{self.site.label} of {most} bytes", b"1" * int(most), ACCEPTED)
        elif kind in ("integer", "long", "double", "float"):
            yield from self._number_bounds()
        elif kind == "boolean":
            for value in (True, False):
                yield self._changed(f"{self.site.label} {str(value).lower()}", value, ACCEPTED)
        elif kind == "list":
            yield from self._list_bounds()

    def past_bounds(self) -> Iterator[Case]:
        kind = self.shape.type_name
        if kind == "string" and api_model.enum(self.shape):
            yield self._outside_enum()
        elif kind == "string":
            yield from self._broken_text()
        elif kind == "blob":
            yield from self._broken_blob()
        elif kind in ("integer", "long", "double", "float"):
            yield from self._past_number()
        elif kind == "list":
            yield from self._past_list()
        elif kind == "map":
            yield from self._past_map()
        elif kind == "structure":
            yield from self._missing(self.shape.required_members)
        yield from self._wrong_type()
        if len(self.site.path) == 1:
            yield from self._missing_top()

    # Values that the model allows.

    def _enum_values(self) -> Iterator[Case]:
        allowed = api_model.enum(self.shape)
        if len(allowed) > ENUM_MOST and (self.recipe.operation, self.site.label) not in EVERY_VALUE:
            allowed = [allowed[0], allowed[-1]]
        for value in allowed:
            expected = PASSES if self.shape.name in values.ODD_ENUMS else ACCEPTED
            if self.shape.name == "Runtime" and self.site.label == "Runtime":
                expected = self._of_runtime(value)
            yield self._changed(f"{self.site.label} {value}", value, expected)

    @staticmethod
    def _of_runtime(value: str) -> Expected:
        if value == "custom":
            return PASSES
        if value in CURRENT_RUNTIMES:
            return ACCEPTED
        return refused(INVALID_VALUE, text=f"The runtime parameter of {value} is no longer supported")

    def _text_bounds(self) -> Iterator[Case]:
        if not self._is_bounded():
            return
        text, least, most = values.text(self.shape), values.shortest(self.shape), values.longest(self.shape)
        lengths = [(least, text.odd_least)]
        if most is not None and most != least and most <= values.LONGEST:
            lengths.append((most, text.odd_most))
        for length, odd in lengths:
            if length == 0 and self.site.location in ("uri", "querystring", "header"):
                continue
            title = f"{self.site.label} of {_characters(length)}"
            yield self._changed(title, text.fill(length), self._of_odd_text() if odd else ACCEPTED)

    def _of_odd_text(self) -> Expected:
        if self.shape.name in values.NO_OBJECT:
            code = values.NO_OBJECT[self.shape.name]
            return refused(INVALID_VALUE, text=f"Error occurred while GetObject. S3 Error Code: {code}. ")
        return PASSES

    def _is_bounded(self) -> bool:
        return api_model.bounds(self.shape) != (None, None) or api_model.pattern(self.shape) is not None

    def _number_bounds(self) -> Iterator[Case]:
        for bound in api_model.bounds(self.shape):
            if bound is not None:
                number = self._number(bound)
                yield self._changed(f"{self.site.label} {number}", number, self._of_number(number))

    def _of_number(self, number: float) -> Expected:
        quota = values.ABOVE_QUOTA.get(self.shape.name)
        if quota is not None and number > quota:
            return refused(INVALID_VALUE, "ValidationException")
        return PASSES if self.shape.name in values.ODD_NUMBERS else ACCEPTED

    def _number(self, bound: float) -> Any:
        return int(bound) if self.shape.type_name in ("integer", "long") or bound == int(bound) else bound

    def _list_bounds(self) -> Iterator[Case]:
        least, most = api_model.bounds(self.shape)
        for count in (least, most):
            if count is not None and count != len(self.example):
                made = values.distinct(self.shape.member, self.example[0], int(count))
                odd = self.shape.name in values.ODD_LISTS or values.text(self.shape.member).odd_most
                title = f"{self.site.label} with {_elements(int(count))}"
                yield self._changed(title, made, PASSES if odd else ACCEPTED)

    # Values that it does not.

    def _outside_enum(self) -> Case:
        value = "NoSuchValue"
        if self.recipe.operation in ("CreateFunction", "UpdateFunctionConfiguration") and self.site.label == "Runtime":
            text = f"Value {value} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: ["
            return self._broken("outside its enum", value, refused(INVALID_VALUE, text=text))
        allowed = sorted(api_model.enum(self.shape))
        demand = r"Member must satisfy enum value set: \[(?=[^\]]*\b" + r"\b)(?=[^\]]*\b".join(map(re.escape, allowed)) + r"\b)"
        return self._broken("outside its enum", value, self._violation(demand))

    def _broken_text(self) -> Iterator[Case]:
        text = values.text(self.shape)
        least, most = api_model.bounds(self.shape)
        if least and not (least == 1 and self.site.location == "uri"):
            short = text.fill(int(least) - 1)
            demand = f"Member must have length greater than or equal to {int(least)}"
            yield self._broken(f"of {_characters(len(short))}", short, self._violation(demand))
        if most is not None and most <= 8 * values.LONGEST:
            long = text.fill(int(most) + 1)
            demand = f"Member must have length less than or equal to {int(most)}"
            yield self._broken(f"of {_characters(len(long))}", long, self._violation(demand))
        if text.bad is not None:
            demand = "Member must satisfy regular expression pattern: " + re.escape(str(api_model.pattern(self.shape)))
            yield self._broken("against its pattern", text.bad, self._violation(demand))

    def _broken_blob(self) -> Iterator[Case]:
        _, most = api_model.bounds(self.shape)
        if most is not None:
            errors = ("ValidationException", "RequestTooLargeException", "RequestEntityTooLargeException", INVALID_VALUE)
            yield self._broken(f"of {int(most) + 1} bytes", b"1" * (int(most) + 1), refused(*errors))
        if self.site.location == "body":
            yield self._raw("that is no base64", "§", refused(*UNREADABLE))

    def _past_number(self) -> Iterator[Case]:
        least, most = api_model.bounds(self.shape)
        if least is not None:
            demand = rf"Member must have value greater than or equal to {self._number(least)}(?:\.0)?(?![\d])"
            yield self._broken(str(self._number(least) - 1), self._number(least) - 1, self._violation(demand))
        if most is not None:
            demand = rf"Member must have value less than or equal to {self._number(most)}(?:\.0)?(?![\d])"
            yield self._broken(str(self._number(most) + 1), self._number(most) + 1, self._violation(demand))

    def _past_list(self) -> Iterator[Case]:
        least, most = api_model.bounds(self.shape)
        if least and self.site.location == "body":
            demand = f"Member must have length greater than or equal to {int(least)}"
            yield self._broken("without elements", [], self._violation(demand))
        if most is not None:
            count = int(most) + 1
            demand = f"Member must have length less than or equal to {int(most)}"
            made = values.distinct(self.shape.member, self.example[0], count)
            yield self._broken(f"with {_elements(count)}", made, self._violation(demand))

    def _past_map(self) -> Iterator[Case]:
        least, most = api_model.bounds(self.shape)
        if least:
            demand = f"Member must have length greater than or equal to {int(least)}"
            yield self._broken("without entries", {}, self._violation(demand))
        if most is not None and not api_model.enum(self.shape.key):
            key, value = next(iter(self.example.items()))
            made = {f"{key}{number}": value for number in range(int(most) + 1)}
            demand = f"Member must have length less than or equal to {int(most)}"
            yield self._broken(f"with {int(most) + 1} entries", made, self._violation(demand))

    def _missing(self, required: list[str]) -> Iterator[Case]:
        for member in required:
            if member in self.example:
                inner = Site((*self.site.path, member), self.shape.members[member], self.site.location)
                yield self._without(inner)

    def _missing_top(self) -> Iterator[Case]:
        owner = api_model.operation(self.recipe.operation).input_shape
        # Without a label the path is another one.
        if (
            owner is not None
            and self.site.top in owner.required_members
            and self.site.location in ("body", "querystring", "header")
        ):
            yield self._without(self.site)

    def _without(self, site: Site) -> Case:
        wanted = rf"^Value null at '{site.said}' failed to satisfy constraint: Member must not be null"
        return Case(
            self.recipe.operation, self.way, f"no {site.label}",
            lambda world: without(self.recipe.request(world, *self.ways), site.path),
            Expected(False, frozenset({"ValidationException"}), violation=wanted), imagined=True,
        )  # fmt: skip

    def _wrong_type(self) -> Iterator[Case]:
        kind = self.shape.type_name
        if KEY in self.site.path[-1:] or self.site.location == "header" or kind not in WRONG_TYPES:
            return
        if self.site.location == "body" or (self.site.location == "payload" and kind == "structure"):
            yield self._raw("of another type", WRONG_TYPES[kind], refused(*UNREADABLE))
        elif self.site.location == "payload" and len(self.site.path) > 1:
            yield self._raw("of another type", WRONG_TYPES[kind], refused(*UNREADABLE))
        elif kind in ("integer", "long", "boolean"):
            yield self._broken("of another type", WRONG_TYPES[kind], refused(*UNREADABLE))
        elif kind == "timestamp":
            yield self._raw_query("of another type", "yesterday", refused(*UNREADABLE))

    # What a case is made of.

    def _violation(self, demand: str) -> Expected:
        where = rf"^Value(?: '.*')? at '{self.site.said}' failed to satisfy constraint: .*"
        return Expected(False, frozenset({"ValidationException"}), violation=where + demand)

    def _changed(self, title: str, value: Any, expected: Expected) -> Case:
        # A label that names something else finds nothing, whatever else is there.
        elsewhere = self.site.location == "uri"
        if expected is ACCEPTED:
            expected = PASSES if elsewhere else self.host_expected
        return Case(
            self.recipe.operation, self.way, title,
            lambda world: replaced(self.recipe.request(world, *self.ways), self.site.path, value),
            expected, imagined=elsewhere,
        )  # fmt: skip

    def _broken(self, how: str, value: Any, expected: Expected) -> Case:
        return Case(
            self.recipe.operation, self.way, f"{self.site.label} {how}",
            lambda world: replaced(self.recipe.request(world, *self.ways), self.site.path, value),
            expected, imagined=True,
        )  # fmt: skip

    def _raw(self, how: str, value: Any, expected: Expected) -> Case:
        """A case that botocore could not serialise: its JSON is changed after botocore made it."""
        path = self.site.path[1:] if self.site.location == "payload" else self.site.path
        owner = api_model.operation(self.recipe.operation).input_shape
        names = _wire_path(owner, self.site.path)[-len(path) :] if path else ()

        def edit(request: dict[str, Any]) -> None:
            body = json.loads(request["body"] or b"{}")
            changed = replaced(body, names, value) if names else value
            request["body"] = json.dumps(changed).encode()

        return Case(
            self.recipe.operation, self.way, f"{self.site.label} {how}",
            lambda world: self.recipe.request(world, *self.ways), expected, imagined=True, edit=edit,
        )  # fmt: skip

    def _raw_query(self, how: str, value: str, expected: Expected) -> Case:
        """A case about the query that botocore could not serialise."""
        name = self.shape.serialization.get("name", self.site.top)

        def edit(request: dict[str, Any]) -> None:
            request["url"] = re.sub(rf"([?&]{name}=)[^&]*", rf"\g<1>{value}", request["url"])

        return Case(
            self.recipe.operation, self.way, f"{self.site.label} {how}",
            lambda world: self.recipe.request(world, *self.ways), expected, imagined=True, edit=edit,
        )  # fmt: skip


def _wire_path(owner: Optional[Shape], path: Path) -> Path:
    """A path with the names that the members have on the wire."""
    names: list[Any] = []
    shape = owner
    for step in path:
        assert shape is not None
        if shape.type_name == "structure":
            shape = shape.members[step]
            names.append(shape.serialization.get("name", step))
        else:
            names.append(step)
            shape = shape.key if step == KEY else shape.value if step == VALUE else shape.member
    return tuple(names)


def _characters(count: int) -> str:
    return "1 character" if count == 1 else f"{count} characters"


def _elements(count: int) -> str:
    return "1 element" if count == 1 else f"{count} elements"
