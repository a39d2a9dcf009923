"""The plan of a release as people and programs read it: a calendar of phases, batches and slots. Decides nothing."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from securewatch.cli.tables import show_table, zone_name
from securewatch.cli.words import show_duration
from securewatch.rollout.calls import READS_PER_MINUTE, WRITES_PER_MINUTE
from securewatch.rollout.gates import window_words
from securewatch.rollout.notes import name_some
from securewatch.rollout.schedule import NoticeDue, PhaseDates, Slot

if TYPE_CHECKING:
    from securewatch.operations.release_plan import PlannedRelease
    from securewatch.rollout.model import MemberPlan, PhasePlan

ROWS_MAX = 40
"""Rows of one phase; of more the first are shown, and JSON has all."""
_DAY = timedelta(days=1)


def show_release_plan(planned: "PlannedRelease") -> None:
    """The plan as a calendar table for each phase, with totals and notes."""
    print("\n".join(_head(planned)))
    for phase, dates in zip(planned.plan.phases, planned.schedule.phases, strict=True):
        print()
        _show_phase(planned, phase, dates)
    print("\n" + "\n".join((*_totals(planned), *_left_out(planned))), flush=True)


def _head(planned: "PlannedRelease") -> Iterator[str]:
    plan, schedule = planned.plan, planned.schedule
    yield f"{plan.version} ({plan.commit[:7]})  plan {plan.hash[:8]}  (times in {zone_name()})"
    yield f"day 0 begins {_at(schedule.day_zero)}"
    if planned.schedule.conflicts:
        yield "‼ not feasible:"
    yield from (f"  ‼ {one.text}" for one in planned.schedule.conflicts)


# --- phases -----------------------------------------------------------------------------------------------------------


def _show_phase(planned: "PlannedRelease", phase: "PhasePlan", dates: PhaseDates) -> None:
    is_long = phase.last_day > phase.first_day
    days = f"days {phase.first_day} to {phase.last_day}" if is_long else f"day {phase.first_day}"
    print(f"{phase.name}, {days}: {_at(dates.begins)} to {_at(dates.ends)}; {_pace(phase)}")
    slots = [one for one in planned.schedule.slots if one.phase == phase.name]
    is_by_customer = phase.lanes or phase.needs_window
    rows = list(_slot_rows(planned, phase, slots) if is_by_customer else _batch_rows(planned, slots))
    headings = ("  day", "expected", "customers", "for the customer", "window")[: 5 if is_by_customer else 3]
    if rows:
        show_table(headings, rows[:ROWS_MAX], prose=("customers",), spare=("window",))
    if len(rows) > ROWS_MAX:
        print(f"  and {len(rows) - ROWS_MAX:,} more; -o json shows all")
    print("\n".join(_phase_lines(planned, phase)))


def _due(planned: "PlannedRelease", phase: "PhasePlan") -> "list[MemberPlan]":
    """The customers who do not have the version yet."""
    return [one for one in phase.due if one.slug not in planned.there]


def _pace(phase: "PhasePlan") -> str:
    """How the phase is cut: `25 % at a time, each 6 h after the one before`."""
    words = phase.batch_size
    if phase.lanes > 1:
        words += f" in {phase.lanes} lanes"
    if phase.needs_window:
        words += ", each in the customer's window"
    if phase.batch_delay_seconds:
        words += f", each {show_duration(phase.batch_delay_seconds)} after the one before"
    return words


def _batch_rows(planned: "PlannedRelease", slots: Sequence[Slot]) -> Iterator[tuple[str, ...]]:
    """A row for each batch."""
    for number, batch in groupby(slots, key=lambda one: one.batch):
        found = list(batch)
        start, end = min(one.start for one in found), max(one.end for one in found)
        slugs = [one.slug for one in found]
        many = f"{len(slugs):,}: " if len(slugs) > 1 else ""
        yield f"  {_day(planned, start)}", _span(start, end), f"batch {number}  {many}{name_some(slugs)}"


def _slot_rows(planned: "PlannedRelease", phase: "PhasePlan", slots: Sequence[Slot]) -> Iterator[tuple[str, ...]]:
    """A row for each customer, in the order of their turns."""
    members = {one.slug: one for one in phase.due}
    for one in sorted(slots, key=lambda slot: (slot.start, slot.slug)):
        lane = f" (lane {one.lane})" if phase.lanes > 1 else ""
        window = members[one.slug].gates.window
        there = _local(one, ZoneInfo(window.timezone)) if window is not None else ""
        words = window_words(window) if window is not None else ""
        yield f"  {_day(planned, one.start)}", _span(one.start, one.end), f"{one.slug}{lane}", there, words


def _phase_lines(planned: "PlannedRelease", phase: "PhasePlan") -> Iterator[str]:
    due = _due(planned, phase)
    if not due:
        yield "  nobody has to get it"
        return
    slugs = {one.slug for one in due}
    yield from _notice_lines([one for one in planned.schedule.notices if one.slug in slugs])
    yield from _approval_lines(due)
    rule = f"{phase.success_rate * 100:g} % verified, no open incident"
    yield f"  goes on    with {rule}{'' if phase.allows_rollbacks else ', nothing rolled back'}; {_budget(phase)}"


def _notice_lines(notices: Sequence[NoticeDue]) -> Iterator[str]:
    in_time, late = [one for one in notices if not one.is_late], [one for one in notices if one.is_late]
    if in_time:
        days = [str(one) for one in sorted({one.days_ahead for one in in_time}, reverse=True)]
        words = " and ".join([", ".join(days[:-1]), days[-1]] if len(days) > 1 else days)
        first = min(one.at for one in in_time)
        yield f"  notices    {words} day{'' if days == ['1'] else 's'} ahead, the first {_at(first)}"
    for days_ahead in sorted({one.days_ahead for one in late}, reverse=True):
        slugs = [one.slug for one in late if one.days_ahead == days_ahead]
        yield f"  ! late     the notice {days_ahead} days ahead is sent at once to {name_some(slugs)}"


def _approval_lines(due: "Sequence[MemberPlan]") -> Iterator[str]:
    asking: dict[tuple[int, tuple[str, ...]], list[str]] = {}
    for one in due:
        if one.gates.needs_approval:
            asking.setdefault((one.gates.approvals_needed, one.gates.approvers), []).append(one.slug)
    for (count, approvers), slugs in asking.items():
        who = " or ".join(approvers) or "anyone but the one who asks for it"
        each = "for each of " if len(slugs) > 1 else "for "
        yield f"  approval   {count} {each}{name_some(slugs)}, by {who}, before its turn"


def _budget(phase: "PhasePlan") -> str:
    budget = phase.budget
    if not (budget.share or budget.count):
        return "halts at the first failure"
    return f"halts when over {f'{budget.share * 100:g} %' if budget.share else budget.count} of a batch fail"


# --- totals -----------------------------------------------------------------------------------------------------------


def _totals(planned: "PlannedRelease") -> Iterator[str]:
    plan, schedule = planned.plan, planned.schedule
    due, calls = [(phase.name, one) for phase in plan.phases for one in _due(planned, phase)], schedule.calls
    batches = {(phase, one.batch) for phase, one in due}
    end = f", done by {_day_of(planned, schedule.ends)}" if schedule.ends else ""
    yield f"total      {_count(len(due), 'customer')} in {_count(len(batches), 'batch', 'es')}{end}"
    yield f"calls      {calls.reads:,} reads, {calls.env_writes:,} env vars and {calls.deploys:,} deploys to verified;"
    least = show_duration(calls.least_seconds)
    yield f"           at least {least} within {READS_PER_MINUTE} reads and {WRITES_PER_MINUTE} writes a minute"
    keys = [f"{kind} {', '.join(names) or 'none'}" for kind, names in plan.env_keys]
    yield f"env vars   {'; '.join(keys)}"
    yield from (f"{'changes' if place == 0 else '':<11}{text}" for place, text in enumerate(plan.joining.split("; ")))
    yield from (f"! {note}" for note in plan.notes)


def _left_out(planned: "PlannedRelease") -> Iterator[str]:
    reasons: dict[tuple[str, str], list[str]] = {}
    for phase in planned.plan.phases:
        for one in phase.members:
            if one.left_out:
                reasons.setdefault((one.left_out, one.code), []).append(one.slug)
    for (reason, code), slugs in reasons.items():
        yield f"✖ left out: {name_some(slugs)}: {reason} ({code})"


# --- words ------------------------------------------------------------------------------------------------------------


def _count(number: int, word: str, plural: str = "s") -> str:
    return f"{number:,} {word}{plural if number != 1 else ''}"


def _at(at: datetime) -> str:
    return f"{at.astimezone():%a %Y-%m-%d %H:%M}"


def _span(start: datetime, end: datetime) -> str:
    """From when to when; the second day only where it is another one."""
    is_same = start.astimezone().date() == end.astimezone().date()
    return f"{_at(start)} to {end.astimezone():%H:%M}" if is_same else f"{_at(start)} to {_at(end)}"


def _local(slot: Slot, zone: ZoneInfo) -> str:
    return f"{slot.start.astimezone(zone):%a %H:%M} to {slot.end.astimezone(zone):%H:%M %Z}"


def _day(planned: "PlannedRelease", at: datetime) -> str:
    return str((at - planned.schedule.day_zero) // _DAY)


def _day_of(planned: "PlannedRelease", at: datetime) -> str:
    return f"{_at(at)}, day {_day(planned, at)}"


# --- JSON -------------------------------------------------------------------------------------------------------------


def release_plan_data(planned: "PlannedRelease") -> dict[str, Any]:
    """The plan and its schedule as JSON data."""
    plan, schedule = planned.plan, planned.schedule
    slots = {one.slug: one for one in schedule.slots}
    return {
        "plan": plan.hash,
        "plan_format": plan.plan_format,
        "version": plan.version,
        "commit": plan.commit,
        "calendar": plan.calendar,
        "day_zero": schedule.day_zero,
        "expected_end": schedule.ends,
        "feasible": planned.is_feasible,
        "conflicts": schedule.conflicts,
        "phases": [
            _phase_data(planned, phase, dates, slots) for phase, dates in zip(plan.phases, schedule.phases, strict=True)
        ],
        "notices": schedule.notices,
        "approvals": schedule.approvals,
        "calls": schedule.calls,
        "env_keys": {str(kind): names for kind, names in plan.env_keys},
        "joining": plan.joining,
        "notes": plan.notes,
    }


def _phase_data(
    planned: "PlannedRelease", phase: "PhasePlan", dates: PhaseDates, slots: dict[str, Slot]
) -> dict[str, Any]:
    numbers = range(1, phase.batch_count + 1)
    batches: dict[int, list[str]] = {number: [] for number in numbers}
    for one in phase.due:
        batches[one.batch].append(one.slug)
    return {
        "name": phase.name,
        "first_day": phase.first_day,
        "last_day": phase.last_day,
        "begins": dates.begins,
        "ends": dates.ends,
        "expected_start": dates.starts,
        "expected_end": dates.done,
        "batch_size": phase.batch_size,
        "batch_delay_seconds": phase.batch_delay_seconds,
        "lanes": phase.lanes,
        "needs_window": phase.needs_window,
        "needs_approval": phase.needs_approval,
        "requires_backup": phase.requires_backup,
        "success_rate": phase.success_rate,
        "allows_rollbacks": phase.allows_rollbacks,
        "failure_budget": phase.budget,
        "batches": [{"number": number, "customers": slugs} for number, slugs in batches.items()],
        "customers": [_member_data(planned, one, slots.get(one.slug)) for one in phase.members],
    }


def _member_data(planned: "PlannedRelease", one: "MemberPlan", slot: Slot | None) -> dict[str, Any]:
    return {
        "slug": one.slug,
        "name": one.name,
        "policy": one.policy,
        "batch": one.batch or None,
        "start": slot.start if slot else None,
        "end": slot.end if slot else None,
        "lane": (slot.lane or None) if slot else None,
        "window": one.gates.window,
        "approvals_needed": one.gates.approvals_needed if one.gates.needs_approval else 0,
        "notice_days": one.notice_days,
        "has_version": one.slug in planned.there,
        "left_out": one.left_out or None,
        "code": one.code or None,
    }
