"""Take a customer back to a version with its database: from what, what would be lost, and the run that does it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from securewatch.config.fleet import Customer
from securewatch.controller.addresses import DatabaseOf, find_url
from securewatch.core.errors import Conflict, NotFound, Refused
from securewatch.core.ids import PostgresID, ServiceID
from securewatch.deploy.facts import ServiceFacts
from securewatch.deploy.model import DatabasePlan, EnvChange, RestorePlan, Run, RunKind, ServiceKind, Stage
from securewatch.deploy.plan import (
    DATABASE_URL,
    EnvPlan,
    Planning,
    Target,
    expected_services,
    plan_deploy,
    with_fingerprints,
)
from securewatch.deploy.view import EffectKind
from securewatch.deps import Deps
from securewatch.operations.engine import make_keeper
from securewatch.operations.history import load_runs
from securewatch.operations.migrations import find_barring, first_barred_at, no_database
from securewatch.operations.owner import find_owner
from securewatch.operations.plan import (
    BOTH,
    DeployRequest,
    Planned,
    check_services,
    fetch_all,
    refuse_held,
    version_of,
)
from securewatch.operations.start import bind, new_run, note, refuse_paused
from securewatch.operations.targets import has_restored
from securewatch.render.budget import Priority
from securewatch.render.postgres import fetch_recovery_window
from securewatch.render.recovery import Reach, reach_of, recovery_words
from securewatch.store import backups, effects, plans, releases, runs, sealed
from securewatch.store.backups import Backup
from securewatch.store.standing import StandingDatabase, standing_of
from securewatch.store.tx import Tx

if TYPE_CHECKING:
    from securewatch.backup.losses import TableLoss

RESTORED_BY_RUN = "restored"
"""What stands in a plan in the place of the fingerprint of a value that only the run finds out."""


@dataclass(frozen=True)
class RestoreRequest:
    """What a person asks for: `version` with its database, of the newest verified backup of that version.

    `backup` names another one, and `at` asks Render for a recovery to that time instead. `restores_always` wants the
    database restored where the code alone could go back; without `takes_backup` the present is only kept, not dumped.
    """

    slug: str
    version: str
    reason: str = ""
    backup: str = ""
    at: datetime | None = None
    restores_always: bool = False
    takes_backup: bool = True
    confirmed: str = ""


@dataclass(frozen=True)
class PlannedRestore:
    """A restore before it is agreed to. `planned` is None where the code alone can go back: then nothing else is known.

    `losses` are what would be lost as far as the database tells, by table, `grantees` the roles whose rights would be.
    """

    request: RestoreRequest
    customer: Customer
    why: str
    planned: Planned | None = None
    backup: Backup | None = None
    losses: "tuple[TableLoss, ...]" = ()
    grantees: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Case:
    deps: Deps
    customer: Customer
    request: RestoreRequest
    facts: tuple[ServiceFacts, ...]
    runs: tuple[Run, ...]
    released: Sequence[releases.Release]
    kept: Sequence[Backup]
    standing: StandingDatabase | None
    barred_at: datetime | None = None


async def find_unfinished(deps: Deps, request: RestoreRequest) -> Run | None:
    """The restore of the same customer and version that is under way: it is followed, and nothing new is planned.

    Raises Conflict (SW410) where that one restores something else than is asked for now.
    """
    found = await load_runs(deps, deps.fleet.find_customer(request.slug).slug)
    asked = (one for one in found if one.kind is RunKind.RESTORE and one.version == request.version)
    run = next((one for one in asked if not one.stage.is_terminal), None)
    if run is None:
        return None
    async with (await deps.database()).read() as tx:
        plan = await plans.load_plan(tx, run.plan_hash)
    database = plan.customer(run.slug).database if plan is not None else None
    planned = database.restore if database is not None else None
    is_other_backup = planned is not None and request.backup not in ("", planned.backup)
    is_other_time = planned is not None and request.at is not None and (planned.backup or planned.at != request.at)
    if is_other_backup or is_other_time:
        raise Conflict(
            "SW410",
            f"{run.id} is unfinished, and restores something else",
            why=f"it restores {planned.backup or planned.at if planned else 'what its plan says'}",
            fix=f"take it back first: securewatch rollback-customer --customer {run.slug}",
        )
    return run


async def find_done(deps: Deps, request: RestoreRequest) -> Run | None:
    """The restore that took the customer to that version, where nothing was begun after it: then nothing is to do."""
    found = await load_runs(deps, deps.fleet.find_customer(request.slug).slug)
    newest = max(found, key=lambda run: run.generation, default=None)
    if newest is None or newest.kind is not RunKind.RESTORE or newest.stage is not Stage.DONE:
        return None
    return newest if newest.version == request.version else None


async def plan_restore(deps: Deps, request: RestoreRequest) -> PlannedRestore:
    """Find out whether the database must be restored, from what, and what would be lost. Writes nothing.

    Raises Refused: SW612 without a verified backup of the version, SW614 where Render cannot recover to the time, SW408
    and the other hard checks, SW417 without a needed reason; NotFound (SW206) for an unknown backup or version.
    """
    customer = deps.fleet.find_customer(request.slug)
    refuse_held(deps, customer)
    if deps.fleet.needs_reason(customer) and not request.reason:
        raise Refused("SW417", f"{customer.slug}'s policy asks for a reason", fix='add --reason "..."')
    owner_id = await find_owner(deps)
    expected = expected_services(deps.fleet, customer, BOTH)
    facts = await fetch_all(deps, expected)
    case = await _load(deps, customer, request, facts)
    case = replace(case, barred_at=await first_barred_at(deps, _runs_since(case)))
    why = await _why_needed(case)
    is_asked = request.restores_always or request.backup or request.at is not None
    if not why and not is_asked:
        return PlannedRestore(request, customer, f"no irreversible migration since {request.version}")
    checks = check_services(customer, expected, facts, owner_id)
    wanted = _database_of(case)
    url = await find_url(await deps.client(), wanted, deps.settings.customer_secret, priority=Priority.CLI)
    backup = await _choose(case, wanted.postgres_id)
    why = why or "it was asked for"
    planned = replace(await _plan(case, owner_id, backup), checks=tuple(checks))
    losses, grantees = await _losses(case, backup, url)
    return PlannedRestore(request, customer, why, planned, backup, losses, grantees)


async def _why_needed(case: _Case) -> str:
    """Why code alone cannot go back to the version; empty where it can."""
    since = _runs_since(case)
    restored = next((run for run in since if has_restored(run)), None)
    if restored is not None:
        return f"{restored.id} restored the database to that of {restored.version} since"
    barring = await find_barring(case.deps, since)
    return f"irreversible since {case.request.version}: {next(iter(barring.values()))}" if barring else ""


async def _plan(case: _Case, owner_id: str, backup: Backup | None) -> Planned:
    """The plan of the run, with the env values that it writes besides the database's address."""
    deps, customer, request = case.deps, case.customer, case.request
    at = _time_of(case, backup)
    env = {one.kind: await _env_of(case, one, at, backup) for one in case.facts}
    restore = RestorePlan(at, backup.name if backup is not None else "")
    database = DatabasePlan(str(customer.database_id), needs_backup=request.takes_backup, restore=restore)
    from_version = await version_of(deps, case.facts)
    planning = Planning(deps.fleet, customer, owner_id, from_version, database=database)
    target = Target(RunKind.RESTORE, request.version, await _commit_of(case))
    plan = plan_deploy(planning, target, facts=case.facts, env=env)
    asked = DeployRequest(customer.slug, request.version, kind=RunKind.RESTORE, reason=request.reason)
    values = {one.service_id: env[one.kind].values for one in case.facts}
    return Planned(asked, customer, plan, (), False, from_version, values, {})


