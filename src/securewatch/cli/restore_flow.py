"""The course of `update-customer --rollback`: what would be lost, the customer's name typed, the run, the sum."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from securewatch.cli.data import plan_data, print_json
from securewatch.cli.flow import How, follow_run, run_rollback
from securewatch.cli.session import Session, ask_name, say
from securewatch.cli.show import plan_lines
from securewatch.cli.words import show_bytes, show_instant
from securewatch.core.errors import ExitCode, Refused, UsageError
from securewatch.deps import Deps
from securewatch.operations.restore import (
    PlannedRestore,
    RestoreRequest,
    find_done,
    find_unfinished,
    plan_restore,
    start_restore,
)
from securewatch.operations.rollback import RollbackRequest, start_rollback

if TYPE_CHECKING:
    from securewatch.backup.losses import TableLoss


async def run_restore(deps: Deps, session: Session, request: RestoreRequest, how: How) -> ExitCode:
    """Take a customer back to a version: its database too where that is needed or asked for, else by code alone."""
    under_way = None if how.is_dry else await find_unfinished(deps, request)
    if under_way is not None:
        say(f"{under_way.id} is under way: it is carried on")
        return await follow_run(deps, session, under_way, how)
    found = await plan_restore(deps, request)
    if found.planned is None:
        return await _go_back_by_code(deps, session, found, how)
    if not session.is_json:
        print("\n".join([*_lines(found), ""]), flush=True)
    if how.is_dry:
        if session.is_json:
            print_json(_data(found))
        else:
            print("dry run: nothing was written anywhere", flush=True)
        return ExitCode.CHANGES if how.is_detailed else ExitCode.DONE
    if not _is_confirmed(session, found):
        say("nothing was done")
        return ExitCode.DONE
    slug = found.customer.slug
    run = await start_restore(deps, replace(found, request=replace(request, confirmed=slug)))
    return await follow_run(deps, session, run, how)


async def _go_back_by_code(deps: Deps, session: Session, found: PlannedRestore, how: How) -> ExitCode:
    """No restore is needed: the recorded pair, where that is the version asked for."""
    request, slug = found.request, found.customer.slug
    done = await find_done(deps, request)
    if done is not None:
        say(f"{done.id} took {slug} to {done.version}, and nothing came after it: there is nothing to do")
        return await follow_run(deps, session, done, replace(how, is_detached=False))
    say(f"no restore of {slug}'s database is needed ({found.why}); --restore-database restores it all the same")
    back = RollbackRequest(slug, reason=request.reason)
    way = await start_rollback(deps, back, is_dry=True)
    if way.to != request.version:
        raise Refused(
            "SW602",
            f"the recorded way back of {slug} does not lead to {request.version}",
            why=way.note,
            fix=f"securewatch deploy-customer --version {request.version} --customer {slug} --force",
        )
    return await run_rollback(deps, session, back, how)


def _is_confirmed(session: Session, found: PlannedRestore) -> bool:
    """Whether a person typed the customer's name, here or with the command. Raises UsageError (SW207) where not."""
    slug, said = found.customer.slug, found.request.confirmed
    if not said and session.is_live:
        said = ask_name(f"What was written since is lost to {slug}'s users. Type the customer's name to go ahead")
        if not said:
            return False
    if said != slug:
        raise UsageError(
            "SW207",
            f"a restore of {slug}'s database needs its name",
            why=f"{said!r} is another name" if said else "nobody can be asked here",
            fix=f"add --confirm-customer {slug}",
        )
    return True


def _lines(found: PlannedRestore) -> list[str]:
    assert found.planned is not None
    backup = found.backup
    lines = [*plan_lines(found.planned), f"  why          {found.why}"]
    if backup is not None:
        took = f"; a restore of it took {backup.restore_seconds:.1f} s" if backup.restore_seconds is not None else ""
        lines.append(
            f"  restored     {backup.name}: {show_instant(backup.taken_at)}, {backup.version or 'version not known'}, "
            f"{backup.rows:,} rows, {show_bytes(backup.stored_bytes)}{took}"
        )
    if found.request.at is not None:
        lines.append(f"  restored     by Render, to {show_instant(found.request.at)}, into a new instance")
    first = "safety backup, " if found.request.takes_backup else ""
    lines.append(f"  course       {first}maintenance page, new database, env vars, build, page down, checks")
    lines.append("  kept         the database of now, whole and untouched; it is named at the end")
    if found.grantees:
        lines.append(
            f"  ! rights        of {', '.join(found.grantees)} are not restored: grant them anew in the new database"
        )
    return [*lines, *_loss_lines(found.losses)]


def _loss_lines(losses: "Sequence[TableLoss]") -> list[str]:
    touched = [one for one in losses if one.is_touched]
    if not touched:
        return ["  would be lost  nothing: no table differs from the backup"]
    lines = ["  would be lost, as far as the database tells:"]
    for one in touched:
        first, last = (show_instant(at) if at else "-" for at in (one.first_write, one.last_write))
        times = f"  first write {first}, last {last}" if one.first_write else ""
        lines.append(f"    {one.name:<24} {_count_words(one)}{times}")
        if one.unknown:
            lines.append(f"    {'':<24} not all of it is known: {one.unknown}")
    return lines


def _count_words(one: "TableLoss") -> str:
    counts = (("added", one.added), ("changed", one.changed), ("removed", one.removed))
    return ", ".join(f"{'? ' if count is None else f'{count:,} '}{word}" for word, count in counts)


def _data(found: PlannedRestore) -> dict[str, Any]:
    assert found.planned is not None
    return {
        **plan_data(found.planned),
        "why": found.why,
        "backup": found.backup.name if found.backup is not None else None,
        "recover_to": found.request.at,
        "rights_lost": list(found.grantees),
        "would_be_lost": [
            {
                "table": one.name,
                "rows_then": one.rows_then,
                "rows_now": one.rows_now,
                "added": one.added,
                "changed": one.changed,
                "removed": one.removed,
                "first_write": one.first_write,
                "last_write": one.last_write,
                "unknown": one.unknown or None,
            }
            for one in found.losses
            if one.is_touched
        ],
    }
