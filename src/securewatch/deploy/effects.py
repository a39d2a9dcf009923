"""The effects of a deploy, one outside change each: look before the act, then send once. "Unknown" is a result here.

Any runner may run an effect twice, so each function first asks whether it was sent before: then it only looks. Nothing
here decides what comes next; rows, epochs and the grace are the ledger's (`controller/ledger.py`).
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from securewatch.core.ids import ServiceID
from securewatch.deploy.database_effects import (
    ensure_database_backup,
    ensure_database_restored,
    ensure_maintenance,
    ensure_migrated,
)
from securewatch.deploy.outcomes import Outcome, OutcomeKind, Sending, Tools
from securewatch.deploy.ports import Guard
from securewatch.deploy.view import Effect, EffectKind
from securewatch.render import deploys, env_vars, services
from securewatch.render.answers import Answer
from securewatch.render.budget import Priority
from securewatch.render.errors import OutcomeUnknown, RenderError, RequestRejected, ServiceMissing
from securewatch.render.models import Deploy, DeployStatus

STAMP_MARGIN = timedelta(minutes=10)
"""A search after a send starts this long before the newest stamp on the service (design: behaviour, effects)."""


async def carry_out(effect: Effect, tools: Tools, sending: Sending) -> Outcome:
    """Carry out one effect, or find out what became of it.

    Raises GatewayError where Render could not be asked; its class tells "certainly not sent" from "unknown".
    """
    return await _WORK[effect.kind](effect, tools, sending)


# --- env vars ---------------------------------------------------------------------------------------------------------


async def ensure_env_backup(effect: Effect, tools: Tools, sending: Sending) -> Outcome:
    """Read all pages of the service's env vars and keep them encrypted. Writes nothing at Render."""
    if not effect.state.was_sent:
        await sending({})
    found = await env_vars.fetch_env_vars(tools.client, ServiceID(effect.service_id), priority=Priority.DEPLOY)
    values = {one.key: one.value.get_secret_value() for one in found}
    await tools.vault.keep_backup(effect, values)
    return Outcome(OutcomeKind.CONFIRMED, {"keys": len(values)})


async def ensure_env_var(effect: Effect, tools: Tools, sending: Sending) -> Outcome:
    """Write one env var if it differs; reading it is the look, so a lost answer needs no grace."""
    key = str(effect.args["env_key"])
    values = await tools.vault.wanted(effect)
    if key not in values:
        return Outcome(OutcomeKind.FAILED, code="SW106", reason=f"{key} has no value to write")
    wanted = values[key]
    current = await _read(effect, tools, key, Priority.DEPLOY)
    if current == wanted:
        await _keep_entry(effect, tools)
        return Outcome(OutcomeKind.CONFIRMED, {"written": effect.state.was_sent})
    if effect.state.was_sent:
        return Outcome(OutcomeKind.NOTHING_FOUND)
    guard = await sending({"before": None if current is None else tools.vault.fingerprint(current)})
    answer = await _write(effect, tools, wanted, priority=Priority.DEPLOY, guard=guard)
    await _keep_entry_of_sent(effect, tools)
    return Outcome(OutcomeKind.CONFIRMED, {"written": True}, request_id=answer.request_id)


async def ensure_env_restored(effect: Effect, tools: Tools, sending: Sending) -> Outcome:
    """Put one of our keys back as it was, only where Render still shows our value; else leave it and say so (S11)."""
    key = str(effect.args["env_key"])
    ours = (await tools.vault.wanted(effect)).get(key)
    backup = await tools.vault.backup(effect)
    old = backup.get(key)
    current = await _read(effect, tools, key, Priority.ROLLBACK)
    if current == old:
        await _keep_entry(effect, tools)
        return Outcome(OutcomeKind.CONFIRMED, {"restored": True})
    left = _why_left(key, old, is_ours=current == ours)
    if left:
        await _keep_entry(effect, tools)
        return Outcome(OutcomeKind.CONFIRMED, {"left": True}, reason=left)
    if effect.state.was_sent:
        return Outcome(OutcomeKind.NOTHING_FOUND)
    guard = await sending({"before": None if current is None else tools.vault.fingerprint(current)})
    answer = await _write(effect, tools, old, priority=Priority.ROLLBACK, guard=guard)
    await _keep_entry_of_sent(effect, tools)
    return Outcome(OutcomeKind.CONFIRMED, {"restored": True}, request_id=answer.request_id)


async def _write(effect: Effect, tools: Tools, value: str | None, *, priority: Priority, guard: Guard) -> Answer:
    """Write the effect's env var, or delete it where the value is None."""
    service_id, key = ServiceID(effect.service_id), str(effect.args["env_key"])
    if value is None:
        return await env_vars.delete_env_var(tools.client, service_id, key, priority=priority, guard=guard)
    return await env_vars.put_env_var(tools.client, service_id, key, value=value, priority=priority, guard=guard)


