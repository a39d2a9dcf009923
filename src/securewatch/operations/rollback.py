"""Take a customer back to the recorded good pair, because a person asks for it."""

from dataclasses import dataclass, replace

from securewatch.config.fleet import Customer
from securewatch.controller.load import ROLLBACK
from securewatch.core.errors import NeedsHuman, NotFound, Refused
from securewatch.core.ids import ServiceID
from securewatch.deploy.back import CUSTOMER_REQUEST
from securewatch.deploy.facts import ServiceFacts, check_service
from securewatch.deploy.model import GoodDeploy, Run, RunKind, ServiceKind, Stage
from securewatch.deploy.plan import EnvPlan, Planning, Target, expected_services, plan_deploy
from securewatch.deploy.view import EffectState
from securewatch.deps import Deps
from securewatch.operations.history import load_runs
from securewatch.operations.owner import find_owner
from securewatch.operations.plan import BOTH, DeployRequest, Planned, fetch_all, refuse, refuse_held
from securewatch.operations.start import bind, new_run, note, refuse_paused
from securewatch.render import deploys
from securewatch.render.budget import Priority
from securewatch.render.models import Deploy, DeployStatus
from securewatch.store import audit, effects, inbox, plans, runs

CANDIDATES_MAX = 5


@dataclass(frozen=True)
class RollbackRequest:
    """What a person asks for. `to` names deploys on Render, where the recorded pair is not meant or there is none."""

    slug: str
    kinds: tuple[ServiceKind, ...] = BOTH
    reason: str = ""
    force: bool = False
    to: tuple[str, ...] = ()


@dataclass(frozen=True)
class RollbackStarted:
    """The run to follow, and where it goes in `note`; where the customer `is_there` already, `note` says so.

    No run in a dry one to named deploys.
    """

    run: Run | None
    note: str = ""
    is_there: bool = False


async def start_rollback(deps: Deps, request: RollbackRequest, *, is_dry: bool = False) -> RollbackStarted:
    """Ask for the rollback; whoever holds the controller lock carries it out.

    Raises NeedsHuman (SW602) with the candidates where nothing is recorded, Refused (SW417) without a needed reason.
    """
    customer = deps.fleet.find_customer(request.slug)
    refuse_held(deps, customer)
    if deps.fleet.needs_reason(customer) and not request.reason:
        raise Refused("SW417", f"{customer.slug}'s policy asks for a reason", fix='add --reason "..."')
    owner_id = await find_owner(deps)
    facts = await fetch_all(deps, expected_services(deps.fleet, customer, request.kinds))
    _check_identity(deps, customer, request, facts, owner_id)
    if request.to:
        return await _start_named(deps, customer, request, facts, is_dry=is_dry)
    run = await _latest(deps, customer)
    if run is None:
        raise await _nothing_recorded(deps, customer, facts, "this tool never deployed to it")
    if run.stage is Stage.ROLLED_BACK or run.kind is RunKind.ROLLBACK or _is_at_good(run, facts):
        return RollbackStarted(None, _already(customer, run), is_there=True)
    await _refuse_spent(deps, customer, run, facts)
    if not is_dry:
        await _ask(deps, run, request, owner_id)
    return RollbackStarted(run, _targets(run))


def _check_identity(
    deps: Deps, customer: Customer, request: RollbackRequest, facts: tuple[ServiceFacts, ...], owner_id: str
) -> None:
    """The services must be the customer's own; autodeploy does not stop a rollback, it is checked after it."""
    expected = expected_services(deps.fleet, customer, request.kinds)
    found = [
        one
        for each, fact in zip(expected, facts, strict=True)
        for one in check_service(each, fact, owner_id, customer.slug)
    ]
    refuse([one for one in found if one.code in ("SW408", "SW415")])


async def _latest(deps: Deps, customer: Customer) -> Run | None:
    """The customer's newest run that changed what is live, or still may; tries that never went live are passed over."""
    for run in await load_runs(deps, customer.slug):
        never_live = run.stage.is_terminal and not run.went_live and run.kind is RunKind.DEPLOY
        if run.kind is not RunKind.ENV and not (never_live and run.stage is not Stage.HELD):
            return run
    return None


def _is_at_good(run: Run, facts: tuple[ServiceFacts, ...]) -> bool:
    """Whether every service is at its recorded good deploy, so that there is nothing to take back."""
    if not run.good or run.stage.is_forward:
        return False
    targets = {one.kind: one.deploy_id for one in run.good}
    return all(one.live is not None and one.live.id == targets.get(one.kind) for one in facts)


def _already(customer: Customer, run: Run) -> str:
    good = next((one.version for one in run.good if one.version), None)
    said = f"{customer.slug} is at its last good deploy already" + (f": {good}" if good else "")
    return f"{said} ({run.version}: {run.stage.value.replace('_', ' ')})" if run.version else said


def _targets(run: Run) -> str:
    return ", ".join(f"{one.kind} to {one.deploy_id} ({one.version or 'version not recorded'})" for one in run.good)


async def _refuse_spent(deps: Deps, customer: Customer, run: Run, facts: tuple[ServiceFacts, ...]) -> None:
    """One attempt per run: after a failed rollback, or with an unknown outcome, a person says where to go."""
    if run.stage is not Stage.HELD:
        return
    database = await deps.database()
    async with database.read() as tx:
        found = await effects.effects_of(tx, run.id)
    unknown = any(one.state is EffectState.NEEDS_HUMAN for one in found.values())
    if unknown or run.code in ("SW601", "SW604", "SW602"):
        raise await _nothing_recorded(deps, customer, facts, f"the last run is held: {run.detail}")


