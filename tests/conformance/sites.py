"""Places in a request: each member that a value holds, and the same request with one place changed."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import Any, Iterator, Union

from botocore.model import Shape

from conformance import api_model

KEY, VALUE = "{key}", "{value}"
Step = Union[str, int]
Path = tuple[Step, ...]


@dataclass(frozen=True)
class Site:
    """A place. `KEY` and `VALUE` as a step are those of a map's first entry."""

    path: Path
    shape: Shape
    location: str

    @property
    def top(self) -> str:
        """The member of the request that the place belongs to."""
        return str(self.path[0])

    @property
    def label(self) -> str:
        """As the model names it: `Cors.AllowOrigins[]`."""
        text = ""
        for step in self.path:
            text += "[]" if step == 0 else str(step) if step in (KEY, VALUE) else f".{step}"
        return text[1:]

    @property
    def said(self) -> str:
        """A pattern of how a violation names it: `cors.allowOrigins`, or with the number of the element."""
        parts = []
        for step in self.path:
            if step == 0:
                parts.append(r"(?:\.1\.member)?")
            elif step in (KEY, VALUE):
                parts.append(r"(?:\.[^.']*(?:\.(?:key|value|member))?)?")
            else:
                parts.append((r"\." if parts else "") + _lower_camel(str(step)))
        return "".join(parts)


def _lower_camel(name: str) -> str:
    first = name[0].lower() + name[1:]
    run = re.match(r"[A-Z]{2,}(?=[A-Z][a-z]|$)", name)
    return first if run is None else f"(?:{first}|{run[0].lower()}{name[run.end() :]})"


def sites(owner: Shape, request: dict[str, Any]) -> Iterator[Site]:
    """Every place that a request holds: of lists the first element, of maps the first entry."""
    for name, value in request.items():
        if name in owner.members:
            yield from _below((name,), owner.members[name], value, api_model.location(owner, name))


def _below(path: Path, shape: Shape, value: Any, location: str) -> Iterator[Site]:
    yield Site(path, shape, location)
    if shape.type_name == "structure":
        for name, inner in value.items():
            yield from _below((*path, name), shape.members[name], inner, location)
    elif shape.type_name == "list" and value:
        yield from _below((*path, 0), shape.member, value[0], location)
    elif shape.type_name == "map" and value:
        key, inner = next(iter(value.items()))
        yield from _below((*path, KEY), shape.key, key, location)
        yield from _below((*path, VALUE), shape.value, inner, location)


def found(request: Any, path: Path) -> Any:
    """What is at a place."""
    for step in path:
        if step == KEY:
            request = next(iter(request))
        elif step == VALUE:
            request = next(iter(request.values()))
        else:
            request = request[step]
    return request


def replaced(request: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """The same request with another value at one place."""
    changed = copy.deepcopy(request)
    *above, last = path
    owner = found(changed, tuple(above))
    if last == KEY:
        first = next(iter(owner))
        entries = [(value if key == first else key, inner) for key, inner in owner.items()]
        owner.clear()
        owner.update(entries)
    elif last == VALUE:
        owner[next(iter(owner))] = value
    else:
        owner[last] = value
    return changed


def without(request: dict[str, Any], path: Path) -> dict[str, Any]:
    """The same request with one place left out."""
    changed = copy.deepcopy(request)
    *above, last = path
    del found(changed, tuple(above))[last]
    return changed
