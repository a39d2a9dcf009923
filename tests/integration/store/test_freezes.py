"""Freezes, pins and holds: kept until somebody ends them, and never overlooked where they cannot be read."""

import asyncio
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from securewatch.rollout.freezes import FreezeCheck, FreezeKind, StandingFreeze
from securewatch.store import freezes
from securewatch.store.tables import freeze as table
from securewatch.store.tx import Prepared
from tests.integration.store.given import NOW, State, later, opened

CHRISTMAS = StandingFreeze(
    FreezeKind.FREEZE,
    "christmas \x00",
    NOW,
    later(86400),
    actor="ann",
    at=NOW,
    every="FREQ=YEARLY",
    timezone="Europe/Berlin",
    policies=("enterprise",),
    reason="nobody is there",
)
HOLD = StandingFreeze(FreezeKind.HOLD, "acme", NOW, None, actor="bob", at=NOW, customers=("acme",))


async def keep(state: State, *given: StandingFreeze) -> list[StandingFreeze]:
    async with state.database.write("freeze") as tx:
        return [await freezes.add(tx, one) for one in given]


async def stand(state: State) -> list[StandingFreeze]:
    async with state.database.read() as tx:
        return list(await freezes.open_freezes(tx))


async def end(state: State, freeze: StandingFreeze) -> bool:
    async with state.database.write("end") as tx:
        return await freezes.end(tx, freeze.id, at=NOW)


async def test_what_is_kept_comes_back_as_it_was(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        kept = await keep(state, CHRISTMAS, HOLD)
        found = await stand(state)

    assert [one.id for one in found] == [one.id for one in kept]
    assert [replace(one, id=0) for one in found] == [replace(CHRISTMAS, name="christmas \\x00"), HOLD]


async def test_what_is_ended_stands_no_more_and_ends_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as state, opened(tmp_path) as other:
        kept, hold = await keep(state, CHRISTMAS, HOLD)

        ends = await asyncio.gather(end(state, kept), end(other, kept))

        assert sorted(ends) == [False, True]
        assert await stand(state) == [hold]


async def test_one_is_found_by_kind_and_name(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        kept, hold = await keep(state, CHRISTMAS, HOLD)
        async with state.database.read() as tx:
            found = [
                await freezes.find_open(tx, FreezeKind.FREEZE, "christmas \x00"),
                await freezes.find_open(tx, FreezeKind.HOLD, "acme"),
                await freezes.find_open(tx, FreezeKind.PIN, "acme"),
            ]

    assert [one.id if one else None for one in found] == [kept.id, hold.id, None]


async def test_one_that_this_version_cannot_read_holds_everybody_and_can_be_ended(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        (kept,) = await keep(state, CHRISTMAS)
        async with state.database.write("newer version") as tx:
            await tx.change(Prepared(sa.update(table), ("document",)), {"document": '{"kind": "eclipse"}'})

        (found,) = await stand(state)
        (gate,) = FreezeCheck([found], NOW).gates_of("globex", "startup", forced=True)
        is_ended = await end(state, found)

    assert (found.id, found.kind) == (kept.id, FreezeKind.HOLD)
    assert "cannot be read by this version" in gate.reason
    assert is_ended
