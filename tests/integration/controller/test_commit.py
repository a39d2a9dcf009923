"""What is told of a run is committed with its transitions: verified, taken back, held; and once."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from securewatch.deploy.model import Stage
from securewatch.rollout.notices import NoticeKind, RecipientKind
from securewatch.store import outbox
from tests.integration.controller.given import NEW, Engine, ask_back, ended, reached, running_engine

BOTH = [RecipientKind.CUSTOMER, RecipientKind.TEAM]


async def told(engine: Engine) -> Sequence[tuple[str, NoticeKind, RecipientKind]]:
    async with engine.database.read() as tx:
        found = await outbox.notices_of(tx)
    return [(one.notice.event, one.notice.kind, one.notice.recipient) for one in found]


async def test_a_verified_version_is_told_in_the_transaction_that_verifies_it(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        before = await engine.run_until(lambda run: run.stage is Stage.VERIFYING)
        assert (before.verified_at, await told(engine)) == (None, [])

        run = await engine.run_until(reached(Stage.WATCHING))

        live = [(f"live:{run.id}", NoticeKind.CONFIRMATION, one) for one in BOTH]
        actions = await engine.audited()
        assert await told(engine) == live
        assert actions[actions.index("run.watching") + 1] == "notice.waiting"
        await engine.run_until(ended)
        assert await told(engine) == live


async def test_a_version_that_is_taken_back_is_told_again(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.run_until(reached(Stage.WATCHING))
        engine.prober.sick.add(NEW)

        run = await engine.run_until(ended)

        assert run.stage is Stage.ROLLED_BACK
        assert await told(engine) == [
            *((f"live:{run.id}", NoticeKind.CONFIRMATION, one) for one in BOTH),
            *((f"back:{run.id}", NoticeKind.ROLLBACK, one) for one in BOTH),
        ]


async def test_a_deploy_that_is_called_off_before_anything_went_live_is_not_told(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.run_until(reached(Stage.PREFLIGHT))
        await ask_back(engine)

        run = await engine.run_until(ended)

        assert not run.went_live
        assert await told(engine) == []


async def test_what_was_told_before_is_not_told_again_by_a_second_commit(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        run = await engine.run_until(reached(Stage.WATCHING))
        async with engine.database.read() as tx:
            entries = await outbox.notices_of(tx)

        async with engine.database.write("again") as tx:
            new = [await outbox.put(tx, replace(one.notice, due_at=run.since)) for one in entries]

        assert new == [False, False]
