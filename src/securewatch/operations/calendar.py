"""Write the release calendar to a file: what is planned for whom, what changed since, and what is off."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from securewatch.core.errors import NotFound, UsageError
from securewatch.deps import Deps
from securewatch.notify.ics import calendar_bytes
from securewatch.rollout.calendar import Entry, EntryStatus, KeptEntry, bring_up_to_date
from securewatch.store.calendar import load_entries, save_entries


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


async def load_agenda(_deps: Deps, version: str | None) -> Agenda:
    """The agenda of the rollouts on record. Raises NotFound (SW206) where there is none."""
    raise NotFound(
        "SW206",
        f"there is no rollout of {version}" if version else "there is no rollout",
        why="a calendar shows what a rollout plans",
        fix="plan a release first",
    )


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
    _write(path, calendar_bytes(shown, name=name))
    return Exported(path, shown, sum(slug in (None, one.entry.slug) for one in changed))


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UsageError(
            "SW201",
            f"{path} cannot be written",
            why=error.strerror or type(error).__name__,
            fix="give a file in a folder that is there and may be written: --ics releases.ics",
        ) from error
