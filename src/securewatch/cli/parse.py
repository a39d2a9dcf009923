"""Words of the command line as values. Raises UsageError (SW201) with what is accepted."""

from typing import TYPE_CHECKING

from securewatch.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from securewatch.deploy.model import ServiceKind
    from securewatch.operations.follow import FollowOptions
    from securewatch.store.head import Head


def parse_kinds(text: str) -> "tuple[ServiceKind, ...]":
    """The services that `--service-type` means."""
    from securewatch.deploy.model import ServiceKind

    kinds = {"backend": (ServiceKind.BACKEND,), "frontend": (ServiceKind.FRONTEND,), "both": tuple(ServiceKind)}
    if text not in kinds:
        raise _refused("--service-type", text, "backend, frontend or both")
    return kinds[text]


def parse_one_of(word: str | None, flag: str | None, example: str, *, what: str = "version") -> str:
    """The one of a word and a flag of the same meaning that was given."""
    given = [one for one in (word, flag) if one is not None]
    if len(given) != 1:
        why = "it was given twice" if given else "it is missing"
        raise UsageError("SW201", f"which {what}?", why=why, fix=f"give it once, like {example}")
    return given[0]


def parse_timeout(text: str | None, flag: str = "--timeout") -> float | None:
    """The seconds of a `--timeout` (or another flag) like `15m`."""
    from securewatch.config.quantity import parse_short_duration

    if text is None:
        return None
    try:
        seconds = parse_short_duration(text).total_seconds()
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise _refused(flag, text, "a duration above zero like 90s, 15m or 1h")
    return seconds


def parse_instant(flag: str, text: str, zone: str, *, is_end: bool = False) -> "datetime":
    """The instant of a date or time like 2026-12-20 or 2026-12-20T18:00; without an offset, on the wall of the zone.

    A date is the midnight with which it begins. A time that comes twice is the first one, as an end the second.
    """
    from datetime import UTC, datetime

    from securewatch.rollout.windows import zone_of

    try:
        place = zone_of(zone)
    except ValueError as error:
        raise _refused("--timezone", zone, "a time zone of the IANA database, like Europe/London") from error
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise _refused(
            flag, text, "a date or a time, like 2026-12-20, 2026-12-20T18:00 or 2026-12-20T18:00Z"
        ) from error
    if at.tzinfo is not None:
        return at.astimezone(UTC)
    found = at.replace(tzinfo=place, fold=int(is_end)).astimezone(UTC)
    if found.astimezone(place).replace(tzinfo=None, fold=0) != at:
        raise _refused(flag, text, f"a time that exists: the clock of {zone} skips this one")
    return found


def parse_until(text: str, *, waits: bool) -> "FollowOptions":
    """How far `--until` follows."""
    from securewatch.operations.follow import FollowOptions

    if text not in ("verified", "watched"):
        raise _refused("--until", text, "verified or watched")
    return FollowOptions(until_watched=text == "watched", waits_at_gates=waits)


def refuse_blank(flag: str, texts: "Collection[str]", accepted: str) -> None:
    """Refuse a flag that was given without a word: it would count as not given."""
    if not all(text.strip() for text in texts):
        raise _refused(flag, "", accepted)


def refuse_contradictions(*, is_dry: bool, is_detailed: bool, is_detached: bool, waits: bool = False) -> None:
    """Refuse flags that say nothing together: each would be taken for something that it is not."""
    if is_detailed and not is_dry:
        why = "it is the exit code of a dry run, and without one this would be done for real"
        raise UsageError("SW201", "--detailed-exitcode goes with --dry-run only", why=why, fix="add --dry-run")
    if waits and is_detached:
        why = "--detach returns at once, and --wait waits"
        raise UsageError("SW201", "--wait and --detach contradict each other", why=why, fix="leave one of them out")


def parse_head(text: str | None) -> "Head | None":
    """A head of the audit log as a summary prints it: `35:7e37…`."""
    from securewatch.store.head import Head

    if text is None:
        return None
    count, _, mac = text.partition(":")
    if not count.isdecimal() or not mac:
        raise _refused("--head", text, "the count, a colon and the head, like 35:7e3799530d1f1058…")
    return Head(int(count), mac)


def _refused(flag: str, text: str, accepted: str) -> UsageError:
    return UsageError(
        "SW201", f"{flag} cannot be {text!r}", why="it is none of the accepted values", fix=f"give {accepted}"
    )
