"""Event source mappings: what is kept about the sources that feed functions. Nothing reads a source yet."""

import json
import re

import pytest
import zips
from botocore.exceptions import ClientError
from cluster import wait_until
from clients import create, wait_active

ACCOUNT = "000000000000"
ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
SECRET = [{"Type": "BASIC_AUTH", "URI": f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:s"}]
KAFKA = {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["a.example:9092", "b.example:9092"]}}


def queue(name):
    return f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"


def stream(name):
    return f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/{name}"


@pytest.fixture(scope="module")
def function(client):
    """One function with version 1 and an alias for all of this file."""
    name = "fed-by-sources"
    create(client, name, zips.function("echo"), "echo.handler", Publish=True)
    wait_active(client, name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    yield name
    client.delete_function(FunctionName=name)


@pytest.fixture
def mapped(client):
    """Creates mappings, waits until they are settled, and deletes them when the test is over."""
    made = []

    def mapped(**members):
        answer = client.create_event_source_mapping(**members)
        made.append(answer["UUID"])
        settled(client, answer["UUID"])
        return answer

    yield mapped
    for uuid in made:
        try:
            client.delete_event_source_mapping(UUID=uuid)
        except client.exceptions.ResourceNotFoundException:
            pass


def settled(client, uuid):
    """The mapping once its change is over."""

    def state():
        found = client.get_event_source_mapping(UUID=uuid)
        return found if found["State"] in ("Enabled", "Disabled") else None

    wait_until(state, 10, f"the mapping {uuid} is settled")
    return state()


def gone(client, uuid):
    def is_gone():
        try:
            client.get_event_source_mapping(UUID=uuid)
        except client.exceptions.ResourceNotFoundException:
            return True
        return False

    wait_until(is_gone, 10, f"the mapping {uuid} is gone")


def shown(answer):
    """What an answer says, without what no test can know."""
    answer = dict(answer)
    metadata = answer.pop("ResponseMetadata", None)
    uuid = answer.pop("UUID")
    assert re.fullmatch(UUID, uuid)
    assert answer.pop("EventSourceMappingArn") == f"{ARN}event-source-mapping:{uuid}"
    assert answer.pop("LastModified").year >= 2026
    return (metadata or {}).get("HTTPStatusCode"), answer


def refused(call, **members):
    with pytest.raises(ClientError) as error:
        call(**members)
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]


def test_a_queue_goes_through_its_states(client, function):
    answer = client.create_event_source_mapping(FunctionName=function, EventSourceArn=queue("walk"))
    uuid = answer["UUID"]
    expected = {
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        "EventSourceArn": queue("walk"),
        "FunctionArn": f"{ARN}function:{function}",
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
        "FunctionResponseTypes": [],
    }
    assert shown(answer) == (202, expected)
    expected["State"] = "Enabled"
    assert shown(settled(client, uuid)) == (200, expected)

    changes = {"BatchSize": 50, "MaximumBatchingWindowInSeconds": 5, "FunctionResponseTypes": ["ReportBatchItemFailures"]}
    answer = client.update_event_source_mapping(UUID=uuid, **changes)
    assert shown(answer) == (202, {**expected, **changes, "State": "Updating"})
    assert shown(settled(client, uuid)) == (200, {**expected, **changes})
    assert client.update_event_source_mapping(UUID=uuid, Enabled=False)["State"] == "Disabling"
    assert settled(client, uuid)["State"] == "Disabled"
    assert client.update_event_source_mapping(UUID=uuid, Enabled=True)["State"] == "Enabling"
    assert settled(client, uuid)["State"] == "Enabled"

    answer = client.delete_event_source_mapping(UUID=uuid)
    assert shown(answer) == (202, {**expected, **changes, "State": "Deleting"})
    gone(client, uuid)
    for call in (client.get_event_source_mapping, client.update_event_source_mapping, client.delete_event_source_mapping):
        assert refused(call, UUID=uuid) == (
            "ResourceNotFoundException",
            404,
            "The resource you requested does not exist.",
        )


def test_a_stream_shows_all_of_its_settings(mapped, function):
    for source, position in (
        (stream("s"), {"StartingPosition": "TRIM_HORIZON"}),
        (f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/t/stream/2026-02-17T16:33:01.784", {"StartingPosition": "LATEST"}),
    ):
        answer = mapped(FunctionName=function, EventSourceArn=source, **position)
        assert shown(answer) == (
            202,
            {
                "BatchSize": 100,
                "MaximumBatchingWindowInSeconds": 0,
                "EventSourceArn": source,
                "FunctionArn": f"{ARN}function:{function}",
                "State": "Creating",
                "StateTransitionReason": "User action",
                "LastProcessingResult": "No records processed",
                "ParallelizationFactor": 1,
                "MaximumRecordAgeInSeconds": -1,
                "MaximumRetryAttempts": -1,
                "BisectBatchOnFunctionError": False,
                "TumblingWindowInSeconds": 0,
                "DestinationConfig": {"OnFailure": {}},
                "FunctionResponseTypes": [],
                **position,
            },
        )


def test_a_mapping_keeps_the_qualifier(client, mapped, function):
    for qualifier in ("live", "1", "$LATEST"):
        answer = mapped(FunctionName=f"{function}:{qualifier}", EventSourceArn=stream("q"), StartingPosition="LATEST")
        assert answer["FunctionArn"] == f"{ARN}function:{function}:{qualifier}"
    listed = client.list_event_source_mappings(FunctionName=f"{function}:live")["EventSourceMappings"]
    assert [mapping["FunctionArn"] for mapping in listed] == [f"{ARN}function:{function}:live"]


def test_the_other_kinds_of_sources(client, mapped, function):
    fifo = mapped(FunctionName=function, EventSourceArn=queue("q.fifo"), BatchSize=10)
    assert fifo["BatchSize"] == 10
    kafka = mapped(
        FunctionName=function,
        SelfManagedEventSource=KAFKA,
        Topics=["orders"],
        StartingPosition="LATEST",
        SourceAccessConfigurations=SECRET,
        ProvisionedPollerConfig={"MaximumPollers": 5},
        MaximumRetryAttempts=3,
    )
    assert kafka["SelfManagedEventSource"] == KAFKA and kafka["Topics"] == ["orders"]
    assert kafka["SelfManagedKafkaEventSourceConfig"] == {"ConsumerGroupId": kafka["UUID"]}
    assert kafka["ProvisionedPollerConfig"] == {"MinimumPollers": 1, "MaximumPollers": 5}
    assert kafka["MaximumRetryAttempts"] == 3 and kafka["SourceAccessConfigurations"] == SECRET
    managed = mapped(
        FunctionName=function,
        EventSourceArn=f"arn:aws:kafka:us-east-1:{ACCOUNT}:cluster/c/u",
        Topics=["orders"],
        StartingPosition="AT_TIMESTAMP",
        StartingPositionTimestamp=1764000000,
        AmazonManagedKafkaEventSourceConfig={"ConsumerGroupId": "group"},
    )
    assert managed["StartingPositionTimestamp"].timestamp() == 1764000000
    assert managed["AmazonManagedKafkaEventSourceConfig"] == {"ConsumerGroupId": "group"}
    broker = mapped(
        FunctionName=function,
        EventSourceArn=f"arn:aws:mq:us-east-1:{ACCOUNT}:broker:b:b-1",
        Queues=["jobs"],
        SourceAccessConfigurations=SECRET,
    )
    assert broker["Queues"] == ["jobs"] and broker["BatchSize"] == 100
    documents = mapped(
        FunctionName=function,
        EventSourceArn=f"arn:aws:rds:us-east-1:{ACCOUNT}:cluster:d",
        StartingPosition="LATEST",
        SourceAccessConfigurations=SECRET,
        DocumentDBEventSourceConfig={"DatabaseName": "shop", "CollectionName": "orders", "FullDocument": "UpdateLookup"},
    )
    assert documents["DocumentDBEventSourceConfig"]["CollectionName"] == "orders"


def test_filters_destinations_and_concurrency(client, mapped, function):
    pattern = json.dumps({"body": {"kind": ["order", {"prefix": "re"}], "$or": [{"size": [{"numeric": [">", 1]}]}, {"vip": [True]}]}})
    members = {
        "FilterCriteria": {"Filters": [{"Pattern": pattern}]},
        "ScalingConfig": {"MaximumConcurrency": 7},
        "MetricsConfig": {"Metrics": ["EventCount"]},
        "KMSKeyArn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k",
    }
    uuid = mapped(FunctionName=function, EventSourceArn=queue("filtered"), **members)["UUID"]
    found = client.get_event_source_mapping(UUID=uuid)
    assert {name: found[name] for name in members} == members
    listed = client.list_event_source_mappings(EventSourceArn=queue("filtered"))["EventSourceMappings"]
    assert len(listed) == 1 and "FilterCriteria" not in listed[0]
    cleared = {"FilterCriteria": {}, "ScalingConfig": {}, "MetricsConfig": {"Metrics": []}, "KMSKeyArn": ""}
    client.update_event_source_mapping(UUID=uuid, **cleared)
    assert not set(members) & set(settled(client, uuid))

    destination = {"OnFailure": {"Destination": queue("dead")}}
    answer = mapped(FunctionName=function, EventSourceArn=stream("d"), StartingPosition="LATEST", DestinationConfig=destination)
    assert answer["DestinationConfig"] == destination


INVALID = [
    (dict(), "Unrecognized event source."),
    (dict(EventSourceArn=f"arn:aws:s3:::{ACCOUNT}"), "Unrecognized event source."),
    (
        dict(EventSourceArn=queue("i"), BatchSize=11),
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
    ),
    (
        dict(EventSourceArn=queue("i.fifo"), MaximumBatchingWindowInSeconds=1),
        "Batching window is not supported for FIFO queues",
    ),
    (
        dict(EventSourceArn=queue("i"), StartingPosition="LATEST"),
        "StartingPosition is not valid for SQS event sources.",
    ),
    (
        dict(EventSourceArn=stream("i")),
        "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.",
    ),
    (
        dict(EventSourceArn=stream("i"), StartingPosition="LATEST", StartingPositionTimestamp=1764000000),
        "Timestamp only valid with StartingPosition AT_TIMESTAMP",
    ),
    (
        dict(EventSourceArn=stream("i"), StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=4102444800),
        "StartingPositionTimestamp cannot be in the future.",
    ),
    (
        dict(EventSourceArn=f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/t/stream/l", StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=1),
        f"Unsupported starting position for arn type: arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/t/stream/l",
    ),
    (
        dict(EventSourceArn=queue("i"), ParallelizationFactor=2),
        "Unsupported 'parallelizationFactor' parameter for given event source mapping type.",
    ),
    (
        dict(EventSourceArn=queue("i"), FilterCriteria={"Filters": [{"Pattern": "simple string"}]}),
        "Invalid filter pattern definition.",
    ),
    (
        dict(SelfManagedEventSource=KAFKA, Topics=["orders"]),
        "Required 'sourceAccessConfigurations' parameter is missing.",
    ),
    (
        dict(EventSourceArn=stream("i"), StartingPosition="LATEST", DestinationConfig={"OnFailure": {"Destination": f"{ARN}function:g"}}),
        f"The destination ARN {ARN}function:g is invalid.",
    ),
    (
        dict(EventSourceArn=queue("i"), Tags={f"t{n}": "" for n in range(51)}),
        "Number of tags exceeds resource tag limit.",
    ),
]


@pytest.mark.parametrize("members, text", INVALID, ids=range(len(INVALID)))
def test_what_no_mapping_can_be(client, function, members, text):
    create = client.create_event_source_mapping
    assert refused(create, FunctionName=function, **members) == ("InvalidParameterValueException", 400, text)


def test_members_outside_the_model(client, function):
    create = client.create_event_source_mapping
    code, status, text = refused(create, FunctionName=function, EventSourceArn=queue("v"), StartingPosition="0")
    assert (code, status) == ("ValidationException", 400)
    assert text.startswith("1 validation error detected: Value '0' at 'startingPosition' failed to satisfy constraint: ")
    code, _, text = refused(create, FunctionName=function, EventSourceArn=queue("v"), BatchSize=10001)
    assert code == "ValidationException" and "less than or equal to 10000" in text


def test_a_mapping_of_what_is_not_there(client, function):
    create = client.create_event_source_mapping
    for missing in ("nowhere", f"{function}:7", f"{function}:nowhere"):
        answer = refused(create, FunctionName=missing, EventSourceArn=queue("m"))
        assert answer == ("InvalidParameterValueException", 400, "Function does not exist")


def test_one_source_feeds_a_function_once(client, mapped, function):
    kafka = {"SelfManagedEventSource": KAFKA, "Topics": ["twice"], "StartingPosition": "LATEST", "SourceAccessConfigurations": SECRET}
    hosts = ",".join(KAFKA["Endpoints"]["KAFKA_BOOTSTRAP_SERVERS"])
    source = stream("twice")
    for members, text in (
        (
            {"EventSourceArn": queue("twice")},
            f'An event source mapping with SQS arn (" {queue("twice")} ") and function (" {function} ") already exists.',
        ),
        (
            {"EventSourceArn": source, "StartingPosition": "LATEST"},
            f'The event source arn (" {source} ") and function (" {function} ") provided mapping already exists.',
        ),
        (
            kafka,
            f'An event source mapping with event source ("{hosts}"), function ("{ARN}function:{function}"), topics ("twice") already exists.',
        ),
    ):
        uuid = mapped(FunctionName=function, **members)["UUID"]
        expected = f"{text} Please update or delete the existing mapping with UUID {uuid}"
        again = refused(client.create_event_source_mapping, FunctionName=function, **members)
        assert again == ("ResourceConflictException", 409, expected)


def test_an_update_is_held_against_the_source(client, mapped, function):
    uuid = mapped(FunctionName=function, EventSourceArn=queue("held"))["UUID"]
    update = client.update_event_source_mapping
    for members, text in (
        ({"BatchSize": 11}, "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"),
        ({"TumblingWindowInSeconds": 5}, "Unsupported 'tumblingWindowInSeconds' parameter for given event source mapping type."),
        ({"FunctionName": "nowhere"}, "Function does not exist"),
    ):
        assert refused(update, UUID=uuid, **members) == ("InvalidParameterValueException", 400, text)
    assert client.get_event_source_mapping(UUID=uuid)["BatchSize"] == 10
    update(UUID=uuid, FunctionName=f"{function}:live")
    assert settled(client, uuid)["FunctionArn"].endswith(f":{function}:live")


def test_lists_come_in_pages(clients, client, mapped, function):
    made = {mapped(FunctionName=function, EventSourceArn=queue(f"page-{n}"))["UUID"] for n in range(5)}
    paginator = clients("b").get_paginator("list_event_source_mappings")
    pages = [page["EventSourceMappings"] for page in paginator.paginate(FunctionName=function, PaginationConfig={"PageSize": 2})]
    uuids = [mapping["UUID"] for page in pages for mapping in page]
    assert uuids == sorted(uuids) and made <= set(uuids)
    assert all(len(page) == 2 for page in pages[:-1])
    listed = client.list_event_source_mappings(EventSourceArn=queue("page-3"))["EventSourceMappings"]
    assert [mapping["EventSourceArn"] for mapping in listed] == [queue("page-3")]
    assert client.list_event_source_mappings(FunctionName="nowhere")["EventSourceMappings"] == []
    code, _, text = refused(client.list_event_source_mappings, Marker="nonsense")
    assert (code, text) == ("InvalidParameterValueException", "The provided Marker is invalid.")


def test_another_account_sees_nothing(clients, mapped, function):
    uuid = mapped(FunctionName=function, EventSourceArn=queue("private"))["UUID"]
    stranger = clients("a", other_account=True)
    assert stranger.list_event_source_mappings()["EventSourceMappings"] == []
    for call in (stranger.get_event_source_mapping, stranger.update_event_source_mapping, stranger.delete_event_source_mapping):
        assert refused(call, UUID=uuid)[0] == "ResourceNotFoundException"
    code, status, _ = refused(
        stranger.create_event_source_mapping,
        FunctionName=f"{ARN}function:{function}",
        EventSourceArn=queue("private"),
    )
    assert (code, status) == ("AccessDeniedException", 403)


def test_a_mapping_stays_when_its_function_goes(client, deploy, mapped):
    name = deploy("echo")
    uuid = mapped(FunctionName=name, EventSourceArn=queue("left"))["UUID"]
    client.delete_function(FunctionName=name)
    assert client.get_event_source_mapping(UUID=uuid)["State"] == "Enabled"
    client.update_event_source_mapping(UUID=uuid, Enabled=False)
    assert settled(client, uuid)["State"] == "Disabled"


def test_every_frontend_shows_the_same(clients, mapped, function):
    uuid = mapped(FunctionName=function, EventSourceArn=queue("everywhere"), Tags={"team": "orders"})["UUID"]
    seen = [shown(clients(node).get_event_source_mapping(UUID=uuid)) for node in "abc"]
    assert seen[0] == seen[1] == seen[2]
