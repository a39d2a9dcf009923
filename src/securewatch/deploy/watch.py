"""Is the new version good? Verification after live, and the watch after that with the triggers armed. Pure."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from securewatch.deploy import back
from securewatch.deploy.model import SAMPLES_LOADED_MAX, Progress, ServiceKind, ServicePlan, Stage
from securewatch.deploy.steps import due, fresh, moved, poll_look, sample_looks, samples_since
from securewatch.deploy.view import Decision, Look, LookKind, View
from securewatch.health.verdict import (
    BURST_INTERVAL_SECONDS,
    BURST_SAMPLES,
    Health,
    Verdict,
    baseline_of,
    compare,
    confirm,
    judge,
    meets,
)

CHECK_TRIES = 3
WATCH_POLL_SECONDS = 600.0
"""Between two looks at whether our deploy is still the live one; longer where the application is asked less often."""


def verify(view: View, service: ServicePlan, now: datetime) -> Decision | dict[str, Any]:
    """The decision while one service is being verified; once it is verified, the facts to record in its progress."""
    live = _live_kinds(view)
    alarmed = _alarmed(view, live, now)
    if alarmed is not None:
        return alarmed
    rules, since = view.customer.rules, view.run.since
    taken = samples_since(view, service.kind, since)
    looks, next_at = sample_looks(view, live, now, interval_seconds=rules.verification_interval_seconds, since=since)
    if len(taken) < rules.verification_samples:
        return Decision(view.run, looks=looks, next_at=next_at)
    verdict = judge(taken, rules.thresholds, since=since)
    unmet = _unmet(view, verdict, counts_rates=True)
    if unmet and len(taken) < rules.verification_samples_max:
        return Decision(view.run, looks=looks, next_at=next_at)
    unmet = _unmet(view, verdict, counts_rates=verdict.failures >= rules.thresholds.failures_min)
    if unmet:
        return _turn_back(view, now, f"{service.kind}: success criteria not met: {'; '.join(unmet)}")
    return _verify_answers(view, service, now)


def keep_sampling(view: View, now: datetime) -> tuple[tuple[Look, ...], datetime]:
    """The samples due now of what is live, where nothing else may be done, and when the next one is due."""
    interval = view.customer.rules.dense_interval_seconds
    return sample_looks(view, _live_kinds(view), now, interval_seconds=interval, since=view.run.since)


def _live_kinds(view: View) -> tuple[ServiceKind, ...]:
    return tuple(one.kind for one in view.customer.services if view.run.of(one.kind).live_at is not None)


def _unmet(view: View, verdict: Verdict, *, counts_rates: bool) -> tuple[str, ...]:
    """The success criteria that are not met; one or two failures prolong a verification, they do not decide it."""
    bar = view.customer.rules.criteria
    return meets(
        verdict,
        response_ms_max=bar.response_ms_max,
        error_rate_max=bar.error_rate_max if counts_rates else None,
        availability_min=bar.availability_min if counts_rates else None,
    )


def _verify_answers(view: View, service: ServicePlan, now: datetime) -> Decision | dict[str, Any]:
    """The version and database checks, each tried again a few times before it counts as failed."""
    notes: dict[LookKind, str] = {}
    args = {"version": view.run.version, "commit": view.run.commit}
    for kind in (LookKind.VERSION, LookKind.DATABASE):
        if kind is LookKind.DATABASE and service.kind.value != "backend":
            continue
        look = Look(kind, service.kind, args if kind is LookKind.VERSION else {})
        seen = fresh(view, look)
        if seen is None:
            return Decision(view.run, looks=(look,))
        state, detail = str(seen.data["state"]), str(seen.data.get("detail", ""))
        if state in ("mismatch", "unreachable", "failed"):
            at = due(seen.at, view.customer.rules.verification_interval_seconds, now)
            if seen.count < CHECK_TRIES:
                return Decision(view.run, looks=(look,)) if at <= now else Decision(view.run, next_at=at)
            return _turn_back(view, now, f"{service.kind}: {kind} check: {detail}")
        notes[kind] = "not reported" if state == "not_reported" else str(seen.data.get("reported", ""))
    return _compare(view, service, now, notes.get(LookKind.VERSION, ""))


def _compare(view: View, service: ServicePlan, now: datetime, version_note: str) -> Decision | dict[str, Any]:
    baseline = dict(view.run.baseline).get(service.kind)
    if baseline is None:
        return {"version_note": version_note}
    comparison = compare(baseline, baseline_of(samples_since(view, service.kind, view.run.since)))
    if comparison.is_regression and view.customer.rules.p95_may_fail:
        return _turn_back(view, now, f"{service.kind}: p95 is over twice the baseline")
    return {"version_note": version_note, "comparison": comparison}


def decide_watching(view: View, now: datetime) -> Decision:
    """Keep the triggers armed for the monitoring duration; say so where nobody watched in between."""
    run, rules = view.run, view.customer.rules
    alarmed = _alarmed(view, _live_kinds(view), now)
    if alarmed is not None:
        return alarmed
    superseded = _superseded(view, now)
    if superseded is not None:
        return superseded
    gap = _gap_seconds(view, now)
    if gap > run.unwatched_seconds:
        return Decision(replace(run, unwatched_seconds=gap), next_at=now)
    end = run.since + timedelta(seconds=rules.monitoring_seconds)
    if now >= end and not _is_behind(view, now) and not _catching_up(view):
        detail = (
            run.detail
            if not run.unwatched_seconds
            else f"the watch is not complete: nobody watched for {run.unwatched_seconds / 60:.0f} min"
        )
        return moved(run, Stage.DONE, now, detail=detail)
    kinds = tuple(service.kind for service in view.customer.services)
    looks, next_at = sample_looks(view, kinds, now, interval_seconds=_interval(view, now), since=run.since)
    polls, poll_at = _watch_polls(view, now)
    return Decision(run, looks=(*looks, *polls), next_at=min(next_at, poll_at, end if end > now else next_at))


def keep_watch(view: View, found: Decision, now: datetime) -> Decision:
    """What was decided, with the triggers of what is verified armed while the rest of the pair goes out (S18)."""
    run = view.run
    kinds = tuple(kind for kind in _live_kinds(view) if run.of(kind).verified_at is not None)
    if run.stage not in (Stage.DEPLOYING, Stage.SETTLING) or not kinds or found.run.stage is not run.stage:
        return found
    alarmed = _alarmed(view, kinds, now)
    if alarmed is not None and alarmed.run != run:
        return alarmed
    interval = view.customer.rules.dense_interval_seconds
    looks, next_at = sample_looks(view, kinds, now, interval_seconds=interval, since=run.since)
    if alarmed is not None:  # a burst is under way: its samples come more often
        looks, next_at = alarmed.looks, alarmed.next_at or next_at
    return replace(found, looks=(*found.looks, *looks), next_at=min(found.next_at or next_at, next_at))


def _armed_since(view: View, kind: ServiceKind) -> datetime:
    """From when on the samples of a live service count for the triggers: since it settled."""
    live_at = view.run.of(kind).live_at
    return view.run.since if live_at is None else live_at + timedelta(seconds=view.customer.rules.settle_seconds)


def _interval(view: View, now: datetime) -> float:
    rules = view.customer.rules
    if _catching_up(view):
        return 1.0
    dense = now < view.run.since + timedelta(seconds=rules.dense_duration_seconds)
    return rules.dense_interval_seconds if dense else rules.sparse_interval_seconds


def _last_gap(view: View) -> tuple[datetime, float]:
    """When the latest unwatched gap in the samples ended, and the sum of all gaps, in seconds."""
    total, ended, allowed = 0.0, view.run.since, _allowed_seconds(view)
    taken = samples_since(view, view.customer.services[0].kind, view.run.since)
    previous = taken[0].at if len(taken) >= SAMPLES_LOADED_MAX else view.run.since
    for sample in taken:
        missing = (sample.at - previous).total_seconds()
        if missing > allowed:
            total, ended = total + missing, sample.at
        previous = sample.at
    return ended, total


def _allowed_seconds(view: View) -> float:
    """How far apart two samples may be before it counts as nobody watching."""
    rules = view.customer.rules
    return max(rules.sparse_interval_seconds, rules.dense_interval_seconds) * 3 + 60


def _is_behind(view: View, now: datetime) -> bool:
    """Whether the newest sample is that old: before a watch may end, the customer is looked at again."""
    taken = samples_since(view, view.customer.services[0].kind, view.run.since)
    newest = taken[-1].at if taken else view.run.since
    return (now - newest).total_seconds() > _allowed_seconds(view)


def _gap_seconds(view: View, now: datetime) -> float:
    ended, total = _last_gap(view)
    return max(total, view.run.unwatched_seconds) if ended <= now else view.run.unwatched_seconds


def _catching_up(view: View) -> bool:
    """Whether a controller that comes back still has to take its 20 samples at once."""
    ended, total = _last_gap(view)
    if not total:
        return False
    kind = view.customer.services[0].kind
    return len(samples_since(view, kind, ended)) < view.customer.rules.verification_samples


def _watch_polls(view: View, now: datetime) -> tuple[tuple[Look, ...], datetime]:
    interval = max(WATCH_POLL_SECONDS, view.customer.rules.sparse_interval_seconds)
    looks, next_at = [], now + timedelta(seconds=interval)
    for service in view.customer.services:
        progress = view.run.of(service.kind)
        look = poll_look(view, service.kind, str(progress.deploy_id), view.run.commit)
        seen = fresh(view, look)
        at = due(seen.at if seen else view.run.since, interval, now)
        if at <= now:
            looks.append(look)
        else:
            next_at = min(next_at, at)
    return tuple(looks), next_at


def _superseded(view: View, now: datetime) -> Decision | None:
    """Somebody else's deploy took our place: held, never fought over."""
    for service in view.customer.services:
        progress = view.run.of(service.kind)
        seen = fresh(view, poll_look(view, service.kind, str(progress.deploy_id), view.run.commit))
        if seen is None or seen.data.get("status") == "live":
            continue
        newer = seen.data.get("newer") or {"id": "an unknown deploy"}
        detail = f"{service.service_id}: {progress.deploy_id} is no longer live; {newer['id']} took its place"
        return moved(with_status(view, progress), Stage.HELD, now, code="SW506", detail=detail)
    return None


