"""The platform's own clock: real, or the shared clock file that product and platform both follow.

now = origin + (real - origin) * rate + skipped. Not for durations of deploys: those are in `machine.py`.
"""

import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

REREAD_SECONDS = 0.05
"""Readers look at the clock file again at least this often, in real seconds."""


class ClockFileUnreadable(Exception):
    """The clock file is missing or malformed; the message names it."""


class Clock(Protocol):
    """Tells product time."""

    def now(self) -> datetime:
        """Product time, aware, in UTC."""

    async def sleep_until(self, instant: datetime, *, wake: asyncio.Event) -> None:
        """Wait until product time reaches `instant` or `wake` is set."""


class RealClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Product time is real time."""
        return datetime.now(UTC)

    async def sleep_until(self, instant: datetime, *, wake: asyncio.Event) -> None:
        """Wait in real time, looking at least every 0.05 s near the end."""
        await _wait(wake, (instant - self.now()).total_seconds())


class FileClock:
    """Follows a clock file `{"origin", "rate", "skipped", "skip_idle"}`.

    Raises:
        ClockFileUnreadable: the file cannot be read at the start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._origin, self._rate, self._skipped = _read(path)
        self._read_at = time.monotonic()
        self._floor = 0.0

    def now(self) -> datetime:
        """Product time; never goes back, also when the file does."""
        if time.monotonic() - self._read_at >= REREAD_SECONDS:
            self._reread()
        seconds = self._origin + (time.time() - self._origin) * self._rate + self._skipped
        self._floor = max(self._floor, seconds)
        return datetime.fromtimestamp(self._floor, UTC)

    async def sleep_until(self, instant: datetime, *, wake: asyncio.Event) -> None:
        """Wait in steps of at most 0.05 s real, since somebody may skip time forward."""
        while not wake.is_set():
            remaining = (instant - self.now()).total_seconds()
            if remaining <= 0:
                return
            await _wait(wake, min(remaining / self._rate, REREAD_SECONDS))

    def _reread(self) -> None:
        self._read_at = time.monotonic()
        try:
            self._origin, self._rate, self._skipped = _read(self._path)
        except ClockFileUnreadable:
            return  # it is replaced by rename; what was read last still holds


def write_clock_file(path: Path, rate: float) -> None:
    """Write a clock file that starts now and runs `rate` times as fast as real time; idle time may be skipped."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(json.dumps({"origin": time.time(), "rate": rate, "skipped": 0, "skip_idle": True}))
    temporary.replace(path)


def _read(path: Path) -> tuple[float, float, float]:
    try:
        raw = json.loads(path.read_text())
        reading = (float(raw["origin"]), float(raw["rate"]), float(raw["skipped"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ClockFileUnreadable(f"the clock file {path} cannot be read: {type(error).__name__}") from error
    if reading[1] <= 0:
        raise ClockFileUnreadable(f"the clock file {path} has the rate {reading[1]:g}; use a rate above 0")
    return reading


async def _wait(wake: asyncio.Event, seconds: float) -> None:
    if seconds <= 0:
        return
    try:
        await asyncio.wait_for(wake.wait(), seconds)
    except TimeoutError:
        return
