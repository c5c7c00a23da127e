"""Load by a stock SDK: steady invocations and control writes through every frontend, one JSON line an attempt.

Reads its orders as one JSON line on standard input, says {"kind": "ready"} when its functions answer, works until standard
input ends, then reads back what it was promised and exits. The SDK repeats nothing, so every attempt is a line; only the
callers marked "patient" have the SDK's own retries, and say how many they needed. Times are milliseconds of wall time,
measured from one look at the wall clock, so a step of that clock moves none of them.
"""

import concurrent.futures
import io
import itertools
import json
import sys
import threading
import time
import zipfile

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, EndpointConnectionError

STEADY = "chaos-steady"
CHURN = "chaos-churn"
LIVE = "live"
ROLE = "arn:aws:iam::000000000000:role/chaos"
SOURCE = '''
import os
import time

WORD = "@WORD@"


def handler(event, context):
    time.sleep(event.get("hold", 0))
    return {"id": event["id"], "word": WORD, "version": context.function_version, "setting": os.environ.get("SETTING")}
'''
# One invocation in so many is of the function that changes; one in so many is by a patient caller.
CHURN_EVERY = 4
PATIENT_EVERY = 10
# One in so many takes a while, so that a fault always finds some under way.
HELD_EVERY = 3
HOLD_S = 0.25
# The most attempts that one frontend holds at once; more are skipped and said so.
OUTSTANDING_MAX = 64
# Aliases that are there at once; older ones are deleted, and must stay so.
ALIASES_MAX = 200
# How long a change of a function may take until the next one is let in.
SETTLE_S = 10
# How long reading back may take.
FINAL_S = 30
CONFLICT = 409

_anchor = time.time() * 1000 - time.monotonic() * 1000
_output = threading.Lock()
_over = threading.Event()


def now():
    return round(_anchor + time.monotonic() * 1000, 3)


def say(**line):
    text = json.dumps(line, separators=(",", ":"))
    with _output:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def package(word):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        # A fixed date makes the same package of the same word.
        archive.writestr(zipfile.ZipInfo("app.py"), SOURCE.replace("@WORD@", word))
    return made.getvalue()


class Frontend:
    """One endpoint, with a client that tries once and one that has the SDK's retries."""

    def __init__(self, name, url, orders):
        self.name = name
        self.once = client(url, orders, {"total_max_attempts": 1})
        self.patient = client(url, orders, {"mode": "standard", "total_max_attempts": 3})


def client(url, orders, retries):
    return boto3.client(
        "lambda",
        endpoint_url=url,
        region_name=orders["region"],
        aws_access_key_id=orders["access_key_id"],
        aws_secret_access_key=orders["secret_access_key"],
        config=Config(
            retries=retries,
            connect_timeout=min(2.0, orders["timeout_s"]),
            read_timeout=orders["timeout_s"],
            max_pool_connections=OUTSTANDING_MAX,
        ),
    )


