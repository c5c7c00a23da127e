"""Tells how long the payload was that arrived."""


def handler(event, context):
    return {"type": type(event).__name__, "length": len(event)}
