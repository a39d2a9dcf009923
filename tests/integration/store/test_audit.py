"""The audit log: whatever is done to the chain behind the tool's back is found."""

import fcntl
import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from securewatch.core.errors import ConfigError, InternalError
from securewatch.store import audit
from securewatch.store.box import SecretBox
from securewatch.store.head import Head, read_head, write_head
from tests.integration.store.given import NOW, State, opened

HOSTILE = ["\x00\x1b[2J", "\ud800 alone", "'; DROP TABLE audit; --", '"}],"seq":1', "\u202e\u2028🚀", "%s{0}${x}"]


async def append_some(state: State, count: int) -> None:
    for number in range(count):
        async with state.database.write("append") as tx:
            await audit.append(
                tx, state.box, at=NOW, actor="ann", action="run.moved", slug="acme", detail={"n": number}
            )


async def append_and_stop(state: State) -> None:
    async with state.database.write("lost") as tx:
        await audit.append(tx, state.box, at=NOW, actor="a", action="lost")
        raise ValueError("stop")


async def verify(state: State, head: Head | None = None) -> audit.AuditReport:
    async with state.database.read() as tx:
        return await audit.verify(tx, state.box, head or read_head(state.database.head_path))


async def problems_after(
    folder: Path, tamper: Callable[[sqlite3.Connection], object], count: int = 5
) -> tuple[str, ...]:
    """Append, change the file with plain SQL, and say what verification finds."""
    async with opened(folder) as state:
        await append_some(state, count)
        path = state.database.path
    with sqlite3.connect(path) as connection:
        tamper(connection)
    async with opened(folder) as state:
        return (await verify(state)).problems


