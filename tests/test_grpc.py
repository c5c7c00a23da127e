"""The public gRPC API."""

import dataclasses
import json

import grpc
import grpc_api
import pytest
import zips
from clients import ROLE, RUNTIME, invoke, wait_active
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

DEADLINE = 20


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    return grpc_api.generate(tmp_path_factory.mktemp("generated"))


@pytest.fixture(scope="module")
def messages(generated):
    return generated[0]


@pytest.fixture(scope="module")
def channel(cluster):
    options = [("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", 16 << 20)]
    with grpc.insecure_channel(cluster.grpc_target("a"), options) as channel:
        yield channel


@pytest.fixture(scope="module")
def call(generated, channel, cluster):
    """Calls a method, signed."""
    stub = generated[1].FunctionsStub(channel)

    def call(method, request, credentials=cluster.credentials):
        metadata = grpc_api.signature(cluster.grpc_target("a"), method, credentials)
        return getattr(stub, method)(request, metadata=metadata, timeout=DEADLINE)

    call.stub = stub
    return call


def creation(messages, name, code, handler, **more):
    return messages.CreateFunctionRequest(
        function_name=name, role=ROLE, runtime=RUNTIME, handler=handler, zip_file=code, **more
    )


def test_reflection_lists_the_services(channel):
    database = ProtoReflectionDescriptorDatabase(channel)
    services = set(database.get_services())
    assert {grpc_api.SERVICE, "grpc.health.v1.Health"} <= services
    file = database.FindFileContainingSymbol(grpc_api.SERVICE)
    methods = {method.name for service in file.service for method in service.method}
    assert {"CreateFunction", "Invoke", "DeleteAlias", "GetAccountSettings"} <= methods


def test_the_internal_services_are_not_served_in_public(channel):
    services = ProtoReflectionDescriptorDatabase(channel).get_services()
    assert not [service for service in services if "internal" in service]


def test_health_is_serving(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    for service in ("", grpc_api.SERVICE):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=DEADLINE)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.RpcError) as missing:
        stub.Check(health_pb2.HealthCheckRequest(service="no.such.Service"), timeout=DEADLINE)
    assert missing.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_function_from_creation_to_deletion(call, messages, client, name):
    made = call("CreateFunction", creation(messages, name, zips.function("talkative"), "talkative.handler", timeout=9))
    assert (made.function_name, made.version, made.state, made.timeout) == (name, "$LATEST", "Pending", 9)
    wait_active(client, name)
    seen = call("GetFunction", messages.GetFunctionRequest(function_name=name))
    assert seen.configuration.state == "Active"
    assert seen.configuration.function_arn == client.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    head = messages.InvokeHead(function_name=name, log_tail=True, payload=b'{"print": [')
    parts = [messages.InvokeRequest(head=head), messages.InvokeRequest(payload=b'"over grpc"'), messages.InvokeRequest(payload=b"]}")]
    answers = list(call("Invoke", iter(parts)))
    assert b"".join(part.chunk for part in answers[:-1]) == b"1"
    end = answers[-1].end
    assert (end.executed_version, end.function_error) == ("$LATEST", "")
    log = end.log_tail.decode()
    assert f"START RequestId: {end.request_id} Version: $LATEST\nover grpc\nEND RequestId: {end.request_id}\n" in log
    assert call("PublishVersion", messages.PublishVersionRequest(function_name=name)).version == "1"
    alias = call("CreateAlias", messages.CreateAliasRequest(function_name=name, name="live", function_version="1"))
    assert alias.alias_arn.endswith(f":{name}:live")
    assert invoke(client, name, {}, Qualifier="live").version == "1"
    call("DeleteFunction", messages.DeleteFunctionRequest(function_name=name))
    with pytest.raises(grpc.RpcError) as missing:
        call("GetFunction", messages.GetFunctionRequest(function_name=name))
    assert missing.value.code() == grpc.StatusCode.NOT_FOUND
    assert grpc_api.error_type(missing.value) == "ResourceNotFoundException"


def test_a_large_payload_streams_both_ways(call, messages, deploy):
    name = deploy("echo", MemorySize=512, Timeout=30)
    payload = b'"' + b"s" * (6291456 - 2) + b'"'
    pieces = [payload[at : at + 65536] for at in range(0, len(payload), 65536)]
    parts = [messages.InvokeRequest(head=messages.InvokeHead(function_name=name))]
    parts += [messages.InvokeRequest(payload=piece) for piece in pieces]
    answers = list(call("Invoke", iter(parts)))
    assert b"".join(part.chunk for part in answers[:-1]) == payload
    with pytest.raises(grpc.RpcError) as refused:
        list(call("Invoke", iter([*parts, messages.InvokeRequest(payload=b" ")])))
    assert grpc_api.error_type(refused.value) == "RequestTooLargeException"


def test_a_function_error_comes_at_the_end(call, messages, deploy):
    name = deploy("failing")
    head = messages.InvokeHead(function_name=name, payload=b'{"fail": "raise"}')
    answers = list(call("Invoke", iter([messages.InvokeRequest(head=head)])))
    assert answers[-1].end.function_error == "Unhandled"
    assert json.loads(b"".join(part.chunk for part in answers[:-1]))["errorType"] == "OrderRefused"


def test_the_tenants_of_a_function_are_apart(call, messages, deploy):
    name = deploy("tenants", TenancyConfig={"TenantIsolationMode": "PER_TENANT"})

    def seen(tenant):
        head = messages.InvokeHead(function_name=name, tenant_id=tenant, payload=b"{}")
        answers = list(call("Invoke", iter([messages.InvokeRequest(head=head)])))
        return json.loads(b"".join(part.chunk for part in answers[:-1]))["seen"]

    assert [seen(tenant) for tenant in ("blue", "red")] == [["blue"], ["red"]]
    with pytest.raises(grpc.RpcError) as refused:
        seen(None)
    assert grpc_api.error_type(refused.value) == "InvalidParameterValueException"


def test_unsigned_and_wrongly_signed_calls_are_refused(call, messages, cluster):
    request = messages.ListFunctionsRequest()
    with pytest.raises(grpc.RpcError) as refused:
        call.stub.ListFunctions(request, timeout=DEADLINE)
    assert refused.value.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
    assert grpc_api.error_type(refused.value) == "MissingAuthenticationTokenException"
    wrong = dataclasses.replace(cluster.credentials, secret_access_key="not the secret")
    with pytest.raises(grpc.RpcError) as refused:
        call("ListFunctions", request, credentials=wrong)
    assert grpc_api.error_type(refused.value) == "InvalidSignatureException"
    # A signature is of one method only.
    metadata = grpc_api.signature(cluster.grpc_target("a"), "GetFunction", cluster.credentials)
    with pytest.raises(grpc.RpcError) as refused:
        call.stub.ListFunctions(request, metadata=metadata, timeout=DEADLINE)
    assert grpc_api.error_type(refused.value) == "InvalidSignatureException"


def test_what_is_no_request(call, messages):
    for method, request in (
        ("CreateFunction", messages.CreateFunctionRequest(function_name="a b")),
        ("GetFunction", messages.GetFunctionRequest(function_name="")),
        ("Invoke", iter([])),
        ("Invoke", iter([messages.InvokeRequest(payload=b"{}")])),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            answer = call(method, request)
            list(answer) if method == "Invoke" else None
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT, method
