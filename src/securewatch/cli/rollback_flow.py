"""The course of `rollback-phase`: show who goes back, ask, follow, sum up."""

import asyncio
from collections.abc import Sequence
from typing import Any

from securewatch.cli.data import print_json
from securewatch.cli.live import Silent
from securewatch.cli.session import Session, confirm, say
from securewatch.cli.words import show_status
from securewatch.core.clock import Clock
from securewatch.core.errors import ExitCode
from securewatch.deps import Deps
from securewatch.operations.release.back import BackRow, find_phase_customers, halt_rollout, roll_back_phase
from securewatch.operations.status import stage_words, status_word


async def run_rollback_phase(
    deps: Deps, session: Session, what: tuple[str, str], *, is_dry: bool, reason: str
) -> ExitCode:
    """Take back every customer of the phase (short name) in `what` that has its version."""
    version, phase = what
    slugs = await find_phase_customers(deps, version, phase)
    if not session.is_json:
        print(
            f"{version} goes back at {len(slugs)} customers of {phase}, in this order: {', '.join(slugs)}", flush=True
        )
    if is_dry:
        if session.is_json:
            print_json({"version": version, "phase": phase, "customers": slugs})
        else:
            print("dry run: nothing was written anywhere", flush=True)
        return ExitCode.DONE
    if not confirm(session, f"Take {len(slugs)} customers of {phase} back?"):
        return ExitCode.DONE
    await halt_rollout(deps, version, phase)
    watcher = Silent() if session.is_json else _Lines(deps.clock)
    try:
        rows, code = await roll_back_phase(deps, slugs, watcher, reason=reason or f"rollback of the phase {phase}")
    except asyncio.CancelledError:
        say("stopped following; what was asked for goes on when a controller runs, the same command asks for the rest")
        return ExitCode.INTERRUPTED
    _sum_up(session, what, rows, code)
    return code


def _sum_up(session: Session, what: tuple[str, str], rows: Sequence[BackRow], code: ExitCode) -> None:
    version, phase = what
    if session.is_json:
        found = [_row_data(one) for one in rows]
        print_json({"version": version, "phase": phase, "customers": found, "exit_code": int(code)})
        return
    back = sum(one.is_back for one in rows)
    print(f"\n{back} of {len(rows)} customers of {phase} are back from {version}")
    for one in rows:
        print(f"  {one.slug}  {_words(one)}")
    print(f"  exit code {int(code)}", flush=True)


def _row_data(one: BackRow) -> dict[str, Any]:
    trouble = one.trouble
    return {
        "slug": one.slug,
        "status": _word(one),
        "run": one.run.id if one.run else None,
        "detail": one.run.detail if one.run else one.note,
        "code": trouble.code if trouble else (one.run.code or None) if one.run else None,
        "is_back": one.is_back,
    }


def _word(one: BackRow) -> str:
    if one.trouble is not None:
        return "held"
    return status_word(one.run, None).value if one.run is not None else "live"


def _words(one: BackRow) -> str:
    if one.trouble is not None:
        return f"{show_status('held')}  {one.trouble.code} {one.trouble.what}"
    if one.run is None:
        return f"{show_status('live')}  {one.note}"
    detail = f"{one.run.code} {one.run.detail}".strip()
    return f"{show_status(_word(one))}  {detail if one.run.stage.is_terminal and not one.is_back else one.note}"


class _Lines:
    """One line a change, with the product's time and the customer in front."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: dict[str, str] = {}

    def __call__(self, rows: Sequence[BackRow]) -> None:
        for one in rows:
            text = _words(one) if one.run is None else f"{show_status(_word(one))}  {stage_words(one.run.stage)}"
            if self._seen.get(one.slug) != text:
                self._seen[one.slug] = text
                print(f"{self._clock.now():%m-%d %H:%M:%S}  {one.slug}  {text}", flush=True)