def with_status(view: View, progress: Progress) -> Any:
    """The run with one service marked as superseded."""
    others = tuple(one for one in view.run.progress if one.kind != progress.kind)
    return replace(view.run, progress=(*others, replace(progress, status="deactivated")))


def _alarmed(view: View, kinds: tuple[ServiceKind, ...], now: datetime) -> Decision | None:
    """The way back where a trigger fires on one of these services; a burst first where only the error rate speaks."""
    is_suspect = False
    for kind in kinds:
        verdict = judge(samples_since(view, kind, _armed_since(view, kind)), view.customer.rules.thresholds)
        if verdict.health is Health.FAILING:
            return _turn_back(view, now, f"{kind}: {verdict.detail}", trigger=str(verdict.trigger))
        is_suspect = is_suspect or verdict.health is Health.SUSPECT
    if view.run.burst_since is not None:
        return _decide_burst(view, kinds, now)
    return Decision(replace(view.run, burst_since=now), next_at=now) if is_suspect else None


def _decide_burst(view: View, kinds: tuple[ServiceKind, ...], now: datetime) -> Decision:
    """Twenty samples one second apart must confirm an error rate before it acts."""
    since = view.run.burst_since or now
    taken = {kind: samples_since(view, kind, since) for kind in kinds}
    if any(len(samples) < BURST_SAMPLES for samples in taken.values()):
        missing = tuple(kind for kind in kinds if len(taken[kind]) < BURST_SAMPLES)
        looks, next_at = sample_looks(view, missing, now, interval_seconds=BURST_INTERVAL_SECONDS, since=since)
        return Decision(view.run, looks=looks, next_at=next_at)
    for kind, samples in taken.items():
        if confirm(samples, view.customer.rules.thresholds):
            return _turn_back(view, now, f"{kind}: error rate confirmed by a burst", trigger="error_rate")
    return Decision(replace(view.run, burst_since=None), next_at=now)


def _turn_back(view: View, now: datetime, detail: str, *, trigger: str = "verification") -> Decision:
    return back.turn_back(view, now, code="SW503", trigger=trigger, detail=detail)
