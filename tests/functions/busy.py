"""Takes its time, and tells whether anything else ran in this environment meanwhile."""

import time
import uuid

ENVIRONMENT_ID = str(uuid.uuid4())
INSIDE = 0


def handler(event, context):
    global INSIDE
    INSIDE += 1
    seen = INSIDE
    time.sleep(event["seconds"])
    INSIDE -= 1
    return {"environment_id": ENVIRONMENT_ID, "inside": seen}
