"""What every host of applications has: a front for each service, what serves there, and what was started beside it."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from localrender.forwarder import LOOPBACK, TEXT_TYPE, Answer, Forwarder, Request, Target, parse_fault
from localrender.hosting import StartFailed

HEALTH_PATHS: Mapping[str, str] = {"backend": "/api/health", "frontend": "/"}
"""The path of Render's own health check, by kind of service."""

FIRST_UNBOUND_PORT = 20_000
"""The number in the first URL of a host that binds no ports."""

_PAGE_TYPES = {"html": "text/html; charset=utf-8", "json": "application/json; charset=utf-8"}

Message = MutableMapping[str, Any]
"""A message of ASGI, whose values are of any type."""


class StaticSite:
    """Serves a frontend's files, by name, from memory."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    async def answer(self, request: Request) -> Answer:
        """The file of the path; `/` is index.html."""
        name = request.path.partition("?")[0].lstrip("/") or "index.html"
        content = self._files.get(name)
        if content is None:
            return Answer(404, TEXT_TYPE, b"Not Found")
        return Answer(200, _PAGE_TYPES.get(name.rpartition(".")[2], "application/octet-stream"), content)

    async def end(self) -> None:
        """Nothing runs, so there is nothing to stop."""


class Sites:
    """The part of a host that serves. With `listen` false no port is bound: the sites are reached as an ASGI app."""

    def __init__(self, *, listen: bool = True) -> None:
        self._listen = listen
        self._fronts: dict[str, Forwarder] = {}
        self._hosts: dict[str, Forwarder] = {}
        self._waiting: dict[str, Target] = {}

    def url(self, service_id: str) -> str:
        """`http://127.0.0.1:<port>`, taken at once and the same until `close`.

        It answers from the service's first start, suspension or fault on; until then connections are refused.
        """
        return f"http://{LOOPBACK}:{self._front(service_id).port}"

    async def switch(self, service_id: str) -> None:
        """Serve the instance started last, and end the old one. Without such an instance nothing changes."""
        if target := self._waiting.pop(service_id, None):
            await self._front(service_id).switch(target)

    async def discard(self, service_id: str) -> None:
        """End an instance that was started and not switched to; without one nothing happens."""
        if target := self._waiting.pop(service_id, None):
            await target.end()

    async def suspend(self, service_id: str, suspended: bool) -> None:
        """Answer 503, or serve again."""
        front = self._front(service_id)
        front.suspended = suspended
        await front.open()

    async def maintain(self, service_id: str, maintained: bool) -> None:
        """Answer a maintenance page with 503, or serve again; what serves goes on running."""
        front = self._front(service_id)
        front.maintained = maintained
        await front.open()

    async def misbehave(self, service_id: str, fault: Mapping[str, object] | None) -> None:
        """Make answers bad as `parse_fault` says; None heals. Raises ValueError for an unknown fault."""
        front = self._front(service_id)
        front.misbehave(None if fault is None else parse_fault(fault))
        await front.open()

    async def close(self) -> None:
        """End every instance and give every port back."""
        for service_id in list(self._waiting):
            await self.discard(service_id)
        self._hosts.clear()
        while self._fronts:
            await self._fronts.popitem()[1].close()

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        """All sites as one ASGI application: the port of the request's host picks the service."""
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
        host = next((value for name, value in headers if name.lower() == "host"), "")
        query = scope["query_string"].decode("latin-1")
        request = Request(scope["method"], scope["path"] + (f"?{query}" if query else ""), headers)
        answer = await self.ask(host, request)
        content_type = (b"content-type", answer.content_type.encode("latin-1"))
        await send({"type": "http.response.start", "status": answer.status, "headers": [content_type]})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})

    async def ask(self, host: str, request: Request) -> Answer:
        """The answer of the site at `127.0.0.1:<port>`, without a connection; 502 where there is none."""
        front = self._hosts.get(host)
        return await front.answer(request) if front else Answer(502, TEXT_TYPE, b"Bad Gateway")

    async def _admit(self, service_id: str, target: Target, kind: str) -> None:
        """Ask for the new instance's health as Render does, and keep it beside the one that serves.

        Raises:
            StartFailed: it is not healthy; it is ended.
        """
        status = await self._checked(target, HEALTH_PATHS[kind])
        if not 200 <= status < 400:
            await target.end()
            raise StartFailed(f"the health check answered {status}" if status else "the health check got no answer")
        await self.discard(service_id)
        self._waiting[service_id] = target
        await self._front(service_id).open()

    async def _checked(self, target: Target, path: str) -> int:
        try:
            return (await target.answer(Request("GET", path))).status
        except OSError:
            return 0

    def _front(self, service_id: str) -> Forwarder:
        if service_id not in self._fronts:
            front = Forwarder(None if self._listen else FIRST_UNBOUND_PORT + len(self._fronts))
            self._fronts[service_id] = self._hosts[f"{LOOPBACK}:{front.port}"] = front
        return self._fronts[service_id]
