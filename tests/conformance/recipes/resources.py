"""What many recipes need: functions, with and without versions and aliases."""

from __future__ import annotations

from typing import Any

import zips
from clients import RUNTIME

from conformance.recipe import Params
from conformance.values import ROLE, UUID
from conformance.wire import Answer
from conformance.world import Unavailable, World

CODE = zips.function("echo")
HANDLER = "echo.handler"
OTHER_CODE = zips.package({"echo.py": zips.FUNCTIONS.joinpath("echo.py").read_text() + "# another version\n"})


def package_of(number: int) -> bytes:
    """Code that no version before has."""
    return zips.package({"echo.py": zips.FUNCTIONS.joinpath("echo.py").read_text() + f"# version {number}\n"})


def function(world: World, stem: str = "function", **members: Any) -> str:
    """A new function that is active and goes away at the end."""
    return world.fresh(world.name(stem), lambda: _create(world, stem, members))


def _create(world: World, stem: str, members: dict[str, Any]) -> str:
    name = world.name(stem)
    asked = {"Runtime": RUNTIME, "Role": ROLE, "Handler": HANDLER, "Code": {"ZipFile": CODE}, "Timeout": 30, **members}
    world.call("CreateFunction", FunctionName=name, **asked)
    world.later("DeleteFunction", FunctionName=name)
    settle(world, name)
    return name


def settle(world: World, name: str) -> dict[str, Any]:
    """Waits until nothing is under way with a function; answers its configuration."""

    def still() -> Any:
        found = world.call("GetFunctionConfiguration", FunctionName=name)
        moving = found.get("State") == "Pending" or found.get("LastUpdateStatus") == "InProgress"
        return None if moving else found

    return world.settled(f"rest of {name}", still)


def published(world: World) -> str:
    """A function with versions 1, 2 and 3, and the aliases `live`, `next` and `last` of them. Nobody changes it."""
    return world.shared("published", "function-imagined", lambda: _publish(world, "published", 3))


def own(world: World, key: str = "own", **members: Any) -> str:
    """This thread's function, or one of its functions. Whoever changes it for good spoils it."""
    return world.own(key, "function-imagined", lambda: _create(world, "own", members))


def own_published(world: World, key: str = "own published") -> str:
    """This thread's function with versions 1 and 2 and the aliases `live` and `next` of them, or one of several."""
    return world.own(key, "function-imagined", lambda: _publish(world, "own-published", 2))


ALIASES = ("live", "next", "last")


def _publish(world: World, stem: str, versions: int) -> str:
    name = _create(world, stem, {"Publish": True})
    for number in range(2, versions + 1):
        world.call("UpdateFunctionCode", FunctionName=name, ZipFile=package_of(number), Publish=True)
        settle(world, name)
    for number, alias in enumerate(ALIASES[:versions], 1):
        world.call("CreateAlias", FunctionName=name, Name=alias, FunctionVersion=str(number))
    return name


def revision(world: World, name: str) -> str:
    """A function's present revision."""
    return world.fresh(UUID, lambda: settle(world, name)["RevisionId"])


def spoil_own(world: World, params: Params, answer: Answer) -> None:
    world.spoil("own")


def function_arn(world: World, name: str) -> str:
    return world.arn("lambda", f"function:{name}")


def marker(world: World, operation: str, **params: Any) -> str:
    """Where the second page of a list begins."""

    def second() -> str:
        answer = world.call(operation, MaxItems=1, **params)
        if not answer.get("NextMarker"):
            raise Unavailable(f"{operation}: a second page")
        return answer["NextMarker"]

    return world.fresh("marker", second)
