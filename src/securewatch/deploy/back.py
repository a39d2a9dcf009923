"""The way back: stop what is in flight, go back to the recorded good pair, restore our env vars, check again. Pure.

One attempt (S10): a rollback that fails holds the customer for a person. A deploy that never went live leaves the old
version serving, so that only the env vars and the other half are undone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from securewatch.deploy import restore
from securewatch.deploy.model import DatabasePlan, GoodDeploy, RunKind, ServiceKind, ServicePlan, Stage
from securewatch.deploy.steps import (
    BROKEN,
    IN_FLIGHT,
    OPERATOR,
    deploy_was_sent,
    effect_of,
    fresh,
    moved,
    new_effect,
    poll_look,
    repeat,
    sample_looks,
    samples_since,
    wait,
    with_progress,
)
from securewatch.deploy.view import Decision, Effect, EffectKind, EffectState, Look, LookKind, Observation, View
from securewatch.health.verdict import Health, judge

CUSTOMER_REQUEST = "customer request"
"""The trigger of a rollback that a person asked for; it is no failure."""
REPLACED = "SW506"
"""Somebody else's deploy took the place of ours, or of the one that ours was to replace."""
BARRED = "SW425"
"""The old version cannot live with the database as it is now: code alone must not go back."""
BY_RENDER, BY_BUILD, NOTHING = "render", "build", "none"


def good_from(data: Mapping[str, Any]) -> GoodDeploy:
    """A recorded good deploy out of an observation's data."""
    return GoodDeploy(
        kind=ServiceKind(data["kind"]),
        service_id=data["service_id"],
        deploy_id=data["deploy_id"],
        commit=data.get("commit"),
        version=data.get("version"),
    )


def turn_back(view: View, now: datetime, *, code: str, trigger: str, detail: str) -> Decision:
    """Begin the way back. A deploy forced onto an unhealthy customer is held: there is no good state to go to."""
    by_person = trigger == CUSTOMER_REQUEST
    if is_barred(view):
        return held_by_migration(view, now, detail, trigger=trigger)
    if not view.run.baseline_healthy and not by_person:
        return moved(view.run, Stage.HELD, now, code=code, trigger=trigger, detail=detail)
    return moved(view.run, Stage.STOPPING, now, code=code, trigger=trigger, detail=detail, burst_since=None)


def is_barred(view: View) -> bool:
    """Whether a migration was applied, or may have been, after which only a restore of the database leads back."""
    return bool(barring_migration(view.customer.database, view.effects.values()))


def barring_migration(database: DatabasePlan | None, effects: Iterable[Effect]) -> str:
    """The irreversible migration that a run applied, or may have applied, in whatever attempt; empty for none."""
    irreversible = [one.id for one in database.migrations if one.irreversible] if database is not None else []
    for effect in effects:
        if effect.kind is not EffectKind.MIGRATE or effect.sent_at is None:
            continue
        is_known = effect.state is EffectState.FAILED
        applied = effect.result.get("applied", ()) if is_known else irreversible
        found = next((one for one in irreversible if one in applied), "")
        if found:
            return found
    return ""


def held_by_migration(view: View, now: datetime, detail: str, *, trigger: str = "") -> Decision:
    """Hold a run that can neither go on nor back: the old version cannot live with the database as it is."""
    words = f"{detail}; the old version cannot live with the database after this version's migrations"
    return moved(view.run, Stage.HELD, now, code=BARRED, trigger=trigger or view.run.trigger, detail=words)


def ask_back(view: View, now: datetime, reason: str) -> Decision:
    """Begin the way back that a person asked for. Where env vars are being restored already, only note the wish."""
    if view.run.stage is Stage.UNWINDING and not deploy_was_sent(view):
        return Decision(replace(view.run, trigger=CUSTOMER_REQUEST, detail=reason), next_at=now)
    return turn_back(view, now, code="", trigger=CUSTOMER_REQUEST, detail=reason)


def make_way(view: View, now: datetime, detail: str) -> Decision:
    """Somebody else's deploy took our place: never fought over. Our env vars go back, unless half of the pair is ours.

    Held in the end, for a person to look (design: behaviour, effects and doubt).
    """
    is_ours = view.run.went_live or restore.has_switched(view)
    stage = Stage.HELD if is_ours else Stage.ROLLING_BACK
    return moved(view.run, stage, now, code=REPLACED, trigger="superseded", detail=detail)


# --- stop what is in flight -------------------------------------------------------------------------------------------


