"""What is wrong with an answer: its status, its headers, its error's name and body, or the shape of what it says."""

from __future__ import annotations

import json
import re
from typing import Any, Iterator, Optional

from botocore.model import Shape

from conformance import api_model
from conformance.recipe import Expected, Params, Recipe
from conformance.wire import Answer, is_request_id

# Errors outside the model: status, and the keys that may hold the text.
UNMODELLED: dict[str, tuple[int, tuple[str, ...]]] = {
    "ValidationException": (400, ("message",)),
    "AccessDeniedException": (403, ("Message", "message")),
    "RequestEntityTooLargeException": (413, ("message",)),
    "SerializationException": (400, ("Message", "message")),
    "UnknownOperationException": (404, ("message",)),
    "ServiceUnavailableException": (503, ("Message", "message")),
}
# Errors of the model that any operation may answer with, whether or not the model says so of it.
EVERYWHERE = {"InvalidRequestContentException", "UnsupportedMediaTypeException", "RequestTooLargeException"}
# What the text of a refusal says if the cluster has no such thing; no odd value excuses it.
UNSUPPORTED = "is not supported by this cluster"
# Values that the service is known to answer with though its model lacks them. The model lets an alias point to
# $LATEST.PUBLISHED, and has a shape for that version in requests and one without it in answers.
BEYOND_MODEL = {"LastUpdateStatusReasonCode": {"Creating"}, "Version": {"$LATEST.PUBLISHED"}}
# Operations that may answer with another status than the model's; older clients and the service itself disagree.
ALSO = {"DeleteFunction": {204}}

_DATE = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
_OFFSET, _ZULU = rf"{_DATE}\.\d{{3}}\+0000", rf"{_DATE}(\.\d{{1,9}})?Z"
# Dates that are texts have the form of the structure that holds them.
_FORMS = {
    "FunctionConfiguration": _OFFSET,
    "PublishLayerVersionResponse": _OFFSET,
    "GetLayerVersionResponse": _OFFSET,
    "LayerVersionsListItem": _OFFSET,
    "PutProvisionedConcurrencyConfigResponse": _OFFSET,
    "GetProvisionedConcurrencyConfigResponse": _OFFSET,
    "ProvisionedConcurrencyConfigListItem": _OFFSET,
    "FunctionUrlConfig": _ZULU,
    "CreateFunctionUrlConfigResponse": _ZULU,
    "GetFunctionUrlConfigResponse": _ZULU,
    "UpdateFunctionUrlConfigResponse": _ZULU,
}
_ANY_FORM = rf"{_OFFSET}|{_ZULU}"
# Seconds since 1970 of the years that can be meant; milliseconds are far beyond.
_SECONDS = (946_684_800, 4_102_444_800)
_NUMBERS = {"integer": (int,), "long": (int,), "float": (int, float), "double": (int, float)}


def faults(recipe: Recipe, params: Params, answer: Answer, expected: Expected) -> list[str]:
    """Everything that is wrong with an answer, most telling first."""
    if answer.status == 0:
        return [f"no answer: {answer.broken}"]
    found = list(_common(answer))
    if answer.status < 300:
        if not expected.success:
            return ["accepted"]
        return found + list(_success(recipe, params, answer))
    found += _error(answer)
    if "*" in expected.errors:
        if answer.status >= 500 or answer.error in UNMODELLED or UNSUPPORTED in answer.message:
            return [answer.error or str(answer.status)]
        return found
    if answer.error not in expected.errors:
        return [answer.error or f"{answer.status} without an error's name"]
    if expected.text and expected.text not in answer.message:
        found.append(f"{answer.error} without “{expected.text}”")
    if expected.violation and answer.error == "ValidationException":
        found += _violations(answer.message, expected.violation)
    return found


def _common(answer: Answer) -> Iterator[str]:
    if not is_request_id(answer.headers.get("x-amzn-requestid", "")):
        yield "no x-amzn-requestid"
    if answer.status == 204 and answer.body:
        yield "204 with a body"


# -- success -----------------------------------------------------------------------------------------------------------


