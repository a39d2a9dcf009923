"""The command that rehearses a release, and how its outcome is shown."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from securewatch.cli import options
from securewatch.cli.parse import parse_instant
from securewatch.cli.session import session_of

if TYPE_CHECKING:
    from securewatch.operations.release.simulate import CourseOutcome, PlayedOutcome, Rehearsed, Wish

StartAt = Annotated[
    str | None, typer.Option("--start-at", metavar="TIME", help="Where day 0 begins, like 2026-12-01T09:00Z.")
]
Customers = Annotated[
    int | None, typer.Option("--customers", metavar="N", help="So many customers, like those of the files.")
]
Rate = Annotated[
    float, typer.Option("--failure-rate", metavar="P", help="The share of customers to whom the version is bad.")
]
Seed = Annotated[int, typer.Option("--seed", metavar="S", help="The same seed gives the same course.")]
Runs = Annotated[int, typer.Option("--runs", metavar="K", help="So many courses, with the seeds from --seed on.")]
Probes = Annotated[
    str, typer.Option("--probes", metavar="verify|full", help="The probes that decide something, or every single one.")
]
ThroughHTTP = Annotated[
    bool, typer.Option("--through-http", help="Made-up customers, with the real client and store against the platform.")
]


def release_simulate(
    context: typer.Context,
    version: options.Version,
    start_at: StartAt = None,
    customers: Customers = None,
    failure_rate: Rate = 0.0,
    seed: Seed = 1,
    runs: Runs = 1,
    probes: Probes = "verify",
    through_http: ThroughHTTP = False,
) -> None:
    """Rehearse a release on a virtual clock. The real plan and decisions; nothing is sent or written.

    securewatch release simulate --version v1.1.0

    securewatch release simulate --version v1.1.0 --customers 500 --failure-rate 0.02 --runs 20 --seed 7
    """
    from securewatch.cli.data import print_json
    from securewatch.operations.release.simulate import Wish, play_through_http, refuse_broken, simulate_release

    session = session_of(context)
    day_zero = parse_instant("--start-at", start_at, "UTC") if start_at is not None else None
    wish = Wish(version, day_zero, customers, failure_rate, seed, runs, probes)
    if through_http:
        played = play_through_http(wish)
        print_json(played) if session.is_json else print("\n".join(_played_lines(wish, played)), flush=True)
        refuse_broken(played)
        return
    found = session.run(lambda deps: simulate_release(deps, wish))
    if session.is_json:
        print_json(rehearsed_data(found))
    else:
        show_rehearsed(found)
    refuse_broken(found.courses)


def rehearsed_data(found: "Rehearsed") -> dict[str, Any]:
    """The outcome as plain values: the percentiles by phase, and every course."""
    plan, wish = found.setting.plan, found.setting.wish
    return {
        "version": plan.version,
        "commit": plan.commit,
        "plan": plan.hash,
        "day_zero": found.setting.day_zero,
        "seed": wish.seed,
        "failure_rate": wish.failure_rate,
        "phases": [
            {
                "name": phase.name,
                "customers": len(phase.due),
                "ends_p50": percentile_end(found.courses, number, 0.5),
                "ends_p90": percentile_end(found.courses, number, 0.9),
            }
            for number, phase in enumerate(plan.phases)
        ],
        "courses": list(found.courses),
    }


def percentile_end(courses: "Sequence[CourseOutcome]", phase: int, share: float) -> datetime | None:
    """When a phase has ended in that share of all courses; None where it does not end in so many."""
    ends = sorted(end for one in courses if (end := one.phases[phase].ended_at) is not None)
    rank = max(1, -(-int(share * 1000) * len(courses) // 1000))
    return ends[rank - 1] if rank <= len(ends) else None


def show_rehearsed(found: "Rehearsed") -> None:
    """The outcome as a table by phase, and what people would have to do."""
    from securewatch.cli.tables import show_table

    plan, courses = found.setting.plan, found.courses
    print("\n".join(_head(found)) + "\n")
    rows = []
    for number, phase in enumerate(plan.phases):
        ends = [percentile_end(courses, number, share) for share in (0.5, 0.9)]
        counts = [
            _span([getattr(one.phases[number], name) for one in courses]) for name in ("deploys", "rollbacks", "failed")
        ]
        rows.append((phase.name, f"{len(phase.due):,}", *(_end(found, at) for at in ends), *counts))
    show_table(("phase", "customers", "P50 end", "P90 end", "deploys", "rolled back", "failed"), rows)
    print("\n" + "\n".join(_tail(courses)), flush=True)


def _played_lines(wish: "Wish", played: "Sequence[PlayedOutcome]") -> Iterator[str]:
    customers = sum(played[0].members.values())
    yield f"{customers:,} made-up customers, through the real client and store"
    for one in played:
        ends = ", ".join(f"{count:,} {state.replace('_', ' ')}" for state, count in sorted(one.members.items()))
        yield f"seed {one.seed}: {one.state} after {one.days:.1f} days: {ends}; {one.requests:,} requests"
        if one.faults:
            yield f"  what went wrong: {', '.join(one.faults)}; {one.restarts} restarts of the controller"
    yield f"{sum(len(one.violations) for one in played)} invariants broken, says a witness"
    yield from (f"  ‼ seed {one.seed}: {text}" for one in played for text in one.violations[:5])


def _head(found: "Rehearsed") -> Iterator[str]:
    plan, wish = found.setting.plan, found.setting.wish
    many = f"{wish.runs} courses, seeds {wish.seed} to {wish.seed + wish.runs - 1}"
    which = many if wish.runs > 1 else f"1 course, seed {wish.seed}"
    customers = sum(len(phase.due) for phase in plan.phases)
    yield f"{plan.version} ({plan.commit[:7]})  plan {plan.hash[:8]}  rehearsed: {which}"
    day_zero = _at(found.setting.day_zero)
    yield f"{customers:,} customers, bad for {wish.failure_rate:.2%} of them; day 0 is {day_zero} UTC"


def _end(found: "Rehearsed", at: datetime | None) -> str:
    if at is None:
        return "-"
    return f"day {(at - found.setting.day_zero).days}, {_at(at)}"


def _tail(courses: "Sequence[CourseOutcome]") -> Iterator[str]:
    done = sum(one.state == "done" for one in courses)
    yield f"{done} of {len(courses)} {'courses end' if len(courses) > 1 else 'course ends'} with everybody served"
    for one in [course for course in courses if course.state != "done"][:5]:
        what = f"{one.state}: {one.detail}" if one.detail else one.state
        yield f"seed {one.seed}: {what}"
        if one.state == "halted":
            who = "1 customer" if one.exposed == 1 else f"{one.exposed:,} customers"
            yield f"  {who} had the version then, and nobody else gets it before a person decides"
    yield f"approvals used: {_span([one.approvals for one in courses])}"
    held = sorted({slug for one in courses for slug in one.held})
    if held:
        more = f" and {len(held) - 5} more" if len(held) > 5 else ""
        yield f"held for a person: {', '.join(held[:5])}{more}"
    changes = sum(one.changes for one in courses)
    broken = [text for one in courses for text in one.violations]
    yield f"{len(broken)} invariants broken in {changes:,} changes; journal {courses[0].journal[:12]}"
    yield from (f"  ‼ {text}" for text in broken[:10])


def _span(numbers: list[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _at(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