def describe(error):
    """Status (0 if nobody answered) and a short text."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        said = error.response.get("Error", {})
        return status, f"{said.get('Code', '?')}: {said.get('Message', '')}"[:300]
    return 0, f"{type(error).__name__}: {error}"[:300]


class Invocations:
    """Invocations at a steady rate through one frontend, whatever becomes of each."""

    def __init__(self, frontend, rate, numbers):
        self.frontend = frontend
        self.period = 1.0 / rate
        self.numbers = numbers
        self.outstanding = 0
        self.lock = threading.Lock()
        self.pool = concurrent.futures.ThreadPoolExecutor(OUTSTANDING_MAX)

    def run(self):
        due = time.monotonic()
        while not _over.is_set():
            due += self.period
            number = next(self.numbers)
            with self.lock:
                full = self.outstanding >= OUTSTANDING_MAX
                self.outstanding += not full
            if full:
                at = now()
                function = CHURN if number % CHURN_EVERY == 0 else STEADY
                say(kind="invoke", id=f"i{number}", via=self.frontend.name, function=function, start=at, end=at,
                    outcome="skipped", status=0, error="the client has too many attempts outstanding")  # fmt: skip
            else:
                self.pool.submit(self.one, number)
            _over.wait(max(0.0, due - time.monotonic()))
            # A client that stood still does not catch up in a burst.
            due = max(due, time.monotonic() - 1.0)
        self.pool.shutdown()

    def one(self, number):
        try:
            self.attempt(number)
        finally:
            with self.lock:
                self.outstanding -= 1

    def attempt(self, number):
        function = CHURN if number % CHURN_EVERY == 0 else STEADY
        patient = number % PATIENT_EVERY == 0
        caller = self.frontend.patient if patient else self.frontend.once
        identity = f"i{number}"
        line = {"kind": "invoke", "id": identity, "via": self.frontend.name, "function": function, "patient": patient}
        event = {"id": identity, "hold": HOLD_S if number % HELD_EVERY == 0 else 0}
        start = now()
        try:
            answer = caller.invoke(FunctionName=function, Qualifier=LIVE, Payload=json.dumps(event))
            raw = answer["Payload"].read()
        except (BotoCoreError, ClientError, OSError) as error:
            status, text = describe(error)
            retries = getattr(error, "response", {}).get("ResponseMetadata", {}).get("RetryAttempts", 0)
            outcome = "throttled" if status == 429 else "failed" if status else "unanswered"
            say(**line, start=start, end=now(), outcome=outcome, status=status, error=text, retries=retries)
            return
        line.update(start=start, end=now(), status=answer["StatusCode"], retries=answer["ResponseMetadata"].get("RetryAttempts", 0))
        if "FunctionError" in answer:
            say(**line, outcome="failed", error=raw.decode(errors="replace")[:300])
            return
        try:
            payload = json.loads(raw)
        except ValueError:
            payload = None
        if not isinstance(payload, dict):
            say(**line, outcome="ok", answer={"id": None, "word": None, "version": None, "setting": None}, error=repr(raw[:200]))
            return
        answered = {key: payload.get(key) for key in ("id", "word", "version", "setting")}
        say(**line, outcome="ok", answer=answered)


class Writes:
    """Control writes. One that was not acknowledged may have happened; one that was must be there ever after."""

    def __init__(self, frontends):
        self.frontends = frontends
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()
        self.kept = []
        self.words = {}

    def write(self, frontend, operation, subject, value, call, result=lambda answer: None):
        """Tries once. Answers the SDK's answer, or None."""
        line = {"kind": "write", "op": operation, "subject": subject, "value": value, "via": frontend.name}
        start = now()
        try:
            answer = call(frontend.once)
        except (BotoCoreError, ClientError, OSError) as error:
            status, text = describe(error)
            unsent = isinstance(error, (EndpointConnectionError, ConnectTimeoutError))
            refused = unsent or 400 <= status < 500
            say(**line, start=start, end=now(), outcome="refused" if refused else "unknown", status=status, error=text)
            return None
        say(**line, start=start, end=now(), outcome="acked", status=200, result=result(answer))
        return answer

    def aliases(self, frontend, period):
        """Makes aliases of names that nobody else takes, and deletes the oldest."""
        while not _over.wait(period):
            with self.lock:
                name = f"a{next(self.numbers)}"
                oldest = self.kept.pop(0) if len(self.kept) >= ALIASES_MAX else None
            made = self.write(
                frontend, "create-alias", name, "1",
                lambda by: by.create_alias(FunctionName=STEADY, Name=name, FunctionVersion="1", Description=name),
            )  # fmt: skip
            if made:
                with self.lock:
                    self.kept.append(name)
            if oldest:
                self.write(frontend, "delete-alias", oldest, "", lambda by: by.delete_alias(FunctionName=STEADY, Name=oldest))

    def churn(self, period):
        """Changes a function's settings and code, publishes it, and lets an alias follow."""
        for cycle, frontend in zip(itertools.count(1), itertools.cycle(self.frontends)):
            if _over.wait(period):
                return
            self.cycle(f"{cycle}", frontend)

    def cycle(self, cycle, frontend):
        word, setting = f"w{cycle}", f"c{cycle}"
        configured = self.write(
            frontend, "update-configuration", CHURN, setting,
            lambda by: by.update_function_configuration(FunctionName=CHURN, Environment={"Variables": {"SETTING": setting}}),
        )  # fmt: skip
        if not configured or not self.settled(frontend):
            return
        coded = self.write(
            frontend, "update-code", CHURN, word,
            lambda by: by.update_function_code(FunctionName=CHURN, ZipFile=package(word)),
        )  # fmt: skip
        if not coded:
            return
        self.words[coded["CodeSha256"]] = word
        if not self.settled(frontend):
            return
        published = self.write(
            frontend, "publish", CHURN, word, lambda by: by.publish_version(FunctionName=CHURN, Description=word), self.version
        )  # fmt: skip
        if not published:
            return
        number = published["Version"]
        self.write(
            frontend, "update-alias", f"{CHURN}:{LIVE}", number,
            lambda by: by.update_alias(FunctionName=CHURN, Name=LIVE, FunctionVersion=number),
        )  # fmt: skip

    def version(self, configuration):
        """What a version is for ever."""
        return {
            "version": configuration["Version"],
            "word": self.words.get(configuration["CodeSha256"]),
            "setting": configuration.get("Environment", {}).get("Variables", {}).get("SETTING"),
        }

    def settled(self, frontend):
        """Waits until the last change of the function is done, as AWS wants it before the next."""
        deadline = time.monotonic() + SETTLE_S
        while not _over.is_set() and time.monotonic() < deadline:
            try:
                status = frontend.once.get_function_configuration(FunctionName=CHURN)
                if status.get("State") == "Active" and status.get("LastUpdateStatus") == "Successful":
                    return True
            except (BotoCoreError, ClientError, OSError):
                pass
            _over.wait(0.1)
        return False


