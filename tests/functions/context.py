"""Tells what the function knows of itself and of the invocation."""

import os
import uuid

ENVIRONMENT_ID = str(uuid.uuid4())
SERVED = 0


def handler(event, context):
    global SERVED
    SERVED += 1
    client = context.client_context
    return {
        "environment_id": ENVIRONMENT_ID,
        "served": SERVED,
        "request_id": context.aws_request_id,
        "function_name": context.function_name,
        "function_version": context.function_version,
        "invoked_function_arn": context.invoked_function_arn,
        "memory_limit_in_mb": context.memory_limit_in_mb,
        "log_group_name": context.log_group_name,
        "log_stream_name": context.log_stream_name,
        "remaining_ms": context.get_remaining_time_in_millis(),
        "client_context": None if client is None else {"custom": client.custom, "env": client.env},
        "variables": dict(os.environ),
        "cwd": os.getcwd(),
        "files": sorted(os.listdir(os.environ["LAMBDA_TASK_ROOT"])),
    }
