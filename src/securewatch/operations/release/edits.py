"""What the files say otherwise than the plan of a rollout that runs: the plan stays, and a person is told."""

from collections.abc import Collection, Iterable, Iterator

from securewatch.config.fleet import Fleet
from securewatch.core.errors import ConfigError
from securewatch.deps import Deps
from securewatch.operations.release.status import ReleaseStatus
from securewatch.rollout.differences import Difference, diff_plans
from securewatch.rollout.model import MemberState
from securewatch.rollout.notes import name_some
from securewatch.rollout.plan import ReleaseTarget, plan_release
from securewatch.rollout.roster import LEFT

_BY_VERSIONS = ("batch", "code", "left_out")
"""What rests on the versions that there are and run, and not on the files alone."""


def notes_on_files(deps: Deps, status: ReleaseStatus) -> tuple[str, ...]:
    """A line about what changed in the files since the plan, and one about each that keeps customers out."""
    if status.rollout.state.is_over:
        return ()
    try:
        fleet = deps.fleet
    except ConfigError as error:
        why = error.problems[0] if error.problems else error.why
        return (f"the files cannot be read ({error.code} {why}); the rollout goes on by its plan",)
    plan = status.plan
    latest = plan_release(fleet, ReleaseTarget(plan.version, plan.commit), {})
    found = [one for one in diff_plans(plan, latest) if one.name not in _BY_VERSIONS]
    edited = list(dict.fromkeys(_words(one) for one in found if one.name))
    notes = [f"the files changed since the plan, which stays as it was: {name_some(edited)}"] if edited else []
    return (*notes, *_comings(status, found, {one.slug for one in fleet.problems}), *_held(status, fleet))


def _words(one: Difference) -> str:
    return f"{one.slug or one.phase or 'all'} {one.name.removeprefix('gates.').replace('_', ' ')}"


def _comings(status: ReleaseStatus, found: Iterable[Difference], held: Collection[str]) -> Iterator[str]:
    """Who is about to join or leave, or stays though the files say otherwise."""
    members = {one.slug: one.member for one in status.members}
    for one in found:
        member = members.get(one.slug)
        if one.name or (member is not None and member.detail == LEFT):
            continue
        if member is None and one.slug not in held:
            yield f"{one.slug}: new in the files; joins {one.phase} when a controller runs"
        elif (
            member is not None
            and one.after == "-"
            and member.phase == one.phase
            and member.state is MemberState.PENDING
        ):
            yield f"{one.slug}: not in {one.phase} by the files any more"


def _held(status: ReleaseStatus, fleet: Fleet) -> Iterator[str]:
    """Who does not get the version, or does not join, while the files disagree about it."""
    through = {one.slug for one in status.members if one.member.state is not MemberState.PENDING}
    for one in fleet.problems:
        if one.slug not in through:
            yield f"{one.slug}: held: configuration: {one}"
