"""Keeps what it is asked for: in its own memory, or in a file in /tmp."""

import time

MIB = 1 << 20


def handler(event, context):
    mib = event["mib"]
    if event["where"] == "memory":
        held = bytearray(b"x" * MIB) * mib
        time.sleep(0.5)
        return len(held)
    with open("/tmp/held", "wb") as file:
        for _ in range(mib):
            file.write(b"x" * MIB)
    return file.name