def _success(recipe: Recipe, params: Params, answer: Answer) -> Iterator[str]:
    statuses = recipe.statuses(params) or {api_model.success(answer.operation)} | ALSO.get(answer.operation, set())
    if answer.status not in statuses:
        yield f"status {answer.status}"
    output = api_model.operation(answer.operation).output_shape
    if output is not None:
        yield from _headers(output, answer)
        if "payload" not in output.serialization:
            yield from _body(recipe, params, output, answer)
    elif answer.body not in (b"", b"{}"):
        yield "a body where the model has none"
    yield from recipe.verify(params, answer)


def _headers(output: Shape, answer: Answer) -> Iterator[str]:
    for name, shape in output.members.items():
        if shape.serialization.get("location") == "header":
            value = answer.headers.get(shape.serialization["name"].lower())
            if value is not None:
                yield from _value(output, name, shape, value)
            elif name in output.required_members:
                yield f"no {name}"


def _body(recipe: Recipe, params: Params, output: Shape, answer: Answer) -> Iterator[str]:
    in_body = {name for name, shape in output.members.items() if "location" not in shape.serialization}
    if not answer.body:
        if in_body and answer.status != 204:
            yield "no body"
        return
    if answer.headers.get("content-type", "").split(";")[0] != "application/json":
        yield "content type is not application/json"
    try:
        said = json.loads(answer.body)
    except ValueError:
        yield "body is no JSON"
        return
    yield from dict.fromkeys(shape_faults(output, said, in_body))
    yield from _echo(recipe, params, output, said)


def shape_faults(shape: Shape, value: Any, only: Optional[set[str]] = None) -> Iterator[str]:
    """What of a JSON value is not as its shape says. Lists' indexes are left out: what ails one element ails most."""
    yield from _value(shape, "", shape, value, only)


def _value(owner: Shape, path: str, shape: Shape, value: Any, only: Optional[set[str]] = None) -> Iterator[str]:
    kind = shape.type_name
    if value is None:
        yield f"{path} is null"
    elif kind == "structure":
        if not isinstance(value, dict):
            yield f"{path} is no object"
            return
        for name in shape.required_members:
            if name not in value and (only is None or name in only):
                yield f"no {_joined(path, name)}"
        for name, inner in value.items():
            if name not in shape.members:
                yield f"{_joined(path, name)} is not in the model"
            else:
                yield from _value(shape, _joined(path, name), shape.members[name], inner)
    elif kind == "list":
        if not isinstance(value, list):
            yield f"{path} is no list"
            return
        yield from _length(path, shape, len(value))
        for inner in value:
            yield from _value(shape, f"{path}[]", shape.member, inner)
    elif kind == "map":
        if not isinstance(value, dict):
            yield f"{path} is no object"
            return
        yield from _length(path, shape, len(value))
        for key, inner in value.items():
            yield from _value(shape, f"{path}{{key}}", shape.key, key)
            yield from _value(shape, f"{path}{{value}}", shape.value, inner)
    elif kind == "boolean":
        if not isinstance(value, bool):
            yield f"{path} is no boolean"
    elif kind == "timestamp":
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            yield f"{path} is no number of seconds"
        elif not _SECONDS[0] <= value <= _SECONDS[1]:
            yield f"{path} is not in seconds"
    elif kind in _NUMBERS:
        if isinstance(value, bool) or not isinstance(value, _NUMBERS[kind]):
            yield f"{path} is no {kind}"
        else:
            yield from _within(path, shape, value, "")
    elif not isinstance(value, str):
        yield f"{path} is no string"
    elif kind == "string":
        yield from _text(owner, path, shape, value)


def _text(owner: Shape, path: str, shape: Shape, value: str) -> Iterator[str]:
    yield from _length(path, shape, len(value))
    allowed, pattern = api_model.enum(shape), api_model.pattern(shape)
    is_known = value in BEYOND_MODEL.get(shape.name, ())
    if allowed and value not in allowed and not is_known:
        yield f"{path} is outside its enum"
    if pattern and not api_model.matches(pattern, value) and not is_known:
        yield f"{path} breaks its pattern"
    if shape.name == "Timestamp" and not re.fullmatch(_FORMS.get(owner.name, _ANY_FORM), value):
        yield f"{path} is no date of the form that clients know"


