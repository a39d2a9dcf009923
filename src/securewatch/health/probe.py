"""Asks a customer's sites over HTTP how they are, what they run and whether they reach their database. Judges nothing.

Nothing that a site does is an error here: every answer, and every lack of one, is a value. Reasons name a status code
or a kind of failure and never quote a body, which may hold the data of the customer's users.
"""

import asyncio
import json
import re
import ssl
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Any, Self

import httpx2

from securewatch.core.address import is_loopback
from securewatch.core.clock import Clock
from securewatch.health.page import find_version, mentions
from securewatch.health.verdict import Sample

BODY_BYTES_MAX = 1024 * 1024
"""How much of an answer is read; a longer one keeps its status, and the rest is not looked at."""
CONCURRENT_PROBES_MAX = 64
"""How many requests run at once; waiting for a turn is part of neither the response time nor the time-out."""
COMMIT_PREFIX_MIN = 7
"""The fewest characters of a commit that stand for the whole one."""
FRONTEND_VERSION_PATH = "/version.json"

_BAD_STATUS_WORDS = frozenset({"unhealthy", "error", "down"})
_BAD_DATABASE_WORDS = _BAD_STATUS_WORDS | {"disconnected", "failed", "unavailable", "unreachable"}
_NO_SUCH_PAGE = frozenset({404, 405, 410, 501})
_NO_ANSWER = (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, ValueError, ExceptionGroup)
"""What a request ends with where there is no answer; a port that cannot be comes as a group."""
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_REPORTED_MAX = 100


@dataclass(frozen=True)
class ProbeTarget:
    """Where one service (`backend` or `frontend`) is asked.

    `url` is Render's `serviceDetails.url`; paths are appended to it, never resolved. Raises ValueError for any other
    kind.
    """

    service_kind: str
    url: str
    health_path: str = "/api/health"
    version_path: str = "/api/version"
    database_path: str = "/api/health/database"

    def __post_init__(self) -> None:
        if self.service_kind not in ("backend", "frontend"):
            raise ValueError(f"no such kind of service: {self.service_kind!r}")

    @property
    def is_backend(self) -> bool:
        """Whether it answers the endpoints; a frontend only has pages."""
        return self.service_kind == "backend"


class VersionState(StrEnum):
    """What a service says of its version, held against the expected one."""

    MATCH = "match"
    MISMATCH = "mismatch"
    NOT_REPORTED = "not_reported"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class VersionAnswer:
    """The answer about a version; what was reported is None where the service did not say."""

    state: VersionState
    reported_version: str | None = None
    reported_commit: str | None = None
    detail: str = ""


class DatabaseState(StrEnum):
    """What a backend says of its database."""

    OK = "ok"
    FAILED = "failed"
    NOT_REPORTED = "not_reported"


@dataclass(frozen=True)
class DatabaseAnswer:
    """The answer about the database."""

    state: DatabaseState
    detail: str = ""


@dataclass(frozen=True)
class _Page:
    """One answer, or the lack of one (`status` None and a reason). `body` is cut at `BODY_BYTES_MAX`."""

    status: int | None
    body: bytes
    response_ms: float | None
    reason: str = ""

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300 and not self.reason

    @property
    def failure(self) -> str:
        """Why it is no success, in a few words."""
        is_redirect = self.status is not None and 300 <= self.status < 400
        return self.reason or f"status {self.status}{', and redirects are not followed' if is_redirect else ''}"

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace")

    def document(self) -> dict[str, Any] | None:
        """The body as a JSON object; None when it is none."""
        try:
            parsed = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return parsed if isinstance(parsed, dict) else None


