"""Small pure steps shared by the decisions forward and back: moving runs, naming effects, spacing samples."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from securewatch.deploy.model import Progress, Run, ServiceKind, ServicePlan, Stage
from securewatch.deploy.view import (
    Decision,
    Effect,
    EffectKind,
    EffectState,
    Look,
    LookKind,
    NewEffect,
    Observation,
    View,
    WaitingOn,
)
from securewatch.health.verdict import Sample

IN_FLIGHT = frozenset(
    {"created", "queued", "build_in_progress", "pre_deploy_in_progress", "update_in_progress", "unknown"}
)
QUEUED_AT_RENDER = frozenset({"created", "queued", ""})
BROKEN = frozenset({"build_failed", "pre_deploy_failed", "update_failed"})
OPERATOR = "an operator"


def move(run: Run, stage: Stage, now: datetime, **changes: Any) -> Run:
    """The run in another stage since `now`, with its finish time where the stage is terminal."""
    finished = now if stage.is_terminal else None
    return replace(run, stage=stage, since=now, finished_at=finished, **changes)


def with_progress(run: Run, kind: ServiceKind, **changes: Any) -> Run:
    """The run with the progress of one service changed."""
    changed = replace(run.of(kind), **changes)
    others = tuple(one for one in run.progress if one.kind != kind)
    return replace(run, progress=(*others, changed))


def moved(run: Run, stage: Stage, now: datetime, **changes: Any) -> Decision:
    """A decision that only moves the run; what comes next is decided at once, on the new state."""
    return Decision(move(run, stage, now, **changes), next_at=now)


def wait(run: Run, what: str, *, until: datetime | None = None, code: str = "", person: str = "") -> Decision:
    """A decision to wait, saying for what and until when."""
    return Decision(run, waiting_on=WaitingOn(what, code=code, until=until, person=person), next_at=until)


def effect_key(run: Run, word: str, kind: ServiceKind, name: str = "") -> str:
    """The name of an effect within its run; a further attempt of the run has names of its own."""
    stem = f"{word}:{kind}:{name}" if name else f"{word}:{kind}"
    return stem if run.attempt == 1 else f"{stem}#{run.attempt}"


def effect_of(view: View, word: str, kind: ServiceKind, name: str = "") -> Effect | None:
    """The newest effect of that name, unless it was dropped before it was sent."""
    found = view.effects.get(effect_key(view.run, word, kind, name))
    return None if found is None or found.state is EffectState.DROPPED else found


def deploy_was_sent(view: View) -> bool:
    """Whether a deploy of this attempt is at Render, or may be; an intent is not, and one that was refused neither."""
    found = (effect_of(view, "deploy", service.kind) for service in view.customer.services)
    return any(one is not None and (one.state.was_sent or one.state is EffectState.CONFIRMED) for one in found)


def new_effect(view: View, word: str, kind: EffectKind, service: ServicePlan, **args: Any) -> NewEffect:
    """An effect on one service; an `env_key` argument becomes part of its name."""
    key = effect_key(view.run, word, service.kind, str(args.get("env_key", "")))
    return NewEffect(key=key, kind=kind, service_kind=service.kind, service_id=service.service_id, args=args)


def fresh(view: View, look: Look) -> Observation | None:
    """What a look saw since the run entered its stage; None where it has not been made yet."""
    seen = view.observations.get(look.key)
    return seen if seen is not None and seen.at >= view.run.since else None


def samples_since(view: View, kind: ServiceKind, since: datetime) -> tuple[Sample, ...]:
    """The samples of one service taken at or after `since`, oldest first."""
    return tuple(sample for sample in view.samples.get(kind, ()) if sample.at >= since)


def due(last: datetime | None, interval_seconds: float, now: datetime) -> datetime:
    """When the next look of a series is due: now, or one interval after the last."""
    return now if last is None else max(now, last + timedelta(seconds=interval_seconds))


def sample_looks(
    view: View, kinds: tuple[ServiceKind, ...], now: datetime, *, interval_seconds: float, since: datetime
) -> tuple[tuple[Look, ...], datetime]:
    """The samples due now, and when the next one will be due."""
    looks = []
    next_at = now + timedelta(seconds=interval_seconds)
    for kind in kinds:
        taken = samples_since(view, kind, since)
        at = due(taken[-1].at if taken else None, interval_seconds, now)
        if at <= now:
            looks.append(Look(LookKind.SAMPLE, kind))
        else:
            next_at = min(next_at, at)
    return tuple(looks), next_at


def poll_look(view: View, kind: ServiceKind, deploy_id: str, commit: str | None) -> Look:
    """A look at the deploys of one service that follows one of them."""
    service = next(one for one in view.customer.services if one.kind == kind)
    return Look(LookKind.POLL, kind, {"service_id": service.service_id, "deploy_id": deploy_id, "commit": commit or ""})


def repeat(view: View, look: Look, now: datetime, *, every_seconds: float, run: Run | None = None) -> Decision:
    """Look again when the interval has passed since the last time."""
    seen = fresh(view, look)
    at = due(seen.at if seen else None, every_seconds, now)
    return Decision(run or view.run, looks=(look,) if at <= now else (), next_at=at if at > now else None)


def progress_seconds(progress: Progress) -> float | None:
    """Seconds from the send of a deploy to live; None before."""
    if progress.sent_at is None or progress.live_at is None:
        return None
    return (progress.live_at - progress.sent_at).total_seconds()
