"""What a person sees of a rollout: its phases, its customers in eight words, and what each waits for, until when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from securewatch.controller.load import load_fleet_view, load_requests
from securewatch.controller.load_rollouts import load_rollout_view
from securewatch.core.errors import NotFound
from securewatch.deploy.model import Run, Status
from securewatch.deploy.view import Decision, WaitingOn
from securewatch.deps import Deps
from securewatch.operations.status import stage_words, status_word
from securewatch.rollout.conduct import decide_rollout
from securewatch.rollout.decide import decide
from securewatch.rollout.model import HAS_IT, Member, MemberState, ReleasePlan, Rollout
from securewatch.rollout.view import PhaseView, RolloutDecision, RolloutView
from securewatch.store import rollouts, runs
from securewatch.store.database import Tx

_WORDS = {
    MemberState.VERIFIED: Status.LIVE,
    MemberState.DONE: Status.LIVE,
    MemberState.FAILED: Status.FAILED,
    MemberState.ROLLED_BACK: Status.ROLLED_BACK,
    MemberState.HELD: Status.HELD,
}


@dataclass(frozen=True)
class MemberStatus:
    """One customer of a rollout as people see it. `version` is what it has of this release, empty where nothing."""

    slug: str
    policy: str
    phase: str
    batch: int
    status: Status
    version: str
    detail: str
    waiting_on: WaitingOn | None
    member: Member
    run: Run | None

    @property
    def until(self) -> datetime | None:
        """When what it waits for is over, where that is known."""
        return self.waiting_on.until if self.waiting_on else None


@dataclass(frozen=True)
class ReleaseStatus:
    """One rollout as people see it, phases and customers in the plan's order; `view` is what it was decided from."""

    rollout: Rollout
    plan: ReleasePlan
    phases: tuple[PhaseView, ...]
    members: tuple[MemberStatus, ...]
    next_at: datetime | None
    view: RolloutView

    def of_phase(self, name: str) -> tuple[MemberStatus, ...]:
        """The customers of one phase (short name)."""
        return tuple(one for one in self.members if one.phase == name)


async def find_rollout(tx: Tx, version: str | None) -> Rollout:
    """The newest rollout of a version; without one the only open one. Raises NotFound (SW208)."""
    if version is not None:
        found = await rollouts.rollouts_of(tx, version)
        if found:
            return found[0]
        raise _none(f"there is no rollout of {version}", version)
    open_ones = [one for one in await rollouts.all_rollouts(tx) if not one.state.is_over]
    if len(open_ones) == 1:
        return open_ones[0]
    if open_ones:
        raise NotFound(
            "SW208",
            "which rollout?",
            why=f"open are {', '.join(one.version for one in open_ones)}",
            fix=f"add --version {open_ones[-1].version}",
        )
    everything = await rollouts.all_rollouts(tx)
    if everything:
        return everything[-1]
    raise _none("there is no rollout", "vX.Y.Z")


def _none(what: str, version: str) -> NotFound:
    why = "nobody has begun one with this state database"
    return NotFound("SW208", what, why=why, fix=f"securewatch rollout start --version {version}")


async def load_release_status(
    deps: Deps, version: str | None, *, rollout_id: str = "", led: Mapping[str, RolloutDecision] | None = None
) -> ReleaseStatus:
    """A rollout's state: of that id, else of the version. `led` are the decisions of a controller in this process.

    Raises NotFound (SW208) where there is none.
    """
    database = await deps.existing_database()
    if database is None:
        raise _none("there is no rollout", version or "vX.Y.Z")
    now = deps.clock.now()
    async with database.read() as tx:
        rollout = await rollouts.load_rollout(tx, rollout_id) if rollout_id else await find_rollout(tx, version)
        if rollout is None:
            raise _none(f"there is no rollout {rollout_id}", version or "vX.Y.Z")
        members = await rollouts.members_of(tx, rollout.id)
        open_runs = await runs.open_runs(tx)
        view = await load_rollout_view(tx, rollout, members, open_runs)
        ours = [run for run in open_runs if run.rollout_id == rollout.id]
        fleet = await load_fleet_view(tx, ours, await load_requests(tx))
    decision = (led or {}).get(rollout.id) or decide_rollout(view, now)
    return status_of_release(view, decision, decide(fleet, now).decisions)


def status_of_release(view: RolloutView, decision: RolloutDecision, decisions: Mapping[str, Decision]) -> ReleaseStatus:
    """The state of a rollout from what was decided about it and about its runs."""
    rows = [_member(view, decision, decisions, view.members[slug]) for slug in view.plans if slug in view.members]
    return ReleaseStatus(view.rollout, view.plan, decision.phases, tuple(rows), decision.next_at, view)


def _member(
    view: RolloutView, decision: RolloutDecision, decisions: Mapping[str, Decision], before: Member
) -> MemberStatus:
    member = decision.members.get(before.slug, before)
    phase, plan = view.plans[member.slug]
    run = view.runs.get(member.run_id)
    found = decisions.get(member.run_id)
    waiting = decision.waiting.get(member.slug) or (found.waiting_on if found else None)
    has_it = member.state in (MemberState.VERIFIED, MemberState.DONE) or member.detail.startswith(HAS_IT)
    return MemberStatus(
        slug=member.slug,
        policy=plan.policy,
        phase=phase.name,
        batch=member.batch,
        status=_word(member, run, waiting),
        version=view.rollout.version if has_it else "",
        detail=_detail(member, run),
        waiting_on=waiting,
        member=member,
        run=run,
    )


def _word(member: Member, run: Run | None, waiting: WaitingOn | None) -> Status:
    if member.state is MemberState.SKIPPED:
        return Status.LIVE if member.detail.startswith(HAS_IT) else Status.HELD
    if member.state is MemberState.RUNNING and run is not None:
        return status_word(run, waiting)
    if member.state is MemberState.PENDING:
        return Status.WAITING if waiting is not None else Status.QUEUED
    return _WORDS.get(member.state, Status.BUILDING)


def _detail(member: Member, run: Run | None) -> str:
    if member.state is MemberState.RUNNING and run is not None:
        return stage_words(run.stage)
    if member.state is MemberState.PENDING and not member.asked:
        return "not asked for"
    return f"{member.code} {member.detail}".strip() or member.state.value.replace("_", " ")


def pick(status: ReleaseStatus, slugs: Sequence[str]) -> tuple[MemberStatus, ...]:
    """The rows of some customers."""
    return tuple(one for one in status.members if one.slug in set(slugs))