def _why_left(key: str, old: str | None, *, is_ours: bool) -> str:
    """Why a key is not put back; empty where it may be."""
    if not is_ours:
        return f"{key} was changed by somebody else and is left"
    return f"{key} held an unexpanded placeholder and is left" if old is not None and "${" in old else ""


async def _keep_entry(effect: Effect, tools: Tools) -> None:
    """After the last key of a service, keep all of its env vars as they are then: an entry of the history."""
    if not effect.args.get("is_last"):
        return
    found = await env_vars.fetch_env_vars(tools.client, ServiceID(effect.service_id), priority=Priority.DEPLOY)
    await tools.vault.keep_entry(effect, {one.key: one.value.get_secret_value() for one in found})


async def _keep_entry_of_sent(effect: Effect, tools: Tools) -> None:
    """Like `_keep_entry` after a send: where Render cannot be read now, the effect is in doubt and looked at again.

    Any other end would say that nothing was written.
    """
    try:
        await _keep_entry(effect, tools)
    except RenderError as error:
        raise OutcomeUnknown(f"{effect.key} was sent, and {error.what}", request_id=error.request_id) from error


async def _read(effect: Effect, tools: Tools, key: str, priority: Priority) -> str | None:
    found = await env_vars.fetch_env_var(tools.client, ServiceID(effect.service_id), key, priority=priority)
    return None if found is None else found.value.get_secret_value()


# --- deploys ----------------------------------------------------------------------------------------------------------


async def ensure_deploy(effect: Effect, tools: Tools, sending: Sending) -> Outcome:
    """Create a deploy at one commit, exactly once: after a send only the list at Render says what became of it."""
    service_id, commit = ServiceID(effect.service_id), str(effect.args["commit"])
    refusal = await _refusal(effect, tools, needs_autodeploy_off=True)
    before = await _look(effect, tools, trigger="api", commit=commit)
    if isinstance(before, Outcome):
        return before
    if refusal is not None:
        return refusal
    guard = await sending(before)
    try:
        created = await deploys.create_deploy(
            tools.client, service_id, commit=commit, priority=Priority.DEPLOY, guard=guard
        )
    except (RequestRejected, ServiceMissing) as error:
        return Outcome(OutcomeKind.FAILED, code=error.code, reason=error.what, request_id=error.request_id)
    return _created(created)


async def ensure_rollback(effect: Effect, tools: Tools, sending: Sending) -> Outcome:
    """Roll back to the recorded deploy, exactly once."""
    commit = str(effect.args.get("commit", ""))
    refusal = await _refusal(effect, tools, needs_autodeploy_off=False)
    before = await _look(effect, tools, trigger="rollback", commit=commit)
    if isinstance(before, Outcome):
        return before
    if refusal is not None:
        return refusal
    guard = await sending(before)
    try:
        created = await deploys.roll_back(
            tools.client,
            ServiceID(effect.service_id),
            deploy_id=str(effect.args["deploy_id"]),
            priority=Priority.ROLLBACK,
            guard=guard,
        )
    except (RequestRejected, ServiceMissing) as error:
        said = {"refused": True}
        return Outcome(OutcomeKind.FAILED, said, code="SW306", reason=error.what, request_id=error.request_id)
    return _created(created)


async def ensure_cancelled(effect: Effect, tools: Tools, sending: Sending) -> Outcome:
    """Ask Render to cancel a deploy unless it has ended; whether it did end is for the polls to see (S17)."""
    service_id, deploy_id = ServiceID(effect.service_id), str(effect.args["deploy_id"])
    current = await deploys.fetch_deploy(tools.client, service_id, deploy_id, priority=Priority.ROLLBACK)
    if current.status.is_terminal:
        return Outcome(OutcomeKind.CONFIRMED, {"ended": str(current.status)})
    if effect.state.was_sent:
        return Outcome(OutcomeKind.NOTHING_FOUND)
    guard = await sending({"status": str(current.status)})
    try:
        answer = await deploys.cancel_deploy(
            tools.client, service_id, deploy_id, priority=Priority.ROLLBACK, guard=guard
        )
    except (RequestRejected, ServiceMissing) as error:
        return Outcome(OutcomeKind.CONFIRMED, {"refused": True}, reason=error.what, request_id=error.request_id)
    return Outcome(OutcomeKind.CONFIRMED, {"asked": True}, request_id=answer.request_id)


async def _refusal(effect: Effect, tools: Tools, *, needs_autodeploy_off: bool) -> Outcome | None:
    """The hard checks that are repeated just before a deploy is sent: owner, suspension, autodeploy (S3, S6)."""
    if effect.state.was_sent:
        return None
    try:
        service = await services.fetch_service(tools.client, ServiceID(effect.service_id), priority=Priority.DEPLOY)
    except ServiceMissing as error:
        return Outcome(OutcomeKind.FAILED, code=error.code, reason=error.what)
    if service.owner_id != tools.owner_id:
        reason = f"{effect.service_id} belongs to {service.owner_id}, not to {tools.owner_id}"
        return Outcome(OutcomeKind.FAILED, code="SW408", reason=reason)
    if service.suspended:
        return Outcome(OutcomeKind.FAILED, code="SW415", reason=f"{effect.service_id} is suspended")
    if needs_autodeploy_off and not service.autodeploy_is_off:
        return Outcome(OutcomeKind.FAILED, code="SW407", reason=f"{effect.service_id} has autodeploy on")
    return None


