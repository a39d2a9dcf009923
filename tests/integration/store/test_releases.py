"""Releases: what runs now and what ran before."""

from dataclasses import replace
from pathlib import Path

from securewatch.deploy.model import ServiceKind
from securewatch.store import releases
from securewatch.store.releases import Release
from tests.integration.store.given import NOW, State, later, opened

OLD = Release("acme", ServiceKind.BACKEND, "srv-acme", "v1.0.0", "51d00fe", "dep-0", NOW, verified_at=NOW, run_id="r0")
NEW = replace(
    OLD, version="v1.1.0", commit="9c1e2ab", deploy_id="dep-1", since=later(60), verified_at=None, run_id="r1"
)


async def record(state: State, *given: Release) -> None:
    async with state.database.write("release") as tx:
        for one in given:
            await releases.record_release(tx, one)


async def test_the_last_release_of_each_service_is_current_and_all_are_history(tmp_path: Path) -> None:
    front = replace(OLD, service_kind=ServiceKind.FRONTEND, service_id="srv-front", deploy_id=None, commit=None)
    other = replace(OLD, slug="abc")
    async with opened(tmp_path) as state:
        await record(state, OLD, front, other, NEW)
        async with state.database.read() as tx:
            current = await releases.current_releases(tx)
            history = await releases.history(tx, "acme")

    assert current == [other, NEW, front]
    assert history == [NEW, front, OLD]


async def test_the_same_deploy_noted_again_is_brought_up_to_date_and_keeps_its_beginning(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await record(state, NEW, replace(NEW, verified_at=later(90), since=later(80)))
        async with state.database.read() as tx:
            assert await releases.history(tx, "acme") == [replace(NEW, verified_at=later(90))]


async def test_going_back_to_an_old_deploy_is_a_release_of_its_own(tmp_path: Path) -> None:
    back = replace(OLD, since=later(120))
    async with opened(tmp_path) as state:
        await record(state, OLD, NEW, back)
        async with state.database.read() as tx:
            assert await releases.current_releases(tx) == [back]
            assert await releases.history(tx, "acme") == [back, NEW, OLD]