def _time_of(case: _Case, backup: Backup | None) -> datetime:
    return backup.taken_at if backup is not None else case.request.at or case.deps.clock.now()


def _database_of(case: _Case) -> DatabaseOf:
    """The database that the customer's backend uses now. Raises Refused (SW611) where the files name none."""
    customer = case.customer
    if customer.database_id is None:
        raise no_database(customer)
    wanted = DatabaseOf(customer.slug, ServiceID(customer.backend_service_id), PostgresID(customer.database_id))
    return wanted.since_restore(case.standing)


async def start_restore(deps: Deps, found: PlannedRestore) -> Run:
    """Commit the run. Raises Conflict (SW410) while another run of the customer acts, ShutGate (SW403) while paused."""
    planned, request = found.planned, found.request
    if planned is None:
        raise ValueError("there is nothing to restore")
    database, box, now = await deps.database(), deps.box(create=True), deps.clock.now()
    async with database.write("start restore") as tx:
        await bind(deps, tx, planned.plan.customers[0].owner_id)
        await refuse_paused(tx)
        plan = await plans.save_plan(tx, planned.plan, at=now, actor=deps.settings.actor)
        run = await runs.add_run(tx, await new_run(deps, tx, plan, planned))
        for service_id, values in planned.values.items():
            slot = sealed.Slot(purpose=sealed.WRITE, run_id=run.id, service_id=service_id)
            await sealed.seal_values(tx, box, values=dict(values), at=now, **slot)
        detail = {"version": run.version, "commit": run.commit, "reason": run.reason, "generation": run.generation}
        detail |= {"backup": found.backup.name if found.backup else "", "confirmed": request.confirmed}
        await note(deps, tx, run, "restore.requested", detail)
    return run


