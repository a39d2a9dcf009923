"""Commands about new versions: tag one."""

from typing import Annotated

import typer

from securewatch.cli.parse import parse_one_of, refuse_blank
from securewatch.cli.session import say, session_of


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