def decide_stopping(view: View, now: datetime) -> Decision:
    """Cancel our deploys that are still under way and wait until Render says that they ended."""
    for service in view.customer.services:
        migration = effect_of(view, "migrate", service.kind)
        if migration is not None and migration.state.is_open:
            return wait(view.run, "waiting for the migration that is under way")
        if restore.is_restoring(view):
            return wait(view.run, "waiting for the restore that is under way")
        effect = effect_of(view, "deploy", service.kind)
        if effect is not None and effect.state.is_open:
            return wait(view.run, f"{service.kind}: finding out what became of the deploy that was sent")
        if effect is None or effect.state is not EffectState.CONFIRMED:
            continue
        decision = _stop_one(view, service, effect, now)
        if decision is not None:
            return decision
    return moved(view.run, Stage.ROLLING_BACK, now)


def _stop_one(view: View, service: ServicePlan, effect: Effect, now: datetime) -> Decision | None:
    deploy_id = str(effect.result["deploy_id"])
    look = poll_look(view, service.kind, deploy_id, view.run.commit)
    seen = fresh(view, look)
    if seen is None:
        return Decision(view.run, looks=(look,))
    status, progress = str(seen.data["status"]), view.run.of(service.kind)
    if status in IN_FLIGHT:
        if effect_of(view, "cancel", service.kind) is None:
            wanted = new_effect(view, "cancel", EffectKind.CANCEL, service, deploy_id=deploy_id)
            return Decision(view.run, effects=(wanted,))
        return repeat(view, look, now, every_seconds=view.customer.rules.poll_interval_seconds)
    newer = seen.data.get("newer")
    if status == "deactivated" and newer and view.run.trigger != CUSTOMER_REQUEST:
        detail = f"{service.service_id}: {deploy_id} is no longer live; {newer['id']} took its place"
        return moved(view.run, Stage.HELD, now, code="SW506", detail=detail)
    if progress.status == status and progress.deploy_id == deploy_id:
        return None
    run = with_progress(view.run, service.kind, deploy_id=deploy_id, status=status, sent_at=effect.sent_at)
    if status == "live" and progress.live_at is None:
        run = replace(with_progress(run, service.kind, live_at=now), went_live=True)
    return Decision(run, next_at=now)


# --- go back ----------------------------------------------------------------------------------------------------------


def decide_rolling_back(view: View, now: datetime) -> Decision:
    """Each service in reverse order: Render's rollback and then our env vars, or our env vars and then a build."""
    for service in reversed(view.customer.services):
        decision = _back_one(view, service, now)
        if decision is not None:
            return decision
    opening = restore.open_again(view, now)
    if opening is not None:
        return opening
    run = replace(view.run, detail="; ".join(filter(None, (view.run.detail, *_left(view)))))
    if any(one.back_deploy_id for one in run.progress):
        return moved(run, Stage.RECHECKING, now)
    is_back = run.went_live or run.kind is RunKind.ROLLBACK or run.trigger == CUSTOMER_REQUEST
    if run.code == REPLACED:
        return moved(run, Stage.HELD, now)
    return moved(run, Stage.ROLLED_BACK if is_back else Stage.FAILED, now)


def _left(view: View) -> tuple[str, ...]:
    """Why env vars were left as they are, to be told to the operator (S11)."""
    restored = (one for one in view.effects.values() if one.kind is EffectKind.RESTORE_ENV)
    return tuple(one.reason for one in restored if one.result.get("left"))


def _back_one(view: View, service: ServicePlan, now: datetime) -> Decision | None:
    progress = view.run.of(service.kind)
    if not _may_be_elsewhere(view, service):
        return _restore(view, service, now)
    if not progress.way_back:
        return _choose_way(view, service, now)
    if progress.way_back == NOTHING:
        return _restore(view, service, now)
    if progress.way_back == BY_RENDER:
        return _redeploy_old(view, service, now) or _restore(view, service, now)
    return _restore(view, service, now) or _redeploy_old(view, service, now)


def _may_be_elsewhere(view: View, service: ServicePlan) -> bool:
    """Whether the service may run something else than its good deploy: ours, or where a person asks, anybody's."""
    run = view.run
    if run.of(service.kind).live_at is not None or run.kind is RunKind.ROLLBACK:
        return True
    return run.trigger == CUSTOMER_REQUEST and run.good_of(service.kind) is not None


def _choose_way(view: View, service: ServicePlan, now: datetime) -> Decision:
    good = view.run.good_of(service.kind)
    if good is None:
        return moved(view.run, Stage.HELD, now, code="SW602", detail=f"{service.service_id}: no recorded good deploy")
    look = Look(LookKind.WAY_BACK, service.kind, {"service_id": service.service_id, "deploy_id": good.deploy_id})
    seen = fresh(view, look)
    if seen is None:
        return Decision(view.run, looks=(look,))
    run = with_progress(view.run, service.kind, way_back=str(seen.data["way"]))
    return Decision(run, next_at=now)


