"""Run by the official runtime client, packed beside it."""

import awslambdaric


def handler(event, context):
    if event.get("fail"):
        raise ValueError(event["fail"])
    print("seen by the official client")
    return {
        "event": event,
        "client": awslambdaric.__version__,
        "request_id": context.aws_request_id,
        "remaining_ms": context.get_remaining_time_in_millis(),
        "arn": context.invoked_function_arn,
    }
