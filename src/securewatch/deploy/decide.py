"""The decision about one run. Pure and total: for every state it moves, acts, or says what it waits for.

The way forward is in `prepare.py`, here and in `watch.py`, the way back in `back.py`. Which gates bind is decided
above, for the fleet.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from securewatch.deploy import back, prepare, restore, watch
from securewatch.deploy.model import REOPENS, GoodDeploy, Progress, Run, RunKind, ServicePlan, Stage
from securewatch.deploy.prepare import shut_gates
from securewatch.deploy.steps import (
    BROKEN,
    OPERATOR,
    QUEUED_AT_RENDER,
    deploy_was_sent,
    effect_of,
    fresh,
    move,
    moved,
    new_effect,
    poll_look,
    repeat,
    sample_looks,
    samples_since,
    wait,
    with_progress,
)
from securewatch.deploy.view import (
    TROUBLE,
    Decision,
    Effect,
    EffectKind,
    EffectState,
    Gate,
    Look,
    LookKind,
    Observation,
    View,
    WaitingOn,
    waiting_at,
)
from securewatch.health.verdict import Health, baseline_of, judge

PREFLIGHT_GAP_SECONDS = 900.0
"""How long a preflight may stand still, in product time, before it is made anew."""
TROUBLES_MAX = 5
"""How often in a row a look may be refused before the run stops and says why (S14)."""
_BEFORE_THE_DEPLOY = frozenset(
    {
        Stage.QUEUED,
        Stage.PREFLIGHT,
        Stage.BACKING_UP,
        Stage.CLOSING,
        Stage.RESTORING,
        Stage.MIGRATING,
        Stage.SETTING_ENV,
    }
)


def decide(view: View, now: datetime) -> Decision:
    """What may happen next to this run. Never raises for a state that a store can hold."""
    run = view.run
    human = next((one for one in view.effects.values() if one.state is EffectState.NEEDS_HUMAN), None)
    if human is not None and not run.stage.is_terminal:
        held = moved(run, Stage.HELD, now, code=human.code or "SW504", detail=human.reason)
        return restore.with_words(view, held)
    if view.rollback_reason is not None and may_be_asked_back(run):
        if not back.is_barred(view):
            return back.ask_back(view, now, view.rollback_reason)
        words = "the way back was asked for, and the old version cannot live with the database"
        return Decision(replace(run, code=back.BARRED, detail=words), next_at=now)
    if run.stage.is_terminal:
        return Decision(run)
    found = watch.keep_watch(view, _unreadable(view, now) or _STAGES[run.stage](view, now), now)
    found = restore.with_words(view, found)
    return _withhold(view, found, now) if view.is_paused else found


def may_be_asked_back(run: Run) -> bool:
    """Whether a person's wish for the way back changes anything; else it is under way, or there is nothing to undo."""
    if run.kind is RunKind.RESTORE and run.stage is Stage.DONE:
        return False  # what was written since would be lost with the database that serves now
    return run.stage.is_forward or run.stage is Stage.UNWINDING or run.stage in REOPENS


def _unreadable(view: View, now: datetime) -> Decision | None:
    """Refuse or hold where a look meets the same refusal again and again: a service is gone, a request is wrong."""
    for seen in view.observations.values():
        if not seen.key.startswith(TROUBLE) or seen.at < view.run.since or seen.count < TROUBLES_MAX:
            continue
        stage = Stage.REFUSED if view.run.stage in (Stage.QUEUED, Stage.PREFLIGHT) else Stage.HELD
        return moved(view.run, stage, now, code=str(seen.data["code"]), detail=str(seen.data["what"]))
    return None


