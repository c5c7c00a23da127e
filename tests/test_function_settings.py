"""Runtime management, recursion and scaling; and that what is set survives the node that said so."""

import pytest
from refusals import refused

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"


@pytest.fixture
def published(client, deploy):
    name = deploy("echo")
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


def shown(answer):
    answer.pop("ResponseMetadata")
    return answer


def test_recursion_is_ended_unless_it_is_allowed(client, published):
    name = published
    assert shown(client.get_function_recursion_config(FunctionName=name)) == {"RecursiveLoop": "Terminate"}
    for word in ("Allow", "Terminate", "Allow"):
        put = client.put_function_recursion_config(FunctionName=name, RecursiveLoop=word)
        assert shown(put) == {"RecursiveLoop": word}
        assert shown(client.get_function_recursion_config(FunctionName=name)) == {"RecursiveLoop": word}
    with refused("ResourceNotFoundException", f"Function not found: {ARN}absent"):
        client.put_function_recursion_config(FunctionName="absent", RecursiveLoop="Allow")
    with refused("ValidationException"):
        client.put_function_recursion_config(FunctionName=f"{name}:live", RecursiveLoop="Allow")


def test_a_runtime_is_updated_or_chosen_by_hand(client, published):
    name = published
    auto = {"UpdateRuntimeOn": "Auto", "FunctionArn": f"{ARN}{name}:$LATEST"}
    assert shown(client.get_runtime_management_config(FunctionName=name)) == auto
    configuration = client.get_function_configuration(FunctionName=name)
    own = configuration["RuntimeVersionConfig"]["RuntimeVersionArn"]
    manual = client.put_runtime_management_config(
        FunctionName=name, Qualifier="1", UpdateRuntimeOn="Manual", RuntimeVersionArn=own
    )
    expected = {"UpdateRuntimeOn": "Manual", "FunctionArn": f"{ARN}{name}:1", "RuntimeVersionArn": own}
    assert shown(manual) == expected
    assert shown(client.get_runtime_management_config(FunctionName=name, Qualifier="1")) == expected
    assert shown(client.get_runtime_management_config(FunctionName=name)) == auto
    client.put_runtime_management_config(FunctionName=name, Qualifier="1", UpdateRuntimeOn="Auto")
    got = client.get_runtime_management_config(FunctionName=name, Qualifier="1")
    assert shown(got) == {"UpdateRuntimeOn": "Auto", "FunctionArn": f"{ARN}{name}:1"}
    invalid = "InvalidParameterValueException"
    with refused(invalid):
        client.put_runtime_management_config(FunctionName=name, UpdateRuntimeOn="Manual")
    with refused(invalid):
        client.put_runtime_management_config(
            FunctionName=name, UpdateRuntimeOn="Manual", RuntimeVersionArn=own[:-1] + "x"
        )
    with refused(invalid):
        client.get_runtime_management_config(FunctionName=name, Qualifier="live")
    with refused("ResourceNotFoundException", f"Function not found: {ARN}{name}:9"):
        client.put_runtime_management_config(FunctionName=name, Qualifier="9", UpdateRuntimeOn="Auto")


def test_scaling_of_a_published_version(client, published):
    name, bounds = published, {"MinExecutionEnvironments": 1, "MaxExecutionEnvironments": 5}
    target = {"FunctionName": name, "Qualifier": "1"}
    assert shown(client.get_function_scaling_config(**target)) == {"FunctionArn": f"{ARN}{name}:1"}
    put = client.put_function_scaling_config(**target, FunctionScalingConfig=bounds)
    assert put["ResponseMetadata"]["HTTPStatusCode"] == 202 and put["FunctionState"] == "Active"
    got = shown(client.get_function_scaling_config(**target))
    assert got == {"FunctionArn": f"{ARN}{name}:1", "RequestedFunctionScalingConfig": bounds}
    client.put_function_scaling_config(**target, FunctionScalingConfig={})
    assert "RequestedFunctionScalingConfig" not in client.get_function_scaling_config(**target)
    with refused("InvalidParameterValueException"):
        bounds = {"MinExecutionEnvironments": 6, "MaxExecutionEnvironments": 5}
        client.put_function_scaling_config(**target, FunctionScalingConfig=bounds)
    with refused("ResourceNotFoundException", f"Function not found: {ARN}{name}:9"):
        client.put_function_scaling_config(FunctionName=name, Qualifier="9")


def test_settings_go_with_their_function(client, published):
    name = published
    client.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    client.create_function_url_config(FunctionName=name, AuthType="NONE")
    client.put_function_event_invoke_config(FunctionName=name, Qualifier="live", MaximumRetryAttempts=0)
    client.delete_function(FunctionName=name)
    with refused("ResourceNotFoundException", "The resource you requested does not exist."):
        client.get_function_url_config(FunctionName=name)
    with refused("ResourceNotFoundException"):
        client.get_function_event_invoke_config(FunctionName=name, Qualifier="live")


def test_another_account_sees_nothing(clients, client, published):
    theirs = clients("a", other_account=True)
    with refused("ResourceNotFoundException"):
        theirs.get_function_recursion_config(FunctionName=published)
    with refused("AccessDeniedException"):
        theirs.get_runtime_management_config(FunctionName=f"{ARN}{published}")