class Prober:
    """Sends the requests; use it as `async with`. With a `transport` every request goes through that one.

    Every request opens its own connection, so that one which the site closed in the meantime is never taken for a
    failure, and is bound as a whole by `timeout_seconds` of real time. Redirects are not followed, cookies are not
    kept. Loopback sites are asked directly, whatever proxy the environment names.
    """

    def __init__(
        self, transport: httpx2.AsyncBaseTransport | None = None, *, clock: Clock, timeout_seconds: float = 10.0
    ) -> None:
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._turns = asyncio.Semaphore(CONCURRENT_PROBES_MAX)
        self._transport = transport
        self._clients: dict[tuple[bool, str], httpx2.AsyncClient] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients.values():
            await client.aclose()

    async def sample(self, target: ProbeTarget) -> Sample:
        """One round of health requests: 2xx, and of a backend no bad JSON `status`. Times are real milliseconds."""
        at = self._clock.now()
        page = await self._fetch(target, target.health_path if target.is_backend else "/")
        reason = "" if page.is_success else page.failure
        if not reason and target.is_backend and _is_word_of(_BAD_STATUS_WORDS, (page.document() or {}).get("status")):
            reason = f"status {page.status}, but the answer's status says that it is unhealthy"
        return Sample(at, not reason, page.response_ms, reason)

    async def version(
        self, target: ProbeTarget, *, expected_version: str, expected_commit: str | None = None
    ) -> VersionAnswer:
        """Which version the service reports, against the expected tag (a leading v is optional) and commit.

        A backend answers at its version path; a frontend by its page's `<meta name="version">`, else `/version.json`,
        else the tag as a word in the page.
        """
        if target.is_backend:
            page = await self._fetch(target, target.version_path)
            if not page.is_success:
                return _no_version(page)
            return _compared(page.document(), expected_version, expected_commit)
        page = await self._fetch(target, "/")
        if not page.is_success:
            return VersionAnswer(VersionState.UNREACHABLE, detail=page.failure)
        stated = find_version(page.text)
        if stated is not None:
            return _compared({"version": stated}, expected_version, None)
        return await self._frontend_without_meta(target, page, expected_version, expected_commit)

    async def database(self, target: ProbeTarget) -> DatabaseAnswer:
        """What the backend says of its database: at its database path, else as `database` in the health answer.

        A page of no JSON at the database path (what a site answers to every path) is no answer about a database. A
        frontend has none to speak of: not reported.
        """
        if not target.is_backend:
            return DatabaseAnswer(DatabaseState.NOT_REPORTED)
        page = await self._fetch(target, target.database_path)
        is_other_page = page.is_success and bool(page.body) and page.document() is None
        if page.status not in _NO_SUCH_PAGE and not is_other_page:
            return _database_of(page)
        health = await self._fetch(target, target.health_path)
        if health.status is None:
            return DatabaseAnswer(DatabaseState.FAILED, health.failure)
        document = health.document() or {}
        if document.get("database") is None:
            return DatabaseAnswer(DatabaseState.NOT_REPORTED, "the health answer does not say")
        if _is_bad_database(document["database"]):
            return DatabaseAnswer(DatabaseState.FAILED, "the health answer says that the database is not well")
        return DatabaseAnswer(DatabaseState.OK)

    async def _frontend_without_meta(
        self, target: ProbeTarget, page: _Page, expected_version: str, expected_commit: str | None
    ) -> VersionAnswer:
        file = await self._fetch(target, FRONTEND_VERSION_PATH)
        if file.is_success:
            answer = _compared(file.document(), expected_version, expected_commit)
            if answer.state is not VersionState.NOT_REPORTED:
                return answer
        if mentions(page.text, expected_version):
            return VersionAnswer(VersionState.MATCH, expected_version, detail="the tag stands in the page")
        is_broken = file.status is None or file.status >= 500
        if is_broken and file.status not in _NO_SUCH_PAGE:
            return VersionAnswer(VersionState.UNREACHABLE, detail=file.failure)
        return VersionAnswer(VersionState.NOT_REPORTED, detail="the page does not say its version")

    async def _fetch(self, target: ProbeTarget, path: str) -> _Page:
        """GET of the URL with the path appended; whatever goes wrong becomes the reason of the page."""
        url = f"{target.url.rstrip('/')}/{path.lstrip('/')}"
        async with self._turns:
            begun = self._clock.monotonic()
            try:
                parsed = _parsed(url)
                async with asyncio.timeout(self._timeout_seconds):
                    status, body = await _get(self._client_for(parsed), parsed)
            except TimeoutError:
                return _Page(None, b"", self._elapsed_ms(begun), f"no answer within {self._timeout_seconds:g} s")
            except _NO_ANSWER as error:
                return _Page(None, b"", None, f"no answer ({type(error).__name__})")
            return _Page(status, body, self._elapsed_ms(begun))

    def _client_for(self, url: httpx2.URL) -> httpx2.AsyncClient:
        """One client for each way out; reading certificates costs 30 ms, so nobody does it for plain HTTP."""
        way = (self._transport is None and not is_loopback(url.host), url.scheme)
        if way not in self._clients:
            self._clients[way] = _client(self._transport, trust_env=way[0], needs_tls=way != (False, "http"))
        return self._clients[way]

    def _elapsed_ms(self, begun: float) -> float:
        return (self._clock.monotonic() - begun) * 1000.0


