"""What stands before every answer under /v1: key, rate limits, faults, headers and the journal. ASGI, no routes."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fastapi import Response

from localrender.answers import error_answer
from localrender.faults import HTML, ConnectionDropped, Fault, FaultKind
from localrender.journal import RequestLine
from localrender.platform import Platform
from localrender.rates import Quota

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

READ_LATENCY_SECONDS = (0.08, 0.12)
WRITE_LATENCY_SECONDS = (1.0, 1.5)
"""Recorded latencies, in real seconds; only with the option `latency`."""


@dataclass(slots=True)
class Exchange:
    """One request on its way, and its answer."""

    request_id: str
    method: str
    path: str
    query: str
    body: bytes
    at: datetime
    key: str
    fault: Fault | None = None
    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    content: bytes = b""


class Gate:
    """Wraps the application; paths outside /v1 pass untouched.

    Args:
        app: the application with the routes.
        platform: whose keys, limits, faults and journal count.
    """

    def __init__(self, app: App, platform: Platform) -> None:
        self._app = app
        self._platform = platform
        self._chance = random.Random(platform.world.seed)  # noqa: S311 - nothing secret

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or not scope["path"].startswith("/v1"):
            await self._app(scope, receive, send)
            return
        exchange = await self._open(scope, receive)
        if exchange is None:
            return  # the client went away in the middle of its request
        fault = exchange.fault
        if fault is not None and fault.kind is FaultKind.LATE and not await self._outlives(fault.seconds):
            await _cut(receive)
            return
        if fault is None or fault.takes_effect:
            await self._carry_out(exchange, scope)
        if fault is not None and fault.kind in (FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER):
            self._write_down(exchange, dropped=True)
            await _cut(receive)
            return
        await self._spoil(exchange)
        self._write_down(exchange)
        await _send(exchange, send)

    async def _open(self, scope: Message, receive: Receive) -> Exchange | None:
        platform = self._platform
        body = await _read(receive)
        if body is None:
            return None
        if platform.options.latency:
            span = READ_LATENCY_SECONDS if scope["method"] == "GET" else WRITE_LATENCY_SECONDS
            await asyncio.sleep(self._chance.uniform(*span))
        platform.advance()
        return Exchange(
            request_id=platform.mint_request_id(),
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            body=body,
            at=platform.now(),
            key=_key(scope),
            fault=platform.faults.strike(scope["method"], scope["path"]),
        )

    async def _outlives(self, seconds: float) -> bool:
        """Wait in real time; False when a reset came in between, which a late request must not survive."""
        state = self._platform.state
        await asyncio.sleep(seconds)
        self._platform.advance()
        return self._platform.state is state

    async def _carry_out(self, exchange: Exchange, scope: Message) -> None:
        platform = self._platform
        known = exchange.key in platform.state.keys
        user = "" if known else "stranger:"
        quota = platform.rates.spend(exchange.method, exchange.path, exchange.at, user=user)
        if not known:
            _fill(exchange, error_answer(401, "Unauthorized"))
        elif quota.refused:
            _fill(exchange, error_answer(429, "rate limit exceeded"))
            if platform.options.retry_after:
                exchange.headers.append(("Retry-After", str(quota.reset + 1)))
        else:
            await self._ask_routes(exchange, scope)
            platform.poke()
        self._add_headers(exchange, quota)

    async def _ask_routes(self, exchange: Exchange, scope: Message) -> None:
        sent = False
        # What a request begins may fail long after its answer; its route has to know.
        scope.setdefault("state", {})["fails"] = exchange.fault is not None and exchange.fault.kind is FaultKind.FAILS

        async def receive() -> Message:
            nonlocal sent
            if sent:
                return {"type": "http.disconnect"}
            sent = True
            return {"type": "http.request", "body": exchange.body, "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                exchange.headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in message["headers"]]
            else:
                exchange.content += message.get("body", b"")

        await self._app(scope, receive, send)

    async def _spoil(self, exchange: Exchange) -> None:
        fault = exchange.fault
        if fault is None or fault.kind in (FaultKind.LATE, FaultKind.FAILS):
            return
        if fault.kind is FaultKind.SLOW:
            await asyncio.sleep(fault.seconds)
            return
        if fault.kind is FaultKind.TRUNCATE:
            exchange.content = exchange.content[: len(exchange.content) // 2]
        elif fault.kind is FaultKind.HTML:
            _fill(exchange, Response(HTML, fault.status, media_type="text/html"))
        elif fault.kind is FaultKind.EMPTY:
            _fill(exchange, Response(status_code=fault.status))
        else:
            _fill(exchange, error_answer(fault.status, fault.message))
            self._add_headers(exchange, self._platform.rates.look(exchange.method, exchange.path, exchange.at))
        exchange.headers = [one for one in exchange.headers if one[0].lower() != "content-length"]
        exchange.headers.append(("Content-Length", str(len(exchange.content))))
        if fault.retry_after is not None:
            exchange.headers.append(("Retry-After", str(fault.retry_after)))

    def _add_headers(self, exchange: Exchange, quota: Quota) -> None:
        exchange.headers += [*quota.headers(), ("Render-Request-Id", exchange.request_id)]

    def _write_down(self, exchange: Exchange, *, dropped: bool = False) -> None:
        journal = self._platform.journal
        journal.count += 1
        line = RequestLine(
            number=journal.count,
            request_id=exchange.request_id,
            method=exchange.method,
            path=exchange.path,
            query=exchange.query,
            body_keys=body_keys(exchange.body),
            at=exchange.at,
            status=0 if dropped else exchange.status,
            fault=exchange.fault.kind.value if exchange.fault else None,
        )
        journal.lines.append(line)


def body_keys(body: bytes) -> tuple[str, ...]:
    """The keys of a JSON object in order, or of an array the `key` of each element; never a value."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return ()
    if isinstance(value, dict):
        return tuple(value)
    if isinstance(value, list):
        return tuple(str(one.get("key", "?")) if isinstance(one, dict) else "?" for one in value)
    return ()


def _key(scope: Message) -> str:
    for name, value in scope["headers"]:
        if name.lower() == b"authorization":
            scheme, _, key = value.decode("latin-1").partition(" ")
            return key.strip() if scheme.lower() == "bearer" else ""
    return ""


def _fill(exchange: Exchange, response: Response) -> None:
    exchange.status = response.status_code
    exchange.headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in response.raw_headers]
    exchange.content = bytes(response.body)


async def _read(receive: Receive) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


async def _send(exchange: Exchange, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in exchange.headers]
    await send({"type": "http.response.start", "status": exchange.status, "headers": headers})
    await send({"type": "http.response.body", "body": exchange.content})


async def _cut(receive: Receive) -> None:
    """Cut the connection without a byte of an answer. ASGI has no way to, so uvicorn's cycle is asked for its socket.

    Raises:
        ConnectionDropped: there is no socket (the application is called in-process).
    """
    cycle = getattr(receive, "__self__", None)
    transport = getattr(cycle, "transport", None)
    if not isinstance(transport, asyncio.Transport):
        raise ConnectionDropped
    transport.abort()
    while not getattr(cycle, "disconnected", True):
        await asyncio.sleep(0)
