"""Commands about env vars as they were: list the entries, compare two, put one back."""

from typing import TYPE_CHECKING, Annotated

import typer

from securewatch.cli import options
from securewatch.cli.session import Session, say, session_of

if TYPE_CHECKING:
    from securewatch.cli.flow import How
    from securewatch.core.errors import ExitCode
    from securewatch.deps import Deps
    from securewatch.operations.env_restore import RestoreRequest

app = typer.Typer(help="Env vars as they were: history, diff, restore.")
NAMES_MAX = 4
First = Annotated[
    int | None, typer.Argument(metavar="FROM", help="An entry's number; by default the newest.", show_default=False)
]
Second = Annotated[
    int | None, typer.Argument(metavar="TO", help="Another one; by default Render now.", show_default=False)
]
Entry = Annotated[int, typer.Argument(help="The entry's number; `env history` shows them.")]
Keys = Annotated[str | None, typer.Option("--keys", metavar="A,B", help="Only these keys.")]


@app.command("history")
def env_history(
    context: typer.Context,
    customer: options.Customer,
    service_type: options.ServiceType = "both",
    limit: options.Limit = 20,
) -> None:
    """List a customer's env vars as they were. The newest entry first; keys are named, values never shown.

    securewatch env history --customer acme-corp --service-type backend
    """
    from securewatch.cli.data import print_json, rows_data
    from securewatch.cli.parse import parse_kinds
    from securewatch.cli.tables import show_table
    from securewatch.cli.words import show_instant
    from securewatch.operations.env_entries import list_entries

    session, kinds = session_of(context), parse_kinds(service_type)
    rows = session.run(lambda deps: list_entries(deps, customer, kinds=kinds, limit=limit))
    if session.is_json:
        print_json(rows_data(rows))
        return
    show_table(
        ("no", "service", "at", "seen", "asked for by", "keys", "changed", "key id"),
        (
            (
                str(row.number),
                row.kind.value,
                show_instant(row.at),
                f"{row.seen.words} {row.run_id}",
                row.actor,
                str(row.key_count),
                _changed(row.changed),
                row.key_id,
            )
            for row in rows
        ),
        prose=("changed",),
        spare=("key id", "asked for by", "keys"),
        times=("at",),
    )


@app.command("diff")
def env_diff(
    context: typer.Context,
    customer: options.Customer,
    first: First = None,
    second: Second = None,
    service_type: options.ServiceType = "both",
) -> None:
    """Compare an entry of env vars with Render now. Or with another entry; values are shown as keyed fingerprints.

    securewatch env diff --customer acme-corp

    securewatch env diff --customer acme-corp 12 17
    """
    from securewatch.cli.data import print_json
    from securewatch.cli.parse import parse_kinds
    from securewatch.cli.tables import show_table
    from securewatch.operations.env_entries import diff_entries

    session, kinds = session_of(context), parse_kinds(service_type)
    found = session.run(lambda deps: diff_entries(deps, customer, kinds=kinds, first=first, second=second))
    if session.is_json:
        print_json(found)
        return
    for one in found:
        to = "Render now" if one.second is None else f"entry {one.second}"
        count = f"{len(one.keys)} key{'' if len(one.keys) == 1 else 's'}" if one.keys else "nothing"
        print(f"{one.kind} {one.service_id}: {count} changed from entry {one.first} to {to}", flush=True)
        if one.keys:
            rows = ((key.word, key.key, key.before or "-", key.after or "-") for key in one.keys)
            show_table(("what", "key", "before", "after"), rows)


@app.command("restore")
def env_restore(
    context: typer.Context,
    customer: options.Customer,
    entry: Entry,
    service_type: options.ServiceType = "both",
    keys: Keys = None,
    dry_run: options.DryRun = False,
    force: options.Force = False,
    reason: options.Reason = "",
    detach: options.Detach = False,
) -> None:
    """Put env vars back as they were in an entry. Keys are written one at a time; nothing is deployed.

    securewatch env restore --customer acme-corp 12 --dry-run

    securewatch env restore --customer acme-corp 12 --keys LOG_LEVEL,SMTP_HOST
    """
    from securewatch.cli.flow import How
    from securewatch.cli.parse import parse_kinds, refuse_contradictions
    from securewatch.operations.env_restore import RestoreRequest

    session = session_of(context)
    refuse_contradictions(is_dry=dry_run, is_detailed=False, is_detached=detach)
    asked = RestoreRequest(customer, entry, parse_kinds(service_type), _keys(keys), force, reason)
    how = How(dry_run, session.is_sure, detach, must_be_sure=True)
    raise typer.Exit(session.run(lambda deps: _restore(deps, session, asked, how)))


async def _restore(deps: "Deps", session: Session, asked: "RestoreRequest", how: "How") -> "ExitCode":
    from securewatch.cli.flow import run_plan
    from securewatch.core.errors import ExitCode
    from securewatch.operations.env_restore import TAKES_EFFECT, plan_restore, restore_request

    request = await restore_request(deps, asked)
    code = await run_plan(deps, session, request, how, lambda deps, _: plan_restore(deps, asked))
    if code is ExitCode.DONE and not how.is_dry and not how.is_detached:
        say(TAKES_EFFECT)
    return code


def _keys(text: str | None) -> tuple[str, ...] | None:
    from securewatch.cli.parse import refuse_blank

    if text is None:
        return None
    keys = [one.strip() for one in text.split(",")]
    refuse_blank("--keys", keys, "names of env vars with commas between them, like LOG_LEVEL,SMTP_HOST")
    return tuple(keys)


def _changed(keys: tuple[str, ...] | None) -> str:
    """How many keys changed, and the first few of them."""
    if keys is None:
        return "the first entry"
    more = f" and {len(keys) - NAMES_MAX} more" if len(keys) > NAMES_MAX else ""
    return f"{len(keys)}: {', '.join(keys[:NAMES_MAX])}{more}" if keys else "none"
