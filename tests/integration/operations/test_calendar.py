"""The calendar's file: stable bytes, changes told as such, one customer or all, and put in its place whole."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from securewatch.core.errors import NotFound, UsageError
from securewatch.deps import Deps
from securewatch.operations.calendar import Agenda, export, export_calendar
from securewatch.rollout.calendar import Slot, entries_of
from tests.integration.operations.given import Office, running_office
from tests.unit.rollout.given_calendar import SLOTS, part, phase, release_plan, slot


def agenda(**slots: Slot) -> Agenda:
    """What is planned where these customers have other slots."""
    return Agenda(("v1.1.0",), entries_of(release_plan(), (), {**SLOTS, **slots}, approved=()))


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[Office, Deps]]:
    async with running_office(folder) as office:
        yield office, await office.deps()


async def test_the_bytes_change_only_with_the_plan(tmp_path: Path) -> None:
    path = tmp_path / "releases.ics"
    async with opened(tmp_path) as (office, deps):
        first = await export_calendar(deps, agenda(), path)
        before = path.read_bytes()
        await office.rig.pass_seconds(timedelta(days=1).total_seconds())
        same = await export_calendar(deps, agenda(), path)
        unchanged = path.read_bytes()
        moved = await export_calendar(deps, agenda(acme=slot(5)), path)

    assert (first.changed, same.changed, moved.changed) == (3, 0, 1)
    assert unchanged == before
    assert [one.sequence for one in sorted(moved.kept, key=lambda one: one.entry.slug)] == [1, 0, 0]
    assert path.read_bytes().count(b"SEQUENCE:1") == 1
    assert list(tmp_path.glob(".*.part")) == []


async def test_a_rollout_that_is_gone_is_cancelled_in_the_calendar(tmp_path: Path) -> None:
    path = tmp_path / "releases.ics"
    async with opened(tmp_path) as (_, deps):
        await export_calendar(deps, agenda(), path)

        found = await export_calendar(deps, Agenda(("v1.1.0",), ()), path)

    assert (found.changed, found.cancelled) == (3, 3)
    assert path.read_bytes().count(b"STATUS:CANCELLED") == 3


async def test_one_customers_calendar_holds_no_other(tmp_path: Path) -> None:
    plan = release_plan(phase("standard", part("acme-corp"), part("techstart")))
    entries = entries_of(plan, (), {"acme-corp": slot(3), "techstart": slot(4)}, approved=())

    async def load(_deps: Deps, version: str | None) -> Agenda:
        return Agenda((version or "",), entries)

    async with opened(tmp_path) as (_, deps):
        path = tmp_path / "acme.ics"
        found = await export(deps, path, version="v1.1.0", slug="ACME Corporation", load=load)
        with pytest.raises(NotFound) as unknown:
            await export(deps, path, slug="nobody", load=load)

    assert [one.entry.slug for one in found.kept] == ["acme-corp"]
    assert found.changed == 1
    assert b"techstart" not in path.read_bytes()
    assert unknown.value.code == "SW202"


async def test_without_a_rollout_there_is_no_calendar(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, deps):
        with pytest.raises(NotFound) as caught:
            await export(deps, tmp_path / "releases.ics")

    assert caught.value.code == "SW208"
    assert not (tmp_path / "releases.ics").exists()


async def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, deps):
        for path in (tmp_path / "missing" / "releases.ics", tmp_path / "config"):
            with pytest.raises(UsageError) as caught:
                await export_calendar(deps, agenda(), path)
            assert caught.value.code == "SW201"

    assert list(tmp_path.glob(".*.part")) == []
