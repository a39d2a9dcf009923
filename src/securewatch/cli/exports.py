"""Commands about Render's own exports of customers' databases: what there is, and asking for one. No backup of ours."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from securewatch.cli import options
from securewatch.cli.progress import byte_progress
from securewatch.cli.session import Session, session_of

if TYPE_CHECKING:
    from securewatch.operations.exports import Downloaded, Exports, KeptExport

Download = Annotated[
    Path | None,
    typer.Option("--download", metavar="FILE", help="Download the newest one that is ready to a new file of yours."),
]
DownloadMade = Annotated[
    Path | None, typer.Option("--download", metavar="FILE", help="Download it to a new file of yours once it is ready.")
]


def backup_exports(context: typer.Context, customer: options.Customer, download: Download = None) -> None:
    """List Render's own exports of a database.

    And how far back Render can recover it. Render keeps an export for seven days.

    securewatch backup exports --customer acme-corp

    securewatch backup exports --customer acme-corp --download acme.dir.tar.gz
    """
    from securewatch.cli.data import print_json
    from securewatch.operations.exports import list_exports

    session = session_of(context)
    found = session.run(lambda deps: list_exports(deps, customer))
    if not session.is_json:
        _show(found)
    file = None if download is None else _download(session, customer, download)
    if session.is_json:
        print_json(_data(found, file))


def backup_export(context: typer.Context, customer: options.Customer, download: DownloadMade = None) -> None:
    """Ask Render for an export and follow it.

    Ctrl-C ends the following, not the export.

    securewatch backup export --customer acme-corp
    """
    from securewatch.cli.data import plain, print_json
    from securewatch.operations.exports import make_export

    session = session_of(context)
    tell = _silent if session.is_json else _tell
    made = session.run(lambda deps: make_export(deps, customer, tell=tell, file=download))
    if not session.is_json:
        _say_kept(made)
    file = None if download is None else _download(session, customer, download, made.id)
    if session.is_json:
        print_json({**plain(made), "download": file})


def _download(session: Session, customer: str, file: Path, export_id: str | None = None) -> "Downloaded":
    from securewatch.cli.words import show_bytes
    from securewatch.operations.exports import download_export

    with byte_progress(session, "download") as progress:
        made = session.run(lambda deps: download_export(deps, customer, file, export_id=export_id, progress=progress))
    if not session.is_json:
        print(f"{made.file}: {made.export}, {show_bytes(made.bytes)}, for you alone to read")
        print("it is not sealed: keep it as you keep the database's password, and delete it when it is not needed")
    return made


def _show(found: "Exports") -> None:
    from securewatch.cli.tables import show_table
    from securewatch.cli.words import show_instant
    from securewatch.render.recovery import recovery_words

    if found.exports:
        show_table(
            ("export", "taken", "status", "kept until"),
            (
                (
                    one.id,
                    show_instant(one.created_at),
                    "ready" if one.is_ready else "not ready",
                    show_instant(one.lapses_at),
                )
                for one in found.exports
            ),
            times=("taken", "kept until"),
        )
    else:
        print(f"Render keeps no export of {found.slug}'s database {found.postgres_id}")
    print(f"recovery by Render   {recovery_words(found.recovery)}", flush=True)


def _say_kept(made: "KeptExport") -> None:
    from securewatch.cli.words import show_instant

    until = f"{show_instant(made.lapses_at)} {made.lapses_at.astimezone():%Z}"
    print(f"{made.id}: Render keeps it until {until}", flush=True)


def _data(found: "Exports", file: "Downloaded | None") -> dict[str, Any]:
    from securewatch.cli.data import plain

    recovery = {**plain(found.recovery), "is_possible": found.recovery.is_possible}
    return {**plain(found), "recovery": recovery, "download": file}


def _tell(at: datetime, text: str) -> None:
    print(f"{at:%H:%M:%S}  {text}", flush=True)


def _silent(_at: datetime, _text: str) -> None:
    """Nobody watches: JSON is printed at the end."""
