"""Times, durations and glyphs as people read them. Pure text; knows no terminal."""

import re
from collections.abc import Iterator
from datetime import datetime, tzinfo

GLYPHS = {
    "queued": "·",
    "building": "▶",
    "live": "✔",
    "failed": "✖",
    "rolled_back": "↩",
    "waiting": "⏸",
    "held": "■",
    "unknown": "?",
}
"""One glyph for each of the eight status words (design: interface)."""

COLOURS = {
    "queued": "dim",
    "building": "cyan",
    "live": "green",
    "failed": "red",
    "rolled_back": "yellow",
    "waiting": "yellow",
    "held": "red",
    "unknown": "magenta",
}


def show_status(word: str) -> str:
    """A status with its glyph: `✔ live`."""
    return f"{GLYPHS.get(word, ' ')} {word.replace('_', ' ')}".strip()


def show_duration(seconds: float | None) -> str:
    """A duration in at most two units: `42 s`, `3 min 5 s`, `3 h 10 min`, `2 d 4 h`; nothing for None."""
    if seconds is None:
        return ""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def show_until(until: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """An instant in your time, in the customer's where it differs, and how long that is from now."""
    texts = [f"{until.astimezone():%a %Y-%m-%d %H:%M %Z}"]
    if zone is not None and until.astimezone(zone).utcoffset() != until.astimezone().utcoffset():
        texts.append(f"{until.astimezone(zone):%a %H:%M} for the customer ({until.astimezone(zone):%Z})")
    wait = (until - now).total_seconds()
    texts.append(f"in {show_duration(wait)}" if wait > 0 else "due")
    return ", ".join(texts)


def show_instant(at: datetime | None) -> str:
    """An instant in your own time zone, to the second; nothing for None."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}" if at is not None else ""


def show_ms(milliseconds: float | None) -> str:
    """A response time in whole milliseconds, a dash where there is none."""
    return f"{milliseconds:.0f} ms" if milliseconds is not None else "-"


_PRECISE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?\+00:00")
"""An instant as records hold it; what is below a second is for machines."""


def show_facts(detail: object) -> str:
    """The facts of a record in one line: `stage=verifying backend.status=live`. Facts that say nothing are left out."""
    changes = detail.get("changes") if isinstance(detail, dict) else None
    words = [f"{name}={text}" for name, text in _facts("", detail if changes is None else changes) if name != "since"]
    return " ".join(words)


def _facts(name: str, value: object) -> Iterator[tuple[str, str]]:
    """Each plain value with its dotted name; a list of names and values counts as a mapping."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _facts(f"{name}.{key}" if name else str(key), one)
    elif isinstance(value, list) and any(isinstance(one, list | dict) for one in value):
        for number, one in enumerate(value):
            is_named = isinstance(one, list) and len(one) == 2 and isinstance(one[0], str)
            yield from _facts(f"{name}.{one[0] if is_named else number}", one[1] if is_named else one)
    elif value not in ("", None, []):
        yield name, _fact(value)


def _fact(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    if isinstance(value, list):
        return ",".join(_fact(one) for one in value)
    return " ".join(_PRECISE.sub(r"\1Z", str(value)).split())


def show_bytes(count: int) -> str:
    """A number of bytes in the largest decimal unit of which there is one at least: `42 B`, `1.3 MB`."""
    amount, units = float(count), ["B", "kB", "MB", "GB"]
    while amount >= 1000 and len(units) > 1:
        amount, units = amount / 1000, units[1:]
    return f"{count} B" if units[0] == "B" else f"{amount:.1f} {units[0]}"
