"""Begin the deploy of one member of a rollout: plan it now, by what the release's plan decided, and commit its run."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from securewatch.config.fleet import Templates
from securewatch.controller.commit_rollout import Scribe
from securewatch.core.errors import ConfigError, Conflict, NotFound, Refused, SecurewatchError, UsageError
from securewatch.deploy.model import ServiceKind
from securewatch.deploy.plan import Terms
from securewatch.deps import Deps
from securewatch.operations.plan import DOWNGRADE, DeployRequest, ForRelease, Planned, plan_customer
from securewatch.operations.start import add_planned, bind
from securewatch.rollout.model import HAS_IT, Member, MemberState, Rollout, RolloutState
from securewatch.rollout.roster import LEFT
from securewatch.rollout.verbs import halt
from securewatch.rollout.view import RolloutView, Start
from securewatch.store import meta, rollouts, sealed
from securewatch.store.database import Tx
from securewatch.store.news import FLEET

MOVED = "SW412"
NO_CUSTOMER = "SW202"
AGAIN_SECONDS = 60.0
"""Product seconds before a start is tried again that met another command."""


@dataclass(frozen=True)
class MemberStarter:
    """Begins members' deploys on behalf of whoever asked for the rollout."""

    deps: Deps

    async def begin(self, view: RolloutView, start: Start) -> datetime | None:
        """Plan the member's deploy and commit its run, or record why it cannot be; gives when to try again.

        A moved tag halts the rollout (S4). Raises GatewayError, SignInNeeded where a neighbour did not answer.
        """
        try:
            planned = await plan_customer(self.deps, await self._request(view, start))
        except Conflict as error:
            return await self._conflict(view, error)
        except (Refused, ConfigError, NotFound, UsageError) as error:
            return await self._give_up(start, error)
        return await self._commit(start, planned)

    async def _request(self, view: RolloutView, start: Start) -> DeployRequest:
        rollout, member = view.rollout, view.members[start.slug]
        phase, part = view.plans[start.slug]
        async with (await self.deps.database()).read() as tx:
            templates = await load_templates(self.deps, tx, rollout.id)
        release = ForRelease(
            rollout, member, part, Terms(part.gates, phase.rules, view.plan.endpoints, phase.requires_backup), templates
        )
        reason = rollout.reason
        return DeployRequest(start.slug, rollout.version, force=member.forced, reason=reason, release=release)

    async def _commit(self, start: Start, planned: Planned) -> datetime | None:
        """Commit it where the rollout and the member still are as they were when it was decided."""
        deps, now = self.deps, self.deps.clock.now()
        scribe = Scribe(deps.box(create=True), deps.settings.actor, now)
        try:
            async with (await deps.database()).write("begin", about=(FLEET,)) as tx:
                await bind(deps, tx, planned.plan.customers[0].owner_id)
                rollout, member = await _load(tx, start)
                if rollout.state is not RolloutState.RUNNING or member.epoch != start.epoch or await meta.is_paused(tx):
                    return None
                if planned.is_there:
                    detail = f"{HAS_IT} {rollout.version} already"
                    await scribe.save_member(
                        tx, member, replace(member, state=MemberState.SKIPPED, since=now, detail=detail)
                    )
                    return None
                run = await add_planned(deps, tx, planned)
                begun = replace(
                    member, state=MemberState.RUNNING, since=now, run_id=run.id, started_at=now, code="", detail=""
                )
                await scribe.save_member(tx, member, begun)
        except Conflict:
            return now + timedelta(seconds=AGAIN_SECONDS)
        return None

    async def _conflict(self, view: RolloutView, error: Conflict) -> datetime | None:
        now = self.deps.clock.now()
        if error.code != MOVED:
            raise error
        scribe = Scribe(self.deps.box(create=True), self.deps.settings.actor, now)
        async with (await self.deps.database()).write("tag moved", about=(FLEET,)) as tx:
            rollout = await rollouts.load_rollout(tx, view.rollout.id) or view.rollout
            halted = halt(rollout, now, code=MOVED, detail=f"{error.what}: {error.why}")
            if halted != rollout:
                await scribe.save_rollout(tx, rollout, halted)
        return now + timedelta(seconds=AGAIN_SECONDS)

    async def _give_up(self, start: Start, error: SecurewatchError) -> datetime | None:
        """The member failed before anything was written.

        It is skipped where it runs a newer version, left the files, or is held by them: then the others go on.
        """
        now = self.deps.clock.now()
        scribe = Scribe(self.deps.box(create=True), self.deps.settings.actor, now)
        is_left_out = isinstance(error, ConfigError) or error.code in (DOWNGRADE, NO_CUSTOMER)
        state = MemberState.SKIPPED if is_left_out else MemberState.FAILED
        code, detail = ("", LEFT) if error.code == NO_CUSTOMER else (error.code, error.what)
        async with (await self.deps.database()).write("refused", about=(FLEET,)) as tx:
            _, member = await _load(tx, start)
            if member.epoch == start.epoch:
                failed = replace(member, state=state, since=now, code=code, detail=detail)
                await scribe.save_member(tx, member, failed)
        return None


async def load_templates(deps: Deps, tx: Tx, rollout_id: str) -> Templates:
    """The env-var templates with which a rollout was planned. Raises Refused (SW702) where they are lost."""
    found = [
        await sealed.open_values(tx, deps.box(), purpose=sealed.TEMPLATES, run_id=rollout_id, service_id=kind.value)
        for kind in (ServiceKind.BACKEND, ServiceKind.FRONTEND)
    ]
    backend, frontend = ({key: value or "" for key, value in (one or {}).items()} for one in found)
    if None in found:
        raise Refused(
            "SW702", f"the templates of the rollout {rollout_id} are missing", fix="restore the state database"
        )
    return Templates(backend, frontend)


async def save_templates(deps: Deps, tx: Tx, rollout_id: str) -> None:
    """Keep the templates of the files as they are now, sealed, for every deploy of the rollout."""
    templates, now = deps.fleet.templates, deps.clock.now()
    for kind, values in ((ServiceKind.BACKEND, templates.backend), (ServiceKind.FRONTEND, templates.frontend)):
        slot = sealed.Slot(purpose=sealed.TEMPLATES, run_id=rollout_id, service_id=kind.value)
        await sealed.seal_values(tx, deps.box(create=True), values=dict(values), at=now, **slot)


async def _load(tx: Tx, start: Start) -> tuple[Rollout, Member]:
    rollout = await rollouts.load_rollout(tx, start.rollout_id)
    member = await rollouts.load_member(tx, start.rollout_id, start.slug)
    if rollout is None or member is None:
        raise Refused("SW702", f"{start.slug} in the rollout {start.rollout_id} is missing", fix="restore the database")
    return rollout, member
