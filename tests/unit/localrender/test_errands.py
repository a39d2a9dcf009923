"""Work whose end shows in product time: no sooner than it is due and done, with the reason when it failed."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from localrender.database import DatabaseFailed
from localrender.errands import Errands

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)


async def test_an_errand_is_over_when_it_is_done_and_due() -> None:
    wake, ended, told = asyncio.Event(), asyncio.Event(), []
    errands = Errands(wake)

    async def work() -> None:
        await ended.wait()

    errands.begin(work(), LATER, lambda at, error: told.append((at, error)))
    due = errands.next_due(NOW)
    undone = errands.advance(LATER)
    ended.set()
    await errands.idle()
    early, over = errands.advance(NOW), errands.advance(LATER)

    assert (due, undone, early, over) == (LATER, False, False, True)
    assert told == [(LATER, None)]
    assert wake.is_set()
    assert errands.next_due(NOW) is None


@pytest.mark.parametrize(
    ("error", "said"),
    [(DatabaseFailed("no room"), "no room"), (RuntimeError("odd"), "internal error: RuntimeError: odd")],
)
async def test_whoever_began_is_told_why_it_failed(error: Exception, said: str) -> None:
    errands, told = Errands(asyncio.Event()), []

    async def work() -> None:
        raise error

    errands.begin(work(), NOW, lambda _, reason: told.append(reason))
    await errands.idle()
    errands.advance(NOW)

    assert told == [said]


async def test_what_is_stopped_tells_nobody() -> None:
    errands, told = Errands(asyncio.Event()), []

    async def work() -> None:
        await asyncio.Event().wait()

    errands.begin(work(), NOW, lambda _, reason: told.append(reason))
    await errands.stop()

    assert (errands.advance(LATER), told) == (False, [])
