"""Says what it was started with, without saying it: digests of the variables it is asked for."""

import hashlib
import os

STARTED_WITH = dict(os.environ)


def handler(event, context):
    return {name: hashlib.sha256(STARTED_WITH[name].encode()).hexdigest() for name in event if name in STARTED_WITH}
