"""What a cluster refuses when it is asked for more than it was told to give, and how a node goes when told to."""

import random
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import zips
from botocore.exceptions import ClientError
from clients import ONE_ATTEMPT, create, invoke, lambda_client, wait_active, wait_updated
from cluster import wait_until
from clusters import OTHER_ACCOUNT, TwoAccountCluster, watched
from identities import Identities
from refusals import refusal

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


# -- accounts with limits of their own ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def desk(small, tmp_path_factory):
    return Identities(tmp_path_factory.mktemp("identity"), small.grpc_target("a"), small.credentials)


@pytest.fixture
def narrow(small, desk):
    """A client of another account that tries once, and how to say which limits that account has."""
    other = lambda_client(small.endpoint("a"), small.other_credentials, **ONE_ATTEMPT)
    yield other, lambda **limits: desk.call("PutAccount", account=OTHER_ACCOUNT, limits=limits)
    desk.call("DeleteAccount", account=OTHER_ACCOUNT)


@pytest.fixture
def echo(narrow, name):
    other, _ = narrow
    create(other, name, zips.function("echo"), "echo.handler", Publish=True)
    wait_active(other, name)
    yield name
    other.delete_function(FunctionName=name)


def test_an_account_has_limits_of_its_own(narrow, echo, once):
    other, limit = narrow
    of = {"FunctionName": echo}
    arn = other.get_function_configuration(**of)["FunctionArn"]
    tags = {f"key{number}": "" for number in range(3)}
    statement = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    queue = {"EventSourceArn": f"arn:aws:sqs:us-east-1:{OTHER_ACCOUNT}:q", "FunctionName": echo}
    filters = {"FilterCriteria": {"Filters": [{"Pattern": '{"body": ["%d"]}' % number} for number in range(3)]}}
    alias = {**of, "Name": "one", "FunctionVersion": "1"}
    code = {**of, "ZipFile": zips.package({"app.py": noise_of(2000, 1)})}
    calls = [
        ({"aliases": 0}, "AliasLimitExceededException", other.create_alias, alias),
        ({"tags": 2}, "InvalidParameterValueException", other.tag_resource, {"Resource": arn, "Tags": tags}),
        ({"policy": 100}, "PolicyLengthExceededException", other.add_permission, {**of, **statement}),
        ({"filters": 2}, "InvalidParameterValueException", other.create_event_source_mapping, {**queue, **filters}),
        ({"code_zipped": 1000}, "RequestEntityTooLargeException", other.update_function_code, code),
        ({"code_unzipped": 1000}, "InvalidParameterValueException", other.update_function_code, code),
        ({"code_entries": 0}, "InvalidParameterValueException", other.update_function_code, code),
        (
            {"environment": 10},
            "InvalidParameterValueException",
            other.update_function_configuration,
            {**of, "Environment": {"Variables": {"KEY": "value"}}},
        ),
        ({"request_payload": 10}, "RequestTooLargeException", other.invoke, {**of, "Payload": b'"12345678901"'}),
    ]
    for limits, error, call, arguments in calls:
        limit(**limits)
        assert refusal(call, **arguments)[1] == error, limits
        limit()
        made = call(**arguments)
        if "UUID" in made:
            other.delete_event_source_mapping(UUID=made["UUID"])
        wait_updated(other, echo)
    # Nobody else has them.
    limit(request_payload=1)
    assert invoke(once, "slow", {}).payload == {}


def test_an_account_can_have_no_more_than_nodes_take(narrow, desk, echo):
    other, limit = narrow
    limit(code_zipped=1 << 40, request_payload=1 << 40)
    large = {"FunctionName": echo, "ZipFile": zips.package({"noise": noise_of(150 << 10, 1)})}
    assert refusal(other.update_function_code, **large)[1] == "RequestEntityTooLargeException"
    for wrong, expected in (({"policy": 1 << 20}, "24576"), ({"control_body": 1}, "aliases, code_entries")):
        with pytest.raises(grpc.RpcError) as refused:
            limit(**wrong)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT and expected in refused.value.details()


def test_control_calls_above_the_rate_are_refused_and_sdks_try_again(small, narrow, echo, once):
    other, limit = narrow
    limit(control_rate=5, get_function_rate=8)

    def answers(client, times=20, **call):
        ((operation, arguments),) = call.items()
        got = []
        for _ in range(times):
            try:
                getattr(client, operation)(**arguments)
                got.append(None)
            except ClientError as refused:
                got.append(refused.response)
        return got

    began = time.monotonic()
    configuration = answers(other, get_function_configuration={"FunctionName": echo})
    took = time.monotonic() - began
    throttled = [answer for answer in configuration if answer]
    served = len(configuration) - len(throttled)
    assert configuration[0] is None and 5 <= served <= 6 + 5 * took and throttled
    for answer in throttled:
        assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]) == (429, "TooManyRequestsException")
        assert (answer["Reason"], answer["Error"]["Message"]) == ("CallerRateLimitExceeded", "Rate Exceeded.")
        assert answer["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "1"
    # GetFunction is counted apart, invocations are not counted at all, and nobody else is throttled for it.
    assert answers(other, 1, get_function={"FunctionName": echo}) == [None]
    assert all(invoke(other, echo, number).payload == number for number in range(20))
    assert not any(answers(once, get_function_configuration={"FunctionName": "slow"}))
    patient = lambda_client(small.endpoint("a"), small.other_credentials, retries={"total_max_attempts": 10})
    assert not any(answers(patient, get_function_configuration={"FunctionName": echo}))
    limit()


# -- the end of a node -------------------------------------------------------------------------------------------------


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
