"""What a person sees of a customer: one of eight words, what it waits for and until when, and a row per service."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from securewatch.deploy.model import Progress, Run, RunKind, ServiceKind, ServicePlan, Stage, Status
from securewatch.deploy.view import Decision, EffectState, View, WaitingOn
from securewatch.health.verdict import Comparison

UNHEALTHY = "SW409"
_STATUS = {
    Stage.QUEUED: Status.QUEUED,
    Stage.PREFLIGHT: Status.QUEUED,
    Stage.DONE: Status.LIVE,
    Stage.WATCHING: Status.LIVE,
    Stage.FAILED: Status.FAILED,
    Stage.REFUSED: Status.FAILED,
    Stage.ROLLED_BACK: Status.ROLLED_BACK,
    Stage.HELD: Status.HELD,
    Stage.SUPERSEDED: Status.HELD,
}
_WORDS = {
    Stage.QUEUED: "waiting to start",
    Stage.PREFLIGHT: "pre-deployment checks",
    Stage.BACKING_UP: "backing up",
    Stage.CLOSING: "putting the maintenance page up",
    Stage.RESTORING: "restoring the database",
    Stage.MIGRATING: "migrating the database",
    Stage.OPENING: "taking the maintenance page down",
    Stage.SETTING_ENV: "setting env vars",
    Stage.SETTLING: "settling",
    Stage.VERIFYING: "verifying",
    Stage.WATCHING: "verified, watched",
    Stage.UNWINDING: "restoring env vars",
    Stage.STOPPING: "stopping",
    Stage.ROLLING_BACK: "rolling back",
    Stage.RECHECKING: "checking after the rollback",
    Stage.DONE: "done",
    Stage.REFUSED: "refused",
}
_SHARED = frozenset(
    {
        Stage.PREFLIGHT,
        Stage.BACKING_UP,
        Stage.CLOSING,
        Stage.RESTORING,
        Stage.MIGRATING,
        Stage.SETTING_ENV,
        Stage.UNWINDING,
    }
)
"""Stages that are for all services at once."""
_RENDER_WORDS = {
    "created": "accepted by Render",
    "queued": "queued at Render",
    "build_in_progress": "building",
    "pre_deploy_in_progress": "pre-deploy command",
    "update_in_progress": "starting",
}


@dataclass(frozen=True)
class ServiceStatus:
    """One service's row. `seconds` is the time from the deploy's send to live, or so far."""

    kind: ServiceKind
    service_id: str
    deploy_id: str | None
    status: Status
    stage: str
    seconds: float | None
    version_note: str = ""
    comparison: Comparison | None = None


@dataclass(frozen=True)
class CustomerStatus:
    """One customer's state; `waiting_on` is empty where it moves by itself.

    `turns_back` says that a person asked for the way back and no controller has taken that up yet.
    """

    slug: str
    name: str
    policy: str
    phase: str
    kind: RunKind
    status: Status
    version: str
    from_version: str
    detail: str
    code: str
    waiting_on: WaitingOn | None
    services: tuple[ServiceStatus, ...]
    run: Run
    plan_hash: str
    owner_id: str
    is_asked_back: bool = False
    turns_back: bool = False

    @property
    def until(self) -> datetime | None:
        """When what it waits for is over, where that is known."""
        return self.waiting_on.until if self.waiting_on else None


def status_of(view: View, decision: Decision | None, now: datetime) -> CustomerStatus:
    """The state of a run as people see it."""
    run, customer = view.run, view.customer
    waiting = decision.waiting_on if decision is not None else None
    return CustomerStatus(
        slug=run.slug,
        name=customer.name,
        policy=customer.policy,
        phase=customer.phase,
        kind=run.kind,
        status=status_word(run, waiting, in_doubt=_in_doubt(view)),
        version=run.version,
        from_version=customer.from_version or "",
        detail=run.detail,
        code=run.code,
        waiting_on=waiting,
        services=tuple(_service(view, service, now) for service in customer.services),
        run=run,
        plan_hash=run.plan_hash,
        owner_id=customer.owner_id,
        turns_back=view.rollback_reason is not None,
    )


def status_word(run: Run, waiting: WaitingOn | None, *, in_doubt: bool = False) -> Status:
    """One of the eight words."""
    if in_doubt and not run.stage.is_terminal:
        return Status.UNKNOWN
    if waiting is not None and waiting.is_gate:
        return Status.WAITING
    if run.stage is Stage.SUPERSEDED and run.verified_at is not None:
        return Status.LIVE
    return _STATUS.get(run.stage, Status.BUILDING)


def stage_words(stage: Stage) -> str:
    """A stage in words."""
    return _WORDS.get(stage, stage.value.replace("_", " "))


def _in_doubt(view: View, kind: ServiceKind | None = None) -> bool:
    doubtful = (EffectState.IN_DOUBT, EffectState.NEEDS_HUMAN)
    return any(one.state in doubtful and kind in (None, one.service_kind) for one in view.effects.values())


def _service(view: View, service: ServicePlan, now: datetime) -> ServiceStatus:
    run, progress = view.run, view.run.of(service.kind)
    in_doubt = not run.stage.is_terminal and _in_doubt(view, service.kind)
    is_back, good = progress.back_deploy_id is not None, run.good_of(service.kind)
    return ServiceStatus(
        kind=service.kind,
        service_id=service.service_id,
        deploy_id=progress.back_deploy_id or progress.deploy_id,
        status=Status.UNKNOWN if in_doubt else _service_word(run, progress),
        stage="outcome unknown, looking at Render" if in_doubt else _service_stage(view, service, progress),
        seconds=None if is_back else _seconds(progress, now, is_over=run.stage.is_terminal),
        version_note=(good.version or "") if good is not None and is_back else progress.version_note,
        comparison=None if is_back else progress.comparison,
    )


def _service_word(run: Run, progress: Progress) -> Status:
    if run.stage is Stage.ROLLED_BACK:
        return Status.ROLLED_BACK if progress.back_deploy_id or progress.deploy_id else Status.LIVE
    if run.stage in (Stage.FAILED, Stage.REFUSED) and progress.deploy_id is None:
        return Status.UNKNOWN if run.code == UNHEALTHY else Status.LIVE
    if run.stage in (Stage.FAILED, Stage.HELD, Stage.REFUSED):
        is_live = progress.verified_at is not None and progress.status == "live"
        return Status.LIVE if is_live else _STATUS[run.stage]
    if progress.live_at is not None or run.stage in (Stage.DONE, Stage.WATCHING):
        return Status.LIVE
    return Status.BUILDING if progress.deploy_id else Status.QUEUED


def _service_stage(view: View, service: ServicePlan, progress: Progress) -> str:
    """Where one service is, in words: the run's stage where it is this service's turn."""
    run = view.run
    is_going_back = run.stage in (Stage.STOPPING, Stage.ROLLING_BACK, Stage.RECHECKING)
    if run.stage is Stage.WATCHING and run.unwatched_seconds:
        hours, minutes = divmod(int(run.unwatched_seconds // 60), 60)
        return f"{stage_words(run.stage)} (unwatched {hours} h {minutes} m)"
    if run.stage.is_terminal or run.stage is Stage.WATCHING or (is_going_back and _is_touched(progress)):
        return stage_words(run.stage)
    if progress.verified_at is not None:
        return "verified"
    if progress.live_at is not None or run.stage in _SHARED:
        return stage_words(run.stage) + _count(view, service.kind)
    if progress.deploy_id is not None:
        return _RENDER_WORDS.get(progress.status, progress.status.replace("_", " "))
    return "sending to Render" if run.stage is Stage.DEPLOYING and _is_next(view, service) else "waiting"


def _is_touched(progress: Progress) -> bool:
    return bool(progress.deploy_id or progress.way_back)


def _is_next(view: View, service: ServicePlan) -> bool:
    waiting = [one.kind for one in view.customer.services if view.run.of(one.kind).verified_at is None]
    return bool(waiting) and waiting[0] is service.kind


def _count(view: View, kind: ServiceKind) -> str:
    """How many samples of those needed there are: ` 12/20`."""
    needed: Mapping[Stage, int] = {
        Stage.PREFLIGHT: view.customer.rules.baseline_samples,
        Stage.VERIFYING: view.customer.rules.verification_samples,
    }
    if view.run.stage not in needed:
        return ""
    taken = sum(sample.at >= view.run.since for sample in view.samples.get(kind, ()))
    return f" {min(taken, needed[view.run.stage])}/{needed[view.run.stage]}"


def _seconds(progress: Progress, now: datetime, *, is_over: bool) -> float | None:
    if progress.sent_at is None:
        return None
    end = progress.live_at or (None if is_over else now)
    return (end - progress.sent_at).total_seconds() if end is not None else None
