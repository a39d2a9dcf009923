"""One budget for Render's rate limits: fixed windows aligned to the clock, spent by priority, corrected by the headers.

Facts: reference, render-api, section 2 (the table of groups; `Ratelimit-Reset` is a number of seconds; windows are
aligned to the wall clock and refill at once). Keeps no files: `snapshot` and `restore` are for the store.
"""

import asyncio
import math
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum

from securewatch.core.clock import Clock, add_seconds
from securewatch.render.errors import RateLimited

DELTA_MAX = 10**6
"""A `Ratelimit-Reset` below this is a number of seconds, as recorded; from it on an epoch, as documented."""
RESET_SECONDS_MAX = 3700
"""No window is longer than an hour; a header that says otherwise is not believed."""
SKEW_SECONDS = 3.0
"""A reset this near to the turn of the clock is that turn: the header is in whole seconds, and answers take a while."""
TURN_SECONDS = 0.5
"""After a window turns each priority waits this much longer than the one before it, jittered within."""
PATIENCE = timedelta(seconds=90)
JITTER: Callable[[], float] = secrets.SystemRandom().random
"""Gives numbers from 0 to 1; a rehearsal puts its own, seeded, in the place of it."""


class Priority(IntEnum):
    """Who spends first; the last part of each window is kept for those before (design: architecture, rates)."""

    ROLLBACK = 0
    DEPLOY = 1
    POLL = 2
    CLI = 3


_KEPT_SHARE = {Priority.ROLLBACK: 0.0, Priority.DEPLOY: 0.05, Priority.POLL: 0.08, Priority.CLI: 0.1}
"""The share of a window that each priority leaves free; the CLI's tenth is settled (design: behaviour, clock)."""


@dataclass(frozen=True, slots=True)
class Group:
    """Requests that share one limit: so many in each window of `window_seconds` until a header says otherwise."""

    name: str
    limit: int
    window_seconds: int = 60


READ = Group("read", 400)
WRITE = Group("write", 30)
"""Documented 30 a minute, recorded 100: the headers raise it."""


def service_group(service_id: str) -> Group:
    """Deploys and changes of one service: 10 a minute."""
    return Group(f"service/{service_id}", 10)


def groups_of(method: str, path: str) -> tuple[Group, ...]:
    """The groups that a request counts in. Cancel and rollback count in two, since Render does not say in which."""
    if method == "GET":
        return (READ,)
    match path.strip("/").split("/"):
        case ["services", service_id] | ["services", service_id, "deploys"]:
            return (service_group(service_id),)
        case ["services", service_id, "rollback"] | ["services", service_id, "deploys", _, "cancel"]:
            return (service_group(service_id), WRITE)
        case _:
            return (WRITE,)


@dataclass(slots=True)
class _Bucket:
    """One group's current window: [start, end) in product time, what was spent in it, and a ban after a 429."""

    limit: int
    window_seconds: int
    start: datetime
    end: datetime
    spent: int = 0
    blocked_until: datetime | None = None

    def roll(self, now: datetime) -> None:
        """Begin the window that `now` is in, when the one before has ended."""
        if now >= self.end:
            self.start = max(_floor(now, self.window_seconds), self.end)
            self.end = _floor(now, self.window_seconds) + timedelta(seconds=self.window_seconds)
            self.spent = 0

    def opens_at(self, now: datetime, priority: Priority) -> datetime:
        """When one more request of that priority may go: `now`, or the turn of a window, or the end of a ban."""
        self.roll(now)
        if self.blocked_until is not None and now < self.blocked_until:
            return self.blocked_until
        kept = math.ceil(self.limit * _KEPT_SHARE[priority]) if self.limit > 1 else 0
        return now if self.spent < self.limit - kept else self.end


