"""Gives back what it got, after as many seconds as the event says."""

import time


def handler(event, context):
    time.sleep(event.get("seconds", 0))
    return event
