"""The effects on a customer's database and on what stands before it: backup, migrations, restore, maintenance page.

Like those in `effects.py` each first asks whether it was sent before; here the database itself says how far it is.
"""

from collections.abc import Mapping
from typing import Any

from securewatch.core.errors import ConfigError, NeedsHuman, NotFound, Refused, Rejected
from securewatch.core.ids import ServiceID
from securewatch.deploy.outcomes import Outcome, OutcomeKind, Sending, Tools
from securewatch.deploy.plan import DATABASE_URL
from securewatch.deploy.ports import Guard, Migrated
from securewatch.deploy.view import Effect
from securewatch.render import services
from securewatch.render.budget import Priority
from securewatch.render.errors import RequestRejected, ServiceMissing


async def ensure_database_backup(effect: Effect, tools: Tools, sending: Sending) -> Outcome:
    """Take a backup of the customer's database and try a restore of it; one of this run is enough. Writes nothing."""
    if not effect.state.was_sent:
        await sending({})
    try:
        return Outcome(OutcomeKind.CONFIRMED, await tools.databases.back_up(effect))
    except (Rejected, Refused, NotFound, ConfigError) as error:
        return Outcome(OutcomeKind.FAILED, code=error.code, reason=f"{error.what}: {error.why}")


async def ensure_migrated(effect: Effect, tools: Tools, sending: Sending) -> Outcome:
    """Apply the release's migrations; which of them the database has is the look, so a lost answer needs no grace."""

    async def begin(_before: Mapping[str, Any] | None = None) -> Guard:
        return _unguarded if effect.state.was_sent else await sending({})

    try:
        done = await tools.databases.migrate(effect, begin)
    except (Rejected, Refused, NotFound, ConfigError) as error:
        done = Migrated((), error)
    result, stopped = {"applied": list(done.applied)}, done.error
    if stopped is None:
        return Outcome(OutcomeKind.CONFIRMED, result)
    kind = OutcomeKind.NEEDS_HUMAN if isinstance(stopped, NeedsHuman) else OutcomeKind.FAILED
    return Outcome(kind, result, code=stopped.code, reason=f"{stopped.what}: {stopped.why}")


async def ensure_database_restored(effect: Effect, tools: Tools, sending: Sending) -> Outcome:
    """Make the new database of a restore; which there is already is the look. Its URL is kept for the env var."""

    async def begin(before: Mapping[str, Any] | None = None) -> Guard:
        return _unguarded if effect.state.was_sent else await sending(before or {})

    try:
        made = await tools.databases.restore(effect, begin)
    except (Rejected, Refused, NotFound, ConfigError) as error:
        return Outcome(OutcomeKind.FAILED, code=error.code, reason=f"{error.what}: {error.why}")
    if made is None:
        return Outcome(OutcomeKind.ACCEPTED)
    await tools.vault.add_wanted(effect, str(effect.args["backend"]), DATABASE_URL, made.url)
    return Outcome(OutcomeKind.CONFIRMED, made.facts)


async def ensure_maintenance(effect: Effect, tools: Tools, sending: Sending) -> Outcome:
    """Put Render's maintenance page up or take it down; whether it is up is the look, so no grace is needed."""
    service_id, is_on = ServiceID(effect.service_id), bool(effect.args["is_on"])
    try:
        service = await services.fetch_service(tools.client, service_id, priority=Priority.ROLLBACK)
        page = service.maintenance
        if page is not None and page.enabled is is_on:
            return Outcome(OutcomeKind.CONFIRMED, {"written": effect.state.was_sent})
        if effect.state.was_sent:
            return Outcome(OutcomeKind.NOTHING_FOUND)
        guard = await sending({"was_on": not is_on})
        uri = page.uri if page is not None else ""
        answer = await services.set_maintenance(
            tools.client, service_id, enabled=is_on, uri=uri, priority=Priority.ROLLBACK, guard=guard
        )
    except (RequestRejected, ServiceMissing) as error:
        if effect.state.was_sent:
            raise  # what became of it is not known, and the page may be up
        return Outcome(OutcomeKind.FAILED, code="SW613", reason=error.what, request_id=error.request_id)
    return Outcome(OutcomeKind.CONFIRMED, {"written": True}, request_id=answer.request_id)


def _unguarded() -> None:
    """What was sent before may be carried on at any time: the database's own ledger says what is left to do."""
