"""What is wrong with this installation? Runs each check on its own, so that one failure does not hide another."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from securewatch.core.errors import ExitCode, SecurewatchError
from securewatch.deps import Deps
from securewatch.operations.audits import verify_log
from securewatch.operations.owner import find_owner
from securewatch.store import meta


@dataclass(frozen=True)
class Examined:
    """One check: whether it is well, and in words what was found."""

    name: str
    is_ok: bool
    detail: str
    exit_code: ExitCode = ExitCode.DONE


async def examine(deps: Deps) -> list[Examined]:
    """Configuration, Render, repository, state and audit log, in this order. Raises nothing of ours."""
    checks: tuple[tuple[str, Callable[[Deps], Awaitable[str]]], ...] = (
        ("configuration", _configuration),
        ("Render", _render),
        ("repository", _repository),
        ("state", _state),
        ("audit log", _audit),
        ("controller", _controller),
    )
    return [await _examine(deps, name, check) for name, check in checks]


async def _examine(deps: Deps, name: str, check: Callable[[Deps], Awaitable[str]]) -> Examined:
    try:
        return Examined(name, True, await check(deps))
    except SecurewatchError as error:
        text = f"{error.code} {error.what}" + (f"; fix: {error.fix}" if error.fix else "")
        return Examined(name, False, text, error.exit_code)


async def _configuration(deps: Deps) -> str:
    fleet = deps.fleet
    held = [one.slug for one in fleet.customers.values() if one.held]
    return f"{deps.config_dir}, {len(fleet.customers)} customers" + (f"; held: {', '.join(held)}" if held else "")


async def _render(deps: Deps) -> str:
    return f"{deps.settings.render_host} accepts the key for {await find_owner(deps)}"


async def _repository(deps: Deps) -> str:
    tags = await deps.repository.list_tags()
    return f"{deps.repository.shown_source}, {len(tags)} tags, newest {tags[0].name if tags else 'none'}"


async def _state(deps: Deps) -> str:
    database = await deps.existing_database()
    if database is None:
        return "none yet; it is made by the first deploy"
    async with database.read() as tx:
        pause = await meta.pause_of(tx)
    return f"{database.path}" + (f"; PAUSED by {pause.actor}" if pause else "")


async def _audit(deps: Deps) -> str:
    return f"verifies, {(await verify_log(deps)).count} entries"


async def _controller(deps: Deps) -> str:
    holder = deps.lock.holder() if deps.settings.state_dir.is_dir() else None
    return f"{holder} holds the lock" if holder else "none runs now"
