"""Write the release calendar to a file: what is planned for whom, what changed since, and what is off."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from securewatch.core.errors import NotFound
from securewatch.deps import Deps
from securewatch.notify.ics import calendar_bytes
from securewatch.operations.files import write_file
from securewatch.operations.usual import load_known
from securewatch.rollout.calendar import Entry, EntryStatus, KeptEntry, bring_up_to_date, entries_of
from securewatch.rollout.model import Rollout, RolloutState
from securewatch.rollout.roster import with_joined
from securewatch.rollout.schedule import make_schedule
from securewatch.rollout.usual import BUILD_SECONDS
from securewatch.store import approvals, release_plans, rollouts
from securewatch.store.calendar import load_entries, save_entries
from securewatch.store.database import Tx


@dataclass(frozen=True)
class Agenda:
    """All entries that there are of some versions. A version without any has had its rollout called off."""

    versions: tuple[str, ...]
    entries: tuple[Entry, ...]


LoadAgenda = Callable[[Deps, str | None], Awaitable[Agenda]]
"""Gives the agenda of a version, or of every rollout that is not over."""


@dataclass(frozen=True)
class Exported:
    """What the file holds, and how many of its entries changed since the last time."""

    path: Path
    kept: tuple[KeptEntry, ...]
    changed: int

    @property
    def cancelled(self) -> int:
        """How many entries say that they are off."""
        return sum(one.entry.status is EntryStatus.CANCELLED for one in self.kept)


async def load_agenda(deps: Deps, version: str | None) -> Agenda:
    """The agenda of a version's newest rollout, or of every rollout that is not over.

    Raises NotFound (SW208) where there is none.
    """
    database = await deps.existing_database()
    found: list[tuple[Rollout, tuple[Entry, ...]]] = []
    if database is not None:
        async with database.read() as tx:
            every = await rollouts.all_rollouts(tx)
            newest = {one.version: one for one in every if version in (None, one.version)}
            found = [(one, await _entries(deps, tx, one)) for one in newest.values()]
    if not found:
        raise NotFound(
            "SW208",
            f"there is no rollout of {version}" if version else "there is no rollout",
            why="a calendar shows what a rollout plans",
            fix=f"securewatch rollout start --version {version or 'vX.Y.Z'}",
        )
    versions = tuple(one.version for one, _ in found if version is not None or one.state is not RolloutState.DONE)
    return Agenda(versions, tuple(entry for one, entries in found for entry in entries if one.version in versions))


async def _entries(deps: Deps, tx: Tx, rollout: Rollout) -> tuple[Entry, ...]:
    """The rollout's entries as its plan lay when it was asked for, so that they stay where nothing changed.

    Freezes, pins and the demo deploy that opens the testing period count as they are now; what builds take by a little
    more or less each day does not.
    """
    plan = await release_plans.load_release_plan(tx, rollout.plan_hash)
    if plan is None or rollout.state is RolloutState.ABORTED:
        return ()
    members = tuple((await rollouts.members_of(tx, rollout.id)).values())
    plan, known = with_joined(plan, members), await load_known(deps, plan)
    known = replace(known, build_seconds=BUILD_SECONDS)
    schedule = make_schedule(plan, rollout.day_zero, now=rollout.requested_at, known=known)
    given = await approvals.approvals_of_plan(tx, plan.hash)
    slots = {one.slug: (one.start, one.end) for one in schedule.slots}
    return entries_of(plan, members, slots, approved={one.slug for one in given if one.granted})


async def export(
    deps: Deps, path: Path, *, version: str | None = None, slug: str | None = None, load: LoadAgenda = load_agenda
) -> Exported:
    """Write the calendar of one version or of all rollouts, of one customer or of all, to the file.

    Raises NotFound (SW202, SW206), UsageError (SW201) where the file cannot be written.
    """
    slug = deps.fleet.find_customer(slug).slug if slug is not None else None
    return await export_calendar(deps, await load(deps, version), path, slug=slug)


async def export_calendar(deps: Deps, agenda: Agenda, path: Path, *, slug: str | None = None) -> Exported:
    """Bring the kept entries up to the agenda, and write them to the file, of one customer or of all.

    The file is put in its place whole; its bytes stay the same where nothing changed. Raises UsageError (SW201).
    """
    database = await deps.database()
    async with database.write("calendar") as tx:
        kept = {one.entry.uid: one for one in await load_entries(tx, agenda.versions)}
        changed = bring_up_to_date(tuple(kept.values()), agenda.entries, versions=agenda.versions, now=deps.clock.now())
        await save_entries(tx, changed)
    kept |= {one.entry.uid: one for one in changed}
    shown = tuple(one for one in kept.values() if slug in (None, one.entry.slug))
    name = f"Releases for {slug}" if slug is not None else "Releases"
    write_file(path, calendar_bytes(shown, name=name), example="--ics releases.ics")
    return Exported(path, shown, sum(slug in (None, one.entry.slug) for one in changed))
