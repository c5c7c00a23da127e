"""The API model that botocore carries, and the questions that the suite has about it."""

from __future__ import annotations

import functools
import re
from typing import Any, Iterator, Optional

import botocore
import botocore.session
from botocore.model import OperationModel, Shape

VERSION: str = botocore.__version__
_loader = botocore.session.get_session().get_component("data_loader")
_session = botocore.session.get_session()
SERVICE = _session.get_service_model("lambda")
OPERATIONS: list[str] = list(SERVICE.operation_names)
PAGINATORS: dict[str, Any] = _loader.load_service_model("lambda", "paginators-1")["pagination"]
WAITERS: dict[str, Any] = _loader.load_service_model("lambda", "waiters-2")["waiters"]


def operation(name: str) -> OperationModel:
    return SERVICE.operation_model(name)


def success(name: str) -> int:
    """The status of an answer without an error."""
    return operation(name).http["responseCode"]


def members(shape: Optional[Shape]) -> dict[str, Shape]:
    return dict(shape.members) if shape is not None else {}


def required(shape: Optional[Shape]) -> list[str]:
    return list(shape.required_members) if shape is not None else []


def location(owner: Shape, member: str) -> str:
    """Where a member travels: uri, querystring, header, headers, statusCode, payload or body."""
    if owner.serialization.get("payload") == member:
        return "payload"
    return owner.members[member].serialization.get("location", "body")


def errors(name: str) -> dict[str, Shape]:
    """The errors that an operation may answer with."""
    return {shape.error_code: shape for shape in operation(name).error_shapes}


@functools.lru_cache(maxsize=None)
def every_error() -> dict[str, Shape]:
    """Every error of the model, by its name on the wire."""
    return {name: shape for operation_name in OPERATIONS for name, shape in errors(operation_name).items()}


def bounds(shape: Shape) -> tuple[Optional[float], Optional[float]]:
    """The least and the greatest length or value."""
    return shape.metadata.get("min"), shape.metadata.get("max")


def pattern(shape: Shape) -> Optional[str]:
    return shape.metadata.get("pattern")


def enum(shape: Shape) -> list[str]:
    return list(shape.metadata.get("enum", []))


def matches(text: str, value: str) -> bool:
    return _compiled(text).fullmatch(value) is not None


@functools.lru_cache(maxsize=None)
def _compiled(text: str) -> re.Pattern[str]:
    # Python's re knows no Unicode categories; its own words for letters, digits and spaces come near enough.
    return re.compile(text.replace(r"\p{L}\p{Z}\p{N}", r"\w\s"))


def walk(shape: Shape, path: tuple[str, ...] = (), above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Shape]]:
    """Every place below a shape. `[]` stands for a list's element, `{}` for a map's key and value."""
    if shape.name in above:
        return
    above = (*above, shape.name)
    if path:
        yield path, shape
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield from walk(member, (*path, name), above)
    elif shape.type_name == "list":
        yield from walk(shape.member, (*path, "[]"), above)
    elif shape.type_name == "map":
        yield from walk(shape.key, (*path, "{key}"), above)
        yield from walk(shape.value, (*path, "{value}"), above)
