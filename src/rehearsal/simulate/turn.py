"""One customer's run in a rehearsal: the real decisions, and what the world answers to their effects and looks."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from rehearsal.simulate.fate import Fate, Trouble
from rehearsal.simulate.site import BEFORE, Site
from securewatch.deploy.model import CustomerPlan, Plan, Run, ServiceKind, ServicePlan, Stage
from securewatch.deploy.steps import IN_FLIGHT
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
)
from securewatch.health.verdict import BURST_INTERVAL_SECONDS, Sample
from securewatch.rollout.decide import FleetView, decide
from securewatch.rollout.gates import Grant

RESPONSE_MS = 120.0
WATCH_EVERY = timedelta(minutes=15)
"""How far apart the samples of a healthy watch are taken where only those that decide something are."""
_DONE: Mapping[EffectKind, Mapping[str, Any]] = {
    EffectKind.BACK_UP_ENV: {"keys": 0},
    EffectKind.BACK_UP_DATABASE: {"backup": "", "bytes": 0, "rows": 0},
    EffectKind.MIGRATE: {"applied": []},
    EffectKind.SET_ENV: {"written": True},
    EffectKind.RESTORE_ENV: {"restored": True},
}
"""What comes of the effects that are none of a deploy."""
STEPS_MAX = 500
"""Decisions at one instant after which something goes round in circles."""


@dataclass
class Turn:
    """A run under way. `build_seconds` is what a build usually takes; `full` plays every single sample."""

    plan: Plan
    customer: CustomerPlan
    run: Run
    site: Site
    fate: Fate
    build_seconds: Mapping[ServiceKind, float]
    full: bool = False
    effects: dict[str, Effect] = field(default_factory=dict)
    observations: dict[str, Observation] = field(default_factory=dict)
    samples: dict[ServiceKind, tuple[Sample, ...]] = field(default_factory=dict)
    moves: list[tuple[Run, Run]] = field(default_factory=list)
    """What was decided since the journal was last written: the run before and after each change."""

    def step(self, now: datetime, grants: Sequence[Grant]) -> datetime | None:
        """Decide and answer until nothing more happens now; gives when to decide again, None where it is over."""
        for _ in range(STEPS_MAX):
            view = View(self.plan, self.customer, self.run, self.effects, self.observations, self.samples)
            found = decide(FleetView((view,), grants), now).decisions[self.run.id]
            if not self._apply(found, now):
                return None if self.run.stage.is_terminal else self._next(found, now)
        raise AssertionError(f"{self.run.id} goes round in circles at {now}: {self.run.stage}")

    # --- answers ------------------------------------------------------------------------------------------------------

    def _apply(self, found: Decision, now: datetime) -> bool:
        """Write the decision down and answer it; whether it is to be decided again at once."""
        is_new = found.run is not self.run
        if is_new:
            if found.run.stage is not self.run.stage:
                self.observations = {}
            after = replace(found.run, epoch=self.run.epoch + 1)
            self.moves.append((self.run, after))
            self.run = after
        for effect in found.effects:
            self._carry_out(effect, now)
        for look in found.looks:
            self._look(look, now)
        needs_time = all(look.kind is LookKind.SAMPLE for look in found.looks)
        return is_new or bool(found.effects) or not needs_time

    def _carry_out(self, new: NewEffect, now: datetime) -> None:
        result = self._result(new)
        self.effects[new.key] = Effect(
            id=len(self.effects) + 1,
            run_id=self.run.id,
            slug=self.run.slug,
            generation=self.run.generation,
            key=new.key,
            seq=1,
            kind=new.kind,
            service_kind=new.service_kind,
            service_id=new.service_id,
            args=new.args,
            state=EffectState.CONFIRMED,
            epoch=1,
            intent_at=now,
            sent_at=now,
            finished_at=now,
            result=result,
        )

    def _result(self, new: NewEffect) -> Mapping[str, Any]:
        site, service_id = self.site, new.service_id
        match new.kind:
            case EffectKind.DEPLOY:
                seconds = self.build_seconds[new.service_kind]
                return {"deploy_id": site.deploy(service_id, str(new.args["commit"]), seconds=seconds).id}
            case EffectKind.ROLL_BACK:
                return {"deploy_id": site.roll_back(service_id, str(new.args["deploy_id"])).id}
            case EffectKind.CANCEL:
                return {"asked": site.cancel(service_id, str(new.args["deploy_id"]))}
            case other:
                return _DONE[other]

    def _look(self, look: Look, now: datetime) -> None:
        if look.kind is LookKind.SAMPLE and look.service_kind is not None:
            self._sample(look.service_kind, now)
            return
        before = self.observations.get(look.key)
        count = before.count + 1 if before is not None else 1
        self.observations[look.key] = Observation(look.key, now, self._seen(look), count)

    def _seen(self, look: Look) -> Mapping[str, Any]:
        match look.kind:
            case LookKind.PREFLIGHT:
                return {"problems": [], "good": [self._good(one) for one in self.customer.services]}
            case LookKind.POLL:
                found = self.site.find(str(look.args["service_id"]), str(look.args["deploy_id"]))
                return {"deploy_id": found.id, "status": str(found.status), "newer": None, "doubles": []}
            case LookKind.VERSION:
                return {"state": "match", "detail": "", "reported": str(look.args["version"])}
            case LookKind.DATABASE:
                return {"state": "ok", "detail": ""}
            case LookKind.WAY_BACK:
                live = self.site.live(str(look.args["service_id"]))
                return {"way": "none" if live.id == look.args["deploy_id"] else "render", "reason": ""}
            case _:
                return {"is_off": True}

    def _good(self, service: ServicePlan) -> Mapping[str, Any]:
        live = self.site.live(service.service_id)
        return {
            "kind": str(service.kind),
            "service_id": service.service_id,
            "deploy_id": live.id,
            "commit": live.commit.id if live.commit is not None else None,
            "version": self.customer.from_version,
        }

    # --- samples ------------------------------------------------------------------------------------------------------

    def _sample(self, kind: ServiceKind, now: datetime) -> None:
        """One sample; where the stage only counts healthy ones, all of them, of which the last is still ahead."""
        rules, stage = self.customer.rules, self.run.stage
        count, every = 1, 0.0
        if self.run.burst_since is not None:
            every = BURST_INTERVAL_SECONDS
        elif not self.full and self.sick_at() is None:
            if stage is Stage.PREFLIGHT:
                count, every = rules.baseline_samples, 1.0
            elif stage in (Stage.VERIFYING, Stage.RECHECKING):
                count, every = rules.verification_samples, rules.verification_interval_seconds
        taken = self.samples.get(kind, ())
        if count > 1 and taken and taken[-1].at > now:
            return
        made = (self._sample_at(kind, now + timedelta(seconds=every * number)) for number in range(count))
        self.samples[kind] = (*taken, *made)[-400:]

    def _sample_at(self, kind: ServiceKind, at: datetime) -> Sample:
        sick_at = self.sick_at()
        if kind is ServiceKind.BACKEND and sick_at is not None and at >= sick_at:
            return Sample(at, False, RESPONSE_MS, "HTTP 500")
        return Sample(at, True, RESPONSE_MS)

    def sick_at(self) -> datetime | None:
        """From when on the backend is unhealthy, as things stand; None where it is not and will not be."""
        run, trouble = self.run, self.fate.trouble
        progress = run.of(ServiceKind.BACKEND)
        if progress.live_at is None or trouble not in (Trouble.SICK, Trouble.SICK_LATER):
            return None
        if progress.back_live_at is not None and not self.fate.stays_sick:
            return None
        if trouble is Trouble.SICK:
            return progress.live_at
        if run.verified_at is None:
            return None
        return run.verified_at + timedelta(seconds=self.customer.rules.monitoring_seconds * self.fate.sick_after)

    # --- time ---------------------------------------------------------------------------------------------------------

    def _next(self, found: Decision, now: datetime) -> datetime | None:
        """When to decide again: when the decision says, or, where nothing new would be seen before, when it would."""
        next_at = found.next_at
        if self.full or next_at is None:
            return next_at
        target = self._next_news(found, next_at)
        sick_at = self.sick_at()
        if sick_at is not None:
            target = next_at if sick_at <= now else min(target, max(sick_at, next_at))
        if self.run.stage is Stage.WATCHING and target > next_at:
            self._fill_watch(now, target)
        return target

    def _next_news(self, found: Decision, next_at: datetime) -> datetime:
        run, rules = self.run, self.customer.rules
        ahead = [taken[-1].at for taken in self.samples.values() if taken and taken[-1].at >= next_at]
        match run.stage:
            case Stage.DEPLOYING | Stage.STOPPING | Stage.ROLLING_BACK:
                return self._after_poll(next_at)
            case Stage.SETTLING:
                return max(next_at, run.since + timedelta(seconds=rules.settle_seconds))
            case Stage.PREFLIGHT | Stage.VERIFYING | Stage.RECHECKING if ahead and found.run.burst_since is None:
                return max(ahead)
            case Stage.WATCHING:
                return max(next_at, run.since + timedelta(seconds=rules.monitoring_seconds))
            case _:
                return next_at

    def _after_poll(self, next_at: datetime) -> datetime:
        """The first poll, on the grid of those that are due, that sees a deploy changed, or its time run out."""
        rules = self.customer.rules
        limits = [
            one.left_queue_at + timedelta(seconds=rules.deploy_timeout_seconds)
            for one in self.run.progress
            if one.left_queue_at is not None and one.live_at is None and one.status in IN_FLIGHT
        ]
        due = self.site.due()
        news = min([*([due] if due is not None else []), *limits], default=next_at)
        if news <= next_at:
            return next_at
        polls = math.ceil((news - next_at).total_seconds() / rules.poll_interval_seconds)
        return next_at + timedelta(seconds=polls * rules.poll_interval_seconds)

    def _fill_watch(self, now: datetime, until: datetime) -> None:
        """The healthy samples of a watch until then, far enough apart to be few, close enough to be watched."""
        for service in self.customer.services:
            taken = list(self.samples.get(service.kind, ()))
            at = now + WATCH_EVERY
            while at < until:
                taken.append(Sample(at, True, RESPONSE_MS))
                at += WATCH_EVERY
            self.samples[service.kind] = tuple(taken)[-400:]

    @property
    def is_exposed(self) -> bool:
        """Whether a service of the customer runs the new version."""
        live = (self.site.live(one.service_id).commit for one in self.customer.services)
        return any(one is not None and one.id != BEFORE for one in live)
