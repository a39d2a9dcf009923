"""A customer's site on loopback, with the answers that a test scripts. Speaks just enough HTTP/1.1 for a probe."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus

CHUNK_BYTES = 65536


@dataclass(frozen=True)
class Answer:
    """What the site sends for one request. Delays are real seconds.

    `resets` cuts the connection instead of answering; `truncates` closes it before the promised end of the body;
    `trickle_seconds` waits that long after each byte of the body; `repeats_body` promises and sends it that often.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    resets: bool = False
    truncates: bool = False
    trickle_seconds: float = 0.0
    repeats_body: int = 1


@dataclass(frozen=True)
class Request:
    """What the site was asked: method, path with query, headers with lower-case names."""

    method: str
    path: str
    headers: Mapping[str, str]


def json_answer(text: str, *, status: int = 200) -> Answer:
    """An answer of JSON text."""
    return Answer(status, text.encode(), {"Content-Type": "application/json"})


def html_answer(text: str, *, status: int = 200) -> Answer:
    """An answer of a page."""
    return Answer(status, text.encode(), {"Content-Type": "text/html; charset=utf-8"})


def redirect_to(url: str) -> Answer:
    """An answer that sends the client elsewhere."""
    return Answer(302, b"", {"Location": url})


class Site:
    """The running site: script it with `answer`, see what it was asked in `requests`. Unscripted paths are 404."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self.bytes_sent = 0
        self.connections = 0
        self.open_now = 0
        self.open_most = 0
        self._answers: dict[str, list[Answer]] = {}

    def answer(self, path: str, *answers: Answer) -> None:
        """Script the path: the answers one after the other; the last one stays."""
        self._answers[path] = list(answers)

    def paths(self) -> list[str]:
        """The paths asked for so far, in order."""
        return [request.path for request in self.requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection, request after request, until the client closes it."""
        self.connections += 1
        self.open_now += 1
        self.open_most = max(self.open_most, self.open_now)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while not writer.is_closing():
                    request = await _read(reader)
                    self.requests.append(request)
                    await self._send(self._next(request.path), writer)
        finally:
            self.open_now -= 1
            writer.close()

    def _next(self, path: str) -> Answer:
        answers = self._answers.get(path, [Answer(404)])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def _send(self, answer: Answer, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(answer.delay_seconds)
        if answer.resets:
            writer.transport.abort()
            return
        promised = len(answer.body) * answer.repeats_body + (1000 if answer.truncates else 0)
        lines = [f"HTTP/1.1 {answer.status} {_phrase(answer.status)}", f"Content-Length: {promised}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        for _ in range(answer.repeats_body):
            await self._send_body(answer, writer)
        if answer.truncates:
            writer.close()

    async def _send_body(self, answer: Answer, writer: asyncio.StreamWriter) -> None:
        size = 1 if answer.trickle_seconds else CHUNK_BYTES
        for start in range(0, len(answer.body), size):
            writer.write(answer.body[start : start + size])
            await writer.drain()
            self.bytes_sent += len(answer.body[start : start + size])
            await asyncio.sleep(answer.trickle_seconds)


@asynccontextmanager
async def running_site() -> AsyncIterator[Site]:
    """A site on a free port of 127.0.0.1 until the block ends; connections still open then are cut."""
    site = Site()
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(site.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    site.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield site
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (line.split(":", 1) for line in lines)
    return Request(method, path, {name.strip().lower(): value.strip() for name, value in pairs})


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
