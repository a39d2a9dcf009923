"""One customer: its update after a backup, or its way back together with its database. Parses and hands over."""

from typing import TYPE_CHECKING, Annotated

import typer

from securewatch.cli import options
from securewatch.cli.complete import complete_customers, complete_versions
from securewatch.cli.parse import parse_instant, parse_timeout, refuse_blank, refuse_contradictions
from securewatch.cli.session import session_of
from securewatch.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securewatch.core.errors import ExitCode
    from securewatch.deps import Deps

Version = Annotated[
    str | None, typer.Option("--version", help="The git tag to bring, like v1.1.0.", autocompletion=complete_versions)
]
Rollback = Annotated[
    str | None,
    typer.Option("--rollback", metavar="VERSION", help="The git tag to go back to.", autocompletion=complete_versions),
]
Customer = Annotated[
    str | None,
    typer.Option("--customer", help="Slug or full name of the customer.", autocompletion=complete_customers),
]
NoBackup = Annotated[bool, typer.Option("--no-backup", help="Take no backup of the database first.")]
ConfirmCustomer = Annotated[
    str | None, typer.Option("--confirm-customer", metavar="SLUG", help="With --rollback: its slug, as the agreement.")
]
Backup = Annotated[
    str | None, typer.Option("--backup", metavar="NAME", help="With --rollback: the backup to restore from.")
]
At = Annotated[
    str | None, typer.Option("--at", metavar="INSTANT", help="With --rollback: the time to restore the database to.")
]
RestoreDatabase = Annotated[
    bool, typer.Option("--restore-database", help="With --rollback: restore the database in any case.")
]


def update_customer(
    context: typer.Context,
    version: Version = None,
    rollback: Rollback = None,
    customer: Customer = None,
    no_backup: NoBackup = False,
    dry_run: options.DryRun = False,
    detailed_exitcode: options.Detailed = False,
    force: options.Force = False,
    reason: options.Reason = "",
    wait: options.Wait = False,
    until: options.Until = "verified",
    detach: options.Detach = False,
    timeout: options.Timeout = None,
    confirm_customer: ConfirmCustomer = None,
    backup: Backup = None,
    at: At = None,
    restore_database: RestoreDatabase = False,
) -> None:
    """Update a customer, its database backed up first. Or take it back, with its database where that is needed.

    securewatch update-customer --version v1.1.0 --customer acme-corp --dry-run

    securewatch update-customer --version v1.1.0 --customer acme-corp

    securewatch update-customer --rollback v1.0.0 --customer acme-corp --dry-run
    """
    from securewatch.cli.flow import How, run_plan
    from securewatch.cli.parse import parse_until
    from securewatch.operations.plan import DeployRequest

    session, seconds = session_of(context), parse_timeout(timeout)
    slug = _one_customer(version, rollback, customer)
    refuse_contradictions(is_dry=dry_run, is_detailed=detailed_exitcode, is_detached=detach, waits=wait)
    how = How(dry_run, session.is_sure, detach, detailed_exitcode, parse_until(until, waits=wait))
    of_back = {"--confirm-customer": confirm_customer, "--backup": backup, "--at": at}
    if version is not None:
        _refuse_given("--version", {**of_back, "--restore-database": restore_database or None})
        request = DeployRequest(
            slug, version, force=force, reason=reason, timeout_seconds=seconds, backs_up=not no_backup
        )
        raise typer.Exit(session.run(lambda deps: run_plan(deps, session, request, how)))
    from securewatch.cli.restore_flow import run_restore
    from securewatch.operations.restore import RestoreRequest

    _refuse_given("--rollback", {"--force": force or None, "--wait": wait or None, "--timeout": timeout})
    _refuse_given("--at", {"--backup": backup if at else None})
    refuse_blank("--confirm-customer, --backup or --at", [one for one in of_back.values() if one is not None], "a word")
    back = RestoreRequest(
        slug=slug,
        version=rollback or "",
        reason=reason,
        backup=backup or "",
        at=parse_instant("--at", at, "UTC") if at else None,
        restores_always=restore_database,
        takes_backup=not no_backup,
        confirmed=confirm_customer or "",
    )
    raise typer.Exit(session.run(lambda deps: run_restore(deps, session, back, how)))


def backup_restore(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The backup's name; `backup list` shows it.")],
    confirm_customer: ConfirmCustomer = None,
    no_backup: NoBackup = False,
    dry_run: options.DryRun = False,
    reason: options.Reason = "",
    detach: options.Detach = False,
) -> None:
    """Take a customer back to what a backup holds.

    The version of then is deployed on a new database with its rows: `update-customer --rollback VERSION --backup NAME`.

    securewatch backup restore acme-corp/20261126T171500Z-1a2b3c4d.swbackup --dry-run
    """
    from securewatch.cli.flow import How
    from securewatch.cli.restore_flow import run_restore
    from securewatch.operations.backups import find_backup
    from securewatch.operations.restore import RestoreRequest

    session = session_of(context)
    refuse_contradictions(is_dry=dry_run, is_detailed=False, is_detached=detach)
    how = How(dry_run, session.is_sure, detach)

    async def work(deps: "Deps") -> "ExitCode":
        found, said = await find_backup(deps, name), confirm_customer or ""
        back = RestoreRequest(found.slug, found.version, reason, name, takes_backup=not no_backup, confirmed=said)
        return await run_restore(deps, session, back, how)

    raise typer.Exit(session.run(work))


def _one_customer(version: str | None, rollback: str | None, customer: str | None) -> str:
    """The customer of a command with one direction. Raises UsageError (SW201) for none or both, and for no customer."""
    if (version is None) == (rollback is None):
        raise UsageError(
            "SW201",
            "forward to a version, or back to one?",
            why="--version and --rollback were both given" if version is not None else "no version was given",
            fix="give either --version or --rollback, like --version v1.1.0",
        )
    if customer is not None:
        return customer
    if version is None:
        why = "a database goes back for one customer at a time"
        raise UsageError("SW201", "which customer is to go back?", why=why, fix="add --customer, like acme-corp")
    raise UsageError(
        "SW201",
        f"which customer is to get {version}?",
        why="this command is for one; many customers are a rollout, in phases that stop at the first trouble",
        fix=f"add --customer, or for everybody: securewatch rollout start --version {version}",
    )


def _refuse_given(flag: str, others: "Mapping[str, object | None]") -> None:
    """Refuse the flags of the other direction: they would be ignored."""
    given = [name for name, value in others.items() if value is not None]
    if given:
        why = f"it says nothing together with {flag}"
        raise UsageError("SW201", f"{given[0]} does not go with {flag}", why=why, fix="leave it out")
