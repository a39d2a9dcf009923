"""Begin a rollout, or ask an open one for more of its customers. Commits rows; the controller does the rest."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from securewatch.controller.commit_rollout import Scribe
from securewatch.controller.load_rollouts import demo_slugs
from securewatch.core.errors import Conflict, UsageError
from securewatch.deps import Deps
from securewatch.operations.begin import save_templates
from securewatch.operations.owner import find_owner
from securewatch.operations.start import bind, refuse_paused
from securewatch.rollout.model import ReleasePlan, Rollout, RolloutState, new_members
from securewatch.rollout.roster import with_joined
from securewatch.rollout.verbs import ask
from securewatch.store import audit, meta, release_plans, releases, rollouts, runs
from securewatch.store.database import Tx

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Wish:
    """What is asked for: all customers, or those that `pick` chooses from the plan.

    `start_at` sets where day 0 begins, now where it is None. With `force` the chosen customers pass the calendar, the
    phase before, the delay between batches and their own soft gates.
    """

    version: str
    pick: Callable[[ReleasePlan], Collection[str]] | None = None
    start_at: datetime | None = None
    force: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Asked:
    """The rollout, and the customers that were asked for."""

    rollout: Rollout
    slugs: tuple[str, ...]


async def find_open(deps: Deps, version: str) -> tuple[Rollout, ReleasePlan] | None:
    """The open rollout of a version with its plan, and in it who joined; None where there is none."""
    database = await deps.existing_database()
    if database is None:
        return None
    async with database.read() as tx:
        found = await _open(tx, version)
        if found is None:
            return None
        plan = await release_plans.load_release_plan(tx, found.plan_hash)
        members = await rollouts.members_of(tx, found.id)
    return None if plan is None else (found, with_joined(plan, members.values()))


async def ask_for(deps: Deps, wish: Wish, plan: ReleasePlan, tell: Tell) -> Asked:
    """The open rollout of the version, or a new one by `plan`, with the customers asked for.

    An open rollout keeps its plan whatever the files say now; `tell` hears of it. Raises Conflict (SW420) where another
    start is asked for than the open one has, UsageError (SW417) for force without a reason, ShutGate (SW403) while
    everything is paused.
    """
    refuse_unreasoned(wish)
    owner_id = await find_owner(deps)
    database = await deps.database()
    scribe = Scribe(deps.box(create=True), deps.settings.actor, deps.clock.now())
    async with database.write("ask for customers") as tx:
        await bind(deps, tx, owner_id)
        await refuse_paused(tx)
        rollout = await _open(tx, wish.version)
        if rollout is None:
            plan = await release_plans.save_release_plan(tx, plan, at=scribe.at, actor=scribe.actor)
            rollout = await _begin(deps, tx, wish, plan)
        else:
            _tell_open(rollout, wish, tell)
            plan = await release_plans.load_release_plan(tx, rollout.plan_hash) or plan
        members = await rollouts.members_of(tx, rollout.id)
        slugs = _picked(wish, with_joined(plan, members.values()))
        for one in ask(members.values(), slugs, forced=wish.force):
            await scribe.save_member(tx, members[one.slug], one)
        if wish.force:
            detail = {"rollout": rollout.id, "reason": wish.reason, "customers": list(slugs)}
            await audit.append(
                tx,
                scribe.box,
                at=scribe.at,
                actor=scribe.actor,
                action="force.used",
                plan_hash=plan.hash,
                detail=detail,
            )
    return Asked(rollout, slugs)


def refuse_unreasoned(wish: Wish) -> None:
    """Raise UsageError (SW417) for force without a reason."""
    if wish.force and not wish.reason:
        raise UsageError(
            "SW417",
            "--force needs a reason here",
            why="it goes ahead of the release calendar for many customers",
            fix='add --reason "..."',
        )


async def _open(tx: Tx, version: str) -> Rollout | None:
    return next((one for one in await rollouts.rollouts_of(tx, version) if not one.state.is_over), None)


def _picked(wish: Wish, plan: ReleasePlan) -> tuple[str, ...]:
    everybody = tuple(one.slug for phase in plan.phases for one in phase.members)
    return everybody if wish.pick is None else tuple(wish.pick(plan))


async def _begin(deps: Deps, tx: Tx, wish: Wish, plan: ReleasePlan) -> Rollout:
    now = deps.clock.now()
    before = await rollouts.rollouts_of(tx, plan.version)
    generation = 1 + (before[0].generation if before else 0)
    day_zero = wish.start_at or await _day_zero(tx, wish, plan) or now
    rollout = Rollout(
        id=f"{plan.version}-r{generation}",
        plan_hash=plan.hash,
        version=plan.version,
        commit=plan.commit,
        generation=generation,
        state=RolloutState.PLANNED if now < day_zero else RolloutState.RUNNING,
        since=now,
        day_zero=day_zero,
        requested_by=deps.settings.actor,
        requested_at=now,
        reason=wish.reason,
    )
    rollout = await rollouts.add_rollout(tx, rollout, new_members(rollout, plan, now))
    await save_templates(deps, tx, rollout.id)
    await meta.set_meta(tx, f"tag:{plan.version}", plan.commit)
    detail = {"rollout": rollout.id, "version": plan.version, "commit": plan.commit, "day_zero": rollout.day_zero}
    await audit.append(
        tx,
        deps.box(create=True),
        at=now,
        actor=deps.settings.actor,
        action="rollout.requested",
        plan_hash=plan.hash,
        detail={key: str(value) for key, value in detail.items()},
    )
    return rollout


async def _day_zero(tx: Tx, wish: Wish, plan: ReleasePlan) -> datetime | None:
    """Where a demo customer got the version by a direct command, the release began with that (decision 0013)."""
    demos = demo_slugs(plan)
    if wish.pick is None or set(demos) & set(_picked(wish, plan)):
        return None
    begun = []
    for slug in demos:
        for one in await releases.history(tx, slug):
            run = await runs.load_run(tx, one.run_id) if one.run_id else None
            if one.version == plan.version and one.verified_at is not None:
                begun.append(run.requested_at if run is not None else one.since)
    return min(begun, default=None)


def _tell_open(rollout: Rollout, wish: Wish, tell: Tell) -> None:
    if wish.start_at is not None and abs(wish.start_at - rollout.day_zero) >= timedelta(seconds=1):
        raise Conflict(
            "SW420",
            f"a rollout of {rollout.version} is open already, and began at another time",
            why=f"{rollout.id} of {rollout.requested_by} has its day 0 at {rollout.day_zero:%Y-%m-%d %H:%M} UTC",
            fix="leave --start-at out, or abort that one first",
        )
    tell(f"{rollout.id} is open already, begun by {rollout.requested_by} at {rollout.requested_at:%Y-%m-%d %H:%M} UTC")
