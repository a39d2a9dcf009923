"""Commands about new versions: tag one, and watch for them."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from securewatch.cli.parse import parse_one_of, parse_timeout, refuse_blank
from securewatch.cli.session import say, session_of

if TYPE_CHECKING:
    from securewatch.core.errors import SecurewatchError
    from securewatch.operations.release_watch import Found, WatchLook


def create_tag(
    context: typer.Context,
    tag: Annotated[str | None, typer.Argument(help="The new version, like v1.2.0.")] = None,
    version: Annotated[str | None, typer.Option("--version", help="The new version, like v1.2.0.")] = None,
    commit: Annotated[
        str | None, typer.Option("--commit", metavar="REF", help="What to tag; by default what is checked out.")
    ] = None,
    message: Annotated[str, typer.Option("--message", "-m", help="The tag's message.")] = "",
    push: Annotated[
        bool, typer.Option("--push", help="Push the tag to `origin`; without it the tag is local.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything; make nothing.")] = False,
) -> None:
    """Tag a new version of the vendor's product. The version must follow those that there are.

    securewatch create-tag --version v1.4.0 --message "Faster search" --dry-run

    securewatch create-tag --version v1.4.0 --commit main --push
    """
    from securewatch.cli.data import print_json
    from securewatch.operations.tags import TagRequest
    from securewatch.operations.tags import create_tag as create

    session = session_of(context)
    refuse_blank("--commit", [commit] if commit is not None else [], "a commit, a branch or a tag")
    request = TagRequest(parse_one_of(tag, version, "--version v1.4.0"), commit, message, push)
    made = session.run(lambda deps: create(deps, request, is_dry=dry_run))
    if session.is_json:
        new = made.tag
        print_json(
            {
                "tag": new.name,
                "commit": new.commit,
                "message": new.message,
                "pushed": made.is_pushed and not dry_run,
                "created": not dry_run,
            }
        )
    else:
        print(f"{made.tag.name} is {'to be ' if dry_run else ''}an annotated tag at {made.tag.commit}", flush=True)
        if dry_run:
            print(f"dry run: nothing was made{' or pushed' if push else ''}", flush=True)
        elif not made.is_pushed:
            say("it is in the local repository only: Render and others see it once it is pushed")
    if made.unaudited is not None:
        say(f"the audit log has no entry of it: {made.unaudited.code} {made.unaudited.what}")


def release_watch(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Look once and end, for cron.")] = False,
    every: Annotated[str, typer.Option("--every", metavar="TIME", help="How long between two looks.")] = "60s",
) -> None:
    """Deploy new versions to the demo customers, by policy. The first look only notes what there is.

    securewatch release watch --once

    securewatch release watch --every 5m
    """
    from securewatch.cli.failures import as_text
    from securewatch.operations.release_watch import look_once, watch

    session = session_of(context)
    every_seconds = parse_timeout(every, "--every") or 0.0
    if not once:
        session.run(lambda deps: watch(deps, every_seconds=every_seconds, tell=_Teller(session.is_json)))
        return
    look = session.run(look_once)
    _tell_look(look, is_json=session.is_json)
    troubles = [one.trouble for one in look.found if one.trouble is not None]
    if troubles:
        say(as_text(troubles[0]))
        raise typer.Exit(int(troubles[0].exit_code))


class _Teller:
    """Tells the looks that say something new: a trouble that stays is told once."""

    def __init__(self, is_json: bool) -> None:
        self._is_json = is_json
        self._told = ""

    def __call__(self, look: "WatchLook | SecurewatchError") -> None:
        from securewatch.core.errors import SecurewatchError

        what = str(look) if isinstance(look, SecurewatchError) else str((look.recorded, _rows(look.found)))
        is_news = what != self._told
        self._told = what
        if not is_news:
            return
        if isinstance(look, SecurewatchError):
            say(f"trouble: {look.code} {look.what}: {look.why}")
        elif look.found or look.recorded:
            _tell_look(look, is_json=self._is_json)


def _tell_look(look: "WatchLook", *, is_json: bool) -> None:
    from securewatch.cli.data import print_json

    if is_json:
        print_json({"recorded": look.recorded, "found": _rows(look.found)})
        return
    for slug in look.recorded:
        print(f"{slug}: seen for the first time; what comes from now on is deployed", flush=True)
    for row in _rows(look.found):
        what = f"{row['version']} (new {row['source']}) for {', '.join(row['customers'])}"
        again = " (tried again at the next look)" if row["tried_again"] else ""
        print(f"{what}: {row['trouble'] or 'begun; a controller carries it out'}{again}", flush=True)
    if not (look.recorded or look.found):
        print("nothing new", flush=True)


def _rows(found: "tuple[Found, ...]") -> list[dict[str, Any]]:
    return [
        {
            "version": one.news.point.version.tag,
            "commit": one.news.point.commit,
            "source": one.news.source,
            "customers": one.news.slugs,
            "trouble": f"{one.trouble.code} {one.trouble.what}" if one.trouble else None,
            "tried_again": one.is_tried_again,
        }
        for one in found
    ]