def _redeploy_old(view: View, service: ServicePlan, now: datetime) -> Decision | None:
    """Bring the recorded good deploy back; None once it is live and autodeploy is seen to be off."""
    progress, good = view.run.of(service.kind), view.run.good_of(service.kind)
    if good is None:
        return moved(view.run, Stage.HELD, now, code="SW602", detail=f"{service.service_id}: no recorded good deploy")
    word = "rollback" if progress.way_back == BY_RENDER else "rebuild"
    effect = effect_of(view, word, service.kind)
    if effect is None:
        return _send_back(view, service, good, now)
    if effect.state is EffectState.FAILED:
        return _other_way(view, service, effect, now)
    if effect.state is not EffectState.CONFIRMED:
        return wait(view.run, f"{service.kind}: going back to {good.deploy_id}")
    deploy_id = str(effect.result["deploy_id"])
    if progress.back_deploy_id != deploy_id:
        return Decision(with_progress(view.run, service.kind, back_deploy_id=deploy_id), next_at=now)
    return _follow_back(view, service, deploy_id, now)


def _other_way(view: View, service: ServicePlan, effect: Effect, now: datetime) -> Decision:
    """Where Render refuses its rollback (the artifact is gone), the old commit is built; a refused build ends it."""
    good = view.run.good_of(service.kind)
    is_gone = effect.kind is EffectKind.ROLL_BACK and effect.result.get("refused")
    if is_gone and good is not None and good.commit:
        return Decision(with_progress(view.run, service.kind, way_back=BY_BUILD), next_at=now)
    return _rollback_failed(view, service, now, effect.reason)


def _send_back(view: View, service: ServicePlan, good: GoodDeploy, now: datetime) -> Decision:
    """Ask for the good deploy, or for a build of its commit; without a commit Render would build something else."""
    if view.run.of(service.kind).way_back == BY_RENDER:
        args = {"deploy_id": good.deploy_id, "commit": good.commit or ""}
        return Decision(view.run, effects=(new_effect(view, "rollback", EffectKind.ROLL_BACK, service, **args),))
    if not good.commit:
        return _rollback_failed(view, service, now, f"{good.deploy_id} is gone, and its commit is not known")
    wanted = new_effect(view, "rebuild", EffectKind.DEPLOY, service, commit=good.commit)
    return Decision(view.run, effects=(wanted,))


def _follow_back(view: View, service: ServicePlan, deploy_id: str, now: datetime) -> Decision | None:
    progress = view.run.of(service.kind)
    if progress.back_live_at is not None:
        return _check_autodeploy(view, service, now)
    good = view.run.good_of(service.kind)
    look = poll_look(view, service.kind, deploy_id, good.commit if good is not None else None)
    seen = fresh(view, look)
    if seen is None or seen.data.get("deploy_id") != deploy_id:
        return Decision(view.run, looks=(look,))
    if seen.data.get("doubles"):
        twice = ", ".join([deploy_id, *seen.data["doubles"]])
        return _rollback_failed(view, service, now, f"it was made twice: {twice}")
    status = str(seen.data["status"])
    if status == "live":
        return Decision(with_progress(view.run, service.kind, back_live_at=now), next_at=now)
    if status in BROKEN or status in ("canceled", "deactivated"):
        return _rollback_failed(view, service, now, f"{deploy_id} ended as {status}")
    again = repeat(view, look, now, every_seconds=view.customer.rules.poll_interval_seconds)
    return _late_rollback(view, service, again, now)


def _late_rollback(view: View, service: ServicePlan, again: Decision, now: datetime) -> Decision:
    """A rollback's deploy is never cancelled: at its time-out a person is called, and watching goes on."""
    if now < view.run.since + timedelta(seconds=view.customer.rules.deploy_timeout_seconds):
        return again
    late = wait(view.run, f"{service.kind}: the rollback takes long; watching goes on", code="SW601", person=OPERATOR)
    return replace(again, waiting_on=late.waiting_on)


def _check_autodeploy(view: View, service: ServicePlan, now: datetime) -> Decision | None:
    look = Look(LookKind.AUTODEPLOY, service.kind, {"service_id": service.service_id})
    seen = view.observations.get(look.key)
    back_live_at = view.run.of(service.kind).back_live_at
    if seen is None or back_live_at is None or seen.at < back_live_at:
        return Decision(view.run, looks=(look,))
    if seen.data.get("is_off"):
        return None
    return moved(
        view.run, Stage.HELD, now, code="SW407", detail=f"{service.service_id}: autodeploy is on after rollback"
    )


def _rollback_failed(view: View, service: ServicePlan, now: datetime, why: str) -> Decision:
    return moved(view.run, Stage.HELD, now, code="SW601", detail=f"{service.kind}: the rollback failed: {why}")


# --- env vars ---------------------------------------------------------------------------------------------------------


