"""Take a customer back to the recorded good pair, because a person asks for it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from securewatch.config.fleet import Customer
from securewatch.controller.commit import WAY_BACK
from securewatch.controller.load import ROLLBACK
from securewatch.core.errors import Conflict, NeedsHuman, NotFound, Refused
from securewatch.core.ids import ServiceID
from securewatch.deploy.facts import ServiceFacts, check_service
from securewatch.deploy.model import REOPENS, GoodDeploy, Run, RunKind, ServiceKind, Stage
from securewatch.deploy.plan import expected_services
from securewatch.deploy.view import EffectState
from securewatch.deps import Deps
from securewatch.operations.back_run import Way, start_back_run
from securewatch.operations.history import load_runs
from securewatch.operations.migrations import barred, find_barring
from securewatch.operations.owner import find_owner
from securewatch.operations.plan import BOTH, DeployRequest, fetch_all, refuse, refuse_held
from securewatch.operations.start import bind, refuse_paused
from securewatch.operations.targets import (
    BackTarget,
    find_sources,
    find_targets,
    has_restored,
    is_at,
    is_back,
    split_words,
)
from securewatch.render import deploys
from securewatch.render.budget import Priority
from securewatch.render.models import Deploy, DeployStatus
from securewatch.store import audit, effects, inbox, plans

CANDIDATES_MAX = 5
_SPENT = ("SW601", "SW602", "SW604")
"""Why a run is held whose one attempt to go back is used up."""
_NOT_BEGUN = (Stage.QUEUED, Stage.PREFLIGHT)


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

    `rest` says what is still to be asked for once that run has ended. No run in a dry one that would begin its own.
    `to` is the version of the backend that it goes to, or is at; empty where nobody recorded it.
    """

    run: Run | None
    note: str = ""
    is_there: bool = False
    rest: str = ""
    to: str = ""


@dataclass(frozen=True)
class _Case:
    """What is known when a rollback is asked for: what is live now, and the runs that may bear on it, newest first."""

    deps: Deps
    customer: Customer
    request: RollbackRequest
    facts: tuple[ServiceFacts, ...]
    runs: tuple[Run, ...]


async def start_rollback(deps: Deps, request: RollbackRequest, *, is_dry: bool = False) -> RollbackStarted:
    """Ask for the rollback; whoever holds the controller lock carries it out.

    What is under way or held is dealt with first. Raises NeedsHuman (SW602) with the candidates where nothing is
    recorded, Conflict (SW410) for one half of what is under way, Refused (SW417) without a needed reason.
    """
    customer = deps.fleet.find_customer(request.slug)
    refuse_held(deps, customer)
    if deps.fleet.needs_reason(customer) and not request.reason:
        raise Refused("SW417", f"{customer.slug}'s policy asks for a reason", fix='add --reason "..."')
    owner_id = await find_owner(deps)
    facts = await fetch_all(deps, expected_services(deps.fleet, customer, request.kinds))
    _check_identity(deps, customer, request, facts, owner_id)
    found = await load_runs(deps, customer.slug)
    touching = tuple(run for run in found if run.kind is not RunKind.ENV and run.stage is not Stage.REFUSED)
    case = _Case(deps, customer, request, facts, touching)
    if request.to:
        return await _start_named(case, is_dry=is_dry)
    head = touching[0] if touching else None
    if head is not None and (head.stage is Stage.HELD or not (head.stage.is_terminal or head.stage is Stage.WATCHING)):
        return await _turn_head(case, head, is_dry=is_dry)
    return await _take_back(case, is_dry=is_dry)


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


# --- what is under way or held ----------------------------------------------------------------------------------------


async def _turn_head(case: _Case, head: Run, *, is_dry: bool) -> RollbackStarted:
    """Turn the newest run round, or follow it where it is going back already; what it leaves is the `rest`."""
    await _refuse_spent(case, head)
    kinds = await _kinds_of(case.deps, head)
    if not kinds <= set(case.request.kinds):
        raise Conflict(
            "SW410",
            f"{_name(head)} of {case.customer.slug} is {head.stage.value.replace('_', ' ')}: it goes back as a whole",
            why=f"it is for {' and '.join(sorted(kinds))}, and one half of what is not at rest cannot be taken back",
            fix=f"securewatch rollback-customer --customer {case.customer.slug}, or wait until it has ended",
        )
    rest = _rest(case, head, kinds)
    if head.kind is RunKind.ROLLBACK or (head.stage in WAY_BACK and head.stage is not Stage.UNWINDING):
        return RollbackStarted(head, f"{_name(head)} is on its way back already", rest=rest, to=_version(head.good))
    await _refuse_barred(case, head.good, [head])
    if not is_dry:
        await _ask(case, head)
    note = _words(head.good) or f"{head.version} is called off"
    return RollbackStarted(head, f"{note}; then {rest}" if rest else note, rest=rest, to=_version(head.good))