def _client(transport: httpx2.AsyncBaseTransport | None, *, trust_env: bool, needs_tls: bool) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        verify=True if needs_tls else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        transport=transport,
        trust_env=trust_env,
        timeout=None,
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        limits=httpx2.Limits(max_keepalive_connections=0),
        headers={"User-Agent": "securewatch-probe", "Cache-Control": "no-cache"},
    )


@lru_cache(maxsize=4096)
def _parsed(url: str) -> httpx2.URL:
    """The URL in its parts: each is asked again and again, and parsing it costs as much as sending it."""
    return httpx2.URL(url)


async def _get(client: httpx2.AsyncClient, url: httpx2.URL) -> tuple[int, bytes]:
    async with client.stream("GET", url) as response:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) >= BODY_BYTES_MAX:
                break
        return response.status_code, bytes(body[:BODY_BYTES_MAX])


def _is_word_of(words: frozenset[str], status: Any) -> bool:
    return isinstance(status, str) and status.strip().lower() in words


def _is_bad_database(said: Any) -> bool:
    """Whether what stands under `database` is bad: one of the words, false, or an object whose status is either."""
    found = said.get("status") if isinstance(said, dict) else said
    return found is False or _is_word_of(_BAD_DATABASE_WORDS, found)


def _no_version(page: _Page) -> VersionAnswer:
    if page.status in _NO_SUCH_PAGE:
        return VersionAnswer(VersionState.NOT_REPORTED, detail=f"there is no such page ({page.failure})")
    return VersionAnswer(VersionState.UNREACHABLE, detail=page.failure)


def _compared(document: dict[str, Any] | None, expected_version: str, expected_commit: str | None) -> VersionAnswer:
    """The `version` and `commit` of an answer against the expected ones."""
    version, commit = _reported(document, "version"), _reported(document, "commit")
    if version is None:
        return VersionAnswer(VersionState.NOT_REPORTED, None, commit, "the answer does not say a version")
    if _bare(version) != _bare(expected_version):
        return VersionAnswer(VersionState.MISMATCH, version, commit, f"it runs another version than {expected_version}")
    if expected_commit and commit and not _same_commit(commit, expected_commit):
        return VersionAnswer(VersionState.MISMATCH, version, commit, "it runs another commit of this version")
    return VersionAnswer(VersionState.MATCH, version, commit)


def _reported(document: dict[str, Any] | None, key: str) -> str | None:
    """A short text under the key; None when there is none. Cut to what can be shown, since a site may say anything."""
    value = (document or {}).get(key)
    if not isinstance(value, str):
        return None
    return "".join(character for character in value if character.isprintable()).strip()[:_REPORTED_MAX] or None


def _bare(version: str) -> str:
    stripped = version.strip()
    return stripped[1:] if stripped[:1] in ("v", "V") and stripped[1:2].isdigit() else stripped


def _same_commit(reported: str, expected: str) -> bool:
    """Whether both name one commit: equal, or one is the beginning of the other with seven characters or more."""
    one, other = reported.lower(), expected.lower()
    if not _COMMIT.fullmatch(one) or min(len(one), len(other)) < COMMIT_PREFIX_MIN:
        return one == other
    return one.startswith(other) or other.startswith(one)


def _database_of(page: _Page) -> DatabaseAnswer:
    if not page.is_success:
        return DatabaseAnswer(DatabaseState.FAILED, page.failure)
    document = page.document() or {}
    if _is_bad_database(document.get("status")) or _is_bad_database(document.get("database")):
        return DatabaseAnswer(DatabaseState.FAILED, "the answer says that the database is not well")
    return DatabaseAnswer(DatabaseState.OK)
