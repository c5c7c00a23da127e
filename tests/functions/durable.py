"""A durable function that does what its input says: finish, wait, wait to be called back, or hold on.

It speaks the protocol itself, so that what is tried is the platform and not somebody's library for it.
"""

import json
import os
import time
from urllib.parse import quote

from cluster import Credentials
from signing import Request

HOUR_S = 3600


def handler(event, context):
    operations = event["InitialExecutionState"]["Operations"]
    asked = json.loads(operations[0]["ExecutionDetails"]["InputPayload"])
    if asked["do"] == "finish" or len(operations) > 1:
        return {"Status": "SUCCEEDED", "Result": json.dumps(asked)}
    if asked["do"] == "hold":
        hold(event, asked["seconds"])
    elif asked["do"] == "wait":
        checkpoint(event, [{"Id": "wait", "Type": "WAIT", "Action": "START", "WaitOptions": {"WaitSeconds": HOUR_S}}])
    elif asked["do"] == "call back":
        checkpoint(
            event, [{"Id": "callback", "Type": "CALLBACK", "Action": "START", "CallbackOptions": {"TimeoutSeconds": HOUR_S}}]
        )
    return {"Status": "PENDING"}


def hold(event, seconds):
    """Tells its token by what it writes down with it; whoever repeats that checkpoint gets the token that came of it."""
    checkpoint(
        event,
        [
            {"Id": "parent", "Type": "CONTEXT", "Action": "START"},
            {"Id": "token", "Type": "STEP", "Action": "SUCCEED", "Payload": event["CheckpointToken"]},
        ],
    )
    time.sleep(seconds)


def checkpoint(event, updates):
    region, endpoint = os.environ["AWS_REGION"], os.environ["AWS_ENDPOINT_URL_LAMBDA"]
    credentials = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], "", region)
    body = {"CheckpointToken": event["CheckpointToken"], "ClientToken": "first", "Updates": updates}
    answer = (
        Request(
            "POST",
            f"/2025-12-01/durable-executions/{quote(event['DurableExecutionArn'], safe='')}/checkpoint",
            json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "X-Amz-Security-Token": os.environ["AWS_SESSION_TOKEN"]},
        )
        .sign(endpoint, credentials)
        .send(endpoint)
    )
    if answer.status != 200:
        raise RuntimeError(f"checkpoint: {answer.status} {answer.body!r}")
