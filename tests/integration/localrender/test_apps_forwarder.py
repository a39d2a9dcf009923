"""The front of a service: what it answers of its own, how it hands over, and what it makes of bad requests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from localrender.forwarder import Answer, Fault, Forwarder, Request, ask


class Slow:
    """A target that answers when it is let; remembers what it was asked and whether it was ended."""

    def __init__(self, body: bytes, *, held: bool = False) -> None:
        self.body = body
        self.asked: list[Request] = []
        self.reached = asyncio.Event()
        self.released = asyncio.Event()
        self.ended = False
        if not held:
            self.released.set()

    async def answer(self, request: Request) -> Answer:
        self.asked.append(request)
        self.reached.set()
        await self.released.wait()
        return Answer(200, "text/plain", self.body)

    async def end(self) -> None:
        self.ended = True


class Gone:
    """A target that nobody can reach."""

    async def answer(self, request: Request) -> Answer:
        raise ConnectionRefusedError

    async def end(self) -> None:
        """There is nothing to stop."""


@asynccontextmanager
async def front() -> AsyncIterator[Forwarder]:
    forwarder = Forwarder()
    await forwarder.open()
    try:
        yield forwarder
    finally:
        await forwarder.close()


async def raw(port: int, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    received = await reader.read(-1)
    writer.close()
    return received


async def test_nothing_behind_or_nobody_there_is_a_bad_gateway() -> None:
    async with front() as forwarder:
        empty = await ask(forwarder.port, Request("GET", "/"))
        await forwarder.switch(Gone())
        gone = await ask(forwarder.port, Request("GET", "/"))

    assert (empty.status, gone.status) == (502, 502)


async def test_what_the_old_instance_answers_is_finished_before_it_is_ended() -> None:
    old, new = Slow(b"old", held=True), Slow(b"new")
    async with front() as forwarder:
        await forwarder.switch(old)
        first = asyncio.create_task(ask(forwarder.port, Request("GET", "/")))
        await old.reached.wait()
        switching = asyncio.create_task(forwarder.switch(new))
        second = await ask(forwarder.port, Request("GET", "/"))
        ended_early = old.ended
        old.released.set()
        await switching

        assert (second.body, ended_early) == (b"new", False)
        assert ((await first).body, old.ended) == (b"old", True)


async def test_a_request_arrives_with_its_method_path_headers_and_body() -> None:
    target = Slow(b"")
    async with front() as forwarder:
        await forwarder.switch(target)
        await ask(forwarder.port, Request("POST", "/a?b=c", (("X-One", "1"),), b"body"))

    assert [(one.method, one.path, one.body) for one in target.asked] == [("POST", "/a?b=c", b"body")]
    assert ("X-One", "1") in target.asked[0].headers


async def test_latency_is_added_to_what_is_answered_anyway() -> None:
    async with front() as forwarder:
        await forwarder.switch(Slow(b"late"))
        forwarder.misbehave(Fault(latency_ms=80))
        loop = asyncio.get_running_loop()
        begun = loop.time()

        answer = await ask(forwarder.port, Request("GET", "/"))

        assert (answer.status, answer.body) == (200, b"late")
        assert loop.time() - begun >= 0.08


async def test_head_has_no_body_but_its_length() -> None:
    async with front() as forwarder:
        await forwarder.switch(Slow(b"12345"))

        received = await raw(forwarder.port, b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")

    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Length: 5\r\n" in received
    assert received.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET / SPDY/3\r\n\r\n",
        b"GET http://elsewhere/ HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_a_bad_request(sent: bytes) -> None:
    target = Slow(b"")
    async with front() as forwarder:
        await forwarder.switch(target)

        received = await raw(forwarder.port, sent)

    assert received.startswith(b"HTTP/1.1 400 ")
    assert target.asked == []


async def test_a_client_that_goes_away_disturbs_nobody() -> None:
    async with front() as forwarder:
        await forwarder.switch(Slow(b"fine"))
        _, writer = await asyncio.open_connection("127.0.0.1", forwarder.port)
        writer.write(b"GET / HT")
        writer.close()
        await writer.wait_closed()

        assert (await ask(forwarder.port, Request("GET", "/"))).body == b"fine"
