"""Writes to its log as the event says."""

import logging
import sys


def handler(event, context):
    for line in event.get("print", []):
        print(line)
    for line in event.get("stderr", []):
        print(line, file=sys.stderr)
    for line in event.get("log", []):
        logging.getLogger().warning(line)
    filler = event.get("fill", 0)
    for number in range(filler):
        print(f"line {number:06d} {'x' * 80}")
    return len(event)
