"""Take back every customer of a phase that has a version, the last first, each verified. Passes windows and freezes."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from securewatch.controller.commit_rollout import Scribe
from securewatch.controller.controller import Scope
from securewatch.controller.load import load_requests
from securewatch.core.errors import ExitCode, NotFound, SecurewatchError
from securewatch.deploy.model import Run, Stage
from securewatch.deps import Deps
from securewatch.operations.engine import make_controller, sharing_rates
from securewatch.operations.follow import RETRY_LOCK_SECONDS, pause_real_seconds
from securewatch.operations.owner import find_owner
from securewatch.operations.rollback import RollbackRequest, start_rollback
from securewatch.rollout.conduct import HALTED
from securewatch.rollout.verbs import halt
from securewatch.store import releases, rollouts, runs

SIDE_BY_SIDE = 8
"""Customers that are asked back at once; the rate budget, which serves rollbacks first, sets the pace beyond that."""


@dataclass(frozen=True)
class BackRow:
    """One customer's way back: its run, what was said where there is none, or why it cannot go back.

    `is_asked` says that no controller has taken the request up yet.
    """

    slug: str
    run: Run | None = None
    note: str = ""
    trouble: SecurewatchError | None = None
    is_asked: bool = False

    @property
    def is_back(self) -> bool:
        """Whether the customer is where it was before."""
        return self.trouble is None and (self.run is None or self.run.stage is Stage.ROLLED_BACK)

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it by itself."""
        return self.run is None or (self.run.stage.is_terminal and not self.is_asked)


BackWatcher = Callable[[Sequence[BackRow]], None]


async def find_phase_customers(deps: Deps, version: str, phase: str) -> tuple[str, ...]:
    """Who of a phase has the version on any of its services, the one that got it last first.

    Raises NotFound (SW208) where nobody has.
    """
    database = await deps.existing_database()
    found: dict[str, str] = {}
    if database is not None:
        ours = {one.slug for one in deps.fleet.customers_of(phase)}
        async with database.read() as tx:
            having = [one for one in await releases.current_releases(tx) if one.version == version and one.slug in ours]
            found = {one.slug: one.since.isoformat() for one in having}
            begun = [run for run in await runs.open_runs(tx) if run.version == version and run.slug in ours]
            found |= {run.slug: run.requested_at.isoformat() for run in begun if run.stage is not Stage.QUEUED}
    if not found:
        raise NotFound(
            "SW208",
            f"no customer of {phase} has {version}",
            why="none got it with this tool, or all are back already",
            fix=f"securewatch customer list; securewatch check-status --version {version}",
        )
    return tuple(sorted(found, key=lambda slug: (found[slug], slug), reverse=True))


async def halt_rollout(deps: Deps, version: str, phase: str) -> None:
    """Start nothing new of the version while a phase goes back."""
    database = await deps.database()
    scribe = Scribe(deps.box(create=True), deps.settings.actor, deps.clock.now())
    async with database.write("halt for rollback") as tx:
        for rollout in await rollouts.rollouts_of(tx, version):
            halted = halt(rollout, scribe.at, code=HALTED, detail=f"{scribe.actor} takes {phase} back")
            if halted != rollout:
                await scribe.save_rollout(tx, rollout, halted)


async def roll_back_phase(
    deps: Deps, slugs: Sequence[str], watcher: BackWatcher, *, reason: str
) -> tuple[tuple[BackRow, ...], ExitCode]:
    """Ask for each in this order and follow all to the end; the same command again carries on after a kill."""
    rows: dict[str, BackRow] = {}
    asking = asyncio.create_task(_ask(deps, slugs, rows, reason))
    lock = deps.lock
    try:
        while not await _is_over(deps, asking, slugs, rows, watcher):
            if lock.try_acquire("securewatch rollback-phase", since=deps.clock.now()):
                controller = await make_controller(deps, await find_owner(deps), scope=Scope(rollout_id="-"))

                async def is_done() -> bool:
                    return await _is_over(deps, asking, slugs, rows, watcher)

                await controller.run(sharing_rates(deps, is_done))
            else:
                await pause_real_seconds(RETRY_LOCK_SECONDS)
    finally:
        asking.cancel()
        lock.release()
    found = tuple(rows[slug] for slug in slugs)
    return found, _code(found)


async def _ask(deps: Deps, slugs: Sequence[str], rows: dict[str, BackRow], reason: str) -> None:
    """Some at once, in order; who cannot go back does not hold the others."""
    for start in range(0, len(slugs), SIDE_BY_SIDE):
        some = slugs[start : start + SIDE_BY_SIDE]
        rows.update({one.slug: one for one in await asyncio.gather(*(_ask_one(deps, slug, reason) for slug in some))})


async def _ask_one(deps: Deps, slug: str, reason: str) -> BackRow:
    try:
        started = await start_rollback(deps, RollbackRequest(slug, reason=reason))
    except SecurewatchError as error:
        return BackRow(slug, trouble=error)
    return BackRow(slug, started.run, started.note, is_asked=started.run is not None)


async def _is_over(
    deps: Deps, asking: "asyncio.Task[None]", slugs: Sequence[str], rows: dict[str, BackRow], watcher: BackWatcher
) -> bool:
    async with (await deps.database()).read() as tx:
        asked = {one.payload["run_id"] for one in await load_requests(tx)}
        for slug, row in rows.items():
            if row.run is not None and not row.is_over:
                run = await runs.load_run(tx, row.run.id)
                rows[slug] = BackRow(slug, run, row.note, is_asked=row.run.id in asked)
    watcher(tuple(rows[slug] for slug in slugs if slug in rows))
    if asking.done():
        asking.result()
    return asking.done() and all(row.is_over for row in rows.values())


def _code(rows: Sequence[BackRow]) -> ExitCode:
    """A customer that is not back needs a person; where others are, part of them failed."""
    back = sum(one.is_back for one in rows)
    if back == len(rows):
        return ExitCode.DONE
    return ExitCode.PART_FAILED if back else ExitCode.NEEDS_HUMAN
