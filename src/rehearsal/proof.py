"""What the platform says about the story, held against what was promised: who runs what, since when, and who never did.

Reads the platform's own record of its deploys and the customers' windows, never the product's rows. Pure.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

DAYS: Mapping[str, tuple[int, int]] = {"demo": (0, 0), "startup": (1, 7), "standard": (8, 21), "enterprise": (22, 51)}
"""The first and the last day of each phase, as the release calendar promises them."""


@dataclass(frozen=True)
class Deploy:
    """One deploy that the platform made on a customer's service."""

    customer: str
    kind: str
    trigger: str
    commit: str
    created_at: datetime


@dataclass(frozen=True)
class Window:
    """A weekly maintenance window by the customer's own clock; `day` is 0 for Monday. It may pass midnight."""

    day: int
    start: time
    end: time
    zone: ZoneInfo

    def holds(self, at: datetime) -> bool:
        """Whether the instant is inside."""
        there = at.astimezone(self.zone)
        days = [there.date() - timedelta(days=ago) for ago in (0, 1)]
        spans = ((self._on(day, self.start), self._on(day, self.end)) for day in days if day.weekday() == self.day)
        return any(first <= at < (last if last > first else last + timedelta(days=1)) for first, last in spans)

    def _on(self, day: Any, clock: time) -> datetime:
        return datetime.combine(day, clock, self.zone)


@dataclass(frozen=True)
class Write:
    """One request that changed something of a service, and what it was for."""

    what: str
    at: datetime

    PAGE: ClassVar[str] = "page"
    RESTORE: ClassVar[tuple[str, ...]] = (PAGE, "DATABASE_URL", "deploy", PAGE)
    """What is written to a backend while its customer goes back with its database, in this order."""

    @property
    def is_page(self) -> bool:
        """Whether it switched the maintenance page."""
        return self.what == self.PAGE


def window_of(customer: Mapping[str, Any]) -> Window:
    """The maintenance window of an entry in customers.json, such as Saturday 22:00-04:00 in Europe/London."""
    said = customer["maintenance_window"]
    start, end = (time.fromisoformat(one) for one in said["time"].split("-"))
    names = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    return Window(names.index(said["day"]), start, end, ZoneInfo(said["timezone"]))


def deploys_of(state: Mapping[str, Any]) -> tuple[Deploy, ...]:
    """Every deploy of every customer in the platform's state, but those that were there from the start."""
    return tuple(
        Deploy(one["customer"], one["kind"], made["trigger"], made["commit"], _instant(made["created_at"]))
        for one in _services(state)
        for made in one["deploys"]
        if made["trigger"] in ("api", "rollback")
    )


def writes_to(journal: Collection[Mapping[str, Any]], service_id: str) -> tuple[Write, ...]:
    """Every write to a service that the platform took, in order: `page`, the key of an env var, or `deploy`."""
    place, found = f"/services/{service_id}", []
    for line in journal:
        _, here, rest = line["path"].partition(place)
        if here and line["method"] != "GET" and line["status"] in range(200, 300):
            what = {"": Write.PAGE, "/deploys": "deploy"}.get(rest, rest.rpartition("/")[2])
            found.append(Write(what, _instant(line["at"])))
    return tuple(found)


def course_of(writes: Collection[Write]) -> tuple[str, ...]:
    """What was written in which order, without the env vars that any deploy writes."""
    return tuple(one.what for one in writes if one.what in Write.RESTORE)


def running_on(state: Mapping[str, Any], commit: str) -> frozenset[str]:
    """The customers of whom every service runs the commit."""
    found: dict[str, bool] = {}
    for one in _services(state):
        found[one["customer"]] = found.get(one["customer"], True) and one["live_commit"] == commit
    return frozenset(slug for slug, is_there in found.items() if is_there)


def off_calendar(
    deploys: Collection[Deploy], policies: Mapping[str, str], windows: Mapping[str, Window], day_zero: datetime
) -> tuple[str, ...]:
    """Each deploy that began outside its phase's days or its customer's window, in words.

    `windows` has the customers whose window binds.
    """
    return tuple(_off_calendar(deploys, policies, windows, day_zero))


def _off_calendar(
    deploys: Collection[Deploy], policies: Mapping[str, str], windows: Mapping[str, Window], day_zero: datetime
) -> Iterator[str]:
    for one in deploys:
        first, last = DAYS[policies[one.customer]]
        day = (one.created_at - day_zero) // timedelta(days=1)
        if not first <= day <= last:
            yield f"{one.customer}: its {one.kind} began on day {day}, not on days {first} to {last}"
        if one.customer in windows and not windows[one.customer].holds(one.created_at):
            yield f"{one.customer}: its {one.kind} began outside its window, at {one.created_at:%Y-%m-%d %H:%M} UTC"


def more_than_once(deploys: Collection[Deploy]) -> tuple[str, ...]:
    """The services, as `customer kind`, that got one commit more than once by a deploy of their own."""
    seen = [(one.customer, one.kind, one.commit) for one in deploys if one.trigger == "api"]
    return tuple(sorted({f"{slug} {kind}" for slug, kind, commit in seen if seen.count((slug, kind, commit)) > 1}))


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _services(state: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in state["services"].values() if one["customer"]]
