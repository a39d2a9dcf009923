"""Begin a run: commit the plan, its sealed values and the row that the controller moves. Sends nothing to Render."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from securewatch.core.errors import Conflict, ShutGate
from securewatch.deploy.model import Plan, Run, RunKind, Stage
from securewatch.deploy.plan import expected_services
from securewatch.deps import Deps
from securewatch.operations.isolation import KIND
from securewatch.operations.owner import find_owner
from securewatch.operations.plan import DeployRequest, Planned
from securewatch.store import audit, identity, meta, plans, runs, sealed
from securewatch.store.database import Tx

Tell = Callable[[str], None]
_PLANNED_ANEW = frozenset({Stage.QUEUED, Stage.WATCHING})
"""Nothing was written yet, or all of it is proven."""
_BEFORE_WRITES = frozenset({Stage.QUEUED, Stage.PREFLIGHT})


def _tell_nobody(_text: str) -> None:
    return None


async def start_run(deps: Deps, planned: Planned, tell: Tell = _tell_nobody) -> Run | None:
    """The run that brings the plan about: a new one, or the unfinished one of the same plan (that is crash recovery).

    None where there is nothing to do: the version is there and proven, or no env var differs. `tell` hears what of the
    request an unfinished run does not take up.

    Raises Conflict (SW410) while another deploy of the customer is unfinished, Conflict (SW414) where the state belongs
    to another Render or clock, ShutGate (SW403) while everything is paused.
    """
    database = await deps.database()
    async with database.write("start") as tx:
        await bind(deps, tx, planned.plan.customers[0].owner_id)
        await refuse_paused(tx)
        unfinished = await _unfinished(tx, planned)
        if unfinished is not None:
            return await _take_up(deps, tx, unfinished, planned.request, tell)
        return None if planned.is_there else await add_planned(deps, tx, planned)


async def add_planned(deps: Deps, tx: Tx, planned: Planned) -> Run:
    """Commit a plan, its sealed values and its run. Raises Conflict (SW410) while another run of the customer acts."""
    box, now = deps.box(create=True), deps.clock.now()
    plan = await plans.save_plan(tx, planned.plan, at=now, actor=deps.settings.actor)
    if planned.request.kind is RunKind.DEPLOY:
        await meta.set_meta(tx, f"tag:{plan.version}", plan.commit)
    for slug, print_ in planned.database_prints.items():
        await identity.save_identity(tx, slug, kind=KIND, fingerprint=print_, at=now)
    run = await runs.add_run(tx, await new_run(deps, tx, plan, planned))
    for service_id, values in planned.values.items():
        slot = sealed.Slot(purpose=sealed.WRITE, run_id=run.id, service_id=service_id)
        await sealed.seal_values(tx, box, values=dict(values), at=now, **slot)
    await _journal(deps, tx, run, no_backup=planned.request.backs_up is False)
    return run


async def find_under_way(deps: Deps, request: DeployRequest, tell: Tell = _tell_nobody) -> Run | None:
    """The run of the same customer, version and services that has left its gates and is not verified yet.

    It is followed without a new plan: the checks of one would leave alone what was sent, and the engine has its own
    before each write. Raises Conflict (SW414) as `start_run` does.
    """
    database = await deps.existing_database()
    if database is None:
        return None
    customer = deps.fleet.find_customer(request.slug)
    services = [one.service_id for one in expected_services(deps.fleet, customer, request.kinds)]
    async with database.read() as tx:
        run = await _under_way(tx, customer.slug, request, services)
    if run is None:
        return None
    owner_id = await find_owner(deps)
    async with database.write("take up") as tx:
        await bind(deps, tx, owner_id)
        run = await _under_way(tx, customer.slug, request, services)
        if run is None:
            return None
        tell(f"{run.id} is under way: it is carried on with the plan that it has, without a new one")
        return await _take_up(deps, tx, run, request, tell)


async def _under_way(tx: Tx, slug: str, request: DeployRequest, services: list[str]) -> Run | None:
    for run in await runs.open_runs(tx):
        if (run.slug, run.kind, run.version) != (slug, request.kind, request.version):
            continue
        plan = await plans.load_plan(tx, run.plan_hash)
        if run.stage not in _PLANNED_ANEW and plan is not None and _services(plan) == services:
            return run
    return None


async def bind(deps: Deps, tx: Tx, owner_id: str | None) -> None:
    """Check that the state belongs to this Render, owner and clock; noted at the first use. Raises Conflict (SW414)."""
    settings = deps.settings
    await meta.bind_installation(
        tx, host=settings.render_host, owner=owner_id, clock_file=settings.clock_file is not None
    )


async def refuse_paused(tx: Tx) -> None:
    """Raise ShutGate (SW403) while the kill switch is on."""
    pause = await meta.pause_of(tx)
    if pause is not None:
        raise ShutGate(
            "SW403",
            "everything is paused",
            why=f"{pause.actor} paused it at {pause.at:%Y-%m-%d %H:%M} UTC"
            + (f": {pause.reason}" if pause.reason else ""),
            fix="securewatch resume --all",
        )


async def new_run(deps: Deps, tx: Tx, plan: Plan, planned: Planned) -> Run:
    """A fresh run of the plan, of the customer's next generation."""
    request, now, slug = planned.request, deps.clock.now(), planned.customer.slug
    generation = await runs.next_generation(tx, slug)
    rollout = request.release.rollout if request.release else None
    return Run(
        id=f"{slug}-{generation}",
        plan_hash=plan.hash,
        slug=slug,
        kind=plan.kind,
        generation=generation,
        attempt=1,
        version=plan.version,
        commit=plan.commit,
        stage=Stage.QUEUED,
        since=now,
        requested_by=rollout.requested_by if rollout else deps.settings.actor,
        requested_at=now,
        force=request.force,
        reason=request.reason,
        rollout_id=rollout.id if rollout else "",
        release_hash=rollout.plan_hash if rollout else "",
    )


