#!/usr/bin/python3 -SE
"""A custom runtime of the plainest kind: it speaks the Runtime API by hand and answers what it got, with its id."""

import http.client
import json
import os

HOST = os.environ["AWS_LAMBDA_RUNTIME_API"]
PREFIX = "/2018-06-01/runtime/invocation"


def main():
    connection = http.client.HTTPConnection(HOST)
    while True:
        connection.request("GET", f"{PREFIX}/next")
        answer = connection.getresponse()
        event = json.loads(answer.read())
        request_id = answer.getheader("Lambda-Runtime-Aws-Request-Id")
        result = {
            "event": event,
            "request_id": request_id,
            "handler": os.environ["_HANDLER"],
            "deadline_ms": int(answer.getheader("Lambda-Runtime-Deadline-Ms")),
            "arn": answer.getheader("Lambda-Runtime-Invoked-Function-Arn"),
            "trace": answer.getheader("Lambda-Runtime-Trace-Id"),
        }
        if event.get("fail"):
            body = json.dumps({"errorMessage": event["fail"], "errorType": "Custom.Refused"})
            connection.request(
                "POST", f"{PREFIX}/{request_id}/error", body, {"Lambda-Runtime-Function-Error-Type": "Custom.Refused"}
            )
        else:
            connection.request("POST", f"{PREFIX}/{request_id}/response", json.dumps(result))
        connection.getresponse().read()


main()
