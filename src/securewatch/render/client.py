"""The careful HTTP client of Render's API: limits, time-outs, retries of reads, and writes that are sent at most once.

Knows no resource (one file each beside this one) and decides nothing. What the network takes is real time; back-off and
rate windows are product time, from the clock port.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Self

import httpx2
from pydantic import SecretStr

from securewatch.core.address import is_loopback
from securewatch.core.clock import Clock, add_seconds
from securewatch.core.errors import Retryable
from securewatch.render.address import read_base_url, read_key
from securewatch.render.answers import (
    Answer,
    Asked,
    BodyTooLong,
    RawAnswer,
    read_answer,
    said_by,
    texts_in,
    translated,
)
from securewatch.render.budget import JITTER, Group, Priority, RateBudget, groups_of
from securewatch.render.errors import NotTheAPI, RateLimited

PAGE_ITEMS = 100
"""The greatest `limit` of a list (reference: render-api, section 1)."""
PAGE_ITEMS_DEFAULT = 20
"""A page shorter than Render's default is the last one, whatever limit the server took."""
PAGES_MAX = 500
BACK_OFF_SECONDS_MAX = 8.0
_NO_PATIENCE = timedelta(0)

Params = Mapping[str, str | int | Sequence[str]]
"""The query of a request; a sequence is sent as a repeated key, as the official clients do."""
Guard = Callable[[], None]
"""Called as the last thing before a write is sent; when it raises, nothing is sent."""


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """How the client behaves: `timeout_seconds` bounds one whole request in real time; `read_retries` come after the
    first try of a read. `io_hook` hears `<METHOD> <path> before` and `... after` around every exchange.
    """

    timeout_seconds: float = 10.0
    read_retries: int = 3
    body_bytes_max: int = 8 * 1024 * 1024
    io_hook: Callable[[str], None] | None = None
    jitter: Callable[[], float] = JITTER