# --- what is known ----------------------------------------------------------------------------------------------------


async def _load(deps: Deps, customer: Customer, request: RestoreRequest, facts: tuple[ServiceFacts, ...]) -> _Case:
    database = await deps.existing_database()
    if database is None:
        raise _unknown_version(customer, request)
    async with database.read() as tx:
        return _Case(
            deps,
            customer,
            request,
            facts,
            tuple(await load_runs(deps, customer.slug)),
            await releases.history(tx, customer.slug),
            [one for one in await backups.backups_of(tx, customer.slug) if one.removed_at is None],
            await standing_of(tx, customer.slug),
        )


def _runs_since(case: _Case) -> list[Run]:
    """The runs after the one that last brought the version to the backend; all where nobody recorded that one."""
    makers = {one.run_id for one in case.released if one.version == case.request.version}
    last = max((run.generation for run in case.runs if run.id in makers), default=0)
    return [run for run in case.runs if run.generation > last]


async def _commit_of(case: _Case) -> str:
    """The commit of the version as it ran at the customer; else that of its tag. Raises NotFound for no such tag."""
    ran = (one.commit for one in case.released if one.version == case.request.version and one.commit)
    return next(ran, None) or (await case.deps.repository.resolve(case.request.version)).commit


async def _choose(case: _Case, postgres_id: PostgresID) -> Backup | None:
    """The backup to restore; None where Render is to recover the database to the time that was asked for."""
    if case.request.at is None:
        return _named(case, case.request.backup) if case.request.backup else _newest(case)
    window = await fetch_recovery_window(await case.deps.client(), postgres_id, priority=Priority.CLI)
    reach = reach_of(window, case.deps.clock.now())
    _check_time(case, reach, case.request.at)
    return None


def _check_time(case: _Case, reach: Reach, at: datetime) -> None:
    """Raise Refused (SW614) where Render cannot recover to the time, or the version would not fit what it gives."""
    slug, version = case.customer.slug, case.request.version
    ran = next((one.version for one in case.released if one.since <= at), version)
    what, why, fix = "", "", f"choose another time, or a backup: securewatch backup list --customer {slug}"
    if not reach.holds(at):
        what, why = f"the database of {slug} cannot be recovered to", f"recovery by Render: {recovery_words(reach)}"
    elif case.barred_at is not None and at >= case.barred_at:
        what = f"{version} cannot live with the database of {slug} of"
        why = f"an irreversible migration was begun at {case.barred_at:%Y-%m-%d %H:%M} UTC"
    elif ran != version:
        what, why = f"{slug} did not run {version} at", f"it ran {ran} then, and its database was that version's"
    if what:
        raise Refused("SW614", f"{what} {at:%Y-%m-%d %H:%M} UTC", why=why, fix=fix)


def _named(case: _Case, name: str) -> Backup:
    """The backup of that name. Raises NotFound (SW206), or Refused (SW612) for one that does not fit the version."""
    slug, version = case.customer.slug, case.request.version
    named = next((one for one in case.kept if one.name == name), None)
    if named is None:
        fix = f"`securewatch backup list --customer {slug}` shows those there are"
        why = "nobody took one of that name here, or it was removed since"
        raise NotFound("SW206", f"there is no backup {name} of {slug}", why=why, fix=fix)
    if not version:
        fix = f"securewatch update-customer --rollback VERSION --customer {slug} --backup {name}"
        raise _no_backup(case, f"nobody recorded which version ran when {name} was taken", fix)
    if named.verified_at is None:
        raise _no_backup(case, f"{name} is not verified", f"securewatch backup verify {name}")
    if named.version not in ("", version) or _is_too_new(case, named):
        why = "after a migration that it cannot live with" if _is_too_new(case, named) else f"of {named.version}"
        raise _no_backup(case, f"{name} is {why}", f"--rollback {named.version}, or a backup of {version}")
    return named


