"""The release calendar for calendar programs."""

from pathlib import Path
from typing import Annotated

import typer

from securewatch.cli import options
from securewatch.cli.parse import refuse_blank
from securewatch.cli.session import session_of


def calendar(
    context: typer.Context,
    ics: Annotated[str, typer.Option("--ics", metavar="FILE", help="The file to write, like releases.ics.")],
    customer: options.AnyCustomer = None,
    version: Annotated[
        str | None,
        typer.Option("--version", help="Only this version's rollout.", autocompletion=options.complete_versions),
    ] = None,
) -> None:
    """Write the release calendar as an .ics file. Written again, it tells what changed.

    securewatch calendar --ics releases.ics

    securewatch calendar --ics acme.ics --customer acme-corp
    """
    from securewatch.cli.data import print_json
    from securewatch.operations.calendar import export

    session = session_of(context)
    refuse_blank("--ics", [ics], "a file, like releases.ics")
    found = session.run(lambda deps: export(deps, Path(ics), version=version, slug=customer))
    if session.is_json:
        print_json(
            {
                "path": found.path,
                "entries": [{"sequence": one.sequence, **vars(one.entry)} for one in found.kept],
                "changed": found.changed,
                "cancelled": found.cancelled,
            }
        )
    else:
        off = f", {found.cancelled} cancelled" if found.cancelled else ""
        print(f"{found.path}: {len(found.kept)} entries{off}, {found.changed} changed since the last time", flush=True)