def _length(path: str, shape: Shape, length: int) -> Iterator[str]:
    yield from _within(path, shape, length, "length of ")


def _within(path: str, shape: Shape, number: float, what: str) -> Iterator[str]:
    least, most = api_model.bounds(shape)
    if least is not None and number < least:
        yield f"{what}{path} is below {least}"
    if most is not None and number > most:
        yield f"{what}{path} is above {most}"


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _echo(recipe: Recipe, params: Params, output: Shape, said: Any) -> Iterator[str]:
    """What the request set and the answer says otherwise, or not at all."""
    shown, shape = said, output
    if len(output.members) == 1:
        # The resource in an envelope: {"CodeSigningConfig": {...}}.
        ((name, inner),) = output.members.items()
        if inner.type_name == "structure" and isinstance(said, dict):
            shown, shape = said.get(name, {}), inner
    if recipe.operation.startswith(("List", "Get")) or not isinstance(shown, dict):
        return
    for name, value in params.items():
        if name in shape.members and name not in recipe.not_echoed and _asks(value) and not holds(shown.get(name), value):
            yield f"{name} comes back otherwise"


def _asks(value: Any) -> bool:
    """Whether a value sets anything: an empty text, and a structure of nothing else, sets nothing."""
    if isinstance(value, dict):
        return any(_asks(inner) for inner in value.values())
    return value not in ("", [], None)


def holds(shown: Any, asked: Any) -> bool:
    """Whether what is shown has all that was asked for. What was asked to be empty may be missing."""
    if isinstance(asked, dict):
        return isinstance(shown, dict) and all(holds(shown.get(key), value) for key, value in asked.items() if _asks(value))
    return shown == asked


# -- errors ------------------------------------------------------------------------------------------------------------


def _error(answer: Answer) -> Iterator[str]:
    name = answer.error
    shape = api_model.every_error().get(name)
    if not name:
        yield f"{answer.status} without an error's name"
    elif shape is None and name not in UNMODELLED:
        yield f"{name} is no error of the API"
    elif shape is not None and name not in api_model.errors(answer.operation) and name not in EVERYWHERE:
        yield f"{name} is no error of this operation"
    else:
        yield from _error_body(answer, name, shape)


def _error_body(answer: Answer, name: str, shape: Optional[Shape]) -> Iterator[str]:
    try:
        body = json.loads(answer.body)
    except ValueError:
        yield f"the body of {name} is no JSON"
        return
    if shape is None:
        status, keys = UNMODELLED[name]
        known = {*keys, "Type"} if name != "ValidationException" else set(keys)
    else:
        status = shape.metadata["error"]["httpStatusCode"]
        keys = tuple(member for member in shape.members if member.lower() == "message")
        known = {member for member, inner in shape.members.items() if "location" not in inner.serialization}
        fault = "User" if shape.metadata["error"].get("senderFault") else "Service"
        if body.get("Type") != fault:
            yield f"Type of {name} is not {fault}"
    if answer.status != status:
        yield f"{name} with status {answer.status}"
    if not any(isinstance(body.get(key), str) for key in keys):
        yield f"{name} without {' or '.join(keys)}"
    for member in body:
        if member not in known:
            yield f"{name} with {member}"


_COUNT = re.compile(r"(\d+) validation (errors?) detected: ", re.S)


def _violations(message: str, wanted: str) -> Iterator[str]:
    counted = _COUNT.match(message)
    if counted is None:
        yield "text does not begin with the number of violations"
        return
    listed = re.split(r"; (?=Value )", message[counted.end() :])
    if int(counted[1]) != len(listed) or (counted[2] == "error") != (len(listed) == 1):
        yield "number of violations is wrong"
    if not any(re.search(wanted, violation, re.S) for violation in listed):
        yield "text does not name the violation"
