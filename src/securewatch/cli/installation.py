"""Commands about the installation: configuration, audit log, kill switch, controller, self-examination."""

from typing import Annotated

import typer

from securewatch.cli import options
from securewatch.cli.session import Session, say, session_of

config = typer.Typer(help="The configuration: check, show, schema.")
audit = typer.Typer(help="The audit log: list, verify.")
All = Annotated[bool, typer.Option("--all", help="Every customer; only all at once can be.")]


@config.command("check")
def config_check(context: typer.Context) -> None:
    """Check the files; every problem is listed at once. Exit code 2 where there is one.

    securewatch config check
    """
    from securewatch.cli.data import print_json
    from securewatch.operations.configuration import check_config

    session = session_of(context)
    report = session.run(check_config)
    if session.is_json:
        print_json(report)
    else:
        for problem in report.problems:
            print(f"✖ {problem}")
        for warning in report.warnings:
            print(f"! {warning}")
        for path, value in report.defaults_used:
            print(f"· {path} is absent; the default is {value}")
        counts = {"customer": report.customer_count, "problem": len(report.problems), "warning": len(report.warnings)}
        words = [f"{count or 'no'} {name}{'' if count == 1 else 's'}" for name, count in counts.items()]
        print(f"{report.config_dir}: {', '.join(words)}")
    raise typer.Exit(2 if report.problems else 0)


@config.command("show")
def config_show(context: typer.Context) -> None:
    """Show every value in force, and where it is from. Secrets are masked.

    securewatch config show
    """
    from securewatch.cli.data import print_json
    from securewatch.cli.tables import show_table
    from securewatch.operations.configuration import show_config

    session = session_of(context)
    rows = session.run(show_config)
    if session.is_json:
        print_json([{"name": name, "value": value, "origin": origin} for name, value, origin in rows])
    else:
        show_table(("name", "value", "origin"), rows, prose=("name", "value", "origin"))


@config.command("schema")
def config_schema() -> None:
    """Print the files' JSON Schema (draft 7), for editors.

    securewatch config schema
    """
    from securewatch.cli.data import print_json
    from securewatch.config.schema import all_schemas

    print_json(all_schemas())


@audit.command("list")
def audit_list(
    context: typer.Context,
    customer: options.AnyCustomer = None,
    run: Annotated[str | None, typer.Option("--run", help="Only this run.")] = None,
    limit: options.Limit = 50,
) -> None:
    """List the newest entries: who, when, what, why.

    securewatch audit list --customer acme-corp
    """
    from securewatch.cli.data import plain, print_json
    from securewatch.cli.tables import show_table
    from securewatch.cli.words import show_facts, show_instant
    from securewatch.operations.audits import list_entries

    session = session_of(context)
    entries = session.run(lambda deps: list_entries(deps, slug=customer, run_id=run, limit=limit))
    if session.is_json:
        print_json(entries)
        return
    show_table(
        ("no", "at", "actor", "action", "run", "Render request", "detail"),
        (
            (
                str(one.seq),
                show_instant(one.at),
                one.actor,
                one.action,
                one.run_id or "",
                one.request_id or "",
                show_facts(plain(dict(one.detail))),
            )
            for one in entries
        ),
        prose=("detail",),
        spare=("Render request", "actor"),
        times=("at",),
    )


@audit.command("verify")
def audit_verify(
    context: typer.Context,
    head: Annotated[str | None, typer.Option("--head", help="COUNT:HEAD as a summary printed it.")] = None,
) -> None:
    """Check that nobody tampered with the audit log.

    No entry was changed, dropped, inserted or cut off. Exit code 1 says that one was.

    securewatch audit verify
    """
    from securewatch.cli.data import print_json
    from securewatch.cli.parse import parse_head
    from securewatch.operations.audits import verify_log

    session = session_of(context)
    noted = parse_head(head)
    report = session.run(lambda deps: verify_log(deps, noted=noted))
    if session.is_json:
        print_json(report)
    else:
        print(f"the audit log verifies: {report.count} entries, head {report.head_mac or 'none'}")


def pause(context: typer.Context, all_: All = False, reason: options.Reason = "") -> None:
    """Stop every write in every process; looks go on.

    securewatch pause --all --reason "customers report failed log-ins"
    """
    _set_pause(context, all_, paused=True, reason=reason)


def resume(context: typer.Context, all_: All = False, reason: options.Reason = "") -> None:
    """Let the writes go on.

    securewatch resume --all
    """
    _set_pause(context, all_, paused=False, reason=reason)


def _set_pause(context: typer.Context, is_all: bool, *, paused: bool, reason: str) -> None:
    from securewatch.cli.data import print_json
    from securewatch.core.errors import UsageError
    from securewatch.operations.pause import set_pause

    if not is_all:
        raise UsageError("SW201", "say what to pause or resume", why="only everything can be", fix="add --all")
    session = session_of(context)
    found = session.run(lambda deps: set_pause(deps, paused=paused, reason=reason), needs_only_state=True)
    if session.is_json:
        is_paused = found.pause is not None
        print_json({"paused": is_paused, "pause": found.pause, "audited": found.unaudited is None})
    elif found.pause is not None:
        print("everything is paused: nothing is written until `securewatch resume --all`")
    else:
        print("writes go on")
    if found.unaudited is not None:
        error = found.unaudited
        say(f"it is not in the audit log: {error.code} {error.what} ({error.why})")


def serve(context: typer.Context) -> None:
    """Run the controller until it is told to stop. It moves every customer, keeps every watch and says what changes.

    securewatch serve
    """
    import asyncio

    from securewatch.cli.live import FleetLines
    from securewatch.deps import Deps
    from securewatch.operations.serve import serve as run_controller

    async def work(deps: Deps) -> None:
        try:
            await run_controller(deps, say, FleetLines(deps.clock))
        except asyncio.CancelledError:
            if deps.lock.holder() is None:
                say("the controller ended; the work resumes with the next one")

    session_of(context).run(work)


def doctor(context: typer.Context) -> None:
    """Look for what is wrong here. Examined: configuration, key, repository, state, audit log, controller, notices.

    securewatch doctor
    """
    from securewatch.cli.data import print_json
    from securewatch.operations.doctor import examine

    session = session_of(context)
    findings = session.run(examine)
    if session.is_json:
        print_json(findings)
    else:
        for one in findings:
            mark = "✖" if not one.is_ok else "!" if one.is_warning else "✔"
            print(f"{mark} {one.name:<14} {one.detail}")
    raise typer.Exit(next((int(one.exit_code) for one in findings if not one.is_ok), 0))


def check_key(session: Session) -> None:
    """What `--api-key` alone does: ask Render whether it accepts the key."""
    from securewatch.cli.data import print_json
    from securewatch.operations.owner import find_owner

    owner_id = session.run(find_owner)
    if session.is_json:
        print_json({"accepted": True, "owner": owner_id})
    else:
        print(f"Render accepts the key; it reaches {owner_id}")
