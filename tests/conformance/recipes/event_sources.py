"""Event source mappings: queues, streams, Kafka, brokers and change streams that feed a function."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from conformance.recipe import Given, Make, Params, Recipe, alone, resolved
from conformance.recipes.resources import function, marker, published
from conformance.values import QUEUE, UUID, arn
from conformance.wire import Answer
from conformance.world import World

KEY = arn("kms", "key/0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d")
SECRET = arn("secretsmanager", "secret:conformance-AbCdEf")
MOVING = {"Creating", "Enabling", "Disabling", "Updating", "Deleting"}

_REGISTRY = {
    "SchemaRegistryURI": "https://registry.example.com",
    "EventRecordFormat": "JSON",
    "AccessConfigs": [{"Type": "BASIC_AUTH", "URI": SECRET}],
    "SchemaValidationConfigs": [{"Attribute": "VALUE"}],
}
_GROUP = {"ConsumerGroupId": "conformance"}
_CONSUMER = {**_GROUP, "SchemaRegistryConfig": _REGISTRY}
_POLLERS = {"MinimumPollers": 1, "MaximumPollers": 200, "PollerGroupName": "conformance"}
_PROVISIONED = {"ProvisionedPollerConfig": _POLLERS}
_BROKER = [{"Type": "BASIC_AUTH", "URI": SECRET}]
_BOOTSTRAP = {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["broker.example.com:9092"]}}


def _new_arn(service: str, stem: str) -> Make:
    return lambda world: arn(service, world.name(stem))


# What a mapping of each kind of source has to say of it. No two mappings may be of the same source.
_SOURCES: dict[str, Params] = {
    "queue": {"EventSourceArn": _new_arn("sqs", "queue")},
    "stream": {"EventSourceArn": _new_arn("kinesis", "stream/conformance"), "StartingPosition": "LATEST"},
    "kafka": {
        "EventSourceArn": None,
        "SelfManagedEventSource": _BOOTSTRAP,
        "Topics": [lambda world: world.name("topic")],
        "StartingPosition": "LATEST",
        "SourceAccessConfigurations": _BROKER,
    },
    "managed kafka": {
        "EventSourceArn": lambda world: arn("kafka", f"cluster/{world.name('cluster')}/{UUID}-1"),
        "Topics": ["conformance"],
        "StartingPosition": "LATEST",
    },
    "broker": {
        "EventSourceArn": _new_arn("mq", "broker:conformance:b-1"),
        "Queues": ["conformance"],
        "SourceAccessConfigurations": _BROKER,
    },
    "documents": {
        "EventSourceArn": _new_arn("rds", "cluster:documents"),
        "StartingPosition": "LATEST",
        "SourceAccessConfigurations": _BROKER,
        "DocumentDBEventSourceConfig": {"DatabaseName": "conformance"},
    },
}
_DOCUMENTS = {"DatabaseName": "conformance", "CollectionName": "orders", "FullDocument": "UpdateLookup"}


# What can be set at creation and changed later.
_SETTINGS = (
    Given("Enabled", False, group="queue"),
    # Of a stream first: more than ten messages of a queue need a window, too. Metrics of Kafka first: a queue has one only.
    Given("BatchSize", 200, label="BatchSize of a stream", group="stream"),
    Given("BatchSize", 10, label="BatchSize of a queue", group="queue"),
    Given("FilterCriteria", {"Filters": [{"Pattern": '{"body":{"kind":["order"]}}'}]}, group="queue"),
    Given("KMSKeyArn", KEY, group="queue"),
    Given("MetricsConfig", {"Metrics": ["EventCount"]}, label="MetricsConfig of Kafka", group="kafka"),
    Given("MetricsConfig", {"Metrics": ["EventCount"]}, label="MetricsConfig of a queue", group="queue"),
    Given("ScalingConfig", {"MaximumConcurrency": 5}, group="queue"),
    Given("MaximumBatchingWindowInSeconds", 20, group="queue"),
    Given("FunctionResponseTypes", ["ReportBatchItemFailures"], group="queue"),
    Given("ParallelizationFactor", 2, group="stream"),
    Given("DestinationConfig", {"OnFailure": {"Destination": QUEUE}}, group="stream"),
    Given("MaximumRecordAgeInSeconds", 3600, group="stream"),
    Given("BisectBatchOnFunctionError", True, group="stream"),
    Given("MaximumRetryAttempts", 3, group="stream"),
    Given("TumblingWindowInSeconds", 30, group="stream"),
    Given("SourceAccessConfigurations", _BROKER, group="kafka"),
    # A registry of schemas and a log are there for provisioned pollers only.
    Given(
        "SelfManagedKafkaEventSourceConfig",
        {**_CONSUMER, "ConsumptionMode": "Stream"},
        beside=_PROVISIONED,
        group="kafka",
    ),
    Given("ProvisionedPollerConfig", _POLLERS, group="kafka"),
    Given("LoggingConfig", {"SystemLogLevel": "INFO"}, beside=_PROVISIONED, group="kafka"),
    Given("AmazonManagedKafkaEventSourceConfig", _CONSUMER, beside=_PROVISIONED, group="managed kafka"),
    Given("SourceAccessConfigurations", _BROKER, label="SourceAccessConfigurations of a broker", group="broker"),
    Given("DocumentDBEventSourceConfig", _DOCUMENTS, group="documents"),
)


def _new(world: World) -> Params:
    return {"FunctionName": published(world), "EventSourceArn": _SOURCES["queue"]["EventSourceArn"]}


def _delete_later(world: World, params: Params, answer: Answer) -> None:
    world.later("DeleteEventSourceMapping", UUID=answer.parsed["UUID"])


def _mapping_of(kind: str, **members: Any) -> Make:
    """A mapping that is at rest and that nobody else uses."""

    def mapping(world: World) -> str:
        return world.fresh(UUID, lambda: _make(world, kind, **members))

    return mapping


def _make(world: World, kind: str, **members: Any) -> str:
    source = {member: value for member, value in _SOURCES[kind].items() if value is not None}
    asked = resolved({"FunctionName": published(world), "Enabled": False, **source, **members}, world)
    made = world.call("CreateEventSourceMapping", **asked)["UUID"]
    world.later("DeleteEventSourceMapping", UUID=made)
    world.settled(
        f"rest of a mapping of a {kind}",
        lambda: world.call("GetEventSourceMapping", UUID=made).get("State", "Creating") not in MOVING,
    )
    return made


def _shared(world: World) -> Params:
    return {"UUID": world.shared("a mapping", UUID, lambda: _make(world, "queue"))}


def _three(world: World) -> Params:
    """A function with three mappings of its own."""

    def make() -> str:
        name = function(world, "mapped")
        for _ in range(3):
            _make(world, "queue", FunctionName=name)
        return name

    return {"FunctionName": world.shared("a function with mappings", "function-imagined", make)}


# What an update repeats and cannot change.
_FIXED_SINCE: dict[str, Params] = {
    "kafka": {"SelfManagedKafkaEventSourceConfig": _GROUP},
    "managed kafka": {"AmazonManagedKafkaEventSourceConfig": _GROUP},
}
_APART = {"DestinationConfig.OnSuccess": "a mapping sends only what failed"}
# The function comes back as FunctionArn, the moment as seconds.
_NOT_ECHOED = frozenset({"FunctionName", "StartingPositionTimestamp"})
_FIXED = (
    Given("Tags", {"team": "red"}, group="queue"),
    Given("StartingPosition", "TRIM_HORIZON", group="stream"),
    alone(
        "StartingPositionTimestamp",
        datetime(2026, 1, 1, tzinfo=timezone.utc),
        beside={**_SOURCES["stream"], "StartingPosition": "AT_TIMESTAMP"},
    ),
    Given("SelfManagedEventSource", _BOOTSTRAP, group="kafka"),
    Given("Topics", ["conformance"], label="Topics of a managed cluster", group="managed kafka"),
    Given("Queues", ["conformance"], group="broker"),
)

RECIPES = [
    Recipe(
        "CreateEventSourceMapping",
        base=_new,
        undo=_delete_later,
        groups=_SOURCES,
        given=(*_SETTINGS, *_FIXED),
        not_echoed=_NOT_ECHOED,
        apart=_APART,
    ),
    Recipe("GetEventSourceMapping", base=_shared),
    Recipe(
        "UpdateEventSourceMapping",
        base=lambda world: {"UUID": _mapping_of("queue")},
        groups={kind: {"UUID": _mapping_of(kind, **_FIXED_SINCE.get(kind, {}))} for kind in _SOURCES},
        given=(*_SETTINGS, Given("FunctionName", published, group="queue")),
        not_echoed=_NOT_ECHOED,
        apart=_APART,
    ),
    Recipe("DeleteEventSourceMapping", base=lambda world: {"UUID": _mapping_of("queue")}),
    Recipe(
        "ListEventSourceMappings",
        base=_three,
        given=(
            alone("EventSourceArn", arn("sqs", "no-such-queue")),
            Given("FunctionName", lambda world: _three(world)["FunctionName"]),
            Given("MaxItems", 2),
            Given("Marker", lambda world: marker(world, "ListEventSourceMappings", **_three(world))),
        ),
        pages=_three,
    ),
]