def _withhold(view: View, found: Decision, now: datetime) -> Decision:
    """While everything is paused looks and checks go on, and what would have been written is only said."""
    text = "`pause --all`: nothing is written"
    waiting = WaitingOn(text, code="SW403", person=OPERATOR)
    if found.run.stage in (Stage.STOPPING, Stage.UNWINDING) and view.run.stage.is_forward:
        alarm = replace(waiting, what=f"{text}; ALARM: it would go back: {found.run.detail}")
        looks, next_at = watch.keep_sampling(view, now)
        return Decision(view.run, looks=looks, waiting_on=alarm, next_at=next_at)
    if found.effects or (found.run.stage is not view.run.stage and view.run.stage in _BEFORE_THE_DEPLOY):
        return Decision(view.run, looks=found.looks, waiting_on=waiting, next_at=found.next_at if found.looks else None)
    return replace(found, waiting_on=waiting)


# --- gates and preflight ----------------------------------------------------------------------------------------------


def _decide_queued(view: View, now: datetime) -> Decision:
    shut = shut_gates(view)
    if shut:
        return _wait_at_gates(view, shut)
    start = {RunKind.ENV: Stage.BACKING_UP, RunKind.ROLLBACK: Stage.ROLLING_BACK}
    return moved(view.run, start.get(view.run.kind, Stage.PREFLIGHT), now)


def _wait_at_gates(view: View, shut: tuple[Gate, ...]) -> Decision:
    untils = [gate.until for gate in shut if gate.until is not None]
    return Decision(view.run, waiting_on=waiting_at(shut), next_at=min(untils) if untils else None)


def _decide_preflight(view: View, now: datetime) -> Decision:
    look = Look(LookKind.PREFLIGHT)
    seen = fresh(view, look)
    if seen is None:
        return Decision(view.run, looks=(look,))
    if _is_stale(view, seen, now):
        return moved(view.run, Stage.PREFLIGHT, now)
    problems = seen.data.get("problems", [])
    if problems:
        first = problems[0]
        return moved(
            view.run, Stage.REFUSED, now, code=first["code"], detail="; ".join(one["what"] for one in problems)
        )
    good = tuple(back.good_from(one) for one in seen.data.get("good", []))
    if view.run.kind is RunKind.RESTORE:
        return moved(view.run, Stage.BACKING_UP, now, good=good)
    return _decide_baseline(view, now, good)


def _is_stale(view: View, seen: Observation, now: datetime) -> bool:
    """Whether nobody looked for so long that what was seen says nothing about now: a process died or froze."""
    taken = {sample.at for samples in view.samples.values() for sample in samples if sample.at >= view.run.since}
    instants = sorted({min(at, now) for at in (seen.at, *taken, now)})
    gaps = ((later - earlier).total_seconds() for earlier, later in pairwise(instants))
    return max(gaps, default=0.0) > PREFLIGHT_GAP_SECONDS


def _decide_baseline(view: View, now: datetime, good: tuple[GoodDeploy, ...]) -> Decision:
    run, rules = view.run, view.customer.rules
    kinds = tuple(service.kind for service in view.customer.services)
    taken = {kind: samples_since(view, kind, run.since) for kind in kinds}
    if any(len(samples) < rules.baseline_samples for samples in taken.values()):
        missing = tuple(kind for kind in kinds if len(taken[kind]) < rules.baseline_samples)
        looks, next_at = sample_looks(view, missing, now, interval_seconds=1.0, since=run.since)
        return Decision(run, looks=looks, next_at=next_at)
    verdicts = {kind: judge(samples, rules.thresholds) for kind, samples in taken.items()}
    sick = [f"{kind}: {verdict.detail}" for kind, verdict in verdicts.items() if verdict.health is not Health.HEALTHY]
    if sick and not run.force:
        advice = "repair the customer first, or add --force (a failure is then held, not taken back)"
        return moved(run, Stage.REFUSED, now, code="SW409", detail="; ".join((*sick, advice)))
    if shut_gates(view):
        return moved(run, Stage.QUEUED, now)
    return moved(
        run,
        Stage.BACKING_UP,
        now,
        baseline=tuple((kind, baseline_of(samples)) for kind, samples in taken.items()),
        baseline_healthy=not sick,
        good=good,
    )


# --- deploy -----------------------------------------------------------------------------------------------------------


def _current(view: View) -> ServicePlan | None:
    """The first service, in the plan's order, that is not verified yet."""
    return next((one for one in view.customer.services if view.run.of(one.kind).verified_at is None), None)


