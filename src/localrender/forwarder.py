"""The stable front of one service: a port that stays, with whatever serves behind it at the moment. Starts no programs.

It is a small HTTP server of its own: one request a connection, everything read before anything is answered. A fault on
request is applied here, so the instance behind knows nothing of it.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

HEAD_BYTES_MAX = 64 * 1024
BODY_BYTES_MAX = 1024 * 1024
READ_SECONDS_MAX = 10.0
"""How long a client may take to send its request, in real seconds."""
DRAIN_SECONDS_MAX = 5.0
"""How long a replaced instance may finish what it answers, in real seconds."""
LOOPBACK = "127.0.0.1"
TEXT_TYPE = "text/plain; charset=utf-8"
MAINTENANCE_PAGE = b"<!doctype html><title>Under Maintenance</title><h1>This service is under maintenance</h1>"

_OWN_HEADERS = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Request:
    """One request: the method, the path with its query, the headers as sent and the body."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: status, content type and body."""

    status: int
    content_type: str
    body: bytes


class Target(Protocol):
    """What serves behind the port: a process, a coroutine or a folder."""

    async def answer(self, request: Request) -> Answer:
        """Answer a request. Raises OSError when nothing answers."""

    async def end(self) -> None:
        """Stop for good."""


@dataclass(frozen=True, slots=True)
class Fault:
    """How answers are made bad. Rates are shares of one, latency is in real milliseconds."""

    status: int | None = None
    latency_ms: float = 0.0
    error_rate: float = 0.0
    body: str | None = None


def parse_fault(raw: Mapping[str, object]) -> Fault:
    """The fault that `status`, `latency_ms`, `error_rate` and `body` describe, in any combination.

    Raises:
        ValueError: an unknown key or an unusable value.
    """
    unknown = sorted(raw.keys() - {"status", "latency_ms", "error_rate", "body"})
    if unknown:
        raise ValueError(f"no such fault: {', '.join(unknown)}")
    status, body = raw.get("status"), raw.get("body")
    if status is not None and (not isinstance(status, int) or not 200 <= status <= 599):
        raise ValueError("status is a number from 200 to 599")
    if body is not None and not isinstance(body, str):
        raise ValueError("body is a text")
    latency, rate = _number(raw, "latency_ms"), _number(raw, "error_rate")
    if latency < 0 or not 0 <= rate <= 1:
        raise ValueError("latency_ms is not negative, error_rate is a share from 0 to 1")
    return Fault(status, latency, rate, body)


