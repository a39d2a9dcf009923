"""Archives at their place: whole ones have names, others leave nothing, and failures are one clear error."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from securewatch.backup.storage import Storage, make_name
from securewatch.core.errors import ConfigError, NotFound, Retryable

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
NAME = make_name("acme-corp", AT, "0000000a")


async def pieces(*given: bytes, fails: bool = False) -> AsyncIterator[bytes]:
    for piece in given:
        yield piece
    if fails:
        raise Retryable("SW609", "the dump broke off")


async def read(storage: Storage, name: str) -> bytes:
    return b"".join([piece async for piece in storage.read(name)])


@pytest.fixture(params=["a folder", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return Storage(tmp_path / "deep" / "kept" if request.param == "a folder" else f"memory://{tmp_path}")


async def test_what_is_saved_is_read_listed_and_deleted(storage: Storage) -> None:
    later = make_name("acme-corp", AT.replace(hour=13), "0000000b")

    assert await storage.save(NAME, pieces(b"one", b"", b"two")) == 6
    await storage.save(later, pieces(b"x"))

    assert await read(storage, NAME) == b"onetwo"
    assert [(one.name, one.bytes) for one in await storage.find("acme-corp")] == [(later, 1), (NAME, 6)]
    assert (await storage.find("acme-corp"))[1].begun_at == AT
    assert await storage.find("medhealth") == ()
    await storage.delete(later)
    await storage.delete(later)
    assert [one.name for one in await storage.find("acme-corp")] == [NAME]


async def test_a_write_that_breaks_off_leaves_nothing(storage: Storage) -> None:
    with pytest.raises(Retryable) as caught:
        await storage.save(NAME, pieces(b"one", fails=True))

    assert caught.value.code == "SW609"
    assert await storage.find("acme-corp") == ()
    assert await storage.remove_leftovers("acme-corp", begun_before=AT.replace(year=2027)) == ()


async def test_only_leftovers_from_before_are_removed(tmp_path: Path) -> None:
    storage, folder = Storage(tmp_path), tmp_path / "acme-corp"
    folder.mkdir()
    old, new = f"{NAME}.partial", f"{make_name('acme-corp', AT.replace(hour=15), '0000000c')}.partial"
    for one in (old, new, NAME, "acme-corp/notes.txt"):
        (tmp_path / one).write_bytes(b"x")

    removed = await storage.remove_leftovers("acme-corp", begun_before=AT.replace(hour=14))

    assert removed == (old,)
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [NAME.removeprefix("acme-corp/"), new.removeprefix("acme-corp/"), "notes.txt"]
    )


async def test_a_backup_that_is_not_there_is_not_found(storage: Storage) -> None:
    for name in (NAME, "../../etc/passwd", "acme-corp/../x", ""):
        with pytest.raises(NotFound) as caught:
            await read(storage, name)
        assert caught.value.code == "SW206"


async def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(Retryable) as caught:
        await Storage(tmp_path / "file").save(NAME, pieces(b"x"))

    assert (caught.value.code, caught.value.why) == ("SW607", "File exists")


def test_a_place_of_an_unknown_kind_is_refused_without_its_password() -> None:
    with pytest.raises(ConfigError) as caught:
        Storage("nosuch://key:hunter2@bucket/x")

    assert caught.value.code == "SW109"
    assert "hunter2" not in f"{caught.value} {caught.value.why}"
    assert repr(Storage("memory://u:hunter2@x/y")) == "Storage('memory://***@x/y')"


@pytest.mark.parametrize(("customer", "mark"), [("../x", "0000000a"), ("acme", "x"), ("a/b", "0000000a")])
def test_a_name_is_made_of_a_slug_and_a_mark(customer: str, mark: str) -> None:
    with pytest.raises(ValueError, match="slug"):
        make_name(customer, AT, mark)
