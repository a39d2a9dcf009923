"""Approvals: kept with everything that was answered, and used once."""

import asyncio
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from securewatch.rollout.gates import Grant
from securewatch.store import approvals
from securewatch.store.approvals import Approval
from tests.integration.store.given import NOW, State, later, opened

PLAN = "7f3a" + "0" * 60
BY_BOB = Approval(PLAN, "acme", "bob", NOW, later(3600), comment="looks good")


async def give(state: State, *given: Approval) -> list[Approval]:
    async with state.database.write("approve") as tx:
        return [await approvals.add(tx, one) for one in given]


async def use(state: State, actor: str, run_id: str, *, at: datetime = NOW) -> bool:
    grant = Grant(PLAN, "acme", actor, at, later(3600), granted=True)
    async with state.database.write("use") as tx:
        return await approvals.mark_used(tx, grant, run_id=run_id)


async def answers(state: State) -> list[Approval]:
    async with state.database.read() as tx:
        return list(await approvals.approvals_of(tx, PLAN, "acme"))


async def test_every_answer_to_a_plan_for_a_customer_is_kept_in_order(tmp_path: Path) -> None:
    rejected = replace(BY_BOB, actor="eve", granted=False, comment="no")
    async with opened(tmp_path) as state:
        given = await give(state, BY_BOB, rejected, replace(BY_BOB, slug="globex"), replace(BY_BOB, plan_hash="8" * 64))

        assert await answers(state) == given[:2]
    assert [replace(one, id=0) for one in given[:2]] == [BY_BOB, rejected]


async def test_an_approval_is_used_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await give(state, BY_BOB)

        used = [await use(state, "bob", "run-1"), await use(state, "bob", "run-2")]

        assert used == [True, False]
        assert [one.used_by for one in await answers(state)] == ["run-1"]


async def test_of_two_processes_that_use_an_approval_at_once_one_does(tmp_path: Path) -> None:
    async with opened(tmp_path) as state, opened(tmp_path) as other:
        await give(state, BY_BOB)

        used = await asyncio.gather(use(state, "bob", "run-1"), use(other, "bob", "run-2"))

        assert sorted(used) == [False, True]


async def test_a_refusal_and_the_approval_of_somebody_else_are_not_used(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await give(state, replace(BY_BOB, granted=False), replace(BY_BOB, actor="eve"))

        assert not await use(state, "bob", "run-1")
        assert [one.used_by for one in await answers(state)] == [None, None]


async def test_the_very_approval_that_counts_is_used_and_not_a_newer_one_that_has_expired(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await give(state, BY_BOB, replace(BY_BOB, at=later(60), expires_at=later(61)))
        await use(state, "bob", "run-1")

        assert [one.used_by for one in await answers(state)] == ["run-1", None]
