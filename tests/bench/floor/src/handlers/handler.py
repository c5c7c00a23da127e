import json
import socket


def handler(event):
    return event


def read(connection, length):
    data = connection.recv(length)
    while len(data) < length:
        more = connection.recv(length - len(data))
        if not more:
            return b""
        data += more
    return data


connection = socket.socket(fileno=0)
while True:
    head = connection.recv(4)
    if not head:
        break
    event = json.loads(read(connection, int.from_bytes(head, "big")))
    result = json.dumps(handler(event)).encode()
    connection.sendall(len(result).to_bytes(4, "big") + result)
