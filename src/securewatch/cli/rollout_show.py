"""Rollouts as text and JSON: phases, customers, what waits for whom. Asks nobody and decides nothing."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.tree import Tree

from securewatch.cli.show import status_text
from securewatch.cli.tables import show_table
from securewatch.cli.words import show_duration, show_instant, show_until
from securewatch.core.errors import ExitCode
from securewatch.deploy.readiness import WayBack
from securewatch.operations.release.status import MemberStatus, ReleaseStatus
from securewatch.rollout.model import MemberState
from securewatch.rollout.view import PhaseState, PhaseView, day_of

BAR_WIDTH = 20
ROWS_MAX = 40
"""Customers in a table; of more, only those that need a look or are under way are shown, and counts of the others."""
WAYS_MAX = 5
"""Lines about ways back that need a look, and customers in each."""


def release_data(status: ReleaseStatus, code: ExitCode | None = None) -> dict[str, Any]:
    """A rollout as scripts rely on it (design: interface, formats)."""
    rollout = status.rollout
    data = {
        "version": rollout.version,
        "commit": rollout.commit,
        "state": rollout.state,
        "detail": rollout.detail or None,
        "code": rollout.code or None,
        "rollout": rollout.id,
        "plan": rollout.plan_hash,
        "requested_by": rollout.requested_by,
        "day_zero": rollout.day_zero,
        "next_at": status.next_at,
        "phases": [_phase_data(status, one) for one in status.phases],
        "customers": [member_data(one) for one in status.members],
    }
    return data | ({"exit_code": int(code)} if code is not None else {})


def _phase_data(status: ReleaseStatus, phase: PhaseView) -> dict[str, Any]:
    members = status.of_phase(phase.name)
    numbers = sorted({one.batch for one in members})
    waiting = phase.waiting_on
    return {
        "name": phase.name,
        "state": phase.state,
        "begins": phase.begins,
        "ends": phase.ends,
        "waiting_on": waiting.what if waiting else None,
        "until": waiting.until if waiting else None,
        "batches": [
            {"number": number, "customers": [one.slug for one in members if one.batch == number]} for number in numbers
        ],
    }


def member_data(one: MemberStatus) -> dict[str, Any]:
    """One customer of a rollout."""
    return {
        "slug": one.slug,
        "policy": one.policy,
        "phase": one.phase,
        "batch": one.batch,
        "status": one.status,
        "version": one.version or None,
        "waiting_on": one.waiting_on.what if one.waiting_on else None,
        "until": one.until,
        "person": (one.waiting_on.person or None) if one.waiting_on else None,
        "detail": one.detail,
        "state": one.member.state,
        "run": one.member.run_id or None,
        "since": one.member.since,
        "verified_at": one.member.verified_at,
    }


# --- text -------------------------------------------------------------------------------------------------------------


def show_release(
    status: ReleaseStatus, now: datetime, more: Sequence[str] = (), ways_back: Mapping[str, WayBack] | None = None
) -> None:
    """Print phases, customers, what comes next and `more`. `ways_back` are by slug those from the version."""
    ways = ways_back or {}
    print("\n".join(headline(status, now)), flush=True)
    show_table(
        ("phase", "days", "state", "batch", "progress", "waits for"),
        [_phase_row(status, one, now) for one in status.phases],
        prose=("waits for",),
    )
    rows = shown_members(status)
    show_table(
        ("customer", "phase", "status", "version", "since", "way back", "waits for"),
        [_member_row(status, one, ways.get(one.slug), now) for one in rows],
        prose=("waits for",),
        spare=("since", "way back"),
        times=("since",),
    )
    if len(rows) < len(status.members):
        print(f"and {len(status.members) - len(rows)} customers more; -o json shows all")
    print("".join(f"{line}\n" for line in [*next_lines(status, now), *more]), end="", flush=True)


def headline(status: ReleaseStatus, now: datetime) -> list[str]:
    """What the rollout is and how it stands."""
    rollout = status.rollout
    day = day_of(rollout.day_zero, now)
    when = f"day {day}" if day >= 0 else f"begins {show_until(rollout.day_zero, now)}"
    lines = [
        f"{rollout.version} ({rollout.commit[:7]})  {rollout.state}, {when}  rollout {rollout.id}, "
        f"plan {rollout.plan_hash[:8]}, asked for by {rollout.requested_by}"
    ]
    if rollout.detail:
        lines.append(f"  {rollout.code} {rollout.detail}".rstrip())
    if rollout.state.value == "halted":
        lines += [f"  {line}" for line in remedies(status)]
    return lines


def remedies(status: ReleaseStatus) -> list[str]:
    """What a person can do about a halted rollout."""
    version = status.rollout.version
    failed = next((one for one in status.members if one.member.state.is_failure), None)
    lines = ["nothing new starts; watches and rollbacks go on. What you can do:"]
    if failed is not None:
        lines += [
            f"  securewatch why --customer {failed.slug}",
            f"  securewatch rollout retry {failed.slug} --version {version}",
            f"  securewatch rollout skip {failed.slug} --version {version} --reason ...",
            f"  securewatch rollback-phase --version {version} --phase {failed.phase}",
        ]
    return [*lines, f"  securewatch rollout resume --version {version}   (the failures so far count as seen)"]


def _phase_row(status: ReleaseStatus, phase: PhaseView, now: datetime) -> tuple[str, ...]:
    plan = status.plan.phase(phase.name)
    members = status.of_phase(phase.name)
    well = sum(bool(one.version) for one in members)
    batch = f"{phase.batch} of {phase.batch_count}" if not plan.lanes else "one by one"
    days = f"{plan.first_day}" if plan.first_day == plan.last_day else f"{plan.first_day}-{plan.last_day}"
    waiting = phase.waiting_on
    text = "" if waiting is None else waiting.what
    if waiting is not None and waiting.until is not None:
        text += f", {show_until(waiting.until, now)}"
    return (phase.name, days, phase.state.value, batch, f"{bar(well, len(members))} {well}/{len(members)}", text)


def _member_row(status: ReleaseStatus, one: MemberStatus, way: WayBack | None, now: datetime) -> tuple[Any, ...]:
    return (
        one.slug,
        one.phase,
        status_text(one.status),
        one.version or "-",
        show_instant(one.member.since),
        way_back_words(way),
        member_words(status, one, now),
    )


def way_back_words(way: WayBack | None) -> str:
    """A way back in short: to which version and until which day, or that there is none; `!` where that needs a look."""
    if way is None:
        return "-"
    if not way.is_possible:
        return "none !"
    until = f" to {show_instant(way.until)[:10]}" if way.until is not None else ""
    return f"{way.to}{until}{' !' if way.warning else ''}"


def ways_back_lines(ways: Mapping[str, WayBack]) -> list[str]:
    """How many of those with the version can go back, what lapses soon or is missing, and who cannot."""
    if not ways:
        return []
    count = sum(one.is_possible for one in ways.values())
    lines = [f"way back    open for {count} of {len(ways)} with the version"]
    groups: dict[str, list[str]] = {}
    for slug, one in ways.items():
        why = one.warning if one.is_possible else f"none, {one.why}"
        if why:
            groups.setdefault(why, []).append(slug)
    for why, slugs in list(groups.items())[:WAYS_MAX]:
        more = f" and {len(slugs) - WAYS_MAX} more" if len(slugs) > WAYS_MAX else ""
        lines.append(f"            ! {', '.join(slugs[:WAYS_MAX])}{more}: {why}")
    rest = sum(len(slugs) for slugs in list(groups.values())[WAYS_MAX:])
    return [*lines, *([f"            ! and {rest} customers more; -o json shows all"] if rest else [])]


def member_words(status: ReleaseStatus, one: MemberStatus, now: datetime) -> str:
    """What a customer waits for and until when, else how it stands."""
    waiting = one.waiting_on
    if waiting is None:
        return one.detail if one.detail not in ("verified", "done") else ""
    if waiting.until is None:
        return waiting.what
    return f"{waiting.what}, {show_until(waiting.until, now, zone_of_member(status, one))}"


def zone_of_member(status: ReleaseStatus, one: MemberStatus) -> ZoneInfo | None:
    """The time zone of a customer's window, where it has one."""
    members = {part.slug: part for part in status.plan.phase(one.phase).members}
    part = members.get(one.slug)
    return ZoneInfo(part.gates.window.timezone) if part is not None and part.gates.window is not None else None


