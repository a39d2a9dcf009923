"""A clock that moves when it is told to, and by itself only through waits. Not for code that needs real time."""

import asyncio
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class ManualClock:
    """Implements the clock port: a wait ends at once with the time advanced to its end, and is kept in `waits`."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._monotonic = 1000.0
        self.waits: list[timedelta] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep_until(self, instant: datetime, *, wake: asyncio.Event) -> None:
        await asyncio.sleep(0)
        if wake.is_set() or instant <= self._now:
            return
        self.waits.append(instant - self._now)
        self.advance((instant - self._now).total_seconds())

    def advance(self, seconds: float) -> None:
        """Let so many seconds go by, of product time and of real time alike."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds
