"""Between values and what a column holds: instants, JSON documents, safe text. No SQL here."""

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar, cast

from cattrs import Converter

from securewatch.core.errors import InternalError, NeedsHuman

T = TypeVar("T")


def to_text(at: datetime) -> str:
    """An aware instant as text that sorts: ISO 8601 in UTC with microseconds. Raises InternalError for a naive one."""
    if at.tzinfo is None:
        raise InternalError(
            "SW901", "an instant without a time zone was to be stored", fix="take it from the clock port"
        )
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def from_text(text: str) -> datetime:
    """The instant that `to_text` wrote."""
    return datetime.fromisoformat(text)


def to_text_or_none(at: datetime | None) -> str | None:
    """Like `to_text`, with None kept."""
    return None if at is None else to_text(at)


def from_text_or_none(text: str | None) -> datetime | None:
    """Like `from_text`, with None kept."""
    return None if text is None else datetime.fromisoformat(text)


def safe_text(text: str) -> str:
    """Text that every database stores: lone surrogates and NUL are written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")


def dump(value: object) -> str:
    """A frozen dataclass as a JSON document with every field: a default may change later, a stored rule may not."""
    return _encode(_CONVERTER.unstructure(value))


def load(kind: type[T], document: str, what: str) -> T:
    """The dataclass that `dump` wrote; keys that it does not know are left out.

    Raises NeedsHuman (SW703) for a state or shape that this version does not know: it never guesses.
    """
    try:
        return _CONVERTER.structure(json.loads(document), kind)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise unreadable(what, f"{type(error).__name__}: {error}") from error


def unreadable(what: str, why: str) -> NeedsHuman:
    """The error for a stored thing that this version cannot read; whatever depends on it is held."""
    return NeedsHuman(
        "SW703",
        f"{what} cannot be read by this version",
        why=why,
        fix="run the version that wrote it or a newer one; nothing was changed",
    )


def dump_mapping(values: Mapping[str, Any]) -> str:
    """A mapping of plain values as a JSON object. Raises InternalError for a value that JSON cannot hold."""
    return _encode(values if type(values) is dict else dict(values))


def dump_canonical(values: object) -> str:
    """The one way in which equal values are written, so that a MAC over it is stable; refuses NaN and infinities."""
    try:
        return json.dumps(values, default=_plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise _not_plain(error) from error


def load_mapping(document: str) -> dict[str, Any]:
    """The mapping that `dump_mapping` or `dump_canonical` wrote; tuples come back as lists."""
    if document == "{}":
        return {}
    loaded: dict[str, Any] = json.loads(document)
    return loaded


def _encode(plain: object) -> str:
    try:
        return json.dumps(plain, default=_plain, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise _not_plain(error) from error


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return to_text(value)
    if isinstance(value, Mapping):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is not a plain value")


def _not_plain(error: Exception) -> InternalError:
    return InternalError("SW901", "a value that JSON cannot hold was to be stored", why=type(error).__name__)


_ACCEPTED: dict[type, tuple[type, ...]] = {str: (str,), bool: (bool,), int: (int,), float: (float, int)}


def _exactly(value: object, kind: type[T]) -> T:
    """The value as it is: text is never made of a number, nor a yes of a word."""
    if type(value) not in _ACCEPTED[kind]:
        raise TypeError(f"{type(value).__name__} where {kind.__name__} belongs")
    return cast("T", value)


def _make_converter() -> Converter:
    converter = Converter(detailed_validation=False)
    converter.register_unstructure_hook(datetime, to_text)
    converter.register_structure_hook(datetime, lambda text, _: from_text(text))
    converter.register_structure_hook(StrEnum, lambda word, kind: kind(word))
    for kind in _ACCEPTED:
        converter.register_structure_hook(kind, _exactly)
    return converter


_CONVERTER = _make_converter()
