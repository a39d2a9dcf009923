"""Run the controller, and only it, until it is told to stop."""

import asyncio
from collections.abc import Awaitable, Callable

from securewatch.controller.controller import Controller
from securewatch.core.errors import GatewayError
from securewatch.deps import Deps
from securewatch.operations.engine import make_controller, sharing_rates
from securewatch.operations.explain import load_status
from securewatch.operations.follow import RETRY_LOCK_SECONDS, Watcher, pause_real_seconds
from securewatch.operations.owner import find_owner
from securewatch.operations.release_watch import WatchLook, watch
from securewatch.operations.start import bind

Tell = Callable[[str], None]
WATCH_SECONDS = 60.0
"""Real seconds between two looks at the vendor's repository for what demo customers follow."""


async def serve(deps: Deps, tell: Tell, watcher: Watcher) -> None:
    """Wait for the controller lock, naming its holder, then move every customer until cancelled.

    `watcher` is told of each run that changed.
    """
    owner_id = await find_owner(deps)
    database = await deps.database()
    deps.box(create=True)
    async with database.write("bind") as tx:
        await bind(deps, tx, owner_id)
    lock, named = deps.lock, ""
    while not lock.try_acquire("securewatch serve", since=deps.clock.now()):
        holder = lock.holder() or ""
        if holder and holder != named:
            tell(f"waiting for the controller lock, held by {holder}")
            named = holder
        await pause_real_seconds(RETRY_LOCK_SECONDS)
    try:
        tell("the controller runs; Ctrl-C ends it, the work resumes with the next one")
        controller = await make_controller(deps, owner_id)
        looking = asyncio.create_task(
            watch(deps, every_seconds=WATCH_SECONDS, tell=lambda look: _tell_look(look, tell))
        )
        try:
            await controller.run(sharing_rates(deps, _never(deps, controller, watcher)))
        finally:
            looking.cancel()
    finally:
        lock.release()


def _tell_look(look: WatchLook | GatewayError, tell: Tell) -> None:
    if isinstance(look, GatewayError):
        tell(f"the vendor's repository cannot be read: {look.code} {look.what}")
        return
    for one in look.found:
        who, what = ", ".join(one.news.slugs), one.news.point.version.tag
        tell(f"{what} is new for {who}: " + (f"{one.trouble.code} {one.trouble.what}" if one.trouble else "begun"))


def _never(deps: Deps, controller: Controller, watcher: Watcher) -> Callable[[], Awaitable[bool]]:
    """Never done; on the way it tells the watcher what changed since the last tick."""
    seen: dict[str, object] = {}

    async def is_done() -> bool:
        for run_id, found in controller.decisions.items():
            trouble = controller.troubles.get(run_id)
            if seen.get(run_id) != (found.run, found.waiting_on, trouble):
                seen[run_id] = (found.run, found.waiting_on, trouble)
                watcher(await load_status(deps, run_id, decisions=controller.decisions), trouble)
        await asyncio.sleep(0)
        return False

    return is_done