async def test_an_untouched_chain_verifies_and_its_head_is_beside_the_database(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await append_some(state, 5)
        report = await verify(state)
        async with state.database.read() as tx:
            last = (await audit.entries(tx))[-1]

        assert report == audit.AuditReport(5, last.mac, ())
        assert read_head(state.database.head_path) == Head(5, last.mac)


async def test_an_empty_log_verifies(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        assert await verify(state) == audit.AuditReport(0, "0" * 64, ())


async def test_several_entries_of_one_transaction_are_chained_and_rolled_back_together(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        async with state.database.write("three") as tx:
            added = [await audit.append(tx, state.box, at=NOW, actor="a", action=word) for word in ("x", "y", "z")]
        with pytest.raises(ValueError, match="stop"):
            await append_and_stop(state)
        report = await verify(state)

        assert [one.seq for one in added] == [1, 2, 3]
        assert [one.prev for one in added] == ["0" * 64, added[0].mac, added[1].mac]
        assert report == audit.AuditReport(3, added[2].mac, ())
        assert read_head(state.database.head_path) == Head(3, added[2].mac)


@pytest.mark.parametrize(
    "column", ["at", "actor", "action", "slug", "run_id", "plan_hash", "detail", "request_id", "key_id", "mac"]
)
async def test_a_changed_column_is_found(tmp_path: Path, column: str) -> None:
    found = await problems_after(tmp_path, lambda sql: sql.execute(f"UPDATE audit SET {column} = 'x' WHERE seq = 3"))

    assert "entry 3 is not as it was written" in found


async def test_a_column_made_into_bytes_is_found(tmp_path: Path) -> None:
    found = await problems_after(tmp_path, lambda sql: sql.execute("UPDATE audit SET actor = x'616e6e' WHERE seq = 3"))

    assert found == ("entry 3 is not as it was written",)


async def test_a_dropped_entry_is_found(tmp_path: Path) -> None:
    found = await problems_after(tmp_path, lambda sql: sql.execute("DELETE FROM audit WHERE seq = 3"))

    assert found == ("entry 3 is missing",)


async def test_the_first_entries_dropped_are_found(tmp_path: Path) -> None:
    found = await problems_after(tmp_path, lambda sql: sql.execute("DELETE FROM audit WHERE seq < 3"))

    assert found == ("entries 1 to 2 are missing",)


async def test_a_dropped_entry_is_found_when_the_rest_was_renumbered(tmp_path: Path) -> None:
    def tamper(sql: sqlite3.Connection) -> None:
        sql.execute("DELETE FROM audit WHERE seq = 3")
        sql.execute("UPDATE audit SET seq = seq - 1 WHERE seq > 3")

    found = await problems_after(tmp_path, tamper)

    assert "entry 3 does not follow from the one before" in found
    assert "entry 3 is not as it was written" in found
    assert "the log ends at entry 4, and its head says 5" in found


@pytest.mark.parametrize("seq", [0, 6, -3])
async def test_an_entry_put_in_is_found(tmp_path: Path, seq: int) -> None:
    copy = (
        "INSERT INTO audit SELECT ?, at, actor, action, slug, run_id, plan_hash, detail, request_id, key_id, prev, mac"
        " FROM audit WHERE seq = 5"
    )

    found = await problems_after(tmp_path, lambda sql: sql.execute(copy, (seq,)))

    assert found[0].startswith(f"entry {seq} ")


async def test_entries_in_another_order_are_found(tmp_path: Path) -> None:
    def tamper(sql: sqlite3.Connection) -> None:
        for old, new in ((2, 100), (3, 2), (100, 3)):
            sql.execute("UPDATE audit SET seq = ? WHERE seq = ?", (new, old))

    found = await problems_after(tmp_path, tamper)

    assert {"entry 2 is not as it was written", "entry 3 is not as it was written"} <= set(found)


async def test_a_cut_tail_is_found_by_the_head(tmp_path: Path) -> None:
    found = await problems_after(tmp_path, lambda sql: sql.execute("DELETE FROM audit WHERE seq > 3"))

    assert found == ("the log ends at entry 3, and its head says 5",)


async def test_a_log_cut_to_nothing_is_found(tmp_path: Path) -> None:
    found = await problems_after(tmp_path, lambda sql: sql.execute("DELETE FROM audit"))

    assert found == ("the log ends at entry 0, and its head says 5",)


async def test_a_cut_tail_with_the_head_taken_away_is_found(tmp_path: Path) -> None:
    found = await problems_after(
        tmp_path,
        lambda sql: (sql.execute("DELETE FROM audit WHERE seq > 3"), (tmp_path / "state" / "audit.head").unlink()),
    )

    assert found == ("the head of the log is missing, so a cut could not be seen",)


async def test_a_cut_tail_with_the_old_head_put_back_is_found_by_the_head_of_a_summary(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await append_some(state, 3)
        old_head = state.database.head_path.read_bytes()
        await append_some(state, 2)
        of_summary = read_head(state.database.head_path)
        path = state.database.path
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM audit WHERE seq > 3")
    path.with_name("audit.head").write_bytes(old_head)

    async with opened(tmp_path) as state:
        with_the_old_head = await verify(state)
        with_the_head_of_the_summary = await verify(state, of_summary)

    assert with_the_old_head.problems == ()
    assert with_the_head_of_the_summary.problems == ("the log ends at entry 3, and its head says 5",)


@pytest.mark.parametrize("grown_to", [4, 5, 6, 9])
async def test_a_cut_tail_is_still_found_when_the_log_has_grown_again(tmp_path: Path, grown_to: int) -> None:
    async with opened(tmp_path) as state:
        await append_some(state, 5)
        path = state.database.path
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM audit WHERE seq > 3")
    async with opened(tmp_path) as state:
        for _ in range(grown_to - 3):
            async with state.database.write("anew") as tx:
                await audit.append(tx, state.box, at=NOW, actor="eve", action="x")

        report = await verify(state)

    expected = (
        "the log ends at entry 4, and its head says 5"
        if grown_to == 4
        else "entry 5 is another one than the head of the log says"
    )
    assert (report.count, report.problems) == (grown_to, (expected,))


async def test_the_list_of_problems_is_bounded(tmp_path: Path) -> None:
    found = await problems_after(tmp_path, lambda sql: sql.execute("UPDATE audit SET actor = 'x'"), count=30)

    assert len(found) == 20


async def test_a_log_longer_than_a_page_verifies(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        async with state.database.write("many") as tx:
            for number in range(1100):
                await audit.append(tx, state.box, at=NOW, actor="a", action="x", detail={"n": number})

        report = await verify(state)

    assert (report.count, report.problems) == (1100, ())


async def test_another_key_neither_verifies_nor_appends_and_both_keys_are_named(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await append_some(state, 1)
        other = State(state.database, SecretBox(b"k" * 32), state.url)

        for attempt in (verify(other), append_some(other, 1)):
            with pytest.raises(ConfigError) as caught:
                await attempt
            assert caught.value.code == "SW107"
            assert state.box.key_id in caught.value.why
            assert other.box.key_id in caught.value.why


async def test_an_ephemeral_box_does_not_append(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        with pytest.raises(ConfigError):
            await append_some(State(state.database, SecretBox(b"k" * 32, is_ephemeral=True), state.url), 1)


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_is_stored_and_verifies(tmp_path: Path, text: str) -> None:
    async with opened(tmp_path) as state:
        async with state.database.write("w") as tx:
            added = await audit.append(
                tx, state.box, at=NOW, actor=text, action=text, slug=text, detail={text: [text, {"a": text}]}
            )
        async with state.database.read() as tx:
            read = await audit.entries(tx)

        assert read == [added]
        assert added.detail == {text: [text, {"a": text}]}
        assert (await verify(state)).problems == ()


@pytest.mark.parametrize("value", [float("nan"), object(), {1: "a", "b": 2}])
async def test_a_detail_that_json_cannot_hold_is_a_bug(tmp_path: Path, value: object) -> None:
    async with opened(tmp_path) as state:
        with pytest.raises(InternalError):
            async with state.database.write("w") as tx:
                await audit.append(tx, state.box, at=NOW, actor="a", action="x", detail={"v": value})


async def test_entries_are_the_newest_of_a_customer_or_run_oldest_first(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        async with state.database.write("w") as tx:
            for number in range(6):
                slug, run_id = ("acme", "run-1") if number % 2 else ("globex", "run-2")
                await audit.append(tx, state.box, at=NOW, actor="a", action=str(number), slug=slug, run_id=run_id)
        async with state.database.read() as tx:
            found = [
                await audit.entries(tx, slug="acme"),
                await audit.entries(tx, run_id="run-2", limit=2),
                await audit.entries(tx, after=4),
            ]

    assert [[one.action for one in entries] for entries in found] == [["1", "3", "5"], ["2", "4"], ["4", "5"]]


async def test_a_head_that_cannot_be_written_does_not_undo_the_commit(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await append_some(state, 1)
        state.database.head_path.with_name(".audit.head.new").mkdir()
        await append_some(state, 1)

        report = await verify(state)

    assert (report.count, report.problems) == (2, ())


def test_the_count_of_a_head_only_rises(tmp_path: Path) -> None:
    path = tmp_path / "audit.head"

    written = [write_head(path, Head(count, f"{count:064}")) for count in (3, 2, 3, 4)]

    assert written == [True, False, True, True]
    assert read_head(path) == Head(4, f"{4:064}")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_damaged_head_is_told_and_the_next_one_replaces_it(tmp_path: Path) -> None:
    path = tmp_path / "audit.head"
    path.write_text(json.dumps({"count": 3})[:-4])

    assert write_head(path, Head(1, "a" * 64))
    assert read_head(path) == Head(1, "a" * 64)


def test_a_frozen_holder_of_the_head_s_lock_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "audit.head"
    descriptor = os.open(tmp_path / ".audit.head.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)

    was_written = write_head(path, Head(1, "a" * 64))
    os.close(descriptor)

    assert not was_written
    assert write_head(path, Head(1, "a" * 64))
