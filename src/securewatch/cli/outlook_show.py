"""What comes of a rollout as text and JSON: why customers wait, when it ends, what was edited. Decides nothing."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from securewatch.cli.rollout_show import (
    ROWS_MAX,
    headline,
    member_data,
    member_words,
    release_data,
    ways_back_lines,
    zone_of_member,
)
from securewatch.cli.show import status_text
from securewatch.cli.tables import show_table
from securewatch.cli.words import show_duration, show_instant, show_until
from securewatch.operations.release.outlook import Outlook, shut_gates
from securewatch.operations.release.status import MemberStatus
from securewatch.rollout.eta import Eta


def outlook_data(outlook: Outlook) -> dict[str, Any]:
    """A rollout with when it and each of its phases and customers are expected to end, and notes."""
    data = release_data(outlook.status)
    phases = outlook.eta.phases or {}
    data["phases"] = [one | {"eta": _range(phases.get(one["name"]))} for one in data["phases"]]
    data["customers"] = [
        one | {"eta": _range(outlook.eta_of(one["slug"])), "way_back": outlook.ways_back.get(one["slug"])}
        for one in data["customers"]
    ]
    return data | {"eta": _range(outlook.eta), "notes": outlook.notes}


def why_data(outlook: Outlook, rows: Sequence[MemberStatus], now: datetime) -> list[dict[str, Any]]:
    """Customers, each with what it waits for, its own gates that are shut, and when it is expected."""
    return [
        member_data(one)
        | {
            "gates": [
                {"name": gate.name, "what": gate.reason, "until": gate.until, "person": gate.person or None}
                for gate in shut_gates(outlook, one, now)
            ],
            "eta": _range(outlook.eta_of(one.slug)),
        }
        for one in rows
    ]


def eta_data(outlook: Outlook) -> dict[str, Any]:
    """When a rollout is expected to end, by phase and customer."""
    rollout, eta = outlook.status.rollout, outlook.eta
    return {
        "version": rollout.version,
        "state": rollout.state,
        **_span(eta),
        "phases": [{"name": name, **_span(one)} for name, one in (eta.phases or {}).items()],
        "customers": [
            {"slug": one.slug, "phase": one.phase, "starts": one.starts, **_span(one)} for one in eta.customers
        ],
    }


def _range(eta: Eta | None) -> dict[str, Any] | None:
    return _span(eta) if eta is not None and eta.earliest is not None else None


def _span(eta: Eta) -> dict[str, Any]:
    return {"earliest": eta.earliest, "latest": eta.latest}


# --- text -------------------------------------------------------------------------------------------------------------


def outlook_lines(outlook: Outlook, now: datetime) -> list[str]:
    """When it ends, who can go back, and what the files say otherwise than the plan."""
    return [
        *end_lines(outlook, now),
        *ways_back_lines(outlook.ways_back),
        *(f"note        {one}" for one in outlook.notes),
    ]


def end_lines(outlook: Outlook, now: datetime) -> list[str]:
    """When all of it is expected to be verified; nothing where nobody waits any more."""
    if not outlook.eta.customers:
        return []
    return [f"expected    {span_words(outlook.eta, now)}"]


def span_words(eta: Eta, now: datetime) -> str:
    """From when to when an end is expected."""
    if eta.earliest is None:
        return "nobody can say"
    end = "" if eta.latest == eta.earliest else f" to {show_instant(eta.latest) or 'nobody can say when'}"
    return f"{show_instant(eta.earliest)}{end}, in {show_duration(max(0.0, (eta.earliest - now).total_seconds()))}"


def show_why(outlook: Outlook, rows: Sequence[MemberStatus], now: datetime, *, is_one: bool) -> None:
    """Print what customers wait for: of one in lines, of several in a table."""
    status = outlook.status
    if is_one:
        print("\n".join(why_lines(outlook, rows[0], now)), flush=True)
        return
    print("\n".join(headline(status, now)), flush=True)
    show_table(
        ("customer", "phase", "status", "waits for", "person", "expected"),
        [_why_row(outlook, one, now) for one in rows],
        prose=("waits for",),
        spare=("phase",),
    )


def _why_row(outlook: Outlook, one: MemberStatus, now: datetime) -> tuple[Any, ...]:
    eta, person = outlook.eta_of(one.slug), one.waiting_on.person if one.waiting_on else ""
    expected = show_instant(eta.earliest) if eta is not None else ""
    words = member_words(outlook.status, one, now)
    return (one.slug, one.phase, status_text(one.status), words, person or "-", expected or "-")


def why_lines(outlook: Outlook, one: MemberStatus, now: datetime) -> list[str]:
    """What one customer waits for, until when, for whom, and when it is expected to have the version."""
    status, waiting, eta = outlook.status, one.waiting_on, outlook.eta_of(one.slug)
    place = f"{one.phase}, batch {one.batch}" if one.batch else one.phase
    lines = [f"{one.slug}  {one.status.value.replace('_', ' ')}  {status.rollout.version}, {place}"]
    lines.append(f"  waits for   {waiting.what}" if waiting is not None else f"  stands at   {one.detail}")
    if waiting is not None and waiting.until is not None:
        lines.append(f"  until       {show_until(waiting.until, now, zone_of_member(status, one))}")
    if waiting is not None and waiting.person:
        lines.append(f"  person      {waiting.person}")
    gates = shut_gates(outlook, one, now)
    lines += [f"  and for     {gate.reason}" for gate in gates if waiting is None or gate.reason not in waiting.what]
    if any(gate.code == "SW402" for gate in gates):
        lines.append(f"  fix         securewatch approve --version {status.rollout.version} --customer {one.slug}")
    if eta is not None:
        lines.append(f"  expected    {span_words(eta, now)}")
    if one.member.run_id:
        lines.append(f"  its deploy  securewatch why --customer {one.slug}")
    return lines


def show_eta(outlook: Outlook, now: datetime) -> None:
    """Print when a rollout is expected to end, by phase and customer."""
    print("\n".join([*headline(outlook.status, now), *end_lines(outlook, now)]), flush=True)
    if not outlook.eta.customers:
        print("nobody waits for it any more" if outlook.status.rollout.state.is_over else "everybody is through")
        return
    show_table(
        ("what", "starts", "earliest", "latest"),
        [
            (what, show_instant(starts) or "-", show_instant(one.earliest) or "-", show_instant(one.latest) or "-")
            for what, starts, one in _eta_rows(outlook)
        ],
        times=("starts", "earliest", "latest"),
    )
    print("as long as it goes on now, approvals come in time and nothing fails", flush=True)


def _eta_rows(outlook: Outlook) -> Iterator[tuple[str, datetime | None, Eta]]:
    for name, eta in (outlook.eta.phases or {}).items():
        rows = [one for one in outlook.eta.customers if one.phase == name]
        yield name, min((one.starts for one in rows if one.starts is not None), default=None), eta
        yield from ((f"  {one.slug}", one.starts, one) for one in rows[:ROWS_MAX])
        if len(rows) > ROWS_MAX:
            yield f"  and {len(rows) - ROWS_MAX} more", None, Eta()