class Forwarder:
    """One service's front. With `port` None a free port is taken at once, and `open` listens on it.

    With a number nothing is ever bound: the number only stands in the URL, and requests come through `answer`.
    """

    def __init__(self, port: int | None = None) -> None:
        self._socket = _bound_socket() if port is None else None
        self.port: int = self._socket.getsockname()[1] if self._socket else port or 0
        self.suspended = False
        self.maintained = False
        self._target: Target | None = None
        self._fault = Fault()
        self._owed_errors = 0.0
        self._busy: Counter[int] = Counter()
        self._idle = asyncio.Condition()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen, if that has not begun yet."""
        if self._server is None and self._socket is not None:
            self._server = await asyncio.start_server(self._converse, sock=self._socket, limit=HEAD_BYTES_MAX)

    async def close(self) -> None:
        """Stop listening, give the port back and end what serves."""
        if self._server is not None:
            self._server.close()
        elif self._socket is not None:
            self._socket.close()
        await self.switch(None)

    async def switch(self, target: Target | None) -> None:
        """Serve from the target; then let the old one finish what it answers, and end it."""
        old, self._target = self._target, target
        if old is None or old is target:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS_MAX), self._idle:
                await self._idle.wait_for(lambda: not self._busy[id(old)])
        await old.end()

    def misbehave(self, fault: Fault | None) -> None:
        """Make answers bad from now on; None heals."""
        self._fault, self._owed_errors = fault or Fault(), 0.0

    async def answer(self, request: Request) -> Answer:
        """The service's answer to a request; always one, with 502 when nothing serves.

        503 when the service is suspended, or under maintenance.
        """
        if self.suspended:
            return Answer(503, TEXT_TYPE, b"Service Suspended")
        if self.maintained:
            return Answer(503, "text/html; charset=utf-8", MAINTENANCE_PAGE)
        fault = self._fault
        if fault.latency_ms:
            await asyncio.sleep(fault.latency_ms / 1000.0)
        # Evenly spread, so that the same requests meet the same errors each time.
        self._owed_errors += fault.error_rate
        if self._owed_errors >= 1.0 - 1e-9:
            self._owed_errors -= 1.0
            return Answer(500, TEXT_TYPE, b"Internal Server Error")
        if fault.status is not None or fault.body is not None:
            text = fault.body if fault.body is not None else HTTPStatus(fault.status or 200).phrase
            return Answer(fault.status or 200, "text/html; charset=utf-8", text.encode())
        return await self._ask_target(request)

    async def _ask_target(self, request: Request) -> Answer:
        target = self._target
        if target is None:
            return Answer(502, TEXT_TYPE, b"Bad Gateway")
        self._busy[id(target)] += 1
        try:
            return await target.answer(request)
        except OSError:
            return Answer(502, TEXT_TYPE, b"Bad Gateway")
        finally:
            self._busy[id(target)] -= 1
            if not self._busy[id(target)]:
                del self._busy[id(target)]
                async with self._idle:
                    self._idle.notify_all()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(READ_SECONDS_MAX):
                request = await _read_request(reader)
            answer = await self.answer(request) if request else Answer(400, TEXT_TYPE, b"Bad Request")
            writer.write(_render(answer, has_body=request is None or request.method != "HEAD"))
            await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def ask(port: int, request: Request) -> Answer:
    """Send a request to a server on loopback, over a connection of its own.

    Raises:
        OSError: nobody answers, or not as HTTP.
    """
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        kept = [(name, value) for name, value in request.headers if name.lower() not in _OWN_HEADERS]
        sent = [*kept, ("Content-Length", str(len(request.body))), ("Connection", "close")]
        lines = [f"{request.method} {request.path} HTTP/1.0", *(f"{name}: {value}" for name, value in sent)]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + request.body)
        await writer.drain()
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    finally:
        writer.close()
    lines = head.decode("latin-1").split("\r\n")
    status = lines[0].split(" ")[1:2]
    if not status or not status[0].isdigit():
        raise ConnectionError("the instance did not answer")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return Answer(int(status[0]), headers.get("content-type", TEXT_TYPE), body)


def _bound_socket() -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.bind((LOOPBACK, 0))
    return bound


def _number(raw: Mapping[str, object], key: str) -> float:
    value = raw.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key} is a number")  # noqa: TRY004 - whoever asked sent a wrong value
    return float(value)


async def _read_request(reader: asyncio.StreamReader) -> Request | None:
    """The request on the line; None when it is none of HTTP's or too large."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, _, rest = head[0].partition(" ")
    path, _, protocol = rest.rpartition(" ")
    if not path.startswith("/") or not protocol.startswith("HTTP/1."):
        return None
    named = [
        (name.strip(), value.strip()) for name, colon, value in (line.partition(":") for line in head[1:]) if colon
    ]
    length = next((value for name, value in named if name.lower() == "content-length"), "0")
    if not length.isdigit() or int(length) > BODY_BYTES_MAX:
        return None
    return Request(method, path, tuple(named), await reader.readexactly(int(length)))


def _render(answer: Answer, *, has_body: bool) -> bytes:
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "Unknown"
    head = (
        f"HTTP/1.1 {answer.status} {phrase}\r\nContent-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(answer.body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("latin-1") + (answer.body if has_body else b"")
