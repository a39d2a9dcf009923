"""Another key in force: what was sealed opens under it alone, and the audit log stays whole and checkable."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from securewatch.core.errors import ConfigError
from securewatch.store import audit, former, sealed
from securewatch.store.box import SecretBox
from securewatch.store.head import read_head
from securewatch.store.rotation import rotate_key
from tests.integration.store.given import KEY, NOW, State, opened

NEW, NEWER = SecretBox(b"n" * 32), SecretBox(b"m" * 32)
CANARY = "postgres://acme:canary-rotated@db/acme"


async def seal(state: State, run_id: str, value: str = CANARY) -> None:
    async with state.database.write("seal") as tx:
        await sealed.seal_values(
            tx, state.box, values={"URL": value}, at=NOW, purpose=sealed.BACKUP, run_id=run_id, service_id="srv"
        )


async def unseal(state: State, run_id: str) -> object:
    async with state.database.read() as tx:
        return await sealed.open_values(tx, state.box, purpose=sealed.BACKUP, run_id=run_id, service_id="srv")


async def append(state: State, action: str = "x") -> None:
    async with state.database.write("append") as tx:
        await audit.append(tx, state.box, at=NOW, actor="ann", action=action)


async def rotate(state: State, new: SecretBox) -> tuple[State, int]:
    """The state with the new box, and how much was sealed anew."""
    async with state.database.write("rotate") as tx:
        count = await rotate_key(tx, state.box, new, at=NOW, actor="ann")
    return replace(state, box=new), count


async def verify(state: State) -> audit.AuditReport:
    async with state.database.read() as tx:
        return await audit.verify(tx, state.box, read_head(state.database.head_path))


async def refused(attempt: object) -> str:
    with pytest.raises(ConfigError) as caught:
        await attempt  # type: ignore[misc]
    assert caught.value.code == "SW107"
    return caught.value.why


async def test_all_that_was_sealed_opens_under_the_new_key_and_not_under_the_old_one(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        for number in range(250):
            await seal(state, f"run-{number}", f"{CANARY}-{number}")
        await append(state)

        new, count = await rotate(state, NEW)

        assert count == 250
        assert [await unseal(new, f"run-{number}") for number in (0, 99, 100, 249)] == [
            {"URL": f"{CANARY}-{number}"} for number in (0, 99, 100, 249)
        ]
        assert NEW.key_id in await refused(unseal(state, "run-0"))


async def test_the_log_verifies_over_several_rotations_and_goes_on_under_the_newest_key(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await append(state)
        second, _ = await rotate(state, NEW)
        await append(second)
        third, count = await rotate(second, NEWER)
        await append(third)

        report = await verify(third)
        async with third.database.read() as tx:
            rotations = [one for one in await audit.entries(tx) if one.action == audit.ROTATED]

        assert (report.count, report.problems) == (5, ())
        assert count == 1, "what hangs on the first key is sealed anew too"
        assert [one.detail for one in rotations] == [
            {"from": state.box.key_id, "to": NEW.key_id},
            {"from": NEW.key_id, "to": NEWER.key_id},
        ]


async def test_the_old_key_neither_verifies_nor_appends_nor_seals(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await append(state)
        new, _ = await rotate(state, NEW)

        for attempt in (verify(state), append(state), seal(state, "run-1")):
            why = await refused(attempt)
            assert NEW.key_id in why
            assert state.box.key_id in why

        assert (await verify(new)).problems == ()


async def test_a_rotation_that_is_broken_off_leaves_everything_as_it_was(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await seal(state, "run-1")
        await append(state)

        with pytest.raises(ValueError, match="stop"):
            await rotate_and_stop(state)

        assert await unseal(state, "run-1") == {"URL": CANARY}
        assert ((await verify(state)).count, (await verify(state)).problems) == (1, ())


async def rotate_and_stop(state: State) -> None:
    async with state.database.write("rotate") as tx:
        await rotate_key(tx, state.box, NEW, at=NOW, actor="ann")
        raise ValueError("stop")


async def test_one_value_that_does_not_open_stops_the_whole_rotation(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await append(state)
        await seal(state, "run-1")
        await seal(state, "run-2")
        async with state.database.write("tamper") as tx:
            await tx.run("UPDATE sealed SET run_id = 'run-9' WHERE run_id = 'run-2'")
            tx.has_written = True

        await refused(rotate(state, NEW))

        assert await unseal(state, "run-1") == {"URL": CANARY}


async def test_old_entries_that_are_signed_again_with_the_old_key_are_found(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await append(state, "first")
        new, _ = await rotate(state, NEW)
        path = state.database.path
        with sqlite3.connect(path) as connection:
            row = list(connection.execute("SELECT * FROM audit WHERE seq = 1").fetchone())
            row[3] = "another"
            forged = audit._mac(SecretBox(KEY).audit_key(), tuple(row[:-1]))
            connection.execute("UPDATE audit SET action = 'another', mac = ? WHERE seq = 1", (forged,))

        assert (await verify(new)).problems == ("entry 2 does not follow from the one before",)


async def test_a_change_of_key_without_its_rotation_is_found(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await append(state)
        await append(state)
        new, _ = await rotate(state, NEW)
        with sqlite3.connect(state.database.path) as connection:
            rows = [list(row) for row in connection.execute("SELECT * FROM audit ORDER BY seq")]
            rows[1][-3] = NEW.key_id
            for before, row, box in zip(rows, rows[1:], (NEW, NEW), strict=False):
                row[-2] = before[-1]
                row[-1] = audit._mac(box.audit_key(), tuple(row[:-1]))
                connection.execute("UPDATE audit SET key_id = ?, prev = ?, mac = ? WHERE seq = ?", (*row[-3:], row[0]))

        problems = (await verify(new)).problems

        assert problems[0] == "entry 2 stands under another key, and no rotation says why"


async def test_an_entry_under_a_key_that_nobody_kept_is_found(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await append(state)
        new, _ = await rotate(state, NEW)
        with sqlite3.connect(state.database.path) as connection:
            connection.execute("DELETE FROM sealed WHERE purpose = 'former_key'")

        assert (await verify(new)).problems[0] == "entry 1 is not as it was written"


async def test_archives_and_fingerprints_of_every_key_so_far_are_still_known(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await append(state)
        second, _ = await rotate(state, NEW)
        third, _ = await rotate(second, NEWER)

        async with third.database.read() as tx:
            keys = await former.archive_keys(tx, NEWER)
            prints = await former.fingerprints(tx, NEWER, "text")

        boxes = (SecretBox(KEY), NEW, NEWER)
        assert keys == {box.key_id: box.archive_key() for box in boxes}
        assert len(set(keys.values())) == 3
        assert prints[0] == NEWER.fingerprint("text")
        assert set(prints) == {box.fingerprint("text") for box in boxes}


async def test_nothing_of_any_key_stands_readable_in_the_files(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await append(state)
        await rotate(state, NEW)
        written = b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir())

    derived = [key for box in (SecretBox(KEY), NEW) for key in box.derived().values()]
    assert derived
    assert not any(key in written or key.hex().encode() in written for key in (KEY, b"n" * 32, *derived))
