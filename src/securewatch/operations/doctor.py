"""What is wrong with this installation? Runs each check on its own, so that one failure does not hide another."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from securewatch.core.errors import ExitCode, SecurewatchError
from securewatch.deps import Deps
from securewatch.operations.audits import verify_log
from securewatch.operations.configuration import unknown_variables
from securewatch.operations.notices import channel_warnings
from securewatch.operations.owner import find_owner
from securewatch.store import meta

_OF_THE_STATE = ("SW702", "SW703")


@dataclass(frozen=True)
class Examined:
    """One check: whether it is well, and in words what was found. A warning stops nothing and deserves a look."""

    name: str
    is_ok: bool
    detail: str
    exit_code: ExitCode = ExitCode.DONE
    is_warning: bool = False


@dataclass(frozen=True)
class Found:
    """What one check found, where nothing is wrong."""

    text: str
    is_warning: bool = False


async def examine(deps: Deps) -> list[Examined]:
    """Each part of the installation, in the order below. Raises nothing of ours."""
    checks: tuple[tuple[str, Callable[[Deps], Awaitable[Found]]], ...] = (
        ("configuration", _configuration),
        ("Render", _render),
        ("repository", _repository),
        ("state", _state),
        ("audit log", _audit),
        ("controller", _controller),
        ("notices", _notices),
    )
    return [await _examine(deps, name, check) for name, check in checks]


async def _examine(deps: Deps, name: str, check: Callable[[Deps], Awaitable[Found]]) -> Examined:
    try:
        found = await check(deps)
    except SecurewatchError as error:
        text = f"{error.code} {error.what}" + (f"; fix: {error.fix}" if error.fix else "")
        return Examined(name, False, text, error.exit_code)
    return Examined(name, True, found.text, is_warning=found.is_warning)


async def _configuration(deps: Deps) -> Found:
    held = [one.slug for one in deps.fleet.customers.values() if one.held]
    notes = [f"held: {', '.join(held)}"] if held else []
    notes += [f"{one.path}: {one.message}" for one in unknown_variables(deps.settings)]
    text = f"{deps.config_dir}, {len(deps.fleet.customers)} customers"
    return Found("; ".join([text, *notes]), is_warning=bool(notes))


async def _render(deps: Deps) -> Found:
    host = deps.settings.render_host
    try:
        return Found(f"{host} accepts the key for {await find_owner(deps)}")
    except SecurewatchError as error:
        if error.code not in _OF_THE_STATE:
            raise
        return Found(f"{host} accepts the key; the workspace stands in the state, which cannot be read", True)


async def _repository(deps: Deps) -> Found:
    tags, source = await deps.repository.list_tags(), deps.repository.shown_source
    if not tags:
        return Found(f"{source} has no tags, so there is nothing to deploy", is_warning=True)
    return Found(f"{source}, {len(tags)} tags, newest {tags[0].name}")


async def _state(deps: Deps) -> Found:
    database, settings = await deps.existing_database(), deps.settings
    if database is None:
        return Found("none yet; it is made by the first deploy")
    async with database.read() as tx:
        if await meta.get_meta(tx, "host") is not None:  # bound already: this only compares
            clock_file = settings.clock_file is not None
            await meta.bind_installation(tx, host=settings.render_host, owner=None, clock_file=clock_file)
        pause = await meta.pause_of(tx)
    return Found(f"{database.path}" + (f"; PAUSED by {pause.actor}" if pause else ""), is_warning=pause is not None)


async def _audit(deps: Deps) -> Found:
    return Found(f"verifies, {(await verify_log(deps)).count} entries")


async def _controller(deps: Deps) -> Found:
    holder = deps.lock.holder() if deps.settings.state_dir.is_dir() else None
    return Found(f"{holder} holds the lock" if holder else "none runs now")


async def _notices(deps: Deps) -> Found:
    warnings = channel_warnings(deps)
    return Found("; ".join([deps.channels.in_words, *warnings]), is_warning=bool(warnings))
