"""A transport that answers from a list of exchanges, in their order, and keeps what was asked. Opens no connection."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import httpx2


@dataclass(frozen=True)
class Exchange:
    """One request and its answer. `target` is the path, with the query where that matters, after the API's base."""

    method: str
    target: str
    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


def exchange(method: str, target: str, status: int = 200, body: object = None, **headers: str) -> Exchange:
    """An exchange with a JSON body (None: empty); header names in Python's spelling, as `retry_after`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    text = "" if body is None else json.dumps(body)
    return Exchange(method, target, status, text, {"content-type": "application/json; charset=utf-8", **named})


class ReplayTransport(httpx2.AsyncBaseTransport):
    """Answers each request with the next exchange; a request that is not the next one fails the test."""

    def __init__(self, exchanges: Iterable[Exchange], *, base_path: str = "/v1") -> None:
        self._left = list(exchanges)
        self._base_path = base_path
        self.requests: list[httpx2.Request] = []

    @property
    def is_used_up(self) -> bool:
        """Whether every exchange took place."""
        return not self._left

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        self.requests.append(request)
        asked = f"{request.method} {request.url.raw_path.decode()}"
        if not self._left:
            raise AssertionError(f"unexpected request: {asked}")
        due = self._left.pop(0)
        with_query = "?" in due.target
        found = asked if with_query else asked.split("?")[0]
        wanted = f"{due.method} {self._base_path}{due.target}"
        if found != wanted:
            raise AssertionError(f"unexpected request: {found}; due is {wanted}")
        headers = {name: value for name, value in due.headers.items() if name.lower() != "content-length"}
        return httpx2.Response(due.status, headers=headers, content=due.body.encode(), request=request)
