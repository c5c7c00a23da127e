"""Who may use a function: statements, and policies as a whole."""

from __future__ import annotations

import json

from conformance.recipe import Given, Params, Recipe
from conformance.recipes.resources import function_arn, own, own_published, published, revision
from conformance.values import ACCOUNT, UUID, arn
from conformance.wire import Answer
from conformance.world import World

ACTION, PRINCIPAL = "lambda:InvokeFunction", "events.amazonaws.com"
_ANYONE = {"Principal": "*"}


def _statement(world: World) -> Params:
    return {
        "FunctionName": own_published(world),
        "StatementId": world.name("statement"),
        "Action": ACTION,
        "Principal": PRINCIPAL,
    }


def _remove(world: World, params: Params, answer: Answer) -> None:
    qualifier = {"Qualifier": params["Qualifier"]} if "Qualifier" in params else {}
    world.call("RemovePermission", FunctionName=params["FunctionName"], StatementId=params["StatementId"], **qualifier)


def _is_statement(params: Params, answer: Answer) -> list[str]:
    try:
        statement = json.loads(answer.parsed.get("Statement", ""))
    except ValueError:
        return ["Statement is no JSON"]
    wanted = {"Sid": params["StatementId"], "Effect": "Allow", "Action": params["Action"]}
    return [] if wanted.items() <= statement.items() else ["Statement is not what was added"]


def _is_policy(params: Params, answer: Answer) -> list[str]:
    try:
        policy = json.loads(answer.parsed.get("Policy", ""))
    except ValueError:
        return ["Policy is no JSON"]
    return [] if policy.get("Statement") else ["Policy without Statement"]


def _with_policy(world: World) -> Params:
    """A function with one statement on itself and one on its alias."""
    name = published(world)

    def add() -> None:
        for qualifier in ({}, {"Qualifier": "live"}):
            world.call("AddPermission", FunctionName=name, StatementId="there", Action=ACTION, Principal=PRINCIPAL, **qualifier)

    world.shared("a policy", None, add)
    return {"FunctionName": name}


def _added_statement(world: World, **qualifier: str) -> str:
    """A statement for this request alone."""

    def add() -> str:
        params = _statement(world)
        world.call("AddPermission", **params, **qualifier)
        return params["StatementId"]

    return world.fresh("statement", add)


def _policy_revision(world: World) -> str:
    return world.fresh(UUID, lambda: world.call("GetPolicy", FunctionName=own_published(world))["RevisionId"])


# -- policies as a whole -----------------------------------------------------------------------------------------------


def _arn(world: World) -> str:
    return function_arn(world, own(world, "with a resource policy"))


def _policy(world: World) -> str:
    statement = {
        "Sid": "one",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": ACTION,
        "Resource": _arn(world),
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _put(world: World) -> Params:
    """A function whose policy is there already."""
    revision_of = lambda: world.call("PutResourcePolicy", ResourceArn=_arn(world), Policy=_policy(world)).get("RevisionId", "")
    world.own("a resource policy", UUID, revision_of)
    return {"ResourceArn": _arn(world)}


def _put_revision(world: World) -> str:
    return world.fresh(UUID, lambda: world.call("GetResourcePolicy", **_put(world))["RevisionId"])


def _delete_policy(world: World, params: Params, answer: Answer) -> None:
    world.call("DeleteResourcePolicy", ResourceArn=params["ResourceArn"])
    world.spoil("a resource policy")


RECIPES = [
    Recipe(
        "AddPermission",
        base=_statement,
        undo=_remove,
        given=(
            Given("SourceArn", arn("events", "rule/conformance")),
            Given("SourceAccount", ACCOUNT),
            Given("Qualifier", "live"),
            Given("EventSourceToken", "token-1", beside={"Principal": "alexa-appkit.amazon.com"}, group="token"),
            Given("PrincipalOrgID", "o-0123456789", beside=_ANYONE, group="organization"),
            Given(
                "FunctionUrlAuthType", "AWS_IAM",
                beside={"Action": "lambda:InvokeFunctionUrl", "Principal": ACCOUNT}, group="url",
            ),
            Given("InvokedViaFunctionUrl", True, beside={"Principal": ACCOUNT}, group="through a url"),
            Given("RevisionId", lambda world: revision(world, own_published(world)), group="revision"),
        ),
        verify=_is_statement,
    ),
    Recipe("GetPolicy", base=_with_policy, given=(Given("Qualifier", "live"),), verify=_is_policy),
    Recipe(
        "RemovePermission",
        base=lambda world: {"FunctionName": own_published(world), "StatementId": _added_statement(world)},
        given=(
            Given("Qualifier", "live", beside={"StatementId": lambda world: _added_statement(world, Qualifier="live")}),
            Given("RevisionId", _policy_revision, group="revision"),
        ),
    ),
    Recipe(
        "PutResourcePolicy",
        base=lambda world: {"ResourceArn": _arn(world), "Policy": _policy(world)},
        undo=_delete_policy,
        given=(Given("RevisionId", _put_revision),),
        not_echoed=frozenset({"Policy", "RevisionId"}),
        verify=_is_policy,
    ),
    Recipe("GetResourcePolicy", base=_put, verify=_is_policy),
    Recipe(
        "DeleteResourcePolicy",
        base=_put,
        undo=lambda world, params, answer: world.spoil("a resource policy"),
        given=(Given("RevisionId", _put_revision),),
    ),
]  # fmt: skip
