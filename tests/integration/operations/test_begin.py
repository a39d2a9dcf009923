"""The deploy of a rollout's member begins, or does not: a moved tag halts the rollout before anything is sent."""

from pathlib import Path

from securewatch.controller.load_rollouts import load_rollout_view
from securewatch.deps import Deps
from securewatch.operations.begin import MemberStarter
from securewatch.operations.expected import expect
from securewatch.operations.release.start import Wish, ask_for
from securewatch.rollout.model import MemberState, RolloutState
from securewatch.rollout.roster import LEFT
from securewatch.rollout.view import RolloutView, Start
from securewatch.store import audit, rollouts
from tests.integration.operations.given import Office, running_office
from tests.integration.operations.test_roster import drop_customer
from tests.integration.versions.repository import Repository, make_repository

ROLLOUT = "v1.1.0-r1"


async def begun(office: Office, folder: Path) -> tuple[Deps, Repository]:
    """A rollout that bob asked for, on its day 0."""
    vendor = make_repository(folder / "vendor")
    for tag in ("v1.0.0", "v1.1.0"):
        vendor.commit(tag)
        vendor.tag(tag)
    deps = await office.deps(SECUREWATCH_REPO=str(vendor.path))
    await ask_for(deps, Wish("v1.1.0"), (await expect(deps, "v1.1.0")).plan, lambda _: None)
    return deps, vendor


async def view_of(deps: Deps) -> RolloutView:
    async with (await deps.database()).read() as tx:
        rollout = await rollouts.load_rollout(tx, ROLLOUT)
        assert rollout is not None
        return await load_rollout_view(tx, rollout, await rollouts.members_of(tx, ROLLOUT), ())


async def test_a_tag_that_moves_between_batches_halts_the_rollout_and_sends_nothing(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps, vendor = await begun(office, tmp_path)
        view = await view_of(deps)
        vendor.git("tag", "-f", "v1.1.0", "v1.0.0^{}")

        again = await MemberStarter(deps).begin(view, Start(ROLLOUT, "techstart", view.members["techstart"].epoch))

        after = await view_of(deps)
        assert again is not None
        assert (after.rollout.state, after.rollout.code) == (RolloutState.HALTED, "SW412")
        assert after.members["techstart"].state is MemberState.PENDING
        async with (await deps.database()).read() as tx:
            assert [one.action for one in await audit.entries(tx)][-1] == "rollout.halted"


async def test_a_customer_who_left_the_files_is_skipped_and_halts_nothing(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        await begun(office, tmp_path)
        drop_customer(tmp_path, "techstart")
        later = await office.deps(SECUREWATCH_REPO=str(tmp_path / "vendor"))
        view = await view_of(later)

        await MemberStarter(later).begin(view, Start(ROLLOUT, "techstart", view.members["techstart"].epoch))

        after = await view_of(later)
        member = after.members["techstart"]
        assert (member.state, member.code, member.detail) == (MemberState.SKIPPED, "", LEFT)
        assert after.rollout.state is RolloutState.RUNNING
