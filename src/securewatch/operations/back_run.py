"""Begin a rollback that is a run of its own: it takes services to given deploys. Which ones, others decide."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from securewatch.config.fleet import Customer
from securewatch.deploy.back import CUSTOMER_REQUEST
from securewatch.deploy.facts import ServiceFacts
from securewatch.deploy.model import EnvChange, GoodDeploy, Run, RunKind
from securewatch.deploy.plan import EnvPlan, Planning, Target, plan_deploy
from securewatch.deps import Deps
from securewatch.operations.plan import DeployRequest, Planned
from securewatch.operations.start import bind, new_run, note, refuse_paused
from securewatch.store import plans, runs, sealed
from securewatch.store.database import Tx


@dataclass(frozen=True)
class Way:
    """One service's way back. `source` is the run whose env vars are restored; without one they stay as they are."""

    fact: ServiceFacts
    good: GoodDeploy
    source: Run | None = None


@dataclass(frozen=True)
class _Written:
    """What a run wrote to a service's env vars, and what the service had before; values are never printed."""

    changes: tuple[EnvChange, ...] = ()
    values: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    backup: Mapping[str, str | None] | None = field(default=None, repr=False)


async def start_back_run(
    deps: Deps, customer: Customer, asked: DeployRequest, ways: Sequence[Way], *, detail: str = ""
) -> Run:
    """Commit the run. Raises Conflict (SW410) while another run of the customer acts, ShutGate (SW403) while paused."""
    database, owner_id = await deps.database(), ways[0].fact.owner_id
    async with database.write("start rollback") as tx:
        await bind(deps, tx, owner_id)
        await refuse_paused(tx)
        written = [await _written(deps, tx, way) for way in ways]
        env = {way.fact.kind: EnvPlan(one.changes, (), {}) for way, one in zip(ways, written, strict=True)}
        target = Target(RunKind.ROLLBACK, "", "")
        planning = Planning(deps.fleet, customer, owner_id)
        plan = plan_deploy(planning, target, facts=[way.fact for way in ways], env=env)
        plan = await plans.save_plan(tx, plan, at=deps.clock.now(), actor=deps.settings.actor)
        run = await new_run(deps, tx, plan, Planned(asked, customer, plan, (), False, "", {}, {}))
        good = tuple(way.good for way in ways)
        run = await runs.add_run(tx, replace(run, good=good, trigger=CUSTOMER_REQUEST, detail=detail))
        for way, one in zip(ways, written, strict=True):
            await _hand_over(deps, tx, run, way.fact.service_id, one)
        said = {"to": [one.deploy_id for one in good], "reason": asked.reason}
        await note(deps, tx, run, "rollback.requested", said)
    return run


async def _written(deps: Deps, tx: Tx, way: Way) -> _Written:
    """Nothing where the backup is missing: without it nobody knows what to restore."""
    if way.source is None:
        return _Written()
    plan = await plans.load_plan(tx, way.source.plan_hash)
    slot = {"run_id": way.source.id, "service_id": way.fact.service_id}
    backup = await sealed.open_values(tx, deps.box(), purpose=sealed.BACKUP, **slot)
    values = await sealed.open_values(tx, deps.box(), purpose=sealed.WRITE, **slot)
    if plan is None or backup is None:
        return _Written()
    services = plan.customer(way.source.slug).services
    changes = next((one.env_changes for one in services if one.kind is way.fact.kind), ())
    return _Written(changes, values or {}, backup)


async def _hand_over(deps: Deps, tx: Tx, run: Run, service_id: str, written: _Written) -> None:
    """Seal the values for this run too, so that it restores them as the one that wrote them would."""
    if written.backup is None:
        return
    box, now, slot = deps.box(create=True), deps.clock.now(), {"run_id": run.id, "service_id": service_id}
    await sealed.seal_values(tx, box, values=written.values, at=now, purpose=sealed.WRITE, **slot)
    await sealed.seal_values(tx, box, values=written.backup, at=now, purpose=sealed.BACKUP, **slot)
