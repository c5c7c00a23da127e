"""What a cluster refuses when it is asked for more than it was told to give, and how a node goes when told to."""

import random
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import zips
from botocore.exceptions import ClientError
from clients import ONE_ATTEMPT, create, invoke, lambda_client, wait_active
from cluster import wait_until
from clusters import TwoAccountCluster, watched

CONCURRENCY = 4
SETTINGS = {"limits": {"concurrent_executions": CONCURRENCY, "aliases": 2, "code_storage": "200KiB", "code_zipped": "100KiB"}}


@pytest.fixture(scope="module")
def small(dunlin, tmp_path_factory):
    """One node with every role and narrow limits."""
    directory = tmp_path_factory.mktemp("small")
    with watched(TwoAccountCluster(dunlin, directory, nodes=[("a", "a")], settings=SETTINGS)) as cluster:
        client = lambda_client(cluster.endpoint("a"), cluster.credentials)
        create(client, "slow", zips.function("slow_echo"), "slow_echo.handler", Timeout=30, Publish=True)
        wait_active(client, "slow")
        yield cluster


@pytest.fixture(scope="module")
def once(small):
    """A client that tries once."""
    return lambda_client(small.endpoint("a"), small.credentials, **ONE_ATTEMPT)


def test_concurrency_above_the_limit_is_throttled(small, once, measured):
    slow = {"seconds": 3}

    def one(_):
        began = time.monotonic()
        try:
            return invoke(once, "slow", slow).payload, time.monotonic() - began
        except once.exceptions.TooManyRequestsException as refused:
            return refused.response, time.monotonic() - began

    with ThreadPoolExecutor(CONCURRENCY + 4) as pool:
        answers = list(pool.map(one, range(CONCURRENCY + 4)))
    served = [answer for answer, _ in answers if answer == slow]
    refused = [(answer, took) for answer, took in answers if answer != slow]
    assert (len(served), len(refused)) == (CONCURRENCY, 4)
    for answer, _ in refused:
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 429
        assert answer["Reason"] == "ConcurrentInvocationLimitExceeded"
        assert answer["Error"]["Message"] == "Rate Exceeded."
        assert int(answer["ResponseMetadata"]["HTTPHeaders"]["retry-after"]) >= 1
    slowest = max(took for _, took in refused)
    measured(f"an invocation above the concurrency of its account: refused after at most {slowest * 1000:.0f} ms")
    # Nobody waited for one that was served.
    assert slowest < slow["seconds"]
    assert invoke(once, "slow", {}).payload == {}


def test_another_account_has_its_own_concurrency(small, once):
    other = lambda_client(small.endpoint("a"), small.other_credentials, **ONE_ATTEMPT)
    create(other, "slow", zips.function("slow_echo"), "slow_echo.handler", Timeout=30)
    wait_active(other, "slow")
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        ours = [pool.submit(invoke, once, "slow", {"seconds": 1.5}) for _ in range(CONCURRENCY)]
        assert invoke(other, "slow", {"of": "theirs"}).payload == {"of": "theirs"}
        assert all(each.result().error is None for each in ours)


def test_the_limit_is_what_account_settings_tell(once):
    limits = once.get_account_settings()["AccountLimit"]
    assert limits["ConcurrentExecutions"] == limits["UnreservedConcurrentExecutions"] == CONCURRENCY
    assert limits["TotalCodeSize"] == 200 << 10


def test_aliases_above_the_limit_are_refused(once):
    for name in ("one", "two"):
        once.create_alias(FunctionName="slow", Name=name, FunctionVersion="1")
    with pytest.raises(once.exceptions.ClientError) as refused:
        once.create_alias(FunctionName="slow", Name="three", FunctionVersion="1")
    assert refused.value.response["Error"]["Code"] == "AliasLimitExceededException"
    once.delete_alias(FunctionName="slow", Name="one")
    once.create_alias(FunctionName="slow", Name="three", FunctionVersion="1")


def test_code_above_the_limit_is_refused(once):
    noise = lambda seed: zips.package({"app.py": "def handler(e, c): pass\n", "noise": noise_of(90 << 10, seed)})
    for number in range(2):
        create(once, f"large-{number}", noise(number), "app.handler")
    with pytest.raises(ClientError) as refused:
        create(once, "large-2", noise(2), "app.handler")
    assert refused.value.response["Error"]["Code"] == "CodeStorageExceededException"
    once.delete_function(FunctionName="large-0")
    create(once, "large-2", noise(2), "app.handler")


def noise_of(length, seed):
    """Bytes that do not compress."""
    return random.Random(seed).randbytes(length)


def figure(cluster, name):
    """A figure of the only node's worker."""
    (value,) = re.findall(rf"^dunlin_worker_{name} (\d+)", cluster.metrics("a"), re.MULTILINE)
    return int(value)


def test_a_node_that_is_told_to_stop_ends_its_work_first(small, once):
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(invoke, once, "slow", {"seconds": 2.0})
        wait_until(lambda: figure(small, "environments") > figure(small, "environments_warm"), 5, "an environment is at work")
        process = small.node("a").process
        process.send_signal(signal.SIGTERM)
        assert running.result().payload == {"seconds": 2.0}
        assert process.wait(20) == 0
    small.start_node("a")
    small.wait_ready()
    assert invoke(once, "slow", {"again": True}).payload == {"again": True}
