"""A load balancer as an operator has one: clients see one address, and nodes that are not ready get no new connection.

It forwards bytes and knows nothing of HTTP. Only the standard library is used.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import Counter

from cluster import HOST, LocalCluster, http_get

PROBE_EVERY = 0.1
CONNECT_MAX = 2.0
CHUNK = 64 * 1024


class Balancer:
    """Listens on a port of its own and forwards to the frontends of a cluster, in turn, while they are ready."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._nodes = [node for node in cluster.nodes if "frontend" in node.roles]
        self._ready: set[str] = set()
        self._carried: Counter[str] = Counter()
        self._turn = itertools.count()
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._port = 0

    @property
    def endpoint(self) -> str:
        return f"http://{HOST}:{self._port}"

    def carried(self, name: str) -> int:
        """How many connections to a node are open now."""
        return self._carried[name]

    def __enter__(self) -> "Balancer":
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, HOST, 0))
        self._port = server.sockets[0].getsockname()[1]
        probes = [self._loop.create_task(self._probe(node)) for node in self._nodes]
        self._started.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop) | set(probes)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

    async def _probe(self, node) -> None:
        while True:
            status, _ = await asyncio.to_thread(http_get, f"http://{node.admin}/readyz", 1.0)
            (self._ready.add if status == 200 else self._ready.discard)(node.name)
            await asyncio.sleep(PROBE_EVERY)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            backend = await self._connect()
            if backend is not None:
                name, back_reader, back_writer = backend
                self._carried[name] += 1
                try:
                    await asyncio.gather(_pipe(reader, back_writer), _pipe(back_reader, writer))
                finally:
                    self._carried[name] -= 1
        except asyncio.CancelledError:
            pass  # The balancer ends, and its connections with it.
        finally:
            writer.close()

    async def _connect(self):
        """A connection to the next node that is ready and takes one; else to any."""
        first = next(self._turn)
        turn = [self._nodes[(first + i) % len(self._nodes)] for i in range(len(self._nodes))]
        for node in sorted(turn, key=lambda node: node.name not in self._ready):
            host, port = node.public.split(":")
            try:
                streams = await asyncio.wait_for(asyncio.open_connection(host, int(port)), CONNECT_MAX)
                return node.name, *streams
            except (OSError, asyncio.TimeoutError):
                continue
        return None


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        # One side has ended: what the other still sends has nobody to read it.
        writer.close()