def shown_members(status: ReleaseStatus) -> list[MemberStatus]:
    """The rows that fit: all of a small fleet; of a large one those that are under way or went wrong, then the next."""
    if len(status.members) <= ROWS_MAX:
        return list(status.members)
    urgent = [one for one in status.members if one.status.value not in ("live", "waiting", "queued")]
    others = [one for one in status.members if one.status.value == "waiting"]
    return [*urgent, *others][:ROWS_MAX]


def next_lines(status: ReleaseStatus, now: datetime) -> list[str]:
    """What comes next, and for whom something waits."""
    lines = []
    if status.next_at is not None:
        lines.append(f"next        {show_until(status.next_at, now)}")
    people: dict[str, list[str]] = {}
    for one in status.members:
        if one.waiting_on is not None and one.waiting_on.person and one.waiting_on.code == "SW402":
            people.setdefault(one.waiting_on.person, []).append(one.slug)
    for person, slugs in people.items():
        lines.append(f"approval    by {person}: {', '.join(slugs)}")
    return lines


# --- lines ------------------------------------------------------------------------------------------------------------


def phase_lines(status: ReleaseStatus, now: datetime) -> Iterator[tuple[str, str, str]]:
    """Each phase that was asked for, up to the first that has not begun: its name, what makes it news, and words."""
    for phase in status.phases:
        if not any(one.member.asked for one in status.of_phase(phase.name)):
            continue
        _, _, state, batch, _, waits = _phase_row(status, phase, now)
        if phase.state is PhaseState.WAITING:
            yield phase.name, f"{state} {phase.waiting_on.until if phase.waiting_on else ''}", f"{state}  {waits}"
            return
        words = f"{state}, batch {batch}".replace("batch one by one", "one by one")
        yield phase.name, "", state if phase.state is PhaseState.DONE else words