def _restore(view: View, service: ServicePlan, now: datetime) -> Decision | None:
    """Restore, newest first, the keys that were written; None when all are restored or left as reported."""
    written = {one.key: state for one in service.env_changes if (state := _write_of(view, service, one.key))}
    keys = [key for key, state in written.items() if state is not EffectState.FAILED]
    for key in reversed(keys):
        if written[key].is_open:
            return wait(view.run, f"{service.kind}: finding out whether {key} was written")
        effect = effect_of(view, "restore", service.kind, key)
        if effect is None:
            last = {"is_last": True} if key == keys[0] else {}
            wanted = new_effect(view, "restore", EffectKind.RESTORE_ENV, service, env_key=key, **last)
            return Decision(view.run, effects=(wanted,))
        if effect.state is EffectState.FAILED:
            detail = f"{service.kind}: {key} could not be restored: {effect.reason}"
            return moved(view.run, Stage.HELD, now, code="SW604", detail=detail)
        if effect.state is not EffectState.CONFIRMED:
            return wait(view.run, f"{service.kind}: restoring {key}")
    return None


def _write_of(view: View, service: ServicePlan, key: str) -> EffectState | None:
    """What became of the write of a key; a rollback of its own restores what runs before it wrote for good."""
    if view.run.kind is RunKind.ROLLBACK:
        return EffectState.CONFIRMED
    effect = effect_of(view, "env", service.kind, key)
    return effect.state if effect is not None else None


def decide_unwinding(view: View, now: datetime) -> Decision:
    """No deploy was sent: restore what was written; then fail, or wait for the gates again as a further attempt.

    An intent is dropped with the move here, so a deploy that is still there was sent just before: it is followed on.
    """
    was_overtaken = _overtaken(view, now)
    if was_overtaken is not None:
        return was_overtaken
    for service in reversed(view.customer.services):
        decision = _restore(view, service, now)
        if decision is not None:
            return decision
    opening = restore.open_again(view, now)
    if opening is not None:
        return opening
    if view.run.trigger == CUSTOMER_REQUEST:
        return moved(view.run, Stage.ROLLED_BACK, now)
    if view.run.code:
        return moved(view.run, Stage.FAILED, now)
    return moved(view.run, Stage.QUEUED, now, attempt=view.run.attempt + 1)


def _overtaken(view: View, now: datetime) -> Decision | None:
    """What was sent just before the run turned round: it is followed on, waited for, or bars the way."""
    if deploy_was_sent(view):
        return moved(view.run, Stage.DEPLOYING, now)
    if any(one.kind is EffectKind.MIGRATE and one.state.was_sent for one in view.effects.values()):
        return wait(view.run, "waiting for the migration that is under way")
    if restore.is_restoring(view):
        return wait(view.run, "waiting for the restore that is under way")
    if is_barred(view) and view.run.trigger != CUSTOMER_REQUEST:
        return held_by_migration(view, now, view.run.detail or "the run turned round")
    return None


# --- check again ------------------------------------------------------------------------------------------------------


def decide_rechecking(view: View, now: datetime) -> Decision:
    """Settle, take 20 samples of each service that went back, ask for the old version; then rolled back, or held."""
    rules, run = view.customer.rules, view.run
    settled = run.since + timedelta(seconds=rules.settle_seconds)
    if now < settled:
        return wait(run, "settling before the checks after the rollback count", until=settled)
    kinds = tuple(one.kind for one in run.progress if one.back_deploy_id)
    taken = {kind: samples_since(view, kind, settled) for kind in kinds}
    missing = tuple(kind for kind in kinds if len(taken[kind]) < rules.verification_samples)
    if missing:
        looks, next_at = sample_looks(
            view, missing, now, interval_seconds=rules.verification_interval_seconds, since=settled
        )
        return Decision(run, looks=looks, next_at=next_at)
    for kind, samples in taken.items():
        verdict = judge(samples, rules.thresholds)
        if verdict.health is not Health.HEALTHY:
            detail = f"{kind}: still unhealthy after the rollback: {verdict.detail}"
            return moved(run, Stage.HELD, now, code="SW601", detail=detail)
    return _recheck_versions(view, kinds, now)


def _recheck_versions(view: View, kinds: tuple[ServiceKind, ...], now: datetime) -> Decision:
    for kind in kinds:
        good = view.run.good_of(kind)
        if good is None or good.version is None:
            continue
        look = Look(LookKind.VERSION, kind, {"version": good.version, "commit": good.commit or ""})
        seen: Observation | None = fresh(view, look)
        if seen is None:
            return Decision(view.run, looks=(look,))
        if seen.data["state"] == "mismatch":
            detail = f"{kind}: after the rollback it says {seen.data.get('detail', '')}"
            return moved(view.run, Stage.HELD, now, code="SW601", detail=detail)
    return moved(view.run, Stage.ROLLED_BACK, now)
