"""A session with a meter that misbehaves ends with a name, in bounded time and memory, and hurts nobody else."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import uvloop
from prometheus_client import CollectorRegistry

from bahal.dlms import security
from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.events import Event
from bahal.dlms.security import Cipher
from bahal.headend.link import Links, Session
from bahal.headend.metrics import LinkMetrics

TITLE = b"BHL\x00\x00\x00\x00\x01"
METER = b"ARP\x00\x00\x00\x00\x01"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Probe(Session):
    """Opens an association and waits for whatever comes."""

    __slots__ = ("done", "events", "failures", "name")

    def __init__(self, links: Links) -> None:
        super().__init__(links)
        self.association = ClientAssociation(
            client_sap=48,
            mechanism=5,
            security_control=security.AUTHENTICATED_ENCRYPTED,
            system_title=TITLE,
            meter_title=METER,
            cipher=Cipher(bytes(16), bytes(16)),
            counter=1,
            counter_end=32,
        )
        self.done = links.loop.create_future()
        self.name = ""
        self.failures = 0
        self.events: list[Event] = []

    @property
    def meter(self) -> str:
        return "CG1"

    def heard(self, event: Event) -> None:
        self.events.append(event)

    def failed(self, name: str, error: Exception | None) -> None:
        self.name = name
        self.failures += 1

    def closed(self) -> None:
        self.done.set_result(None)


def links_of(*, reply_s: float = 0.3, connect_s: float = 0.3) -> Links:
    registry = CollectorRegistry()
    return Links(loop=asyncio.get_running_loop(), metrics=LinkMetrics(registry), reply_s=reply_s, connect_s=connect_s)


@contextlib.asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[int]:
    """A server that treats every connection so; gives its port."""

    async def careful(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(careful, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.sleep(0.05)


async def against(serve: Serve, *, total_s: float = 1.0) -> tuple[str, float]:
    """The name that a session with this server ended with, and how long it took."""
    links = links_of()
    async with serving(serve) as port:
        probe = Probe(links)
        began = links.loop.time()
        probe.begin("127.0.0.1", port, total_s=total_s)
        async with asyncio.timeout(60):
            await probe.done
        took = links.loop.time() - began
    assert probe.failures == 1
    assert not links.open
    assert links.metrics.errors.labels(probe.name)._value.get() == 1
    return probe.name, took


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)


async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\xff" + os.urandom(200))
    await reader.read(-1)


async def oversized(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(bytes.fromhex("000100010030ffff") + b"\x61" * 100)
    await reader.read(-1)


async def trickles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for byte in bytes.fromhex("00010001003000ff61") + bytes(200):
        writer.write(bytes((byte,)))
        await writer.drain()
        await asyncio.sleep(0.02)


async def notifies_for_ever(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    notification = bytes.fromhex("0f0000000100") + b"\x00"
    while not writer.is_closing():
        writer.write(bytes.fromhex("000100010030") + len(notification).to_bytes(2, "big") + notification)
        await writer.drain()
        await asyncio.sleep(0)


async def rejects(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    aare = bytes.fromhex("6117a109060760857405080103a203020101a305a10302010d")
    writer.write(bytes.fromhex("000100010030") + len(aare).to_bytes(2, "big") + aare)
    await reader.read(-1)


async def unasked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    reply = bytes.fromhex("c401c100030100")
    writer.write(bytes.fromhex("000100010030") + len(reply).to_bytes(2, "big") + reply)
    await reader.read(-1)


@pytest.mark.parametrize(
    ("serve", "name"),
    [
        (silent, "reply_timeout"),
        (hangs_up, "connection_lost"),
        (garbage, "malformed"),
        (oversized, "oversized"),
        (trickles, "reply_timeout"),
        (notifies_for_ever, "flooded"),
        (rejects, "association_rejected"),
        (unasked, "unexpected"),
    ],
)
def test_a_misbehaving_meter_ends_its_session_with_a_name(serve: Serve, name: str) -> None:
    found, took = uvloop.run(against(serve))
    assert found == name
    assert took < 1.0


def test_nobody_listens() -> None:
    async def scenario() -> None:
        links = links_of()
        probe = Probe(links)
        probe.begin("127.0.0.1", 1, total_s=1.0)
        await probe.done
        assert probe.name == "unreachable"
        assert not links.open

    uvloop.run(scenario())


def test_a_connection_that_never_comes_is_given_up() -> None:
    async def scenario() -> None:
        links = links_of(connect_s=0.2)
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        # Nobody accepts: the backlog is soon full, and later connections hang.
        sock.listen(0)
        held = [Probe(links) for _ in range(4)]
        for probe in held:
            probe.begin("127.0.0.1", sock.getsockname()[1], total_s=0.4)
        for probe in held:
            await probe.done
        assert {probe.name for probe in held} <= {"connect_timeout", "reply_timeout", "session_timeout"}
        assert "connect_timeout" in {probe.name for probe in held}
        sock.close()

    uvloop.run(scenario())


def test_the_session_has_an_end_even_if_replies_keep_coming() -> None:
    found, took = uvloop.run(against(trickles, total_s=0.2))
    assert found == "session_timeout"
    assert took < 0.6


def test_a_bad_neighbour_leaves_a_good_session_alone() -> None:
    async def scenario() -> None:
        links = links_of(reply_s=0.4)
        async with serving(silent) as good_port, serving(garbage) as bad_port:
            good, bad = Probe(links), Probe(links)
            good.begin("127.0.0.1", good_port, total_s=1.0)
            bad.begin("127.0.0.1", bad_port, total_s=1.0)
            await bad.done
            assert bad.name == "malformed"
            assert good.alive
            assert links.open == {good}
            links.abort_all("connection_lost")
            assert good.done.done()

    uvloop.run(scenario())