async def _refuse_spent(case: _Case, run: Run) -> None:
    """One attempt per run: after a failed rollback, or with an unknown outcome, a person says where to go."""
    if run.stage is not Stage.HELD:
        return
    database = await case.deps.database()
    async with database.read() as tx:
        found = await effects.effects_of(tx, run.id)
    unknown = any(one.state is EffectState.NEEDS_HUMAN for one in found.values())
    if unknown or run.kind is RunKind.ROLLBACK or run.code in _SPENT:
        raise await _nothing_recorded(case, f"the last run is held: {run.detail}")


def _rest(case: _Case, head: Run, kinds: set[ServiceKind]) -> str:
    """What is to go back besides the newest run: all that is live where it has not begun, else its other half."""
    left = find_targets(case.runs[1:], case.facts)
    if head.stage not in _NOT_BEGUN:
        left = tuple(one for one in left if one.kind not in kinds and head.commit in ("", one.run.commit))
    return _words([one.good for one in left if one.good is not None])


async def _kinds_of(deps: Deps, run: Run) -> set[ServiceKind]:
    """The services that a run is for."""
    database = await deps.database()
    async with database.read() as tx:
        plan = await plans.load_plan(tx, run.plan_hash)
    return {one.kind for one in plan.customer(run.slug).services} if plan is not None else set(BOTH)


# --- what is at rest --------------------------------------------------------------------------------------------------


async def _take_back(case: _Case, *, is_dry: bool) -> RollbackStarted:
    """Take back what is live: by the run that brought it, else by one of its own with what several recorded."""
    targets = find_targets(case.runs, case.facts)
    sources = find_sources(case.runs, case.request.kinds)
    if not targets:
        if sources or all(is_back(case.runs, fact) for fact in case.facts):
            newest = max(sources.values(), key=lambda run: run.generation, default=None)
            to = _version(newest.good) if newest is not None else ""
            return RollbackStarted(None, _already(case, sources.values()), is_there=True, to=to)
        raise await _nothing_recorded(case, "this tool never deployed to it")
    good = [one.good for one in targets if one.good is not None]
    if len(good) < len(targets):
        raise await _nothing_recorded(case, f"nothing was live before {targets[0].run.version}")
    first = min(one.run.generation for one in targets)
    await _refuse_barred(case, good, [run for run in case.runs if run.generation >= first])
    staying = [f"{kind} stays" for kind, run in sources.items() if run.commit != targets[0].run.commit]
    note = ", ".join([_words(good), *staying])
    if await _goes_back_itself(case, targets):
        if not is_dry:
            await _ask(case, targets[0].run)
        return RollbackStarted(targets[0].run, note, to=_version(good))
    if is_dry:
        return RollbackStarted(None, note, to=_version(good))
    facts = {fact.kind: fact for fact in case.facts}
    ways = [Way(facts[one.kind], one.good, one.run) for one in targets if one.good is not None]
    split = split_words(case.runs, case.request.kinds)
    return RollbackStarted(await start_back_run(case.deps, case.customer, _asked(case), ways, detail=split), note)


async def _refuse_barred(case: _Case, good: Sequence[GoodDeploy], undone: Sequence[Run]) -> None:
    """A backend must not go back over an irreversible migration, whichever of the `undone` runs applied it."""
    backend = next((one for one in good if one.kind is ServiceKind.BACKEND), None)
    restored = next((run for run in undone if has_restored(run)), None)
    if backend is not None and restored is not None:
        raise Refused(
            "SW426",
            f"{case.customer.slug} cannot go back to {backend.version or backend.deploy_id} by its code alone",
            why=f"{restored.id} restored its database since, and that deploy would bring the database of before back",
            fix="deploy a newer version, or restore another backup: securewatch update-customer --rollback VERSION",
        )
    found = await find_barring(case.deps, undone) if backend is not None else {}
    if backend is not None and found:
        raise barred(case.customer.slug, backend.version or backend.deploy_id, next(iter(found.values())))


def _runs_after(case: _Case, good: Sequence[GoodDeploy]) -> Sequence[Run]:
    """The runs that began after the one that made a named deploy; all, where none of ours did."""
    ids = {one.deploy_id for one in good}
    makers = [run.generation for run in case.runs for one in run.progress if ids & {one.deploy_id, one.back_deploy_id}]
    return [run for run in case.runs if run.generation > max(makers, default=0)]


