"""Sealed values open in their slot under their key, and nothing of them stands in the files."""

from pathlib import Path

import pytest

from securewatch.core.errors import ConfigError
from securewatch.store import sealed
from securewatch.store.box import SecretBox
from securewatch.store.sealed import BACKUP, WRITE
from tests.integration.store.given import NOW, State, opened

CANARY = "postgres://acme:canary-7d1f@db/acme"
VALUES = {"DATABASE_URL": CANARY, "NEW_KEY": None, "EMPTY": "", "ODD": "\x00\ud800'\"\n"}


async def seal(state: State, values: dict[str, str | None], run_id: str = "run-1") -> None:
    async with state.database.write("seal") as tx:
        await sealed.seal_values(
            tx, state.box, values=values, at=NOW, purpose=BACKUP, run_id=run_id, service_id="srv-acme"
        )


async def unseal(state: State, box: SecretBox | None = None, run_id: str = "run-1") -> dict[str, str | None] | None:
    async with state.database.read() as tx:
        return await sealed.open_values(tx, box or state.box, purpose=BACKUP, run_id=run_id, service_id="srv-acme")


async def test_values_come_back_and_the_newest_of_a_slot_count(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await seal(state, {"A": "old"})
        await seal(state, VALUES)

        assert await unseal(state) == VALUES


async def test_another_slot_has_none(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await seal(state, VALUES)

        assert await unseal(state, run_id="run-2") is None
        async with state.database.read() as tx:
            written = await sealed.open_values(tx, state.box, purpose=WRITE, run_id="run-1", service_id="srv-acme")
        assert written is None


async def test_values_moved_into_another_slot_do_not_open(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await seal(state, VALUES)
        async with state.database.write("tamper") as tx:
            await tx.run("UPDATE sealed SET run_id = 'run-2'")
            tx.has_written = True

        with pytest.raises(ConfigError) as caught:
            await unseal(state, run_id="run-2")

    assert caught.value.code == "SW107"


async def test_another_key_does_not_open_them(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await seal(state, VALUES)

        with pytest.raises(ConfigError) as caught:
            await unseal(state, SecretBox(b"k" * 32))

    assert caught.value.code == "SW107"
    assert CANARY not in f"{caught.value} {caught.value.why} {caught.value.fix}"


async def test_an_ephemeral_box_seals_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        with pytest.raises(ConfigError):
            await seal(State(state.database, SecretBox(b"k" * 32, is_ephemeral=True), state.url), VALUES)


async def test_no_value_stands_in_any_file(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await seal(state, VALUES)
        written = b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir())

    assert b"srv-acme" in written
    assert b"canary-7d1f" not in written
    assert b"DATABASE_URL" not in written


async def test_forgotten_values_are_gone(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await seal(state, VALUES)
        await seal(state, VALUES)
        async with state.database.write("forget") as tx:
            forgotten = await sealed.forget_values(tx, purpose=BACKUP, run_id="run-1", service_id="srv-acme")

        assert forgotten == 2
        assert await unseal(state) is None