def _decide_deploying(view: View, now: datetime) -> Decision:
    service = _current(view)
    if service is None:
        return _verified(view, now)
    effect = effect_of(view, "deploy", service.kind)
    if effect is None or effect.state is EffectState.INTENT:
        return _send_deploy(view, service, now, is_asked_for=effect is not None)
    if effect.state is EffectState.FAILED:
        return _refused(view, effect, now)
    if effect.state is not EffectState.CONFIRMED:
        return Decision(view.run)
    deploy_id = str(effect.result["deploy_id"])
    progress = view.run.of(service.kind)
    if progress.deploy_id != deploy_id:
        sent_at = effect.sent_at or effect.intent_at
        changed = with_progress(view.run, service.kind, deploy_id=deploy_id, status="created", sent_at=sent_at)
        return Decision(changed, next_at=now)
    return _follow_deploy(view, service, progress, now)


def _refused(view: View, effect: Effect, now: datetime) -> Decision:
    if effect.code == back.REPLACED:
        return back.make_way(view, now, effect.reason)
    return back.turn_back(view, now, code=effect.code, trigger="deploy refused", detail=effect.reason)


def _send_deploy(view: View, service: ServicePlan, now: datetime, *, is_asked_for: bool) -> Decision:
    """The next deploy; until the first one is sent a gate that has shut in the meantime still turns the run round."""
    if shut_gates(view) and not (deploy_was_sent(view) or back.is_barred(view)):
        return moved(view.run, Stage.UNWINDING, now)
    if is_asked_for:
        return Decision(view.run)
    good = view.run.good_of(service.kind)
    live = good.deploy_id if good is not None else None
    wanted = new_effect(view, "deploy", EffectKind.DEPLOY, service, commit=view.run.commit, live=live)
    return Decision(view.run, effects=(wanted,))


def _follow_deploy(view: View, service: ServicePlan, progress: Progress, now: datetime) -> Decision:
    look = poll_look(view, service.kind, str(progress.deploy_id), view.run.commit)
    seen = fresh(view, look)
    if seen is None or seen.data.get("deploy_id") != progress.deploy_id:
        return Decision(view.run, looks=(look,))
    ended = _deploy_ended(view, service, seen, now)
    if ended is not None:
        return ended
    status = str(seen.data["status"])
    if status != progress.status:
        left = progress.left_queue_at or (None if status in QUEUED_AT_RENDER else now)
        return Decision(with_progress(view.run, service.kind, status=status, left_queue_at=left), next_at=now)
    late = _late(view, service, seen, now)
    if late is not None and (late.effects or late.looks):
        return late
    every = view.customer.rules.poll_interval_seconds * (2 if status in QUEUED_AT_RENDER else 1)
    again = repeat(view, look, now, every_seconds=every)
    return replace(again, waiting_on=late.waiting_on) if late is not None else again


def _deploy_ended(view: View, service: ServicePlan, seen: Observation, now: datetime) -> Decision | None:
    """The decision once Render says how it ended, or that something is wrong; None while it is under way."""
    status, kind = str(seen.data["status"]), service.kind
    if seen.data.get("doubles"):
        twice = ", ".join([str(seen.data["deploy_id"]), *seen.data["doubles"]])
        return moved(view.run, Stage.HELD, now, code="SW505", detail=f"{service.service_id} has deploys {twice}")
    run = with_progress(view.run, kind, status=status)
    newer = seen.data.get("newer")
    if status == "live":
        run = with_progress(run, kind, live_at=now)
        return moved(run, restore.after_live(view, service), now, went_live=True)
    if newer and status in ("deactivated", "canceled"):
        note = f"{service.service_id}: {seen.data['deploy_id']} was superseded by {newer['id']} ({newer['status']})"
        if status == "deactivated":
            return moved(run, Stage.HELD, now, code=back.REPLACED, detail=note, went_live=True)
        return back.make_way(replace(view, run=run), now, note)
    if status in BROKEN or status in ("canceled", "deactivated"):
        timed_out = view.run.of(kind).timed_out_at is not None
        words = "timed out and was cancelled" if timed_out else f"ended as {status} on Render"
        code = "SW502" if timed_out else "SW501"
        detail = f"{kind}: {seen.data['deploy_id']} {words}"
        return back.turn_back(replace(view, run=run), now, code=code, trigger="deploy failed", detail=detail)
    return None


