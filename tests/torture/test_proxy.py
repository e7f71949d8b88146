"""Each way of misbehaving, between a real client and a real server."""

import asyncio
import contextlib

import pytest

from .fleet import free_ports
from .proxy import HOST, Proxies

DEADLINE_S = 10
SOON_S = 0.2  # nothing comes within it: how long is of no matter, only that it would have come


async def answer(reader, writer):
    """A server that says everything again, in capitals."""
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data.upper())
            await writer.drain()
    writer.close()


class Scene:
    """Two servers, a proxy before each and one before both, and connections through them."""

    async def __aenter__(self):
        first, second, *listens = free_ports(5)
        self.servers = [await asyncio.start_server(answer, HOST, port) for port in (first, second)]
        self.ports = dict(zip(("worker-1/kafka", "worker-1/postgres", "public"), listens, strict=True))
        self.proxies = Proxies([
            {"name": "worker-1/kafka", "listen": listens[0], "upstreams": [first]},
            {"name": "worker-1/postgres", "listen": listens[1], "upstreams": [second]},
            {"name": "public", "listen": listens[2], "upstreams": [first, second]}])
        await self.proxies.open()
        self.ends = []
        return self

    async def __aexit__(self, *_error):
        for writer in self.ends:
            writer.close()
        for link in self.proxies.links:
            link.close()
            link.cut()
        for server in self.servers:
            server.close()

    async def connect(self, name="worker-1/kafka"):
        reader, writer = await asyncio.open_connection(HOST, self.ports[name])
        self.ends.append(writer)
        return reader, writer

    async def order(self, name, do, **more):
        return await self.proxies.obey({"name": name, "do": do, **more})


async def echo(ends, text=b"hello"):
    ends[1].write(text)
    return await asyncio.wait_for(ends[0].readexactly(len(text)), DEADLINE_S)


def of_scene(story):
    async def run():
        async with Scene() as scene:
            await asyncio.wait_for(story(scene), 3 * DEADLINE_S)
    return lambda: asyncio.run(run())


@of_scene
async def test_what_goes_in_comes_out(scene):
    ends = await scene.connect()
    assert await echo(ends) == b"HELLO"
    big = b"x" * 3_000_000
    assert await echo(ends, big) == big.upper()
    ends[1].write_eof()
    assert await ends[0].read() == b""


@of_scene
async def test_a_cut_is_a_reset_and_the_next_connection_goes_through(scene):
    ends, other = await scene.connect(), await scene.connect("worker-1/postgres")
    await echo(ends)
    await echo(other)
    assert (await scene.order("*/kafka", "cut")) == {"links": 1, "cut": 1}
    with pytest.raises(ConnectionResetError):
        await echo(ends)
    assert await echo(other) == b"HELLO"
    assert await echo(await scene.connect()) == b"HELLO"


@of_scene
async def test_refused_until_healed(scene):
    ends = await scene.connect()
    await echo(ends)
    await scene.order("worker-1/kafka", "refuse")
    with pytest.raises(ConnectionResetError):
        await echo(ends)
    with pytest.raises(ConnectionRefusedError):
        await scene.connect()
    await scene.order("worker-1/*", "heal")
    assert await echo(await scene.connect()) == b"HELLO"


@of_scene
async def test_a_delay_keeps_the_order(scene):
    ends = await scene.connect()
    clock = asyncio.get_running_loop().time
    await scene.order("worker-1/kafka", "delay", ms=60, jitter_ms=50)
    began, sent = clock(), b""
    for number in range(40):
        piece = b"%04d " % number
        ends[1].write(piece)
        await ends[1].drain()
        sent += piece
    assert await asyncio.wait_for(ends[0].readexactly(len(sent)), DEADLINE_S) == sent
    assert clock() - began >= 0.02  # there and back, each at least 10 ms late


@of_scene
async def test_a_narrow_way_takes_its_time(scene):
    ends = await scene.connect()
    clock = asyncio.get_running_loop().time
    await scene.order("*", "slow", bytes_per_s=20_000)
    began = clock()
    await echo(ends, b"y" * 4000)
    assert clock() - began >= 0.4  # 4,000 bytes there, 4,000 back


@of_scene
async def test_a_stalled_way_swallows_nothing_and_refuses_nothing(scene):
    ends = await scene.connect()
    await echo(ends)
    await scene.order("worker-1/kafka", "stall")
    ends[1].write(b"later")
    late = await scene.connect()
    late[1].write(b"too")
    for reader in (ends[0], late[0]):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(reader.read(1), SOON_S)
    await scene.order("worker-1/kafka", "heal")
    assert await asyncio.wait_for(ends[0].readexactly(5), DEADLINE_S) == b"LATER"
    assert await asyncio.wait_for(late[0].readexactly(3), DEADLINE_S) == b"TOO"


@of_scene
async def test_a_stalled_way_may_end_with_a_reset(scene):
    ends = await scene.connect()
    await echo(ends)
    await scene.order("worker-1/kafka", "stall")
    ends[1].write(b"lost")
    assert (await scene.order("worker-1/kafka", "heal", cut=True))["cut"] == 1
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(ends[0].readexactly(4), DEADLINE_S)


@of_scene
async def test_one_of_several_servers_may_be_away(scene):
    scene.servers[0].close()
    for _ in range(4):
        assert await echo(await scene.connect("public")) == b"HELLO"


@of_scene
async def test_a_server_that_is_away_is_a_reset(scene):
    scene.servers[0].close()
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await echo(await scene.connect())


@of_scene
async def test_what_cannot_be_ordered_is_said(scene):
    with pytest.raises(ValueError, match="no order 'explode'"):
        await scene.order("*", "explode")
    shown = (await scene.order("public", "show"))["show"]
    assert shown == {"public": {"taken": 0, "cut": 0, "bytes": 0}}
