"""The entries of a release calendar: one for each customer and version, and what becomes of one that changes. Pure.

How an entry is written down is the business of `notify/ics.py`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from securewatch.deploy.model import GateRules
from securewatch.rollout.gates import window_of
from securewatch.rollout.model import Member, MemberPlan, MemberState, PhasePlan, ReleasePlan

Slot = tuple[datetime, datetime]
"""When a customer's turn begins and ends."""


class EntryStatus(StrEnum):
    """How sure an entry is."""

    TENTATIVE = "tentative"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Entry:
    """One customer's turn in a release. `uid` is the same for ever; times are instants in UTC."""

    uid: str
    version: str
    slug: str
    summary: str
    start: datetime
    end: datetime
    status: EntryStatus
    description: str


@dataclass(frozen=True)
class KeptEntry:
    """An entry as it was last told: `sequence` counts its changes, `stamped_at` is when the last one was seen."""

    entry: Entry
    sequence: int
    stamped_at: datetime


def entries_of(
    plan: ReleasePlan, members: Sequence[Member], slots: Mapping[str, Slot], *, approved: Collection[str]
) -> tuple[Entry, ...]:
    """The entry of each customer that the version comes to and that has a slot, earliest first.

    `members` are the rollout's, none where it has not begun; `approved` are the customers whose approval is given.
    """
    rows = {one.slug: one for one in members}
    found = []
    for phase, part in [(each, one) for each in plan.phases for one in each.members]:
        row = rows.get(part.slug)
        is_out = bool(part.left_out) or (row is not None and row.state is MemberState.SKIPPED)
        if part.slug in slots and not is_out:
            has_begun = row is not None and row.state is not MemberState.PENDING
            is_sure = has_begun or part.slug in approved or not _needs_approval(phase, part)
            found.append(_entry(plan, phase, part, slots[part.slug], is_sure=is_sure))
    return tuple(sorted(found, key=lambda one: (one.start, one.slug)))


def bring_up_to_date(
    kept: Sequence[KeptEntry], entries: Sequence[Entry], *, versions: Collection[str], now: datetime
) -> tuple[KeptEntry, ...]:
    """The entries that are new or changed since they were kept, and those that are gone, as cancelled.

    `entries` are all that there are of these versions; what was kept of others is left alone.
    """
    known, wanted = {one.entry.uid: one for one in kept}, {one.uid: one for one in entries}
    gone = [
        replace(one.entry, status=EntryStatus.CANCELLED)
        for one in kept
        if one.entry.version in versions and one.entry.uid not in wanted
    ]
    changed = []
    for entry in (*entries, *gone):
        before = known.get(entry.uid)
        if before is None:
            changed.append(KeptEntry(entry, 0, now))
        elif before.entry != entry:
            changed.append(KeptEntry(entry, before.sequence + 1, now))
    return tuple(changed)


def _needs_approval(phase: PhasePlan, part: MemberPlan) -> bool:
    return phase.needs_approval or part.gates.needs_approval


def _entry(plan: ReleasePlan, phase: PhasePlan, part: MemberPlan, slot: Slot, *, is_sure: bool) -> Entry:
    return Entry(
        uid=f"{plan.version}-{part.slug}@securewatch-render",
        version=plan.version,
        slug=part.slug,
        summary=f"{part.name}: {plan.version}",
        start=slot[0],
        end=slot[1],
        status=EntryStatus.CONFIRMED if is_sure else EntryStatus.TENTATIVE,
        description=_description(plan, phase, part, slot, is_sure=is_sure),
    )


def _description(plan: ReleasePlan, phase: PhasePlan, part: MemberPlan, slot: Slot, *, is_sure: bool) -> str:
    lines = [
        f"{plan.version} ({plan.commit[:7]}) comes to {part.slug}: phase {phase.name}, batch {part.batch}.",
        f"Expected {_local(slot, _zone_of(part.gates))}.",
    ]
    window = part.gates.window
    if window is not None:
        hours = "at any time" if window.start is None else f"{window.start} to {window.end}"
        lines.append(f"Maintenance window: {window.day}, {hours}, {_zone_of(part.gates).key}.")
    if _needs_approval(phase, part):
        lines.append("The approval is given." if is_sure else "The approval is not given yet.")
    return "\n".join(lines)


def _local(slot: Slot, zone: ZoneInfo) -> str:
    """The slot on the customer's wall clock, each end with its own offset's name."""
    start, end = (one.astimezone(zone) for one in slot)
    day = "" if start.date() == end.date() else f"{end:%A %Y-%m-%d} "
    return f"{start:%A %Y-%m-%d %H:%M %Z} to {day}{end:%H:%M %Z}"


def _zone_of(gates: GateRules) -> ZoneInfo:
    """The customer's time zone; UTC where its window has none that can be read."""
    try:
        return ZoneInfo(window_of(gates.window).timezone if gates.window is not None else "UTC")
    except ValueError:
        return ZoneInfo("UTC")
