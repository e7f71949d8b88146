"""python -m torture.proxy TABLE CONTROL_PORT: TCP proxies that misbehave on demand, in a process of their own.

TABLE is a JSON file: [{"name", "listen", "upstreams": [port, …]}]; all on 127.0.0.1. A proxy with several upstreams takes
them in turn and passes over those that refuse. Orders come over the control port, one JSON object a line, each answered by
one: {"name": a glob, "do": …}.

    cut                            every connection under way is reset (RST)
    refuse                         the port is closed, and what was under way reset
    delay   ms, jitter_ms          each piece comes so much later, in both directions; order is kept
    slow    bytes_per_s            so much and no more, in each direction
    stall                          nothing flows, nothing is closed, new connections are taken and not answered
    heal    cut (true or false)    all of that is over; with `cut`, what was under way is reset
"""

import asyncio
import contextlib
import fnmatch
import json
import pathlib
import random
import resource
import signal
import socket
import struct
import sys

HOST = "127.0.0.1"
CHUNK = 65536
PIECES_MAX = 64  # under way in one direction of one connection; then the sender has to wait
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no time: closing resets
CONNECT_S = 5


def reset(writer):
    """Closes a connection by RST, as a firewall or a dying kernel does."""
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()


class Pipe:
    """One direction of a connection. Pieces wait in order for their time, once something delays them."""

    def __init__(self, link, reader, writer):
        self._link, self._reader, self._writer = link, reader, writer
        self._pieces = asyncio.Queue(PIECES_MAX)
        self._waiting = 0

    def start(self, group):
        group.create_task(self._take())
        group.create_task(self._give())

    async def _take(self):
        clock = asyncio.get_running_loop().time
        while piece := await self._reader.read(CHUNK):
            if self._waiting == 0 and self._link.is_clear():
                await self._write(piece)
            else:
                self._waiting += 1
                await self._pieces.put((clock() + self._link.latency_s(), piece))
        await self._pieces.put(None)

    async def _give(self):
        clock = asyncio.get_running_loop().time
        while (item := await self._pieces.get()) is not None:
            due, piece = item
            await asyncio.sleep(max(0.0, due - clock()))
            await self._link.flows.wait()
            if self._link.bytes_per_s:
                await asyncio.sleep(len(piece) / self._link.bytes_per_s)
            await self._write(piece)
            self._waiting -= 1
        await self._link.flows.wait()
        if self._writer.can_write_eof():
            self._writer.write_eof()

    async def _write(self, piece):
        self._link.bytes += len(piece)
        self._writer.write(piece)
        await self._writer.drain()


class Link:
    """One proxy: its port, where it leads, and how it behaves at present."""

    def __init__(self, name, listen, upstreams):
        self.name, self._listen, self._upstreams = name, listen, list(upstreams)
        self.flows = asyncio.Event()
        self.flows.set()
        self.delay_ms = self.jitter_ms = self.bytes_per_s = 0
        self.taken = self.cuts = self.bytes = 0
        self._server = None
        self._open = set()
        self._tasks = set()
        self._random = random.Random(name)

    def is_clear(self):
        return self.flows.is_set() and not self.delay_ms and not self.jitter_ms and not self.bytes_per_s

    def latency_s(self):
        return max(0.0, self.delay_ms + self._random.uniform(-self.jitter_ms, self.jitter_ms)) / 1000

    async def open(self):
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, HOST, self._listen, limit=CHUNK, backlog=1024)

    def close(self):
        if self._server is not None:
            self._server.close()
            self._server = None

    def cut(self):
        """Resets what is under way; gives how many connections that were."""
        count = len(self._open) // 2
        for writer in list(self._open):
            reset(writer)
        for task in list(self._tasks):
            task.cancel()
        self.cuts += count
        return count

    async def _accept(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        self.taken += 1
        ends = [writer]
        try:
            await self.flows.wait()
            there, back = await self._connect()
            ends.append(back)
            self._open.update(ends)
            async with asyncio.TaskGroup() as group:
                Pipe(self, reader, back).start(group)
                Pipe(self, there, writer).start(group)
            for end in ends:
                end.close()
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            # an end was reset, by its peer or by an order: the other one shall see the same
            for end in ends:
                reset(end)
        finally:
            self._open.difference_update(ends)
            self._tasks.discard(task)

    async def _connect(self):
        self._upstreams.append(self._upstreams.pop(0))
        for port in reversed(self._upstreams):
            try:
                return await asyncio.wait_for(asyncio.open_connection(HOST, port, limit=CHUNK), CONNECT_S)
            except (OSError, asyncio.TimeoutError):
                continue
        raise ConnectionRefusedError(self.name)


class Proxies:
    def __init__(self, table):
        self.links = [Link(row["name"], row["listen"], row["upstreams"]) for row in table]

    async def open(self):
        for link in self.links:
            await link.open()

    async def obey(self, order):
        """Does it to every link whose name matches; gives what came of it."""
        links = [link for link in self.links if fnmatch.fnmatchcase(link.name, order["name"])]
        answer = {"links": len(links), "cut": 0}
        for link in links:
            answer["cut"] += await self._one(link, order)
        if order["do"] == "show":
            answer["show"] = {link.name: {"taken": link.taken, "cut": link.cuts, "bytes": link.bytes} for link in links}
        return answer

    async def _one(self, link, order):
        do = order["do"]
        if do == "cut":
            return link.cut()
        if do == "refuse":
            link.close()
            return link.cut()
        if do == "delay":
            link.delay_ms, link.jitter_ms = order["ms"], order.get("jitter_ms", 0)
        elif do == "slow":
            link.bytes_per_s = order["bytes_per_s"]
        elif do == "stall":
            link.flows.clear()
        elif do == "heal":
            count = link.cut() if order.get("cut") else 0
            link.delay_ms = link.jitter_ms = link.bytes_per_s = 0
            link.flows.set()
            await link.open()
            return count
        elif do != "show":
            raise ValueError(f"there is no order '{do}'")
        return 0

    async def control(self, reader, writer):
        """A connection of the control port."""
        try:
            while line := await reader.readline():
                try:
                    answer = await self.obey(json.loads(line))
                except (ValueError, KeyError, OSError) as error:
                    answer = {"error": repr(error)}
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except OSError:
            pass  # whoever gave orders has left
        writer.close()


async def serve(table, control_port):
    proxies = Proxies(table)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await proxies.open()
    control = await asyncio.start_server(proxies.control, HOST, control_port)
    await stopping.wait()
    control.close()


class Remote:
    """The control port, from another process; one order at a time, each over a connection of its own."""

    def __init__(self, port):
        self._port = port

    def order(self, name, do, **more):
        """Raises OSError while there is nobody, RuntimeError where the order can't be."""
        with socket.create_connection((HOST, self._port), CONNECT_S) as connection, connection.makefile("rw") as file:
            file.write(json.dumps({"name": name, "do": do, **more}) + "\n")
            file.flush()
            line = file.readline()
        answer = json.loads(line) if line else {"error": "no answer"}
        if "error" in answer:
            raise RuntimeError(f"{do} {name}: {answer['error']}")
        return answer


def main(arguments):
    table = json.loads(pathlib.Path(arguments[0]).read_text(encoding="utf-8"))
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(serve(table, int(arguments[1])))


if __name__ == "__main__":
    main(sys.argv[1:])
