"""Tags of functions."""

from refusals import refused

ARN = "arn:aws:lambda:us-east-1:000000000000:function:"


def test_tags_are_added_replaced_and_taken_away(client, deploy):
    name = deploy("echo", Tags={"made": "here"})
    arn = f"{ARN}{name}"
    revision = client.get_function(FunctionName=name)["Configuration"]["RevisionId"]
    tagged = client.tag_resource(Resource=arn, Tags={"made": "there", "städte": "Zürich / Genève"})
    assert tagged["ResponseMetadata"]["HTTPStatusCode"] == 204
    expected = {"made": "there", "städte": "Zürich / Genève"}
    assert client.list_tags(Resource=arn)["Tags"] == expected
    shown = client.get_function(FunctionName=name)
    assert shown["Tags"] == expected and shown["Configuration"]["RevisionId"] != revision
    untagged = client.untag_resource(Resource=arn, TagKeys=["städte", "absent"])
    assert untagged["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert client.list_tags(Resource=arn)["Tags"] == {"made": "there"}
    client.untag_resource(Resource=arn, TagKeys=["made"])
    assert client.list_tags(Resource=arn)["Tags"] == {}
    assert "Tags" not in client.get_function(FunctionName=name)


def test_there_are_at_most_fifty(client, deploy):
    arn = f"{ARN}{deploy('echo')}"
    client.tag_resource(Resource=arn, Tags={f"k{n}": "v" for n in range(50)})
    client.tag_resource(Resource=arn, Tags={"k0": "w"})
    with refused("InvalidParameterValueException", "Number of tags exceeds resource tag limit."):
        client.tag_resource(Resource=arn, Tags={"one": "more"})
    assert len(client.list_tags(Resource=arn)["Tags"]) == 50


def test_refusals(client, deploy):
    name = deploy("echo")
    client.publish_version(FunctionName=name)
    for qualifier in ("1", "$LATEST", "live"):
        with refused(
            "InvalidParameterValueException",
            "Tags on function aliases and versions are not supported. Please specify a function ARN.",
        ):
            client.tag_resource(Resource=f"{ARN}{name}:{qualifier}", Tags={"a": "b"})
    with refused(
        "InvalidParameterValueException", "An error occurred and the request cannot be processed."
    ):
        client.tag_resource(Resource=f"{ARN}{name}", Tags={})
    with refused("ResourceNotFoundException", f"Function not found: {ARN}absent"):
        client.tag_resource(Resource=f"{ARN}absent", Tags={"a": "b"})
    with refused("ResourceNotFoundException", f"Function not found: {ARN}absent"):
        client.list_tags(Resource=f"{ARN}absent")
    with refused("ValidationException"):
        client.list_tags(Resource="arn:aws:sqs:us-east-1:000000000000:queue")


def test_another_account_sees_nothing(clients, deploy):
    arn = f"{ARN}{deploy('echo')}"
    theirs = clients("a", other_account=True)
    for call, arguments in ((theirs.list_tags, {}), (theirs.tag_resource, {"Tags": {"a": "b"}})):
        with refused("AccessDeniedException"):
            call(Resource=arn, **arguments)
