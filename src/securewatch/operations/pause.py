"""The kill switch: stop every write, and let them go on. Needs only the state database."""

from securewatch.deps import Deps
from securewatch.store import audit, meta
from securewatch.store.meta import Pause


async def set_pause(deps: Deps, *, paused: bool, reason: str = "") -> Pause | None:
    """Turn the kill switch on or off; gives who has it on now."""
    database, box, now = await deps.database(), deps.box(create=True), deps.clock.now()
    async with database.write("pause") as tx:
        await meta.set_paused(tx, paused, actor=deps.settings.actor, at=now, reason=reason)
        action = "pause.all" if paused else "resume.all"
        await audit.append(tx, box, at=now, actor=deps.settings.actor, action=action, detail={"reason": reason})
        return await meta.pause_of(tx)
