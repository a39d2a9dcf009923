"""Making tags: every check comes before anything is made, and the audit log is told where there is one."""

from pathlib import Path

import pytest

from securewatch.core.errors import NotFound, ShutGate, UsageError
from securewatch.operations.pause import set_pause
from securewatch.operations.tags import TagRequest, create_tag
from securewatch.store import audit
from tests.integration.operations.given import running_office
from tests.integration.versions.repository import Repository, make_repository


@pytest.fixture
def vendor(tmp_path: Path) -> Repository:
    """A repository without a remote."""
    made = make_repository(tmp_path / "vendor")
    made.commit("first")
    made.tag("v1.0.0")
    return made


async def test_a_tag_is_made_and_audited(vendor: Repository, tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps("ann", SECUREWATCH_REPO=str(vendor.path))
        database = await deps.database()

        made = await create_tag(deps, TagRequest("v1.1.0"))

        async with database.read() as tx:
            (entry,) = await audit.entries(tx)
    assert vendor.git("cat-file", "-t", "v1.1.0") == "tag"
    assert (made.tag.message, made.is_pushed, made.unaudited) == ("Release v1.1.0", False, None)
    assert (entry.action, entry.actor) == ("tag.created", "ann")
    assert entry.detail == {"version": "v1.1.0", "commit": vendor.git("rev-parse", "HEAD"), "pushed": False}


async def test_a_dry_run_checks_and_makes_nothing(vendor: Repository, tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps(SECUREWATCH_REPO=str(vendor.path))

        made = await create_tag(deps, TagRequest("v1.1.0"), is_dry=True)
        with pytest.raises(NotFound) as caught:
            await create_tag(deps, TagRequest("v1.1.0", "nowhere"), is_dry=True)

    assert made.tag.commit == vendor.git("rev-parse", "HEAD")
    assert caught.value.code == "SW211"
    assert vendor.git("tag") == "v1.0.0"
    assert not (tmp_path / ".securewatch").exists()


async def test_a_tag_that_could_go_nowhere_is_refused(vendor: Repository, tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        local = await office.deps(SECUREWATCH_REPO=str(vendor.path))
        remote = await office.deps(SECUREWATCH_REPO=f"file://{vendor.path}")

        with pytest.raises(UsageError) as unpushable:
            await create_tag(local, TagRequest("v1.1.0", push=True))
        with pytest.raises(UsageError) as unpushed:
            await create_tag(remote, TagRequest("v1.1.0"))

    assert "no remote `origin`" in unpushable.value.what
    assert "--push" in unpushed.value.fix
    assert vendor.git("tag") == "v1.0.0"


async def test_no_tag_is_made_while_everything_is_paused(vendor: Repository, tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps(SECUREWATCH_REPO=str(vendor.path))
        await set_pause(deps, paused=True)

        with pytest.raises(ShutGate):
            await create_tag(deps, TagRequest("v1.1.0"))

    assert vendor.git("tag") == "v1.0.0"