class RateBudget:
    """What may still be sent. Shared by everything in the process that sends with one key."""

    def __init__(
        self,
        clock: Clock,
        *,
        patience: timedelta = PATIENCE,
        jitter: Callable[[], float] = JITTER,
    ) -> None:
        """`patience` is the longest wait in product time; `jitter` gives numbers from 0 to 1."""
        self._clock = clock
        self._patience = patience
        self._jitter = jitter
        self._buckets: dict[str, _Bucket] = {}

    async def acquire(self, *groups: Group, priority: Priority, patience: timedelta | None = None) -> None:
        """Take one token of every group, or of none, waiting for the windows to turn.

        Raises RateLimited, with the instant to try again, when the wait would be longer than `patience` (default: the
        budget's own); nothing is taken then.
        """
        began = self._clock.now()
        until = began + (self._patience if patience is None else patience)
        while True:
            now = self._clock.now()
            buckets = [self._bucket(group) for group in groups]
            opens_at = max(bucket.opens_at(now, priority) for bucket in buckets)
            if opens_at <= now:
                break
            again = self._after(opens_at, priority)
            if again > until:
                names = " and ".join(group.name for group in groups)
                raise RateLimited(f"the rate budget for {names} requests is spent", retry_at=again)
            await self._clock.sleep_until(again, wake=asyncio.Event())
        for bucket in buckets:
            bucket.spent += 1

    def learn(self, group: Group, *, limit: int, remaining: int, reset: int) -> None:
        """Take in the `Ratelimit-*` headers of an answer; what cannot be true is not believed."""
        seconds = self._seconds_of(reset)
        if limit < 1 or not 0 <= remaining <= limit or seconds is None:
            return
        now = self._clock.now()
        bucket = self._bucket(group)
        bucket.roll(now)
        end = _turn_near(now + timedelta(seconds=seconds), group.window_seconds)
        bucket.limit = limit
        if end <= bucket.start:
            return
        bucket.end = max(end, now)
        bucket.spent = max(bucket.spent, limit - remaining)

    def refused(self, group: Group, *, retry_after: int | None, reset: int | None) -> datetime:
        """Render answered 429: nothing of the group goes out until it may. Returns that instant, jittered."""
        now = self._clock.now()
        bucket = self._bucket(group)
        bucket.roll(now)
        seconds: float | None = (
            retry_after if retry_after is not None and 0 <= retry_after <= RESET_SECONDS_MAX else None
        )
        if seconds is None and reset is not None:
            seconds = self._seconds_of(reset)
        until = bucket.end if seconds is None else now + timedelta(seconds=max(seconds, 1))
        bucket.blocked_until = max(until, bucket.blocked_until or until)
        return self._after(bucket.blocked_until, Priority.ROLLBACK)

    def snapshot(self) -> dict[str, dict[str, float | int]]:
        """Every bucket as plain numbers, for `store/rates.py`: times in epoch seconds of product time."""
        return {
            name: {
                "window_start": bucket.start.timestamp(),
                "window_end": bucket.end.timestamp(),
                "window_seconds": bucket.window_seconds,
                "limit": bucket.limit,
                "spent": bucket.spent,
                "blocked_until": bucket.blocked_until.timestamp() if bucket.blocked_until else 0,
            }
            for name, bucket in self._buckets.items()
        }

    def restore(self, spent: Mapping[str, Mapping[str, float | int]]) -> None:
        """Take in what a process before this one, or one beside it, spent. Rows that are not whole are ignored."""
        for name, row in spent.items():
            kept = _from_row(row)
            own = self._buckets.get(name)
            if kept is None or (own is not None and own.start > kept.start):
                continue
            if own is not None and own.start == kept.start:
                kept.spent = max(own.spent, kept.spent)
                kept.blocked_until = max((own.blocked_until, kept.blocked_until), key=lambda one: one or kept.start)
            self._buckets[name] = kept

    def _bucket(self, group: Group) -> _Bucket:
        found = self._buckets.get(group.name)
        if found is None:
            start = _floor(self._clock.now(), group.window_seconds)
            end = start + timedelta(seconds=group.window_seconds)
            found = self._buckets[group.name] = _Bucket(group.limit, group.window_seconds, start, end)
        return found

    def _after(self, opens_at: datetime, priority: Priority) -> datetime:
        return add_seconds(opens_at, (int(priority) + self._jitter()) * TURN_SECONDS)

    def _seconds_of(self, reset: int) -> float | None:
        """Seconds to the turn of the window; None for a header that cannot be true."""
        seconds = float(reset) if reset < DELTA_MAX else reset - self._clock.now().timestamp()
        return seconds if 0 <= seconds <= RESET_SECONDS_MAX else None


def _floor(instant: datetime, window_seconds: int) -> datetime:
    return datetime.fromtimestamp(instant.timestamp() // window_seconds * window_seconds, UTC)


def _turn_near(end: datetime, window_seconds: int) -> datetime:
    """The turn of our clock that is meant by `end`; where none is near, Render's clock is another: a second later."""
    turn = _floor(end + timedelta(seconds=window_seconds / 2), window_seconds)
    return turn if abs((end - turn).total_seconds()) <= SKEW_SECONDS else end + timedelta(seconds=1)


def _from_row(row: Mapping[str, float | int]) -> _Bucket | None:
    try:
        blocked = row.get("blocked_until", 0)
        return _Bucket(
            limit=max(1, int(row["limit"])),
            window_seconds=max(1, int(row["window_seconds"])),
            start=datetime.fromtimestamp(row["window_start"], UTC),
            end=datetime.fromtimestamp(row["window_end"], UTC),
            spent=int(row["spent"]),
            blocked_until=datetime.fromtimestamp(blocked, UTC) if blocked else None,
        )
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None
