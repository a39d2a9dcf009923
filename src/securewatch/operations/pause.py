"""The kill switch: stop every write, and let them go on. Needs only the state database."""

from dataclasses import dataclass

from securewatch.core.errors import SecurewatchError
from securewatch.deps import Deps
from securewatch.store import audit, meta
from securewatch.store.meta import Pause


@dataclass(frozen=True)
class PauseSet:
    """Who has the kill switch on now, if anybody; `unaudited` is why the audit log has no entry of it."""

    pause: Pause | None
    unaudited: SecurewatchError | None = None


async def set_pause(deps: Deps, *, paused: bool, reason: str = "") -> PauseSet:
    """Turn the kill switch on or off. It is committed before anything else is tried (S13)."""
    database, actor, now = await deps.database(), deps.settings.actor, deps.clock.now()
    async with database.write("pause") as tx:
        await meta.set_paused(tx, paused, actor=actor, at=now, reason=reason)
        pause = await meta.pause_of(tx)
    action = "pause.all" if paused else "resume.all"
    try:
        box = deps.box(create=True)
        async with database.write("pause audit") as tx:
            await audit.append(tx, box, at=now, actor=actor, action=action, detail={"reason": reason})
    except SecurewatchError as error:
        return PauseSet(pause, error)
    return PauseSet(pause)
