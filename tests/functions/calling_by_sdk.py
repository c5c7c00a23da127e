"""Calls the cluster that it runs on with boto3, told nothing that an environment does not tell it."""

import boto3
from botocore.exceptions import ClientError


def handler(event, context):
    client = boto3.client(event["service"])
    try:
        answer = getattr(client, event["do"])(**event.get("with", {}))
    except ClientError as error:
        return {"refused": error.response["Error"]["Code"], "says": error.response["Error"]["Message"]}
    if "Payload" in answer:
        return {"Payload": answer["Payload"].read().decode()}
    if "Credentials" in answer:
        # Who it became, by what it got.
        got = answer["Credentials"]
        became = boto3.client(
            "sts",
            aws_access_key_id=got["AccessKeyId"],
            aws_secret_access_key=got["SecretAccessKey"],
            aws_session_token=got["SessionToken"],
        )
        return {"became": became.get_caller_identity()["Arn"]}
    answer.pop("ResponseMetadata")
    return answer
