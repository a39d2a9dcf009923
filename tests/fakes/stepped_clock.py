"""A clock for the local platform that moves only when a test says so."""

import asyncio
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 24, 12, 0, 0, 123_456, tzinfo=UTC)


class SteppedClock:
    """Implements the platform's clock: a wait ends when `advance` or its wake ends it."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._wakes: set[asyncio.Event] = set()

    def now(self) -> datetime:
        return self._now

    async def sleep_until(self, instant: datetime, *, wake: asyncio.Event) -> None:
        self._wakes.add(wake)
        if instant > self._now:
            await wake.wait()
        self._wakes.discard(wake)

    def advance(self, seconds: float) -> None:
        """Let so many seconds of product time go by."""
        self._now += timedelta(seconds=seconds)
        for wake in self._wakes:
            wake.set()
