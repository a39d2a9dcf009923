"""Facts of the installation: what it is bound to, the kill switch, rate windows and identities."""

from pathlib import Path

import pytest

from securewatch.core.errors import Conflict
from securewatch.store import identity, meta, rates
from securewatch.store.meta import Pause
from tests.integration.store.given import NOW, State, later, opened

HOST = "https://api.render.com/v1"


async def bind(state: State, host: str = HOST, owner: str | None = "tea-1", clock_file: bool = False) -> None:
    async with state.database.write("bind") as tx:
        await meta.bind_installation(tx, host=host, owner=owner, clock_file=clock_file)


async def test_an_installation_is_bound_by_its_first_use(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await bind(state, owner=None)
        await bind(state)
        await bind(state, owner=None)

        async with state.database.read() as tx:
            assert (await meta.get_meta(tx, "host"), await meta.get_meta(tx, "owner")) == (HOST, "tea-1")


@pytest.mark.parametrize("other", [{"host": "http://127.0.0.1:1/v1"}, {"owner": "tea-2"}, {"clock_file": True}])
async def test_a_process_that_differs_from_its_installation_is_refused(
    tmp_path: Path, other: dict[str, object]
) -> None:
    async with opened(tmp_path) as state:
        await bind(state)

        with pytest.raises(Conflict) as caught:
            await bind(state, **other)  # type: ignore[arg-type]

        await bind(state)
    assert caught.value.code == "SW414"


async def test_the_kill_switch_says_who_turned_it_on_first_and_goes_off(tmp_path: Path) -> None:
    async with opened(tmp_path) as state, state.database.write("pause") as tx:
        before = (await meta.is_paused(tx), await meta.pause_of(tx))
        await meta.set_paused(tx, True, actor="ann", at=NOW, reason="leak")
        await meta.set_paused(tx, True, actor="bob", at=later(5))
        paused = (await meta.is_paused(tx), await meta.pause_of(tx))
        await meta.set_paused(tx, False, actor="bob", at=later(9))
        after = (await meta.is_paused(tx), await meta.pause_of(tx))

    assert (before, paused, after) == ((False, None), (True, Pause("ann", NOW, "leak")), (False, None))


async def test_what_was_spent_is_the_most_of_the_newest_window(tmp_path: Path) -> None:
    saved = [
        {"reads": {"window_start": 60.0, "spent": 5, "limit": 400, "blocked_until": 70.0}},
        {"reads": {"window_start": 60.0, "spent": 3, "limit": 100}, "writes": {"window_start": 60.0, "spent": 1}},
        {"reads": {"window_start": 0.0, "spent": 300}, "writes": {"window_start": 120.0, "spent": 0}},
    ]
    async with opened(tmp_path) as state, state.database.write("rates") as tx:
        for spent in saved:
            await rates.save_spent(tx, spent)
        found = await rates.load_spent(tx)

    assert found == {
        "reads": {"window_start": 60.0, "spent": 5, "limit": 100, "blocked_until": 70.0},
        "writes": {"window_start": 120.0, "spent": 0},
    }


async def test_two_customers_with_one_fingerprint_are_found_across_the_parts_of_a_kind(tmp_path: Path) -> None:
    async with opened(tmp_path) as state, state.database.write("identity") as tx:
        await identity.save_identity(tx, "acme", kind="service:backend", fingerprint="f1", at=NOW)
        await identity.save_identity(tx, "globex", kind="service:frontend", fingerprint="f1", at=NOW)
        await identity.save_identity(tx, "other", kind="database", fingerprint="f1", at=NOW)
        shared = await identity.others_with(tx, "acme", "service:backend", "f1")
        await identity.save_identity(tx, "globex", kind="service:frontend", fingerprint="f2", at=NOW)
        mended = await identity.others_with(tx, "acme", "service:backend", "f1")
        known = await identity.known(tx, "service")

    assert (shared, mended, known) == (["globex"], [], {"acme", "globex"})
