"""The clock port: the only place that knows what time it is. Not for windows (see `rollout/windows.py`)."""

import asyncio
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from securewatch.core.errors import ConfigError

REREAD_SECONDS = 0.05
"""Readers of a clock file look at it again at least this often, in real seconds (design: behaviour, clock)."""


class Clock(Protocol):
    """Tells product time (may run fast), and real seconds for what the network takes."""

    def now(self) -> datetime:
        """Product time, aware, in UTC."""

    def monotonic(self) -> float:
        """Real seconds from an arbitrary start: for time-outs, send deadlines and response times; never scaled."""

    async def sleep_until(self, instant: datetime, *, wake: asyncio.Event) -> None:
        """Wait until product time reaches `instant` or `wake` is set, whichever is first."""


class RealClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep_until(self, instant: datetime, *, wake: asyncio.Event) -> None:
        await _wait(wake, (instant - self.now()).total_seconds())


@dataclass(frozen=True)
class ClockReading:
    """The contents of a clock file: now = origin + (real - origin) * rate + skipped, all in epoch seconds."""

    origin: float
    rate: float
    skipped: float
    skip_idle: bool

    def now_seconds(self, real_seconds: float) -> float:
        """Product time in epoch seconds at the real time `real_seconds` (epoch seconds)."""
        return self.origin + (real_seconds - self.origin) * self.rate + self.skipped


class FileClock:
    """Follows the shared clock file that the local platform follows too (design: interface, time).

    Raises ConfigError (SW108) when the file cannot be read or written. Only the holder of the controller lock calls
    `skip_to`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reading = _read_clock_file(path)
        self._read_at = time.monotonic()
        self._floor = 0.0

    @property
    def skips_idle(self) -> bool:
        """Whether idle time may be jumped over."""
        return self._current().skip_idle

    def now(self) -> datetime:
        seconds = max(self._floor, self._current().now_seconds(time.time()))
        self._floor = seconds
        return datetime.fromtimestamp(seconds, UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def skip_to(self, instant: datetime) -> None:
        """Jump product time forward to `instant`; never back. Writes the file by rename."""
        reading = _read_clock_file(self._path)
        missing = instant.timestamp() - reading.now_seconds(time.time())
        if missing <= 0:
            return
        raised = ClockReading(reading.origin, reading.rate, reading.skipped + missing, reading.skip_idle)
        temporary = self._path.with_name(f".{self._path.name}.{id(self)}")
        try:
            temporary.write_text(json.dumps(raised.__dict__))
            temporary.replace(self._path)
        except OSError as error:
            raise _unusable(self._path, "written", error) from error
        self._reading, self._read_at = raised, time.monotonic()

    async def sleep_until(self, instant: datetime, *, wake: asyncio.Event) -> None:
        while not wake.is_set():
            remaining = (instant - self.now()).total_seconds()
            if remaining <= 0:
                return
            await _wait(wake, min(remaining / self._current().rate, REREAD_SECONDS))

    def _current(self) -> ClockReading:
        if time.monotonic() - self._read_at >= REREAD_SECONDS:
            self._reading, self._read_at = _read_clock_file(self._path), time.monotonic()
        return self._reading


def add_seconds(instant: datetime, seconds: float) -> datetime:
    """`instant` plus a number of seconds."""
    return instant + timedelta(seconds=seconds)


async def _wait(wake: asyncio.Event, seconds: float) -> None:
    if seconds <= 0:
        return
    try:
        await asyncio.wait_for(wake.wait(), seconds)
    except TimeoutError:
        return


def _read_clock_file(path: Path) -> ClockReading:
    try:
        raw = json.loads(path.read_text())
        reading = ClockReading(
            float(raw["origin"]), float(raw["rate"]), float(raw["skipped"]), bool(raw.get("skip_idle", False))
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unusable(path, "read", error) from error
    if reading.rate <= 0:
        raise ConfigError(
            "SW108",
            f"the clock file {path} has the rate {reading.rate}",
            why="time must run forward",
            fix="use a rate above 0",
        )
    return reading


def _unusable(path: Path, verb: str, error: Exception) -> ConfigError:
    why = "it is gone: the local platform that wrote it has ended" if isinstance(error, FileNotFoundError) else ""
    return ConfigError(
        "SW108",
        f"the clock file {path} cannot be {verb}",
        why=why or type(error).__name__,
        fix="start the local platform again, or unset SECUREWATCH_CLOCK_FILE (a stale .env may set it)",
    )