class RenderClient:
    """Sends requests with one key; use it as `async with`. With a `transport` every request goes through that one.

    `base_url` is read as the Render CLI reads RENDER_HOST: a full URL; `/v1` is added where it is missing. Redirects
    are not followed and cookies not kept. A loopback platform is asked directly, whatever proxy the environment names.

    Raises ConfigError (SW109) for a base URL that cannot be used (plain http is for loopback only) or a key with
    characters that no key has, and SignInNeeded (SW301) for an empty key.
    """

    def __init__(  # noqa: PLR0913 - what it is made of; the transport is for tests and rehearsals
        self,
        base_url: str,
        api_key: SecretStr | str,
        *,
        clock: Clock,
        budget: RateBudget,
        options: ClientOptions = ClientOptions(),
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._base_url = read_base_url(base_url)
        self._key = read_key(api_key)
        self._clock = clock
        self._budget = budget
        self._options = options
        is_direct = transport is not None or is_loopback(httpx2.URL(self._base_url).host)
        is_plain = httpx2.URL(self._base_url).scheme == "http"
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if is_plain else httpx2.create_ssl_context()
        self._reads = self._connect(
            transport, httpx2.Limits(max_connections=100, max_keepalive_connections=20), is_direct
        )
        # A kept connection that Render has just closed would leave the outcome of a write in doubt: each opens its own.
        self._writes = self._connect(transport, httpx2.Limits(max_keepalive_connections=0), is_direct)

    def _connect(
        self, transport: httpx2.AsyncBaseTransport | None, limits: httpx2.Limits, is_direct: bool
    ) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            verify=self._tls,
            transport=transport,
            trust_env=not is_direct,
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            headers={
                "Authorization": f"Bearer {self._key.get_secret_value()}",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": "securewatch-render",
            },
            timeout=_phases(self._options.timeout_seconds),
            limits=limits,
        )

    def __repr__(self) -> str:
        return f"RenderClient({self._base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._reads.aclose()
        await self._writes.aclose()

    async def get(self, path: str, params: Params | None = None, *, priority: Priority) -> object:
        """The JSON body of one read. `path` begins after `/v1`.

        Tries again within `read_retries` while that may help, backing off in between; then raises the last error.
        """
        asked = Asked("GET", path, (self._key.get_secret_value(),))
        for attempt in range(self._options.read_retries + 1):
            await self._budget.acquire(*groups_of("GET", path), priority=priority)
            try:
                return (await self._exchange(asked, self._request(asked, params=params))).body
            except Retryable:
                if attempt == self._options.read_retries:
                    raise
            await self._back_off(attempt)
        raise AssertionError("the last attempt returns or raises")

    async def get_all(
        self,
        path: str,
        wrapper: str,
        params: Params | None = None,
        *,
        priority: Priority,
        max_items: int | None = None,
    ) -> list[object]:
        """Every item of a list, page after page, taken out of its `wrapper` (as `deploy`); at most `max_items`.

        Raises NotTheAPI where the list has no end, or no way to its end: a part of a list is never taken for the whole.
        """
        items: list[object] = []
        cursor, seen = "", set[str]()
        while len(seen) < PAGES_MAX:
            query = {**(params or {}), "limit": PAGE_ITEMS} | ({"cursor": cursor} if cursor else {})
            page, cursor = _read_page(path, wrapper, await self.get(path, query, priority=priority))
            items += page
            if len(page) < PAGE_ITEMS_DEFAULT or (max_items is not None and len(items) >= max_items):
                return items[:max_items]
            if not cursor or cursor in seen:
                raise NotTheAPI(f"the list GET {path} cannot be read to its end", why="its cursor does not move on")
            seen.add(cursor)
        raise NotTheAPI(f"the list GET {path} has no end", why=f"more than {PAGES_MAX} pages")

    async def write(
        self, method: str, path: str, *, body: Mapping[str, object] | None = None, priority: Priority, guard: Guard
    ) -> Answer:
        """Send one change, at most once; `guard` is the last thing called before it.

        Does not wait for the rate budget, since a write may not grow old between its intent and its sending. Raises
        RateLimited, RenderUnreachable, KeyRefused, RequestRejected or ServiceMissing where Render certainly changed
        nothing, and OutcomeUnknown for everything else that is no clear success.
        """
        asked = Asked(method, path, (self._key.get_secret_value(), *texts_in(body)))
        await self._budget.acquire(*groups_of(method, path), priority=priority, patience=_NO_PATIENCE)
        return await self._exchange(asked, self._request(asked, body=body), guard)

    def _request(
        self, asked: Asked, *, params: Params | None = None, body: Mapping[str, object] | None = None
    ) -> httpx2.Request:
        query = {
            key: list(value) if not isinstance(value, str | int) else value for key, value in (params or {}).items()
        }
        return self._http(asked).build_request(
            asked.method, self._base_url + asked.path, params=query or None, json=body
        )

    def _http(self, asked: Asked) -> httpx2.AsyncClient:
        return self._reads if asked.is_read else self._writes

    async def _exchange(self, asked: Asked, request: httpx2.Request, guard: Guard | None = None) -> Answer:
        self._hook(f"{asked} before")
        if guard is not None:
            guard()
        try:
            async with asyncio.timeout(self._options.timeout_seconds):
                raw = await self._send(asked, request)
        except (httpx2.HTTPError, httpx2.StreamError, TimeoutError, OSError, BodyTooLong) as error:
            raise translated(asked, error) from error
        self._hook(f"{asked} after")
        self._learn(groups_of(asked.method, asked.path), raw)
        if raw.status == 429:
            raise self._limited(asked, raw)
        return read_answer(asked, raw)

    async def _send(self, asked: Asked, request: httpx2.Request) -> RawAnswer:
        response = await self._http(asked).send(request, stream=True)
        body = bytearray()
        async with aclosing(response):
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > self._options.body_bytes_max:
                    raise BodyTooLong
        return RawAnswer(
            response.status_code, {key.lower(): value for key, value in response.headers.items()}, bytes(body)
        )

    def _learn(self, groups: tuple[Group, ...], raw: RawAnswer) -> None:
        limit, remaining, reset = (raw.number(f"ratelimit-{what}") for what in ("limit", "remaining", "reset"))
        if limit is not None and remaining is not None and reset is not None:
            self._budget.learn(_spoken_of(groups, limit), limit=limit, remaining=remaining, reset=reset)

    def _limited(self, asked: Asked, raw: RawAnswer) -> RateLimited:
        groups = groups_of(asked.method, asked.path)
        limit = raw.number("ratelimit-limit")
        banned = groups if limit is None else (_spoken_of(groups, limit),)
        retry_after, reset = raw.number("retry-after"), raw.number("ratelimit-reset")
        retry_at = max(self._budget.refused(group, retry_after=retry_after, reset=reset) for group in banned)
        return RateLimited(
            f"Render answered 429 to {asked}", retry_at=retry_at, why=said_by(asked, raw), request_id=raw.request_id
        )

    async def _back_off(self, attempt: int) -> None:
        seconds = min(0.5 * 2.0**attempt, BACK_OFF_SECONDS_MAX) * (0.5 + self._options.jitter() / 2)
        await self._clock.sleep_until(add_seconds(self._clock.now(), seconds), wake=asyncio.Event())

    def _hook(self, line: str) -> None:
        if self._options.io_hook is not None:
            self._options.io_hook(line)


def _phases(timeout_seconds: float) -> httpx2.Timeout:
    """Connecting (twice: TCP and TLS) ends before the whole request must, so that it is never taken for a doubt."""
    return httpx2.Timeout(timeout_seconds, connect=timeout_seconds * 0.3, pool=timeout_seconds * 0.2)


def _spoken_of(groups: tuple[Group, ...], limit: int) -> Group:
    """Which of a request's groups the headers speak of: the one whose limit is nearest."""
    return min(groups, key=lambda group: abs(group.limit - limit))


def _read_page(path: str, wrapper: str, body: object) -> tuple[list[object], str]:
    """The items of one page, and the cursor of the last one."""
    if not isinstance(body, list):
        raise NotTheAPI(f"the answer to GET {path} is not a list of Render's API")
    items: list[object] = []
    cursor: object = ""
    for element in body:
        if not isinstance(element, dict) or wrapper not in element:
            raise NotTheAPI(f"the answer to GET {path} is not a list of Render's API", why=f"no `{wrapper}` in an item")
        items.append(element[wrapper])
        cursor = element.get("cursor")
    return items, cursor if isinstance(cursor, str) else ""