async def _ask(deps: Deps, run: Run, request: RollbackRequest, owner_id: str) -> None:
    database, box, now = await deps.database(), deps.box(create=True), deps.clock.now()
    async with database.write("ask rollback") as tx:
        await bind(deps, tx, owner_id)
        await refuse_paused(tx)
        if await inbox.pending(tx, run.slug):
            return
        reason = request.reason or "asked for by " + deps.settings.actor
        await inbox.put(
            tx, inbox.Request(now, deps.settings.actor, ROLLBACK, run.slug, {"reason": reason, "run_id": run.id})
        )
        await audit.append(
            tx,
            box,
            at=now,
            actor=deps.settings.actor,
            action="rollback.requested",
            slug=run.slug,
            run_id=run.id,
            plan_hash=run.plan_hash,
            detail={"reason": reason, "force": request.force},
        )


async def _nothing_recorded(deps: Deps, customer: Customer, facts: tuple[ServiceFacts, ...], why: str) -> NeedsHuman:
    lines = []
    for fact in facts:
        once_live = [one for one in await _served(deps, fact) if one.status is DeployStatus.DEACTIVATED]
        lines += [f"{fact.kind} {candidate_words(deploy)}" for deploy in once_live[:CANDIDATES_MAX]]
    candidates = "; ".join(lines) or "Render lists no earlier deploy that was live"
    return NeedsHuman(
        "SW602",
        f"there is no recorded deploy of {customer.slug} to go back to",
        why=f"{why}; candidates: {candidates}",
        fix=f"choose: securewatch rollback-customer --customer {customer.slug} --to DEPLOY [--to DEPLOY]",
    )


def candidate_words(deploy: Deploy) -> str:
    """A deploy that one may go back to: its id, its commit and when it was made, as far as Render says."""
    commit = deploy.commit.id[:12] if deploy.commit else "no commit"
    made = f", {deploy.created_at:%Y-%m-%d %H:%M} UTC" if deploy.created_at else ""
    return f"{deploy.id} ({commit}{made})"


async def _served(deps: Deps, fact: ServiceFacts) -> list[Deploy]:
    """The service's deploys that are or were live."""
    found = await deploys.fetch_deploys(await deps.client(), ServiceID(fact.service_id), priority=Priority.CLI)
    return [one for one in found if one.status in (DeployStatus.LIVE, DeployStatus.DEACTIVATED)]


async def _start_named(
    deps: Deps, customer: Customer, request: RollbackRequest, facts: tuple[ServiceFacts, ...], *, is_dry: bool
) -> RollbackStarted:
    """A run of its own that takes the named services to the named deploys; env vars stay as they are."""
    good = [await _named(deps, fact, request.to) for fact in facts]
    wanted = [one for one in good if one is not None]
    missing = set(request.to) - {one.deploy_id for one in wanted}
    if missing:
        raise NotFound(
            "SW206",
            f"{customer.slug} has no deploy {', '.join(sorted(missing))} that was live",
            why="only a deploy of this customer that once served can be gone back to",
            fix=f"securewatch list-deployments --customer {customer.slug}",
        )
    if all(_runs(fact, one) for fact in facts for one in wanted if one.kind is fact.kind):
        return RollbackStarted(None, f"{customer.slug} is at {', '.join(request.to)} already", is_there=True)
    named = tuple(fact for fact in facts if any(one.kind is fact.kind for one in wanted))
    owner_id = facts[0].owner_id
    env = {fact.kind: EnvPlan((), (), {}) for fact in named}
    target = Target(RunKind.ROLLBACK, "", "")
    plan = plan_deploy(Planning(deps.fleet, customer, owner_id), target, facts=named, env=env)
    note_ = ", ".join(f"{one.kind} to {one.deploy_id}" for one in wanted)
    if is_dry:
        return RollbackStarted(None, note_)
    asked = DeployRequest(customer.slug, "", kind=RunKind.ROLLBACK, force=request.force, reason=request.reason)
    planned = Planned(asked, customer, plan, (), False, "", {}, {})
    database = await deps.database()
    async with database.write("start rollback") as tx:
        await bind(deps, tx, owner_id)
        await refuse_paused(tx)
        plan = await plans.save_plan(tx, plan, at=deps.clock.now(), actor=deps.settings.actor)
        run = replace(await new_run(deps, tx, plan, planned), good=tuple(wanted), trigger=CUSTOMER_REQUEST)
        run = await runs.add_run(tx, run)
        await note(deps, tx, run, "rollback.requested", {"to": list(request.to), "reason": request.reason})
    return RollbackStarted(run, note_)


def _runs(fact: ServiceFacts, good: GoodDeploy) -> bool:
    """Whether the service is at that deploy, or at another one of the same commit."""
    if fact.live is None:
        return False
    return fact.live.id == good.deploy_id or (good.commit is not None and fact.live.commit == good.commit)


async def _named(deps: Deps, fact: ServiceFacts, ids: tuple[str, ...]) -> GoodDeploy | None:
    found = next((one for one in await _served(deps, fact) if one.id in ids), None)
    if found is None:
        return None
    commit = found.commit.id if found.commit else None
    tags = await deps.repository.list_tags()
    version = next((tag.name for tag in tags if tag.commit == commit), None)
    return GoodDeploy(fact.kind, fact.service_id, found.id, commit, version)
