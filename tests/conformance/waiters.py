"""Drives botocore's waiters, each on what it waits for."""

from __future__ import annotations

from typing import Callable

from botocore import xform_name
from botocore.exceptions import ClientError, WaiterError
from clients import QUICKLY, RUNTIME

from conformance import api_model
from conformance.recipe import Params
from conformance.recipes.resources import CODE, HANDLER, OTHER_CODE
from conformance.values import ROLE
from conformance.wire import Wire
from conformance.world import RealWorld, Unavailable


def _created(world: RealWorld) -> Params:
    """A function that was asked for a moment ago."""
    name = world.name("awaited")
    world.call("CreateFunction", FunctionName=name, Runtime=RUNTIME, Role=ROLE, Handler=HANDLER, Code={"ZipFile": CODE})
    world.later("DeleteFunction", FunctionName=name)
    return {"FunctionName": name}


def _updated(wire: Wire, world: RealWorld) -> Params:
    params = _created(world)
    wire.client.get_waiter("function_active_v2").wait(**params, WaiterConfig=QUICKLY)
    world.call("UpdateFunctionCode", **params, ZipFile=OTHER_CODE)
    return params


def _version(wire: Wire, world: RealWorld) -> Params:
    params = _created(world)
    wire.client.get_waiter("function_active_v2").wait(**params, WaiterConfig=QUICKLY)
    return {**params, "Qualifier": world.call("PublishVersion", **params)["Version"]}


def waiter_faults(wire: Wire) -> dict[str, list[str]]:
    """What is wrong with each waiter of the model; it must know all of them."""
    world = RealWorld(wire)
    prepare: dict[str, Callable[[], Params]] = {
        "FunctionExists": lambda: _created(world),
        "FunctionActive": lambda: _created(world),
        "FunctionActiveV2": lambda: _created(world),
        "FunctionUpdated": lambda: _updated(wire, world),
        "FunctionUpdatedV2": lambda: _updated(wire, world),
        "PublishedVersionActive": lambda: _version(wire, world),
    }
    found = {name: _faults(wire, name, prepare.get(name)) for name in api_model.WAITERS}
    world.take_back()
    return found


def _faults(wire: Wire, name: str, prepare: "Callable[[], Params] | None") -> list[str]:
    if prepare is None:
        return ["not driven"]
    try:
        wire.client.get_waiter(xform_name(name)).wait(**prepare(), WaiterConfig=QUICKLY)
    except Unavailable as missing:
        return [f"needs {missing}"]
    except ClientError as refused:
        return [refused.response["Error"]["Code"]]
    except WaiterError as given_up:
        # The text names the function, which has another name in every run.
        return [str(given_up).split(":")[0]]
    return []
