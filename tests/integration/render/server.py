"""A loopback server that answers as a test says, down to the bytes: slowly, partly, or not at all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """Where it listens, the head and body of each request that reached it whole, and how many connections came."""

    base_url: str
    requests: list[str] = field(default_factory=list)
    connections: int = 0


@asynccontextmanager
async def serving(script: Script, *, keeps_open: bool = False) -> AsyncIterator[Server]:
    """Serve on a free port of 127.0.0.1; each request is read whole, then `script` answers.

    Then the connection ends, unless `keeps_open`.
    """
    found = Server("")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.connections += 1
        try:
            while True:
                found.requests.append(await _request(reader))
                await script(writer)
                if not keeps_open:
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        found.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        yield found
    finally:
        server.close()


async def _request(reader: asyncio.StreamReader) -> str:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    lengths = [line.split(":")[1] for line in head.lower().split("\r\n") if line.startswith("content-length:")]
    return head + (await reader.readexactly(int(lengths[0]) if lengths else 0)).decode()


def answering(status: str, body: bytes, *headers: str) -> Script:
    """One whole answer, with the length of its body."""
    return raw("\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]).encode() + body)


def raw(content: bytes) -> Script:
    """These bytes and no more."""

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await writer.drain()

    return script


async def reset(writer: asyncio.StreamWriter) -> None:
    """Cut the connection without an answer."""
    writer.transport.abort()


async def trickle(writer: asyncio.StreamWriter) -> None:
    """An answer that never ends, a byte at a time, each well within any time-out between two bytes."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def silence(_: asyncio.StreamWriter) -> None:
    """Nothing, for longer than any test waits."""
    await asyncio.sleep(30)
