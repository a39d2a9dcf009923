"""The kill switch: the pause stands whatever becomes of the audit entry, and no wrong key is left behind."""

from pathlib import Path

import pytest

from securewatch.core.errors import ConfigError
from securewatch.operations.pause import set_pause
from securewatch.operations.start import start_run
from securewatch.store import audit, meta
from tests.integration.operations.given import Office, planned, running_office


async def begin_log(office: Office) -> None:
    """A deploy was asked for under the key of the environment, so that an audit log exists."""
    deps = await office.deps()
    await start_run(deps, await planned(deps))


async def actions(office: Office) -> list[str]:
    deps = await office.deps()
    async with (await deps.database()).read() as tx:
        return [one.action for one in await audit.entries(tx)]


async def test_a_pause_is_set_and_noted_in_the_audit_log(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        held = await set_pause(await office.deps("dana"), paused=True, reason="log-ins fail")

        assert held.pause is not None
        assert (held.pause.actor, held.pause.reason, held.unaudited) == ("dana", "log-ins fail", None)
        assert await actions(office) == ["pause.all"]


async def test_without_the_key_of_the_audit_log_everything_is_paused_and_no_key_is_made(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        await begin_log(office)
        keyless = await office.deps("dana", SECUREWATCH_SECRET_KEY=None)

        held = await set_pause(keyless, paused=True)

        async with (await keyless.database()).read() as tx:
            assert await meta.is_paused(tx)
        assert held.unaudited is not None
        assert held.unaudited.code == "SW107"
        assert not (keyless.settings.state_dir / "secret.key").exists()
        assert "pause.all" not in await actions(office)


async def test_a_pause_with_a_key_that_cannot_be_read_stands_too(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps(SECUREWATCH_SECRET_KEY="bm90IDMyIGJ5dGVz")

        held = await set_pause(deps, paused=True)

        assert held.pause is not None
        assert held.unaudited is not None


async def test_without_the_key_of_the_audit_log_the_pause_is_lifted_too(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        await begin_log(office)
        keyless = await office.deps(SECUREWATCH_SECRET_KEY=None)
        await set_pause(keyless, paused=True)

        assert (await set_pause(keyless, paused=False)).pause is None


async def test_no_command_makes_a_key_beside_an_audit_log_of_another_key(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        await begin_log(office)
        keyless = await office.deps(SECUREWATCH_SECRET_KEY=None)

        with pytest.raises(ConfigError) as caught:
            keyless.box(create=True)

        assert caught.value.code == "SW107"
        assert "SECUREWATCH_SECRET_KEY" in caught.value.fix
        assert not (keyless.settings.state_dir / "secret.key").exists()


async def test_the_first_key_is_made_where_nothing_was_noted_yet(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        keyless = await office.deps(SECUREWATCH_SECRET_KEY=None)

        held = await set_pause(keyless, paused=True)

        assert held.unaudited is None
        assert keyless.key_file_made == keyless.settings.state_dir / "secret.key"
