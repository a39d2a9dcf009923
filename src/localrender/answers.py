"""What every route shares: Render's JSON and error form, paging, filters, and reading of bodies and stamps."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from fastapi import Request, Response

from localrender.ids import cursor_of

LIMIT_DEFAULT = 20
LIMIT_MAX = 100

T = TypeVar("T")


class APIError(Exception):
    """An answer other than success; becomes `{"message": ...}` (recorded form of a 404)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def answer(value: object, status: int = 200) -> Response:
    """JSON as Render sends it: no spaces, a newline at the end, charset named (recorded)."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n"
    return Response(text, status, media_type="application/json; charset=utf-8")


def error_answer(status: int, message: str) -> Response:
    """An error body."""
    return answer({"message": message}, status)


def no_content(status: int) -> Response:
    """An answer without body or type: 202 or 204 (recorded)."""
    return Response(status_code=status)


async def body_of(request: Request) -> object:
    """The JSON body. Raises APIError 400 where it is none."""
    try:
        body = json.loads(await request.body())
        json.dumps(body, ensure_ascii=False).encode()  # half a surrogate pair is no text that could be answered
    except (ValueError, RecursionError) as error:
        raise APIError(400, "invalid JSON") from error
    return body


async def object_of(request: Request, required: Sequence[str] = ()) -> dict[str, object]:
    """The JSON body, which must be an object with the `required` keys. Raises APIError 400."""
    body = await body_of(request)
    if not isinstance(body, dict):
        raise APIError(400, "the request body must be a JSON object")
    for key in required:
        if key not in body:
            raise APIError(400, f"{key} is required")
    return body


def listed(request: Request, name: str) -> set[str] | None:
    """An array filter, sent as `name=a,b` or `name=a&name=b`; None where absent (reference, section 1)."""
    values = request.query_params.getlist(name)
    if not values:
        return None
    return {part for value in values for part in value.split(",")}


def within(request: Request, name: str) -> Callable[[datetime | None], bool]:
    """The filter of `<name>Before` and `<name>After`; a missing time passes only where neither is asked for.

    Raises:
        APIError: 400, where one of them is no RFC 3339 time.
    """
    before = instant(request, f"{name}Before")
    after = instant(request, f"{name}After")

    def passes(at: datetime | None) -> bool:
        if at is None:
            return before is None and after is None
        return (before is None or at < before) and (after is None or at > after)

    return passes


def instant(request: Request, name: str) -> datetime | None:
    """A time in the query; None where absent. Raises APIError 400."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise APIError(400, f"invalid {name}: {text}") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def page(
    request: Request, wrapper: str, rows: Sequence[T], *, row: Callable[[T], str], show: Callable[[T], object]
) -> Response:
    """One page of a list: a bare array of `{cursor, <wrapper>}`; `[]` past the end.

    Args:
        request: `limit` 1..100 (default 20) and `cursor` are read from its query.
        wrapper: the resource's key.
        rows: all rows in order.
        row: what the cursor stands for; a rewritten row has another.
        show: the JSON of one row.

    Raises:
        APIError: 400, for a bad limit or an unknown cursor.
    """
    limit = _limit(request)
    cursors = [cursor_of(row(one)) for one in rows]
    start = 0
    cursor = request.query_params.get("cursor")
    if cursor:
        if cursor not in cursors:
            raise APIError(400, "invalid cursor")
        start = cursors.index(cursor) + 1
    chosen = range(start, min(start + limit, len(rows)))
    return answer([{wrapper: show(rows[index]), "cursor": cursors[index]} for index in chosen])


def stamp(at: datetime) -> str:
    """A time as Render writes it: UTC, trailing zeros of the fraction cut, at times with nanoseconds (recorded)."""
    at = at.astimezone(UTC)
    fraction = f"{at.microsecond:06d}"
    if at.microsecond % 3 == 0:
        fraction += f"{at.microsecond * 7919 % 1000:03d}"
    fraction = fraction.rstrip("0")
    return at.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}" if fraction else "") + "Z"


def _limit(request: Request) -> int:
    text = request.query_params.get("limit")
    if text is None:
        return LIMIT_DEFAULT
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= LIMIT_MAX:
        raise APIError(400, f"invalid limit: must be between 1 and {LIMIT_MAX}")
    return int(text)
