"""Env vars through the ledger: one key at a time, read again after a lost answer, backed up, restored."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from securewatch.deploy.view import EffectKind, EffectState, NewEffect
from securewatch.store import effects, sealed
from tests.factories import BACKEND, SERVICE_IDS
from tests.integration.controller.given import Engine, running_engine

SERVICE = SERVICE_IDS[BACKEND]
DEPLOYS = f"/services/{SERVICE}/deploys$"
ENV_VAR = f"/services/{SERVICE}/env-vars/VERSION_TAG$"


def set_env() -> NewEffect:
    return NewEffect("env:backend:VERSION_TAG", EffectKind.SET_ENV, BACKEND, SERVICE, {"env_key": "VERSION_TAG"})


def restore_env() -> NewEffect:
    return NewEffect(
        "restore:backend:VERSION_TAG", EffectKind.RESTORE_ENV, BACKEND, SERVICE, {"env_key": "VERSION_TAG"}
    )


def back_up() -> NewEffect:
    return NewEffect("backup:backend", EffectKind.BACK_UP_ENV, BACKEND, SERVICE)


async def test_only_the_one_key_is_written_and_every_other_stays(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        before = dict(engine.env())

        done = await engine.work(await engine.intend(set_env()))

        assert done.state is EffectState.CONFIRMED
        assert dict(engine.env()) == {**before, "VERSION_TAG": "v1.1.0"}
        assert engine.wire.writes == [f"PUT /services/{SERVICE}/env-vars/VERSION_TAG"]


async def test_a_key_that_has_its_value_already_is_not_written(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        engine.rig.backend.env["VERSION_TAG"].value = "v1.1.0"

        done = await engine.work(await engine.intend(set_env()))

        assert (done.state, engine.wire.writes) == (EffectState.CONFIRMED, [])


@pytest.mark.parametrize(("fault", "puts"), [("drop_after", 1), ("drop_before", 2)])
async def test_a_lost_answer_to_an_env_var_is_read_and_written_again_only_if_it_differs(
    tmp_path: Path, fault: str, puts: int
) -> None:
    async with running_engine(tmp_path) as engine:
        made = await engine.intend(set_env())
        await engine.arm(fault, method="PUT", path=ENV_VAR)
        in_doubt = await engine.work(made)

        last = await settle(engine, set_env(), in_doubt)

        assert in_doubt.state is EffectState.IN_DOUBT
        assert last.state is EffectState.CONFIRMED
        assert engine.env()["VERSION_TAG"] == "v1.1.0"
        assert len(engine.wire.writes) == puts


async def settle(engine: Engine, new: NewEffect, made: Any) -> Any:
    """Work on the effect as the controller does: again while it is open, anew where it was dropped."""
    for _ in range(4):
        if made.state is EffectState.DROPPED:
            made = await engine.intend(new)
        elif not made.state.is_open:
            return made
        made = await engine.work(made)
    return made


@pytest.mark.parametrize("new", [back_up(), set_env()], ids=["backup", "env"])
async def test_a_process_killed_after_it_committed_to_send_is_carried_on_by_the_next(
    tmp_path: Path, new: NewEffect
) -> None:
    async with running_engine(tmp_path) as engine:
        made = await engine.intend(new)
        async with engine.database.write("claim") as tx:
            claimed = await effects.claim_effect(tx, made.id)
        assert claimed is not None
        await engine.ledger.commit_sent(claimed, {})
        engine.restart()

        last = await settle(engine, new, await engine.effect(made))

        assert last.state is EffectState.CONFIRMED


async def test_a_backup_is_kept_encrypted_and_that_of_the_latest_attempt_counts(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.work(await engine.intend(back_up()))
        engine.rig.backend.env["VERSION_TAG"].value = "v9.9.9"
        original = dict(engine.env())

        second = replace(back_up(), key="backup:backend#2")
        await engine.work(await engine.intend(second))

        async with engine.database.read() as tx:
            kept = await sealed.open_values(
                tx, engine.box, purpose=sealed.BACKUP, run_id=engine.run.id, service_id=SERVICE
            )
        assert kept == original
        assert original["JWT_SECRET"].encode() not in (tmp_path / "state.db").read_bytes()


async def backed_up_and_written(engine: Engine) -> None:
    for one in (back_up(), set_env()):
        done = await engine.work(await engine.intend(one))
        assert done.state is EffectState.CONFIRMED


async def test_a_key_is_restored_where_render_still_shows_our_value(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        original = dict(engine.env())
        await backed_up_and_written(engine)

        done = await engine.work(await engine.intend(restore_env()))

        assert done.result == {"restored": True}
        assert dict(engine.env()) == original


async def test_a_key_that_somebody_changed_meanwhile_is_left_and_reported(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await backed_up_and_written(engine)
        engine.rig.backend.env["VERSION_TAG"].value = "hotfix"

        done = await engine.work(await engine.intend(restore_env()))

        assert done.result == {"left": True}
        assert "changed by somebody else" in done.reason
        assert engine.env()["VERSION_TAG"] == "hotfix"


async def test_a_key_that_was_not_there_before_is_taken_away_again(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        del engine.rig.backend.env["VERSION_TAG"]
        await backed_up_and_written(engine)

        done = await engine.work(await engine.intend(restore_env()))

        assert done.result == {"restored": True}
        assert "VERSION_TAG" not in engine.env()