async def _goes_back_itself(case: _Case, targets: Sequence[BackTarget]) -> bool:
    """Whether one run brought just what is to go back, may still be reopened, and no newer one wrote since (S5)."""
    run = targets[0].run
    if any(one.run.id != case.runs[0].id for one in targets) or run.stage not in (Stage.WATCHING, *REOPENS):
        return False
    return await _kinds_of(case.deps, run) == {one.kind for one in targets}


def _already(case: _Case, sources: Iterable[Run]) -> str:
    newest = max(sources, key=lambda run: run.generation, default=None)
    good = next((one.version for one in newest.good if one.version), None) if newest is not None else None
    said = f"{case.customer.slug} is at its last good deploy already" + (f": {good}" if good else "")
    return f"{said} ({newest.version}: {newest.stage.value.replace('_', ' ')})" if newest is not None else said


def _name(run: Run) -> str:
    return run.version or "a rollback"


def _words(good: Sequence[GoodDeploy]) -> str:
    return ", ".join(f"{one.kind} to {one.deploy_id} ({one.version or 'version not recorded'})" for one in good)


def _version(good: Sequence[GoodDeploy]) -> str:
    return next((one.version or "" for one in good if one.kind is ServiceKind.BACKEND), "")


def _asked(case: _Case) -> DeployRequest:
    request = case.request
    return DeployRequest(request.slug, "", kind=RunKind.ROLLBACK, force=request.force, reason=request.reason)


async def _ask(case: _Case, run: Run) -> None:
    deps, request = case.deps, case.request
    database, box, now = await deps.database(), deps.box(create=True), deps.clock.now()
    split = split_words(case.runs, request.kinds)
    reason = "; ".join(filter(None, (request.reason or "asked for by " + deps.settings.actor, split)))
    async with database.write("ask rollback") as tx:
        await bind(deps, tx, case.facts[0].owner_id)
        await refuse_paused(tx)
        if any(one.payload["run_id"] == run.id for one in await inbox.pending(tx, run.slug)):
            return
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


# --- candidates and named deploys -------------------------------------------------------------------------------------


async def _nothing_recorded(case: _Case, why: str) -> NeedsHuman:
    lines, slug = [], case.customer.slug
    for fact in case.facts:
        once_live = [one for one in await _served(case.deps, fact) if one.status is DeployStatus.DEACTIVATED]
        lines += [f"{fact.kind} {candidate_words(deploy)}" for deploy in once_live[:CANDIDATES_MAX]]
    candidates = "; ".join(lines) or "Render lists no earlier deploy that was live"
    return NeedsHuman(
        "SW602",
        f"there is no recorded deploy of {slug} to go back to",
        why=f"{why}; candidates: {candidates}",
        fix=f"choose: securewatch rollback-customer --customer {slug} --to DEPLOY [--to DEPLOY]",
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


async def _start_named(case: _Case, *, is_dry: bool) -> RollbackStarted:
    """A run of its own that takes the named services to the named deploys; env vars stay as they are."""
    slug, to = case.customer.slug, case.request.to
    named = [(fact, await _named(case.deps, fact, to)) for fact in case.facts]
    ways = [Way(fact, good) for fact, good in named if good is not None]
    missing = set(to) - {way.good.deploy_id for way in ways}
    if missing:
        raise NotFound(
            "SW206",
            f"{slug} has no deploy {', '.join(sorted(missing))} that was live",
            why="only a deploy of this customer that once served can be gone back to",
            fix=f"securewatch list-deployments --customer {slug}",
        )
    if all(is_at(way.fact, way.good) for way in ways):
        return RollbackStarted(None, f"{slug} is at {', '.join(to)} already", is_there=True)
    await _refuse_barred(case, [way.good for way in ways], _runs_after(case, [way.good for way in ways]))
    note = ", ".join(f"{way.good.kind} to {way.good.deploy_id}" for way in ways)
    if is_dry:
        return RollbackStarted(None, note)
    return RollbackStarted(await start_back_run(case.deps, case.customer, _asked(case), ways), note)


async def _named(deps: Deps, fact: ServiceFacts, ids: tuple[str, ...]) -> GoodDeploy | None:
    found = next((one for one in await _served(deps, fact) if one.id in ids), None)
    if found is None:
        return None
    commit = found.commit.id if found.commit else None
    tags = await deps.repository.list_tags()
    version = next((tag.name for tag in tags if tag.commit == commit), None)
    return GoodDeploy(fact.kind, fact.service_id, found.id, commit, version)
