"""The ways out of a rehearsed process: to the platform and to the customers' sites, in-process and without a socket.

A dead process sends nothing more: what it still tries is never answered.
"""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

from localrender.faults import ConnectionDropped
from localrender.forwarder import Request
from localrender.sites import Sites

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


class Killed(BaseException):
    """The process was killed here; nothing may catch it."""


@dataclass
class Life:
    """One process. `dies_at` counts its boundaries down: just before and after each request and commit."""

    is_alive: bool = True
    dies_at: int | None = None
    died_at: str = ""
    hinder: Callable[[str], None] = lambda _: None
    """Told of each boundary; what it raises happens there."""

    def boundary(self, name: str) -> None:
        """Pass a boundary. Raises Killed where it ends here, or has ended."""
        if self.is_alive and self.dies_at is not None:
            self.dies_at -= 1
            if self.dies_at < 0:
                self.is_alive, self.died_at = False, name
        if not self.is_alive:
            raise Killed(name)
        self.hinder(name)


@dataclass(frozen=True)
class Ask:
    """One write that reached the way to the platform, before it is known what became of it."""

    method: str
    path: str
    body: bytes


Bend = Callable[[str, bytes], bytes]
"""Makes another body of the one that the platform answers to a read of a path."""


@dataclass(frozen=True)
class Ways:
    """What happens along the way: who is told of each write before and after it, and what bends answers to reads."""

    before: Callable[[Ask], None]
    after: Callable[[Ask], None]
    bends: Sequence[Bend] = ()


class Wire(httpx2.AsyncBaseTransport):
    """The way to the platform."""

    def __init__(self, app: App, life: Life, ways: Ways) -> None:
        self._app = app
        self._life = life
        self._ways = ways

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Ask the platform. Raises ReadError where it cut the connection."""
        if not self._life.is_alive:
            raise Killed(request.url.path)
        body = await request.aread()
        ask = None if request.method == "GET" else Ask(request.method, request.url.path.removeprefix("/v1"), body)
        if ask is not None:
            self._ways.before(ask)
        try:
            status, headers, content = await _call(self._app, request, body)
        except ConnectionDropped as error:
            raise httpx2.ReadError("the connection was closed") from error
        finally:
            if ask is not None:
                self._ways.after(ask)
        if ask is None and status == 200:
            for bend in self._ways.bends:
                content = bend(request.url.path.removeprefix("/v1"), content)
            headers = [one for one in headers if one[0].lower() != b"content-length"]
        return httpx2.Response(status, headers=headers, stream=_Body(content), request=request)


class _Body(httpx2.AsyncByteStream):
    """A body in one piece."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> Any:
        yield self._content

    async def aclose(self) -> None:
        """Nothing to close."""


async def _call(app: App, request: httpx2.Request, body: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """One request to an application, as a server would pass it on."""
    url = request.url
    scope: Message = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": url.scheme,
        "path": url.path,
        "raw_path": url.raw_path.split(b"?")[0],
        "query_string": url.query,
        "server": (url.host, url.port),
        "client": ("127.0.0.1", 1),
        "root_path": "",
    }
    sent: list[Message] = []
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    content = b"".join(one.get("body", b"") for one in sent[1:])
    return sent[0]["status"], list(sent[0]["headers"]), content


class SiteWire(httpx2.AsyncBaseTransport):
    """The way to the customers' sites."""

    def __init__(self, sites: Sites, life: Life) -> None:
        self._sites = sites
        self._life = life

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Ask a site."""
        if not self._life.is_alive:
            raise Killed(request.url.path)
        url = request.url
        answer = await self._sites.ask(f"{url.host}:{url.port}", Request(request.method, url.path))
        headers = [(b"content-type", answer.content_type.encode("latin-1"))]
        return httpx2.Response(answer.status, headers=headers, stream=_Body(answer.body), request=request)
