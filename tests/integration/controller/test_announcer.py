"""Advance notices of open rollouts: put when they are due, once, for those who were asked for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from securewatch.controller.announcer import Announcer
from securewatch.deploy.model import DeployRules, Endpoints, GateRules
from securewatch.rollout.model import (
    Budget,
    Member,
    MemberPlan,
    MemberState,
    PhasePlan,
    ReleasePlan,
    Rollout,
    RolloutState,
)
from securewatch.store import meta, outbox, release_plans, rollouts
from tests.integration.store.given import NOW, State, later, opened

START = NOW + timedelta(days=10)


@asynccontextmanager
async def rolling(folder: Path, *, asked: bool = True, **changes: Any) -> AsyncIterator[tuple[State, Announcer]]:
    """A state with one rollout of one customer, who is expected on day 10."""
    part = MemberPlan("acme", "Acme", "standard", 1, (), GateRules(), notice_days=(7, 3, 0))
    phase = PhasePlan("standard", 8, 21, "25%", 0.0, 0, False, False, Budget(), DeployRules(), (part,))
    plan = ReleasePlan("v1.1.0", "c" * 40, "phases", (phase,), Endpoints(), hash="7f3a" + "0" * 60)
    rollout = Rollout(
        "v1.1.0-r1", plan.hash, "v1.1.0", "c" * 40, 1, RolloutState.RUNNING, NOW, NOW, "ann", NOW, **changes
    )
    member = Member(rollout.id, "acme", "standard", 1, MemberState.PENDING, NOW, asked=asked)
    async with opened(folder) as state:
        async with state.database.write("given") as tx:
            await release_plans.save_release_plan(tx, plan, at=NOW, actor="ann")
            await rollouts.add_rollout(tx, rollout, [member])
        yield state, another(state)


def another(state: State, start: datetime = START) -> Announcer:
    async def expected(*_: object) -> dict[str, datetime | None]:
        return {"acme": start}

    return Announcer(state.database, state.box, actor="ann", expect=expected)


async def told(state: State) -> list[tuple[str, str]]:
    async with state.database.read() as tx:
        return [(one.notice.event, one.notice.recipient) for one in await outbox.notices_of(tx)]


async def test_a_customer_and_the_team_are_told_when_a_notice_is_due(tmp_path: Path) -> None:
    async with rolling(tmp_path) as (state, announcer):
        assert await announcer.announce_due(NOW) == START - timedelta(days=7)
        assert await told(state) == []

        assert await announcer.announce_due(START - timedelta(days=7)) == START - timedelta(days=3)
        assert await told(state) == [("advance:v1.1.0:v1.1.0-r1:acme:7", one) for one in ("customer", "team")]


async def test_another_look_writes_nothing_also_in_another_process(tmp_path: Path) -> None:
    at = START - timedelta(days=1)
    async with rolling(tmp_path) as (state, announcer):
        await announcer.announce_due(at)
        before = await state.database.changes()

        await announcer.announce_due(at)
        await another(state).announce_due(at)

        assert await state.database.changes() == before
        assert len(await told(state)) == 2


async def test_who_was_not_asked_for_is_not_told(tmp_path: Path) -> None:
    async with rolling(tmp_path, asked=False) as (state, announcer):
        assert await announcer.announce_due(START) is None
        assert await told(state) == []


async def test_a_paused_rollout_and_the_kill_switch_tell_nobody(tmp_path: Path) -> None:
    async with rolling(tmp_path) as (state, announcer):
        async with state.database.write("pause") as tx:
            await meta.set_paused(tx, True, actor="ann", at=later(0))
        assert await announcer.announce_due(START) is None

        async with state.database.write("pause the rollout") as tx:
            await meta.set_paused(tx, False, actor="ann", at=later(0))
            (rollout,) = await rollouts.open_rollouts(tx)
            await rollouts.update_rollout(tx, replace(rollout, state=RolloutState.PAUSED), expected_epoch=rollout.epoch)

        assert await announcer.announce_due(START) is None
        assert await told(state) == []


async def test_a_turn_that_moved_to_another_day_is_told_once(tmp_path: Path) -> None:
    at = START - timedelta(days=6)
    async with rolling(tmp_path) as (state, announcer):
        await announcer.announce_due(START - timedelta(days=7))
        for days in (5, 5, 6):
            await another(state, START + timedelta(days=days)).announce_due(at)

        assert [one for one, to in await told(state) if to == "customer"] == [
            "advance:v1.1.0:v1.1.0-r1:acme:7",
            "moved:v1.1.0:v1.1.0-r1:acme:7",
        ]


async def test_turns_are_expected_anew_each_hour_and_not_whenever_somebody_has_begun(tmp_path: Path) -> None:
    expected_at: list[datetime] = []

    async def expect(_plan: object, _members: object, _day_zero: object, now: datetime) -> dict[str, datetime | None]:
        expected_at.append(now)
        return {"acme": START}

    async with rolling(tmp_path) as (state, _):
        announcer = Announcer(state.database, state.box, actor="ann", expect=expect)
        await announcer.announce_due(NOW)
        async with state.database.write("begin") as tx:
            (member,) = (await rollouts.members_of(tx, "v1.1.0-r1")).values()
            begun = replace(member, state=MemberState.RUNNING, started_at=NOW)
            await rollouts.update_member(tx, begun, expected_epoch=member.epoch)

        assert await announcer.announce_due(NOW) is None
        assert expected_at == [NOW]

        await announcer.announce_due(NOW + timedelta(hours=1))
        assert expected_at == [NOW, NOW + timedelta(hours=1)]


async def test_who_is_asked_for_later_is_expected_at_once(tmp_path: Path) -> None:
    async with rolling(tmp_path, asked=False) as (state, announcer):
        assert await announcer.announce_due(NOW) is None
        async with state.database.write("ask") as tx:
            (member,) = (await rollouts.members_of(tx, "v1.1.0-r1")).values()
            await rollouts.update_member(tx, replace(member, asked=True), expected_epoch=member.epoch)

        assert await announcer.announce_due(NOW) == START - timedelta(days=7)


async def test_members_that_have_not_moved_on_are_not_read_again(tmp_path: Path) -> None:
    async with rolling(tmp_path) as (state, _), state.database.read() as tx:
        before = await rollouts.members_of(tx, "v1.1.0-r1")

        assert await rollouts.members_of(tx, "v1.1.0-r1", before) is before
