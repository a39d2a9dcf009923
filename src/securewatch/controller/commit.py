"""Commits what was decided about one run: its state, its next effects and the audit entries, in one transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass, replace
from datetime import datetime
from typing import Any

from securewatch.controller.commit_rollout import Scribe
from securewatch.controller.messenger import put_notices
from securewatch.core.errors import Conflict
from securewatch.deploy.model import Progress, Run, RunKind, ServiceKind, Stage
from securewatch.deploy.view import Decision, EffectState, View
from securewatch.rollout.gates import Grant, valid_grants
from securewatch.rollout.model import MemberState
from securewatch.rollout.notices import confirmation, rollback
from securewatch.store import approvals, audit, effects, inbox, observations, releases, rollouts, runs
from securewatch.store.box import SecretBox
from securewatch.store.database import Database, Tx
from securewatch.store.news import FLEET

WAY_BACK = frozenset({Stage.STOPPING, Stage.ROLLING_BACK, Stage.RECHECKING, Stage.UNWINDING})
"""Stages in which a run undoes what it did; any controller of the installation may carry them on."""
_BEFORE_ACTING = frozenset({Stage.QUEUED, Stage.PREFLIGHT})
_REPLACED_NOTHING = frozenset({Stage.QUEUED, Stage.REFUSED, Stage.FAILED, Stage.ROLLED_BACK})
_LEADS_BACK = ((RunKind.ROLLBACK, Stage.ROLLED_BACK), (RunKind.RESTORE, Stage.DONE))
_FIRST_ACTS = frozenset({Stage.BACKING_UP, Stage.ROLLING_BACK})


@dataclass(frozen=True)
class Committer:
    """Writes decisions down on behalf of `actor`."""

    database: Database
    box: SecretBox
    actor: str

    async def commit(
        self, view: View, decision: Decision, grants: Sequence[Grant], requests: Sequence[inbox.Request], now: datetime
    ) -> bool:
        """Write one decision down; whether anything is new. `requests` are all those for its run.

        Raises Conflict where the run moved on in the meantime, or an approval was used by somebody else.
        """
        if not requests and not changes(view, decision):
            return False
        async with self.database.write("decide", about=(view.run.id,)) as tx:
            is_new = await self._commit(tx, view, decision, grants, now)
            if requests or decision.run.stage.is_terminal:
                tx.concerns(FLEET)
            for request in requests:
                await inbox.mark_handled(tx, request.id, at=now)
        return is_new

    async def _commit(self, tx: Tx, view: View, decision: Decision, grants: Sequence[Grant], now: datetime) -> bool:
        run = decision.run
        moved = run.stage is not view.run.stage
        if run != view.run:
            run = await self._use_approvals(tx, view, run, grants, now)
            if moved and view.run.stage in _BEFORE_ACTING and run.stage in _FIRST_ACTS:
                await self._end_watches(tx, run, now)
            run = await runs.update_run(tx, run, expected_epoch=view.run.epoch)
            await self._journal(tx, view.run, run, now)
            if moved and run.stage in _REPLACED_NOTHING and not (run.went_live or run.kind is RunKind.ROLLBACK):
                await self._reopen_watches(tx, run, now)
        if moved:
            await observations.clear_observations(tx, run.id)
            if run.stage in WAY_BACK or run.stage.is_terminal:
                await effects.drop_intents(tx, run.id, at=now, reason=f"the run is {run.stage}")
            await self._tell(tx, view, run, now)
            await _track(tx, view, run, now)
            await self._lead_back(tx, run, now)
        new = await effects.add_effects(tx, run, decision.effects, at=now) if decision.effects else []
        for effect in new:
            detail = {"key": effect.key, "seq": effect.seq, "service_id": effect.service_id}
            await self._append(tx, run, "effect.intent", detail, now)
        return bool(new) or run.epoch != view.run.epoch

    async def _lead_back(self, tx: Tx, run: Run, now: datetime) -> None:
        """A customer that a rollback of its own took back has the version of its rollout no more; a person asked for
        it, so it halts nothing.
        """
        if (run.kind, run.stage) not in _LEADS_BACK:
            return
        having = await rollouts.live_members(tx, run.slug)
        newest = max(having, key=lambda one: one.verified_at or one.since, default=None)
        if newest is not None:
            detail = f"taken back by {run.id}"
            back = replace(newest, state=MemberState.ROLLED_BACK, since=now, detail=detail, accepted=True)
            tx.concerns(FLEET)
            await Scribe(self.box, self.actor, now).save_member(tx, newest, back)

    async def _end_watches(self, tx: Tx, run: Run, now: datetime) -> None:
        """From its first write on, the new run is answerable for the customer; env vars alone replace nothing."""
        if run.kind is RunKind.ENV:
            return
        for ended in await runs.end_watches(tx, run, at=now):
            tx.concerns(FLEET, ended.id)
            await self._append(tx, ended, f"run.{ended.stage}", {"changes": {"detail": ended.detail}}, now)

    async def _reopen_watches(self, tx: Tx, run: Run, now: datetime) -> None:
        """A run that ends, or waits again, without anything live leaves the watch of what is live as it was (S18)."""
        for again in await runs.reopen_watches(tx, run):
            tx.concerns(FLEET, again.id)
            await self._append(tx, again, f"run.{again.stage}", {"changes": {"detail": f"{run.id} is undone"}}, now)

    async def _use_approvals(self, tx: Tx, view: View, run: Run, grants: Sequence[Grant], now: datetime) -> Run:
        """The first step past the gates uses the approvals up: they open one run once (I9)."""
        is_first = view.run.stage is Stage.QUEUED and run.stage is Stage.PREFLIGHT
        if not is_first or not view.customer.gates.needs_approval or run.force:
            return run
        tx.concerns(FLEET)
        found = valid_grants(view.customer.gates, view.run, grants, now)
        for grant in found:
            is_ours = grant.used_by == run.id
            if not is_ours and not await approvals.mark_used(tx, grant, run_id=run.id):
                raise Conflict("SW402", f"the approval by {grant.actor} was used in the meantime")
        return replace(run, approved_by=tuple(grant.actor for grant in found))

    async def _journal(self, tx: Tx, before: Run, after: Run, now: datetime) -> None:
        await self._append(tx, after, f"run.{after.stage}", {"changes": difference(before, after)}, now)

    async def _tell(self, tx: Tx, view: View, run: Run, now: datetime) -> None:
        """What the customer and the team are told of the transition is committed with it; sent it is by others.

        One half of a pair is not told. A rollback that is a run of its own has no version: what it takes back is what
        release tracking has until then.
        """
        if len(view.customer.services) < len(ServiceKind):
            return
        version = run.version
        if not version and run.stage.is_terminal:
            version = next((one.version for one in await releases.history(tx, run.slug)), "")
        told = (*confirmation(run), *rollback(run, version))
        await put_notices(tx, self.box, told, actor=self.actor, at=now)

    async def _append(self, tx: Tx, run: Run, action: str, detail: Mapping[str, Any], now: datetime) -> None:
        await audit.append(
            tx,
            self.box,
            at=now,
            actor=self.actor,
            action=action,
            slug=run.slug,
            run_id=run.id,
            plan_hash=run.plan_hash,
            detail=detail,
        )


def difference(before: Run, after: Run) -> dict[str, Any]:
    """What changed in a run, for the journal: each field once, and of the progress only what is new of each service."""
    found = _changed(before, after, but=("progress", "epoch"))
    for one in after.progress:
        steps = _changed(before.of(one.kind), one, but=())
        if steps:
            found[str(one.kind)] = steps
    return found


def _changed(before: Run | Progress, after: Run | Progress, *, but: Collection[str]) -> dict[str, Any]:
    """The fields that differ, as plain values."""
    old, new = vars(before), vars(after)
    return {key: _plain(value) for key, value in new.items() if key not in but and value != old[key]}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_plain(one) for one in value)
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def changes(view: View, decision: Decision) -> bool:
    """Whether a decision has anything to write down."""
    return decision.run != view.run or any(_is_wanted(view, one.key) for one in decision.effects)


def _is_wanted(view: View, key: str) -> bool:
    """Whether an effect of that name is to be added: there is none, or the last one was dropped before it was sent."""
    found = view.effects.get(key)
    return found is None or found.state is EffectState.DROPPED


async def _track(tx: Tx, view: View, run: Run, now: datetime) -> None:
    """Release tracking: which customer has which version since when, written with the transition itself."""
    for release in _releases(view, run, now):
        tx.concerns(FLEET)
        await releases.record_release(tx, release)


def _releases(view: View, run: Run, now: datetime) -> list[releases.Release]:
    found = []
    is_restored = run.stage is Stage.DONE and run.kind is RunKind.RESTORE
    if is_restored or (run.stage is Stage.WATCHING and run.kind is RunKind.DEPLOY):
        for service in view.customer.services:
            progress = run.of(service.kind)
            found.append(
                releases.Release(
                    slug=run.slug,
                    service_kind=service.kind,
                    service_id=service.service_id,
                    version=run.version,
                    commit=run.commit,
                    deploy_id=str(progress.deploy_id),
                    since=progress.live_at or now,
                    verified_at=now,
                    run_id=run.id,
                )
            )
    if run.stage is Stage.ROLLED_BACK:
        for good in run.good:
            progress = run.of(good.kind)
            if progress.back_deploy_id is None:
                continue
            found.append(
                releases.Release(
                    slug=run.slug,
                    service_kind=good.kind,
                    service_id=good.service_id,
                    version=good.version or "",
                    commit=good.commit or "",
                    deploy_id=progress.back_deploy_id,
                    since=progress.back_live_at or now,
                    verified_at=now,
                    run_id=run.id,
                )
            )
    return found
