"""What the ledger keeps of a service's env vars after the last key was written or taken back."""

from dataclasses import replace
from pathlib import Path

import pytest

from securewatch.deploy.view import EffectKind, EffectState, NewEffect
from securewatch.store import env_history
from securewatch.store.env_history import EnvEntry, Seen
from tests.factories import BACKEND, SERVICE_IDS
from tests.integration.controller.given import Engine, running_engine

SERVICE = SERVICE_IDS[BACKEND]
LIST = f"/services/{SERVICE}/env-vars$"
LAST = {"env_key": "VERSION_TAG", "is_last": True}
BACK_UP = NewEffect("backup:backend", EffectKind.BACK_UP_ENV, BACKEND, SERVICE)
WRITE = NewEffect("env:backend:VERSION_TAG", EffectKind.SET_ENV, BACKEND, SERVICE, LAST)
RESTORE = NewEffect("restore:backend:VERSION_TAG", EffectKind.RESTORE_ENV, BACKEND, SERVICE, LAST)


async def history(engine: Engine) -> list[EnvEntry]:
    """The entries, oldest first."""
    async with engine.database.read() as tx:
        found = await env_history.entries_of(tx, engine.box, engine.run.slug, service_id=SERVICE, limit=10)
    return list(reversed(found))


async def work(engine: Engine, *effects: NewEffect) -> None:
    for one in effects:
        done = await engine.work(await engine.intend(one))
        assert done.state is EffectState.CONFIRMED


async def test_each_entry_holds_all_that_render_showed_then(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        before = dict(engine.env())
        await work(engine, BACK_UP)
        engine.rig.backend.env["JWT_SECRET"].value = "changed by somebody meanwhile"
        await work(engine, WRITE)
        written = dict(engine.env())
        await work(engine, RESTORE)

        found = await history(engine)

        assert [(one.seen, one.values) for one in found] == [
            (Seen.BEFORE, before),
            (Seen.WRITTEN, written),
            (Seen.TAKEN_BACK, dict(engine.env())),
        ]
        assert {(one.run_id, one.actor, one.key_id) for one in found} == {
            (engine.run.id, engine.run.requested_by, engine.box.key_id)
        }
        assert written["VERSION_TAG"] not in repr(found)


async def test_a_key_that_is_not_the_last_one_leaves_no_entry(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await work(engine, replace(WRITE, args={"env_key": "VERSION_TAG"}))

        assert await history(engine) == []


async def test_a_last_key_that_had_its_value_already_leaves_one_all_the_same(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        engine.rig.backend.env["VERSION_TAG"].value = "v1.1.0"

        await work(engine, WRITE)

        assert [one.values for one in await history(engine)] == [dict(engine.env())]


async def test_a_key_that_is_left_as_somebody_changed_it_is_seen_too(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await work(engine, BACK_UP, WRITE)
        engine.rig.backend.env["VERSION_TAG"].value = "hotfix"

        await work(engine, RESTORE)

        assert (await history(engine))[-1].values["VERSION_TAG"] == "hotfix"


@pytest.mark.parametrize("fault", [{"kind": "drop_before"}, {"kind": "status", "status": 404}, {"kind": "html"}])
async def test_a_write_after_which_render_cannot_be_read_is_in_doubt_and_never_taken_for_unwritten(
    tmp_path: Path, fault: dict[str, object]
) -> None:
    async with running_engine(tmp_path) as engine:
        made = await engine.intend(WRITE)
        await engine.arm(str(fault["kind"]), method="GET", path=LIST, **{k: v for k, v in fault.items() if k != "kind"})

        after_the_write = await engine.work(made)
        in_the_end = await engine.work(after_the_write)

        assert (after_the_write.state, in_the_end.state) == (EffectState.IN_DOUBT, EffectState.CONFIRMED)
        assert engine.wire.writes == [f"PUT /services/{SERVICE}/env-vars/VERSION_TAG"]
        assert [one.seen for one in await history(engine)] == [Seen.WRITTEN]
        assert in_the_end.result == {"written": True}