async def _look(effect: Effect, tools: Tools, *, trigger: str, commit: str) -> Outcome | Mapping[str, Any]:
    """What an earlier send of this effect made, also one that was believed lost; else what exists before the send.

    Only our request can have made a deploy that is new since the first snapshot, with our trigger and commit (S1). The
    snapshot names only what such a search meets: older ones, of a version that ran here before, are none of ours.
    """
    since = search_start(effect.before)
    found = await deploys.fetch_deploys(
        tools.client,
        ServiceID(effect.service_id),
        created_after=since if effect.state.was_sent else None,
        priority=Priority.DEPLOY,
    )
    known = set(effect.before.get("ids", ()))
    new = [one for one in found if one.id not in known and not _is_before(one, since)]
    ours = [one for one in new if one.trigger == trigger and is_at(one, commit)]
    if effect.before and len(ours) == 1:
        return Outcome(OutcomeKind.CONFIRMED, {"deploy_id": ours[0].id, "adopted": True})
    if effect.before and ours:
        ids = ", ".join(one.id for one in ours)
        reason = f"{effect.service_id}: {len(ours)} deploys could be ours: {ids}"
        return Outcome(OutcomeKind.NEEDS_HUMAN, code="SW505", reason=reason)
    if effect.state.was_sent:
        return Outcome(OutcomeKind.NOTHING_FOUND)
    return _foreign(effect, found) or effect.before or _snapshot(found)


def _foreign(effect: Effect, found: list[Deploy]) -> Outcome | None:
    """Refuse where something else went live since the run saw which deploy it would go back to (S10)."""
    expected = effect.args.get("live")
    live = [one.id for one in found if one.status is DeployStatus.LIVE]
    if not expected or not live or expected in live:
        return None
    reason = f"{effect.service_id}: {live[0]} went live in the meantime, in the place of {expected}"
    return Outcome(OutcomeKind.FAILED, code="SW506", reason=reason)


def _snapshot(found: list[Deploy]) -> Mapping[str, Any]:
    """What exists before the send: the newest of Render's own stamps, and the deploys that a search will meet."""
    stamps = [one.created_at for one in found if one.created_at is not None]
    newest = max(stamps) if stamps else None
    met = [
        one.id for one in found if newest is None or one.created_at is None or one.created_at >= newest - STAMP_MARGIN
    ]
    return {"ids": met, "newest": newest.isoformat() if newest else None}


def _created(created: deploys.Created) -> Outcome:
    if created.deploy is None:
        return Outcome(OutcomeKind.ACCEPTED, request_id=created.request_id)
    return Outcome(OutcomeKind.CONFIRMED, {"deploy_id": created.deploy.id}, request_id=created.request_id)


def search_start(before: Mapping[str, Any]) -> datetime | None:
    """Where a search after a send begins: Render's newest stamp before it, less a margin; None for everything."""
    newest = before.get("newest")
    return datetime.fromisoformat(newest) - STAMP_MARGIN if newest else None


def _is_before(deploy: Deploy, since: datetime | None) -> bool:
    return since is not None and deploy.created_at is not None and deploy.created_at <= since


def is_at(deploy: Deploy, commit: str) -> bool:
    """Whether a deploy is at that commit; a deploy without one, or an unknown wanted one, may be."""
    return not commit or deploy.commit is None or deploy.commit.id == commit


_WORK: dict[EffectKind, Callable[[Effect, Tools, Sending], Awaitable[Outcome]]] = {
    EffectKind.BACK_UP_ENV: ensure_env_backup,
    EffectKind.BACK_UP_DATABASE: ensure_database_backup,
    EffectKind.MIGRATE: ensure_migrated,
    EffectKind.RESTORE_DATABASE: ensure_database_restored,
    EffectKind.SET_MAINTENANCE: ensure_maintenance,
    EffectKind.SET_ENV: ensure_env_var,
    EffectKind.RESTORE_ENV: ensure_env_restored,
    EffectKind.DEPLOY: ensure_deploy,
    EffectKind.CANCEL: ensure_cancelled,
    EffectKind.ROLL_BACK: ensure_rollback,
}

CARRIES_ON = frozenset({EffectKind.MIGRATE, EffectKind.RESTORE_DATABASE})
"""Effects of which a look may write what is left to do, so that looks wait too while everything is paused."""
NEEDS_GRACE = frozenset({EffectKind.DEPLOY, EffectKind.ROLL_BACK})
"""Effects of which "none at Render" is believed only after the grace; the others are armed again after a read."""
