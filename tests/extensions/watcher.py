#!/usr/bin/python3
"""An external extension that writes down what it is told, for the function to show. What it does else is in WATCHER."""

import http.client
import http.server
import json
import os
import socket
import sys
import threading
import time

PLAN = json.loads(os.environ.get("WATCHER", "{}"))
NAME = os.path.basename(sys.argv[0])
API = os.environ["AWS_LAMBDA_RUNTIME_API"]


def note(kind, value):
    with open(f"/tmp/{kind}.jsonl", "a") as file:
        file.write(json.dumps(value) + "\n")


def call(method, path, headers=None, body=None):
    connection = http.client.HTTPConnection(API)
    connection.request(method, path, body=None if body is None else json.dumps(body), headers=headers or {})
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read().decode()


class Listener(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        for record in json.loads(body):
            note("telemetry", record)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def lines():
    listener = socket.create_server(("sandbox.localdomain", 4244))
    while True:
        connection, _ = listener.accept()
        for line in connection.makefile():
            note("lines", json.loads(line))


def main():
    print(f"{NAME} begins", flush=True)
    if PLAN.get("crash") == "first":
        sys.exit(7)
    events = PLAN.get("events", ["INVOKE", "SHUTDOWN"])
    accept = {"Lambda-Extension-Name": NAME, "Lambda-Extension-Accept-Feature": "accountId"}
    status, headers, body = call("POST", "/2020-01-01/extension/register", accept, {"events": events})
    note("registered", [status, json.loads(body), sorted(os.environ)])
    me = {"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}
    error = {**me, "Lambda-Extension-Function-Error-Type": "Mine.NoConfig"}
    if PLAN.get("crash") == "init":
        call("POST", "/2020-01-01/extension/init/error", error, {})
        time.sleep(100)
    if PLAN.get("telemetry"):
        server = http.server.ThreadingHTTPServer(("sandbox.localdomain", 4243), Listener)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        wanted = {
            "schemaVersion": "2022-12-13",
            "types": ["platform", "function", "extension"],
            "buffering": {"timeoutMs": 25},
            "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:4243/records"},
        }
        note("subscribed", call("PUT", "/2022-07-01/telemetry", me, wanted)[::2])
    if PLAN.get("logs"):
        threading.Thread(target=lines, daemon=True).start()
        time.sleep(0.2)
        wanted = {"types": ["platform", "function"], "buffering": {"timeoutMs": 25}, "destination": {"protocol": "TCP", "port": 4244}}
        note("subscribed", call("PUT", "/2020-08-15/logs", me, wanted)[::2])
    while True:
        status, headers, body = call("GET", "/2020-01-01/extension/event/next", me)
        event = json.loads(body)
        note("events", event)
        print(f"{NAME} {event['eventType']} {event.get('shutdownReason', '')}", flush=True)
        if event["eventType"] == "SHUTDOWN":
            time.sleep(PLAN.get("linger", 0))
            print(f"{NAME} ends", flush=True)
            return
        if PLAN.get("crash") == "invoke":
            sys.exit(3)
        if PLAN.get("crash") == "exit":
            call("POST", "/2020-01-01/extension/exit/error", error, {})
            return
        time.sleep(PLAN.get("busy", 0))
        note("done", event["requestId"])


main()
