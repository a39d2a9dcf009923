"""Commands about notices: send what is due, list what became of them, try again what failed."""

from typing import TYPE_CHECKING, Annotated

import typer

from securewatch.cli import options
from securewatch.cli.complete import complete_phases
from securewatch.cli.session import Session, say, session_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securewatch.operations.notices import Drafts
    from securewatch.store.outbox import Entry

app = typer.Typer(help="What customers and the team were told: list, resend.")
AnyVersion = Annotated[
    str | None, typer.Option("--version", help="The git tag, like v1.1.0.", autocompletion=options.complete_versions)
]
Phase = Annotated[
    str | None,
    typer.Option(
        "--phase",
        metavar="demo|startup|standard|enterprise",
        help="Only the customers of this phase.",
        autocompletion=complete_phases,
    ),
]


def send_notifications(
    context: typer.Context, version: AnyVersion = None, phase: Phase = None, dry_run: options.DryRun = False
) -> None:
    """Tell customers and the team what is due. Each is told once that a version comes, by `serve` or here.

    Exit code 8 where a part could not be delivered; it is tried again later. A dry run prints the texts.

    securewatch send-notifications --version v1.1.0 --phase standard --dry-run

    securewatch send-notifications --version v1.1.0 --phase standard
    """
    from securewatch.core.errors import ExitCode
    from securewatch.deps import Deps
    from securewatch.operations.expected import expect
    from securewatch.operations.notices import draft_notices, has_failed, send_notices
    from securewatch.operations.release.scope import find_phase

    session, name = session_of(context), find_phase(phase) if phase is not None else None

    async def work(deps: Deps) -> int:
        drafts = await draft_notices(deps, await expect(deps, version), name)
        if dry_run:
            _show_drafts(session, drafts)
            return 0
        entries = await send_notices(deps, drafts)
        if session.is_json or entries:
            _show_entries(session, entries)
        if not entries and not session.is_json:
            _show_next(drafts)
        return int(ExitCode.PART_FAILED) if any(has_failed(one) for one in entries) else 0

    raise typer.Exit(session.run(work))


@app.command("list")
def list_(context: typer.Context, version: AnyVersion = None, customer: options.AnyCustomer = None) -> None:
    """List what was told to whom. The oldest is first; what could not be delivered says why.

    securewatch notice list --version v1.1.0
    """
    from securewatch.operations.notices import list_notices

    session = session_of(context)
    _show_entries(session, session.run(lambda deps: list_notices(deps, version=version, customer=customer)))


@app.command()
def resend(context: typer.Context, version: AnyVersion = None, customer: options.AnyCustomer = None) -> None:
    """Try again what could not be delivered. What may have arrived is not sent twice.

    Exit code 8 where a part still could not be delivered.

    securewatch notice resend --version v1.1.0 --customer acme-corp
    """
    from securewatch.core.errors import ExitCode
    from securewatch.operations.notices import has_failed, resend_notices
    from securewatch.store.outbox import NoticeState

    session = session_of(context)
    entries = session.run(lambda deps: resend_notices(deps, version=version, customer=customer))
    if session.is_json or entries:
        _show_entries(session, entries)
    else:
        say("no notice has failed")
    is_left = any(has_failed(one) or one.state is NoticeState.NOT_CONFIGURED for one in entries)
    raise typer.Exit(int(ExitCode.PART_FAILED) if is_left else 0)


def _show_drafts(session: Session, drafts: "Drafts") -> None:
    from securewatch.cli.data import draft_data, print_json
    from securewatch.cli.show_notices import draft_lines

    if session.is_json:
        print_json({"due": [draft_data(one) for one in drafts.due], "later": [draft_data(one) for one in drafts.later]})
    elif drafts.due:
        print("\n\n".join("\n".join(draft_lines(one)) for one in drafts.due))
    else:
        _show_next(drafts)


def _show_next(drafts: "Drafts") -> None:
    from securewatch.cli.words import show_instant

    upcoming = drafts.later[0].notice if drafts.later else None
    then = f"; the next is due at {show_instant(upcoming.due_at)}, for {upcoming.slug}" if upcoming else ""
    say(f"nothing is due{then}")


def _show_entries(session: Session, entries: "Sequence[Entry]") -> None:
    from securewatch.cli.data import notice_data, print_json
    from securewatch.cli.show_notices import HEADINGS, entry_row
    from securewatch.cli.tables import show_table

    if session.is_json:
        print_json([notice_data(one) for one in entries])
        return
    show_table(
        HEADINGS,
        (entry_row(one) for one in entries),
        prose=("detail",),
        spare=("tries", "version"),
        times=("due", "sent"),
    )