def begun_members(status: ReleaseStatus) -> Iterator[MemberStatus]:
    """The customers, but those that wait with a phase that has not begun."""
    waiting = {phase.name for phase in status.phases if phase.state is PhaseState.WAITING}
    for one in status.members:
        if one.phase not in waiting or one.member.state is not MemberState.PENDING:
            yield one


def bar(done: int, total: int) -> str:
    """A progress bar in text."""
    filled = round(BAR_WIDTH * done / total) if total else 0
    return "█" * filled + "░" * (BAR_WIDTH - filled)


# --- tree -------------------------------------------------------------------------------------------------------------


def release_tree(status: ReleaseStatus, now: datetime) -> Tree:
    """The rollout as a tree: phases, and under each that is open or went wrong its customers."""
    tree = Tree("\n".join(headline(status, now)), guide_style="dim")
    for phase in status.phases:
        name, _, state, batch, progress, waits = _phase_row(status, phase, now)
        words = f"  {waits}" if waits else ""
        branch = tree.add(
            f"{name:<11} {progress}  {state}, batch {batch}{words}".replace("batch one by one", "one by one")
        )
        for one in status.of_phase(phase.name)[:ROWS_MAX]:
            row = status_text(one.status)
            row.append(f"  {one.slug}  {member_words(status, one, now)}".rstrip(), style="default")
            if phase.state.value == "running" or one.member.state.is_failure:
                branch.add(row)
    return tree


def summary(status: ReleaseStatus, members: tuple[MemberStatus, ...], now: datetime, code: ExitCode) -> list[str]:
    """The end of a followed command: a line a customer and the exit code."""
    lines = headline(status, now)
    width = max((len(one.slug) for one in members), default=0)
    for one in members[:ROWS_MAX]:
        since = one.member.verified_at
        took = ""
        if since is not None and one.member.started_at is not None:
            took = f"verified after {show_duration((since - one.member.started_at).total_seconds())}"
        words = took or member_words(status, one, now)
        lines.append(f"  {one.slug:<{width}}  {one.status.value.replace('_', ' '):<12} {words}".rstrip())
    if len(members) > ROWS_MAX:
        lines.append(f"  and {len(members) - ROWS_MAX} more")
    return [*lines, f"  exit code {int(code)}"]