def _late(view: View, service: ServicePlan, seen: Observation, now: datetime) -> Decision | None:
    """Cancel a deploy that takes too long and keep watching (S17); a queue that does not move calls a person.

    Only what Render shows after the time is up says that it is: nobody may have looked for a while.
    """
    rules, progress = view.customer.rules, view.run.of(service.kind)
    if progress.left_queue_at is None:
        limit = (progress.sent_at or now) + timedelta(seconds=rules.queue_timeout_seconds)
    else:
        limit = progress.left_queue_at + timedelta(seconds=rules.deploy_timeout_seconds)
    if now < limit:
        return None
    if seen.at < limit:
        return Decision(view.run, looks=(poll_look(view, service.kind, str(progress.deploy_id), view.run.commit),))
    if progress.left_queue_at is None:
        return wait(
            view.run,
            f"{service.kind}: Render has kept {progress.deploy_id} queued for over "
            f"{rules.queue_timeout_seconds / 60:.0f} min",
            code="SW502",
            person=OPERATOR,
        )
    if effect_of(view, "cancel", service.kind) is None:
        wanted = new_effect(view, "cancel", EffectKind.CANCEL, service, deploy_id=progress.deploy_id)
        run = with_progress(view.run, service.kind, timed_out_at=progress.timed_out_at or now)
        return Decision(run, effects=(wanted,))
    return wait(view.run, f"{service.kind}: timed out; waiting for Render to say that {progress.deploy_id} ended")


def _decide_settling(view: View, now: datetime) -> Decision:
    until = view.run.since + timedelta(seconds=view.customer.rules.settle_seconds)
    if now < until:
        return wait(view.run, "settling before the checks count", until=until)
    return moved(view.run, Stage.VERIFYING, now)


def _decide_verifying(view: View, now: datetime) -> Decision:
    service = _current(view)
    if service is None:
        return _verified(view, now)
    outcome = watch.verify(view, service, now)
    if isinstance(outcome, Decision):
        return outcome
    run = with_progress(view.run, service.kind, verified_at=now, **outcome)
    return moved(run, Stage.DEPLOYING, now)


def _verified(view: View, now: datetime) -> Decision:
    if view.run.kind is RunKind.RESTORE:
        return moved(view.run, Stage.DONE, now, verified_at=now, detail=restore.done_words(view))
    split = len(view.customer.services) == 1
    detail = f"split: only the {view.customer.services[0].kind} was asked for" if split else ""
    return moved(view.run, Stage.WATCHING, now, verified_at=now, detail=detail)


_STAGES: dict[Stage, Callable[[View, datetime], Decision]] = {
    Stage.QUEUED: _decide_queued,
    Stage.PREFLIGHT: _decide_preflight,
    Stage.BACKING_UP: prepare.decide_backing_up,
    Stage.CLOSING: restore.decide_closing,
    Stage.RESTORING: restore.decide_restoring,
    Stage.MIGRATING: prepare.decide_migrating,
    Stage.SETTING_ENV: prepare.decide_setting_env,
    Stage.DEPLOYING: _decide_deploying,
    Stage.OPENING: restore.decide_opening,
    Stage.SETTLING: _decide_settling,
    Stage.VERIFYING: _decide_verifying,
    Stage.WATCHING: watch.decide_watching,
    Stage.UNWINDING: back.decide_unwinding,
    Stage.STOPPING: back.decide_stopping,
    Stage.ROLLING_BACK: back.decide_rolling_back,
    Stage.RECHECKING: back.decide_rechecking,
}
"""One function a stage; `move` is the only way from one to another."""

__all__ = ["decide", "move"]
