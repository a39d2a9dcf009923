"""Commands that keep customers from starting for a time: freezes, pins, holds. What runs finishes; rollbacks pass."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from securewatch.cli import options
from securewatch.cli.complete import complete_customers
from securewatch.cli.session import Session, session_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securewatch.operations.freeze import FreezeRow

app = typer.Typer(help="Times in which nothing starts: add, rm, list.")
Zone = Annotated[str, typer.Option("--timezone", help="The IANA time zone of dates and times without an offset.")]
SlugWord = Annotated[
    str | None, typer.Argument(help="Slug or full name of the customer.", autocompletion=complete_customers)
]
SlugFlag = Annotated[
    str | None, typer.Option("--customer", help="The same, as a flag.", autocompletion=complete_customers)
]


@app.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What to call it.")],
    from_: Annotated[str, typer.Option("--from", help="Its start: a date (from its midnight on) or a time.")],
    to: Annotated[str, typer.Option("--to", help="Its end: the first instant after it.")],
    every: Annotated[
        str, typer.Option("--every", help="It recurs: daily, weekly, monthly, yearly, or an RFC 5545 rule.")
    ] = "",
    timezone: Zone = "UTC",
    customer: Annotated[
        list[str] | None,
        typer.Option("--customer", help="Only this one; may be repeated.", autocompletion=complete_customers),
    ] = None,
    policy: Annotated[list[str] | None, typer.Option("--policy", help="Only its customers; may be repeated.")] = None,
    reason: options.Reason = "",
) -> None:
    """Set a freeze: nothing starts in it. What runs finishes, and rollbacks pass.

    securewatch freeze add christmas --from 2026-12-20 --to 2027-01-04 --timezone Europe/London

    securewatch freeze add weekends --from 2026-12-04T18:00 --to 2026-12-07T08:00 --every weekly

    With --every the start and end are those of the first time.
    """
    from securewatch.cli.parse import parse_instant, refuse_blank
    from securewatch.operations.freeze import FreezeRequest, add_freeze

    refuse_blank("--customer", customer or (), "a customer, or leave it out for all")
    request = FreezeRequest(
        name=name,
        start=parse_instant("--from", from_, timezone),
        end=parse_instant("--to", to, timezone, is_end=True),
        every=every,
        timezone=timezone,
        policies=tuple(policy or ()),
        customers=tuple(customer or ()),
        reason=reason,
    )
    session = session_of(context)
    _show(session, session.run(lambda deps: add_freeze(deps, request)), f"securewatch freeze rm {_quoted(name)}")


@app.command()
def rm(context: typer.Context, name: Annotated[str, typer.Argument(help="The freeze's name.")]) -> None:
    """End a freeze. What waited for it goes on.

    securewatch freeze rm christmas
    """
    from securewatch.operations.freeze import end_freeze

    session = session_of(context)
    session.run(lambda deps: end_freeze(deps, name))
    _show_ended(session, "freeze", name, f"the freeze {name!r} is ended")


@app.command("list")
def list_(context: typer.Context) -> None:
    """List freezes, pins and holds. Those of the files too.

    securewatch freeze list
    """
    from securewatch.cli.data import print_json
    from securewatch.operations.freeze import list_freezes

    session = session_of(context)
    rows = session.run(list_freezes)
    if session.is_json:
        print_json([_data(row) for row in rows])
        return
    show_rows(rows)


def pin(
    context: typer.Context,
    until: Annotated[str, typer.Option("--until", help="A date (until its midnight) or a time.")],
    slug: SlugWord = None,
    customer: SlugFlag = None,
    timezone: Zone = "UTC",
    reason: options.Reason = "",
) -> None:
    """Keep a customer at its version until a day. A pin that it has is replaced; --force passes it.

    securewatch pin acme-corp --until 2026-12-31 --reason "their audit"
    """
    from securewatch.cli.parse import parse_instant
    from securewatch.operations.freeze import pin as set_pin

    whom, at = _whom(slug, customer), parse_instant("--until", until, timezone, is_end=True)
    session = session_of(context)
    row = session.run(lambda deps: set_pin(deps, whom, until=at, timezone=timezone, reason=reason))
    _show(session, row, f"securewatch unpin {row.freeze.name}")


def unpin(context: typer.Context, slug: SlugWord = None, customer: SlugFlag = None) -> None:
    """End a customer's pin.

    securewatch unpin acme-corp
    """
    _release(session_of(context), "pin", _whom(slug, customer))


def hold(context: typer.Context, slug: SlugWord = None, customer: SlugFlag = None, reason: options.Reason = "") -> None:
    """Hold a customer. Nothing starts for it until somebody ends the hold. --force does not pass it.

    securewatch hold acme-corp --reason "they report failed log-ins"
    """
    from securewatch.operations.freeze import hold as set_hold

    whom, session = _whom(slug, customer), session_of(context)
    row = session.run(lambda deps: set_hold(deps, whom, reason=reason))
    _show(session, row, f"securewatch unhold {row.freeze.name}")


def unhold(context: typer.Context, slug: SlugWord = None, customer: SlugFlag = None) -> None:
    """End a customer's hold. What waited for it goes on.

    securewatch unhold acme-corp
    """
    _release(session_of(context), "hold", _whom(slug, customer))


# --- showing ----------------------------------------------------------------------------------------------------------


def freeze_lines(row: "FreezeRow", undo: str) -> list[str]:
    """What was set, as people read it, by the clock of its own zone; `undo` is the command that ends it."""
    one = row.freeze
    why = f" ({one.reason})" if one.reason else ""
    lines = [f"{one.kind} {one.name}: set by {one.actor} for {_for_whom(row)}{why}"]
    if one.every:
        lines.append(f"  every    {one.every}, on the wall of {one.timezone}")
    if row.state == "waits" and row.begins is not None:
        lines.append(f"  begins   {_show_at(row, row.begins)}")
    if row.until is not None:
        lines.append(f"  until    {_show_at(row, row.until)}")
    return [*lines, f"  nothing starts while it holds; what runs finishes, and rollbacks pass. To end it: {undo}"]


def show_rows(rows: "Sequence[FreezeRow]") -> None:
    """Freezes, pins and holds as a table."""
    from securewatch.cli.tables import show_table
    from securewatch.cli.words import show_instant

    show_table(
        ("kind", "name", "state", "begins", "until", "every", "for", "set by", "reason"),
        (
            (
                row.freeze.kind.value,
                row.freeze.name,
                row.state,
                show_instant(row.begins) or "-",
                show_instant(row.until) or "-",
                f"{row.freeze.every} ({row.freeze.timezone})" if row.freeze.every else "",
                _for_whom(row),
                row.freeze.actor,
                row.freeze.reason,
            )
            for row in rows
        ),
        prose=("reason", "for"),
        spare=("every", "set by"),
        times=("begins", "until"),
    )


def _show_at(row: "FreezeRow", at: datetime) -> str:
    from zoneinfo import ZoneInfo

    from securewatch.cli.words import show_duration

    zone = row.freeze.timezone
    wait = show_duration((at - row.now).total_seconds())
    return f"{at.astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M} {zone}, in {wait}"


def _show(session: Session, row: "FreezeRow", undo: str) -> None:
    from securewatch.cli.data import print_json

    if session.is_json:
        print_json(_data(row))
    else:
        print("\n".join(freeze_lines(row, undo)))


def _show_ended(session: Session, kind: str, name: str, text: str) -> None:
    from securewatch.cli.data import print_json

    if session.is_json:
        print_json({"kind": kind, "name": name, "ended": True})
    else:
        print(text)


def _release(session: Session, kind: str, whom: str) -> None:
    from securewatch.operations.freeze import release
    from securewatch.rollout.freezes import FreezeKind

    ended = session.run(lambda deps: release(deps, FreezeKind(kind), whom))
    _show_ended(session, kind, ended.name, f"the {kind} of {ended.name} is ended")


def _data(row: "FreezeRow") -> dict[str, Any]:
    """One freeze as JSON data; null where there is nothing."""
    from securewatch.cli.data import plain

    found: dict[str, Any] = plain(row.freeze)
    found |= {
        "from": found.pop("start"),
        "to": found.pop("end"),
        "set_by": found.pop("actor"),
        "set_at": found.pop("at"),
    }
    found |= {
        "state": row.state,
        "begins": plain(row.begins),
        "until": plain(row.until),
        "is_of_files": not row.is_ours,
    }
    return {name: None if value == "" else value for name, value in found.items() if name != "id"}


def _for_whom(row: "FreezeRow") -> str:
    one = row.freeze
    names = [*(f"policy {policy}" for policy in one.policies), *one.customers]
    return ", ".join(names) or "all customers"


def _whom(slug: str | None, customer: str | None) -> str:
    from securewatch.cli.parse import parse_one_of

    return parse_one_of(slug, customer, "acme-corp", what="customer")


def _quoted(name: str) -> str:
    import shlex

    return shlex.quote(name)
