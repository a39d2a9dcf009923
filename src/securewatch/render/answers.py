"""Turns one raw answer, or the lack of one, into a value or a typed error. Sends nothing and waits for nothing.

The split that matters is between reads, where "try again" is safe, and writes, where everything but a clear yes or a
clear no means that the outcome is unknown (safety, S1). Status codes: reference, render-api, sections 1, 2.3 and 3.1.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import httpx2

from securewatch.core.errors import GatewayError, SecurewatchError
from securewatch.render.errors import (
    KeyRefused,
    NotTheAPI,
    OutcomeUnknown,
    RenderFailed,
    RenderUnreachable,
    RequestRejected,
    ServiceMissing,
)

MESSAGE_CHARS_MAX = 200
_NEVER_SENT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
)
"""Failures that come before the first byte of a request."""


class BodyTooLong(Exception):
    """The answer was longer than we are willing to hold."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as errors may speak of it. `sent_values` are taken out of what Render says, and show in no repr."""

    method: str
    path: str
    sent_values: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_read(self) -> bool:
        """Whether sending it again is safe."""
        return self.method == "GET"

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """What came back: `headers` by lower-case name, the whole body."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def request_id(self) -> str | None:
        """Render's name of the exchange, for the audit log and for Render's support."""
        found = self.headers.get("render-request-id", "")
        return found[:100] if found.isascii() and found.isprintable() and found else None

    def number(self, header: str) -> int | None:
        """A header that holds a whole number; None where it is absent or something else (as a date)."""
        text = self.headers.get(header, "").strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else None


@dataclass(frozen=True, slots=True)
class Answer:
    """A success: the status, the parsed JSON body (None when it is empty) and Render's request id."""

    status: int
    body: object = field(repr=False)
    request_id: str | None


def read_answer(asked: Asked, raw: RawAnswer) -> Answer:
    """The answer as a success, or one of the errors of `errors.py`. Not for 429, which needs the budget."""
    request_id = raw.request_id
    if raw.status >= 500 or raw.status == 408:
        if asked.is_read:
            raise RenderFailed(f"Render answered {raw.status} to {asked}", request_id=request_id)
        raise unknown(asked, f"Render answered {raw.status}", request_id)
    try:
        body = json.loads(raw.body) if raw.body.strip() else None
    except (ValueError, RecursionError):
        if asked.is_read:
            raise NotTheAPI(
                f"the answer to {asked} is not Render's API", why=_not_json(raw), request_id=request_id
            ) from None
        raise unknown(asked, _not_json(raw), request_id) from None
    if 200 <= raw.status < 300:
        return Answer(raw.status, body, request_id)
    if raw.status < 400:
        why = f"status {raw.status}, and redirects are not followed"
        raise NotTheAPI(f"the answer to {asked} is not Render's API", why=why) if asked.is_read else unknown(asked, why)
    raise _refusal(asked, raw.status, _said(body, asked.sent_values), request_id)


def translated(asked: Asked, error: Exception) -> GatewayError:
    """What a failure of the transport means. Names only its kind: its text may quote what was sent."""
    kind = "no whole answer in time" if isinstance(error, TimeoutError) else type(error).__name__
    if isinstance(error, _NEVER_SENT):
        return RenderUnreachable(f"Render cannot be reached for {asked}", why=kind)
    if not asked.is_read:
        return unknown(asked, kind)
    if isinstance(error, BodyTooLong | httpx2.DecodingError):
        return NotTheAPI(f"the answer to {asked} is not Render's API", why=kind)
    return RenderUnreachable(f"Render gave no answer to {asked}", why=kind)


def unknown(asked: Asked, why: str, request_id: str | None = None) -> OutcomeUnknown:
    """The error of a write of which nobody can say whether it took effect."""
    return OutcomeUnknown(f"the outcome of {asked} is unknown", why=why, request_id=request_id)


def said_by(asked: Asked, raw: RawAnswer) -> str:
    """Render's own short message in an answer of any kind, cleaned; empty when there is none."""
    try:
        return _said(json.loads(raw.body), asked.sent_values)
    except (ValueError, RecursionError):
        return ""


def texts_in(body: object) -> Iterator[str]:
    """Every text value of a JSON document that we send (not its keys)."""
    if isinstance(body, str):
        yield body
    elif isinstance(body, Mapping):
        for inner in body.values():
            yield from texts_in(inner)
    elif isinstance(body, list | tuple):
        for inner in body:
            yield from texts_in(inner)


def _refusal(asked: Asked, status: int, said: str, request_id: str | None) -> SecurewatchError:
    if status == 401:
        return KeyRefused("Render does not accept the API key", why=said, request_id=request_id)
    if status == 403:
        return KeyRefused(f"Render does not let this API key do {asked}", why=said, request_id=request_id)
    if status in (404, 410):
        return ServiceMissing(f"Render has no such thing: {asked}", why=said, request_id=request_id)
    what = f"Render answered {status} to {asked}" + (f": {said}" if said else "")
    return RequestRejected(what, status=status, request_id=request_id)


def _said(body: object, sent_values: tuple[str, ...]) -> str:
    """Render's short `message` without anything that we sent, in one printable line."""
    text = body.get("message") if isinstance(body, dict) else None
    if not isinstance(text, str):
        return ""
    forms = {form for value in sent_values if value for form in (value, json.dumps(value)[1:-1])}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "…")
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return line[:MESSAGE_CHARS_MAX]


def _not_json(raw: RawAnswer) -> str:
    kind = raw.headers.get("content-type", "").split(";")[0].strip().lower()
    return f"status {raw.status} with {'an HTML page' if kind == 'text/html' else 'a body that is not JSON'}"