def _newest(case: _Case) -> Backup:
    """The newest verified backup that fits the version. Raises Refused (SW612) where there is none."""
    fitting = (one for one in case.kept if one.version == case.request.version and not _is_too_new(case, one))
    found = next((one for one in fitting if one.verified_at), None)
    if found is None:
        has = ", ".join(sorted({one.version or "unknown" for one in case.kept if one.verified_at})) or "none"
        fix = f"securewatch backup list --customer {case.customer.slug}"
        raise _no_backup(case, f"verified ones are of: {has}", fix)
    return found


def _is_too_new(case: _Case, backup: Backup) -> bool:
    """Whether a backup was taken once the version's code could no longer live with the database; what it is called by
    is the code that ran then.
    """
    return case.barred_at is not None and backup.taken_at >= case.barred_at


async def _env_of(case: _Case, fact: ServiceFacts, at: datetime, backup: Backup | None) -> EnvPlan:
    """The env vars that runs since then wrote, as they were before the first of them; and the backend's database."""
    written, before = await _written(case, fact, at, backup)
    values: dict[str, str | None] = {key: before.get(key) for key in written if fact.env.get(key) != before.get(key)}
    print_of = case.deps.box().fingerprint
    env = EnvPlan(tuple(EnvChange(key, None, "") for key in values), (), values)
    env = with_fingerprints(env, fact, print_of)
    if fact.kind is not ServiceKind.BACKEND:
        return env
    used = fact.env.get(DATABASE_URL)
    switch = EnvChange(DATABASE_URL, print_of(used) if used else None, RESTORED_BY_RUN)
    return replace(env, changes=(*env.changes, switch))


async def _written(
    case: _Case, fact: ServiceFacts, at: datetime, backup: Backup | None
) -> tuple[tuple[str, ...], Mapping[str, str | None]]:
    """The keys that deploys and restores wrote to a service since then, and its env vars before the first of them.

    What a person changed apart from a deploy stays as it is: it may be a secret that had to be changed.
    """
    database, keys, before = await case.deps.database(), dict[str, None](), None
    async with database.read() as tx:
        for run in sorted(case.runs, key=lambda run: run.generation):
            known = await _before(case.deps, tx, run, fact.service_id)
            if known is None or run.kind not in (RunKind.DEPLOY, RunKind.RESTORE):
                continue
            is_its_own = backup is not None and run.id == backup.run_id
            found = (await effects.effects_of(tx, run.id)).values()
            mine = [one for one in found if one.kind is EffectKind.SET_ENV and one.service_id == fact.service_id]
            wrote = [one for one in mine if one.sent_at is not None and (is_its_own or one.sent_at > at)]
            before = known if wrote and before is None else before
            keys |= dict.fromkeys(str(one.args["env_key"]) for one in wrote)
    keys.pop(DATABASE_URL, None)
    return tuple(keys), before or {}


async def _before(deps: Deps, tx: Tx, run: Run, service_id: str) -> Mapping[str, str | None] | None:
    return await sealed.open_values(tx, deps.box(), purpose=sealed.BACKUP, run_id=run.id, service_id=service_id)


async def _losses(case: _Case, backup: Backup | None, url: str) -> "tuple[tuple[TableLoss, ...], tuple[str, ...]]":
    """What would be lost by table, and the roles whose rights would be: Render's recovery keeps those."""
    keeper = make_keeper(case.deps, await case.deps.database())
    if backup is None:
        return await keeper.work.losses_since(url, _time_of(case, backup)), ()
    return await keeper.losses(backup, url), await keeper.work.grantees(url)


def _no_backup(case: _Case, why: str, fix: str) -> Refused:
    slug, version = case.customer.slug, case.request.version
    return Refused("SW612", f"there is no verified backup of {slug} at {version or 'a version'}", why=why, fix=fix)


def _unknown_version(customer: Customer, request: RestoreRequest) -> Refused:
    return Refused(
        "SW612",
        f"there is no verified backup of {customer.slug} at {request.version}",
        why="nothing was ever deployed or backed up here",
        fix=f"securewatch backup list --customer {customer.slug}",
    )