async def _unfinished(tx: Tx, planned: Planned) -> Run | None:
    """The customer's unfinished run, if it is of this plan; beside one that is only watched another may begin."""
    plan, slug = planned.plan, planned.customer.slug
    for run in await runs.open_runs(tx):
        if run.slug != slug:
            continue
        if await _is_same(tx, run, plan):
            return run
        if run.stage is Stage.WATCHING:
            continue
        raise Conflict(
            "SW410",
            f"another {run.kind} of {slug} is unfinished: {run.version or 'a rollback'}, {run.stage.value}",
            why=f"{run.requested_by} asked for it at {run.requested_at:%Y-%m-%d %H:%M} UTC",
            fix=f"securewatch why --customer {slug}, or take it back: securewatch rollback-customer --customer {slug}",
        )
    return None


async def _take_up(deps: Deps, tx: Tx, run: Run, request: DeployRequest, tell: Tell) -> Run:
    """The unfinished run, forced from now on where that is asked for before its first write."""
    plan = await plans.load_plan(tx, run.plan_hash)
    _compare_backups(run, plan, request, tell)
    limit = plan.customer(run.slug).rules.deploy_timeout_seconds if plan is not None else None
    if limit is not None and request.timeout_seconds not in (None, limit):
        tell(f"--timeout is ignored: {run.id} goes on with the {limit:g} s of its plan")
    if not request.force or run.force:
        return run
    if run.stage not in _BEFORE_WRITES:
        tell(f"--force is ignored: {run.id} has passed its gates without it")
        return run
    run = await runs.update_run(
        tx, replace(run, force=True, reason=request.reason or run.reason), expected_epoch=run.epoch
    )
    await note(deps, tx, run, "force.used", {"reason": request.reason})
    return run


def _compare_backups(run: Run, plan: Plan | None, request: DeployRequest, tell: Tell) -> None:
    """An unfinished run keeps to its plan. Raises Conflict (SW410) where that has no backup, and one is asked for."""
    if plan is None or plan.kind is not RunKind.DEPLOY or run.stage is Stage.WATCHING:
        return
    database = plan.customer(run.slug).database
    backs_up = database is not None and database.needs_backup
    if backs_up and request.backs_up is False:
        tell(f"--no-backup is ignored: {run.id} goes on with the backup of its plan")
    if request.backs_up and not backs_up:
        raise Conflict(
            "SW410",
            f"a deploy of {run.version} to {run.slug} is unfinished, and its plan has no backup of the database",
            why=f"{run.requested_by} asked for it at {run.requested_at:%Y-%m-%d %H:%M} UTC; {run.id} keeps to its plan",
            fix=f"carry it on as it is: securewatch deploy-customer --version {run.version} --customer {run.slug}",
        )


async def _is_same(tx: Tx, run: Run, plan: Plan) -> bool:
    """Whether the unfinished run brings the same version to the same services, whatever its env vars were then."""
    if run.stage is Stage.WATCHING and plan.redeploy:
        return False
    other = await plans.load_plan(tx, run.plan_hash)
    if other is None or (run.kind, run.version, run.commit) != (plan.kind, plan.version, plan.commit):
        return False
    return _services(other) == _services(plan)


def _services(plan: Plan) -> list[str]:
    return [service.service_id for service in plan.customers[0].services]


async def _journal(deps: Deps, tx: Tx, run: Run, *, no_backup: bool) -> None:
    detail: dict[str, Any] = {"version": run.version, "commit": run.commit, "generation": run.generation}
    if run.reason:
        detail["reason"] = run.reason
    if no_backup:
        detail["no_backup"] = True
    await note(deps, tx, run, f"{run.kind}.requested", detail)
    if run.force:
        await note(deps, tx, run, "force.used", {"reason": run.reason})


async def note(deps: Deps, tx: Tx, run: Run, action: str, detail: dict[str, Any]) -> None:
    """Append what this actor did about a run to the audit log."""
    await audit.append(
        tx,
        deps.box(create=True),
        at=deps.clock.now(),
        actor=deps.settings.actor,
        action=action,
        slug=run.slug,
        run_id=run.id,
        plan_hash=run.plan_hash,
        detail=detail,
    )
