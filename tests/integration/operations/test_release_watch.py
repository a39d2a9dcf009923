"""The watcher over a real repository: what it records, what it begins, and what becomes of trouble."""

from collections.abc import Collection
from pathlib import Path

import pytest

from securewatch.core.errors import GatewayError, Refused, Retryable, SecurewatchError
from securewatch.deps import Deps
from securewatch.operations.release_watch import WatchLook, look_once, watch
from securewatch.store import runs
from securewatch.versions.watch import News
from tests.integration.operations.given import Office, running_office
from tests.integration.versions.repository import Repository, make_repository


@pytest.fixture
def vendor(tmp_path: Path) -> Repository:
    """A main branch with a version at its head."""
    made = make_repository(tmp_path / "vendor")
    made.commit("first")
    made.tag("v1.1.0")
    return made


class Beginner:
    """Begins nothing: it notes what it was asked for, and raises what it was given."""

    def __init__(self, *troubles: SecurewatchError) -> None:
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self._troubles = list(troubles)

    async def __call__(self, _deps: Deps, news: News) -> None:
        self.asked.append((news.point.version.tag, news.slugs))
        if self._troubles:
            raise self._troubles.pop(0)


async def watching(office: Office, vendor: Repository) -> Deps:
    """The parts of a process that has looked for the first time."""
    deps = await office.deps(SECUREWATCH_REPO=str(vendor.path))
    look = await look_once(deps)
    assert look == WatchLook((), ("demo",))
    return deps


async def test_the_second_look_deploys_the_new_head_of_main_to_demo(vendor: Repository, tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await watching(office, vendor)
        head = vendor.commit("second")

        look = await look_once(deps)
        again = await look_once(deps)

        async with (await deps.database()).read() as tx:
            (run,) = await runs.open_runs(tx)
    assert [one.trouble for one in look.found] == [None]
    assert (run.slug, run.version, run.commit) == ("demo", f"v1.1.0-1-g{head[:7]}", head)
    assert run.reason == "the watcher saw a new head of main"
    assert again == WatchLook((), ())


async def test_a_new_tag_is_begun_once(vendor: Repository, tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps, begin = await watching(office, vendor), Beginner()
        vendor.commit("second")
        vendor.tag("v1.2.0")

        await look_once(deps, begin=begin)
        await look_once(deps, begin=begin)

    assert begin.asked == [("v1.2.0", ("demo",))]


async def test_trouble_is_tried_again_and_a_refusal_is_not(vendor: Repository, tmp_path: Path) -> None:
    begin = Beginner(Retryable("SW303", "Render cannot be reached"), Refused("SW407", "autodeploy is on"))
    async with running_office(tmp_path) as office:
        deps = await watching(office, vendor)
        vendor.commit("second")

        looks = [await look_once(deps, begin=begin) for _ in range(3)]

    assert [[(one.trouble and one.trouble.code, one.is_tried_again) for one in look.found] for look in looks] == [
        [("SW303", True)],
        [("SW407", False)],
        [],
    ]


async def test_nothing_is_begun_for_a_busy_customer_until_it_is_free(vendor: Repository, tmp_path: Path) -> None:
    begin, in_rollout = Beginner(), ["demo"]

    async def busy(_deps: Deps) -> Collection[str]:
        return in_rollout

    async with running_office(tmp_path) as office:
        deps = await watching(office, vendor)
        vendor.commit("second")
        await look_once(deps, begin=begin, busy=busy)
        before = list(begin.asked)
        in_rollout.clear()
        await look_once(deps, begin=begin, busy=busy)

    assert before == []
    assert len(begin.asked) == 1


async def test_a_repository_that_cannot_be_read_is_told_and_looked_at_again(vendor: Repository, tmp_path: Path) -> None:
    told: list[WatchLook | GatewayError] = []

    class Enough(Exception):
        """The test has seen what it wanted."""

    def tell(what: WatchLook | GatewayError) -> None:
        told.append(what)
        if len(told) == 2:
            raise Enough
        vendor.path.with_name("away").rename(vendor.path)

    vendor.path.rename(vendor.path.with_name("away"))
    async with running_office(tmp_path) as office:
        deps = await office.deps(SECUREWATCH_REPO=str(vendor.path))
        with pytest.raises(GatewayError):
            await look_once(deps)
        with pytest.raises(Enough):
            await watch(deps, every_seconds=1.0, tell=tell)

    assert isinstance(told[0], GatewayError)
    assert isinstance(told[1], WatchLook)
