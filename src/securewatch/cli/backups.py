"""Commands about backups of customers' databases: list, create, verify, drill, prune.

Render's own are in `exports.py`, the restore in `update.py`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from securewatch.cli import exports, options, update
from securewatch.cli.progress import byte_progress
from securewatch.cli.session import Session, confirm, session_of

if TYPE_CHECKING:
    from securewatch.store.backups import Backup

app = typer.Typer(help="Database backups: make, try, prune, restore them.")
Name = Annotated[str, typer.Argument(help="The backup's name; `backup list` shows it.")]
NoVerify = Annotated[bool, typer.Option("--no-verify", help="Do not try it; it does not count until then.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")]


@app.command("list")
def backup_list(context: typer.Context, customer: options.AnyCustomer = None) -> None:
    """List the backups, the newest first.

    securewatch backup list --customer acme-corp
    """
    from securewatch.cli.data import print_json
    from securewatch.operations.backups import list_backups

    session = session_of(context)
    found = session.run(lambda deps: list_backups(deps, customer))
    if session.is_json:
        print_json([_data(one) for one in found])
    else:
        _show(found)


@app.command("create")
def backup_create(context: typer.Context, customer: options.Customer, no_verify: NoVerify = False) -> None:
    """Back a customer's database up and try it.

    The try is a restore into a scratch database; a backup that was not tried does not count.

    securewatch backup create --customer acme-corp
    """
    from securewatch.operations.backups import create_backup, expected_bytes, verify_backup

    session = session_of(context)
    expected = session.run(lambda deps: expected_bytes(deps, customer)) if session.is_live else None
    with byte_progress(session, "backup", expected=expected) as progress:
        made = session.run(lambda deps: create_backup(deps, customer, progress=progress))
    if not no_verify:
        made = session.run(lambda deps: verify_backup(deps, made.name))
    _tell(session, made)


@app.command("verify")
def backup_verify(context: typer.Context, name: Name) -> None:
    """Try a backup in a scratch database.

    It is restored there, and every table compared with what was backed up.

    securewatch backup verify acme-corp/20261126T171500Z-1a2b3c4d.swbackup
    """
    from securewatch.operations.backups import verify_backup

    session = session_of(context)
    _tell(session, session.run(lambda deps: verify_backup(deps, name)))


@app.command("drill")
def backup_drill(context: typer.Context, customer: options.AnyCustomer = None) -> None:
    """Back one customer up and time the restore.

    Where none is named, it is the one whose turn is longest ago.

    securewatch backup drill
    """
    from securewatch.operations.backups import drill

    session = session_of(context)
    with byte_progress(session, "drill") as progress:
        made = session.run(lambda deps: drill(deps, customer, progress=progress))
    _tell(session, made)


@app.command("prune")
def backup_prune(context: typer.Context, customer: options.AnyCustomer = None, dry_run: DryRun = False) -> None:
    """Delete the backups that nothing keeps.

    What keeps one: its age, being the newest that counts, or a way back that is promised.

    securewatch backup prune --dry-run
    """
    from securewatch.cli.data import print_json
    from securewatch.cli.tables import show_table
    from securewatch.operations.backups import prune

    session = session_of(context)
    if not dry_run and not confirm(session, "Delete the backups that nothing keeps?"):
        return
    found = session.run(lambda deps: prune(deps, customer, is_dry=dry_run))
    if session.is_json:
        print_json([{"backup": one.backup.name, "removed": one.goes, "reason": one.reason} for one in found])
        return
    word = "would go" if dry_run else "deleted"
    show_table(
        ("backup", "version", "what", "why"),
        ((one.backup.name, one.backup.version or "-", word if one.goes else "kept", one.reason) for one in found),
        prose=("why",),
    )


app.command("restore")(update.backup_restore)
app.command("exports")(exports.backup_exports)
app.command("export")(exports.backup_export)


def _show(found: Sequence["Backup"]) -> None:
    from securewatch.cli.tables import show_table
    from securewatch.cli.words import show_bytes, show_instant

    show_table(
        ("backup", "version", "taken", "size", "rows", "counts", "restore takes"),
        (
            (
                one.name,
                one.version or "-",
                show_instant(one.taken_at),
                show_bytes(one.stored_bytes),
                f"{one.rows:,}",
                "verified" if one.verified_at else f"no: {one.problem or 'not tried'}",
                _seconds(one) or "-",
            )
            for one in found
        ),
        prose=("counts",),
        times=("taken",),
    )


def _seconds(one: "Backup") -> str:
    """What a restore took, rounded up; empty where none was tried."""
    from math import ceil

    from securewatch.cli.words import show_duration

    return "" if one.restore_seconds is None else show_duration(ceil(one.restore_seconds))


def _tell(session: Session, made: "Backup") -> None:
    from securewatch.cli.data import print_json
    from securewatch.cli.words import show_bytes

    if session.is_json:
        print_json(_data(made))
        return
    tables = f"{len(made.tables)} table{'' if len(made.tables) == 1 else 's'}"
    print(f"{made.name}: {made.rows:,} rows in {tables}, {show_bytes(made.stored_bytes)}")
    if made.verified_at is None:
        print(f"it does not count yet: securewatch backup verify {made.name}")
    else:
        print(f"verified: a restore gives the same rows, in {_seconds(made)}")


def _data(one: "Backup") -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(one), "rows": one.rows, "is_verified": one.verified_at is not None}