def deploy(frontends, orders, writes):
    """Two functions with a version and an alias each, that every frontend can invoke."""
    first = frontends[0].patient
    for name, word in ((STEADY, "steady"), (CHURN, "w0")):
        try:
            first.delete_function(FunctionName=name)
        except ClientError as error:
            if describe(error)[0] != 404:
                raise
        made = first.create_function(
            FunctionName=name, Runtime=orders["runtime"], Handler="app.handler", Role=ROLE, Timeout=10,
            Code={"ZipFile": package(word)}, Environment={"Variables": {"SETTING": "c0"}},
        )  # fmt: skip
        writes.words[made["CodeSha256"]] = word
        first.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})
        version = first.publish_version(FunctionName=name)
        first.create_alias(FunctionName=name, Name=LIVE, FunctionVersion=version["Version"])
        say(kind="deployed", function=name, result=writes.version(version))
    deadline = time.monotonic() + 60
    for frontend, name in itertools.product(frontends, (STEADY, CHURN)):
        while True:
            try:
                answer = frontend.once.invoke(FunctionName=name, Qualifier=LIVE, Payload=json.dumps({"id": "warm"}))
                raw = answer["Payload"].read()
                if "FunctionError" not in answer:
                    break
                error = raw.decode(errors="replace")
            except (BotoCoreError, ClientError, OSError) as caught:
                error = describe(caught)[1]
            if time.monotonic() > deadline:
                raise SystemExit(f"{name} cannot be invoked through {frontend.name}: {error}")
            time.sleep(0.2)


def read_back(frontend, writes):
    """What one frontend says is there."""
    by = frontend.patient
    aliases, versions, marker = {}, [], None
    pages = by.get_paginator("list_aliases").paginate(FunctionName=STEADY)
    for page in pages:
        aliases.update({alias["Name"]: alias["FunctionVersion"] for alias in page["Aliases"] if alias["Name"] != LIVE})
    while True:
        page = by.list_versions_by_function(FunctionName=CHURN, **({"Marker": marker} if marker else {}))
        versions += [writes.version(v) for v in page["Versions"] if v["Version"] != "$LATEST"]
        marker = page.get("NextMarker")
        if not marker:
            break
    latest = writes.version(by.get_function_configuration(FunctionName=CHURN))
    live = by.get_alias(FunctionName=CHURN, Name=LIVE)["FunctionVersion"]
    return {"aliases": aliases, "versions": versions, "live": live, "setting": latest["setting"], "word": latest["word"]}


def read_all(frontends, writes):
    """Reads back through every frontend until all say the same twice, or time is up; what they say then is told."""
    deadline = time.monotonic() + FINAL_S
    before = None
    while True:
        said = {}
        for frontend in frontends:
            try:
                said[frontend.name] = read_back(frontend, writes)
            except (BotoCoreError, ClientError, OSError) as error:
                said[frontend.name] = {"error": describe(error)[1]}
        values = list(said.values())
        agreed = all(value == values[0] and "error" not in value for value in values)
        if (agreed and said == before) or time.monotonic() > deadline:
            break
        before = said
        time.sleep(0.5)
    for name, value in said.items():
        say(kind="final", via=name, **value)


def main():
    orders = json.loads(sys.stdin.readline())
    frontends = [Frontend(each["name"], each["url"], orders) for each in orders["endpoints"]]
    writes = Writes(frontends)
    try:
        deploy(frontends, orders, writes)
    except (BotoCoreError, ClientError, OSError) as error:
        raise SystemExit(f"the functions cannot be deployed: {describe(error)[1]}") from error
    numbers = itertools.count(1)
    streams = [Invocations(frontend, orders["rate"] / len(frontends), numbers).run for frontend in frontends]
    for frontend in frontends:
        streams.append(lambda by=frontend: writes.aliases(by, len(frontends) / orders["writes"]))
    streams.append(lambda: writes.churn(orders["churn_s"]))
    threads = [threading.Thread(target=stream, daemon=True) for stream in streams]
    for thread in threads:
        thread.start()
    say(kind="ready")
    sys.stdin.read()
    _over.set()
    for thread in threads:
        thread.join(orders["timeout_s"] * 4 + SETTLE_S)
    read_all(frontends, writes)
    say(kind="done")


if __name__ == "__main__":
    main()
