"""The clock port: what every clock does, the machine's and the manual one alike."""

import asyncio
import time
from datetime import UTC, timedelta

import pytest

from securewatch.core.clock import Clock, RealClock
from tests.fakes.clock import ManualClock

CLOCKS = pytest.mark.parametrize("clock", [RealClock(), ManualClock()], ids=["real", "manual"])


@CLOCKS
async def test_now_is_in_utc_and_never_goes_back(clock: Clock) -> None:
    before = (clock.now(), clock.monotonic())
    after = (clock.now(), clock.monotonic())

    assert UTC is before[0].tzinfo
    assert before <= after


@CLOCKS
async def test_a_wait_ends_when_its_instant_is_reached(clock: Clock) -> None:
    until = clock.now() + timedelta(milliseconds=30)
    began = clock.monotonic()

    await clock.sleep_until(until, wake=asyncio.Event())

    assert clock.now() >= until - timedelta(milliseconds=2)
    assert clock.monotonic() - began >= 0.028


@CLOCKS
async def test_a_wait_for_the_past_ends_at_once(clock: Clock) -> None:
    began = time.monotonic()

    await clock.sleep_until(clock.now() - timedelta(hours=1), wake=asyncio.Event())

    assert time.monotonic() - began < 1


@CLOCKS
async def test_a_wait_ends_when_it_is_woken(clock: Clock) -> None:
    wake = asyncio.Event()
    wake.set()
    until = clock.now() + timedelta(hours=1)

    await clock.sleep_until(until, wake=wake)

    assert clock.now() < until
