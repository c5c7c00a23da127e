"""Fails in the way that the event names."""

import os
import signal
import sys
import time


class OrderRefused(Exception):
    """A name that the caller must see."""


def handler(event, context):
    kind = event["fail"]
    if kind == "nothing":
        return "fine"
    if kind == "raise":
        raise OrderRefused(event.get("text", "no stock"))
    if kind == "exit":
        sys.stdout.flush()
        os._exit(event["status"])
    if kind == "sys_exit":
        sys.exit(event["status"])
    if kind == "signal":
        os.kill(os.getpid(), getattr(signal, event["name"]))
        time.sleep(30)
    if kind == "sleep":
        time.sleep(event["seconds"])
        return "awake"
    if kind == "memory":
        hoard = []
        while True:
            hoard.append(bytearray(16 << 20))
    if kind == "unserialisable":
        return {"value": object()}
    if kind == "answer":
        # One string: two quotes around the letters.
        return "x" * (event["bytes"] - 2)
    raise ValueError(f"no way to fail is called {kind}")
