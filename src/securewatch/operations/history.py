"""What was deployed: Render's list of a customer's deploys, our own records, and the customers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from securewatch.config.fleet import Customer
from securewatch.core.ids import ServiceID
from securewatch.deploy.model import Run, ServiceKind
from securewatch.deploy.plan import expected_services
from securewatch.deploy.readiness import WayBack
from securewatch.deps import Deps
from securewatch.operations.explain import load_status
from securewatch.operations.owner import find_owner
from securewatch.operations.plan import BOTH
from securewatch.operations.status import CustomerStatus, status_word
from securewatch.operations.way_back import load_way_back
from securewatch.render import deploys
from securewatch.render.budget import Priority
from securewatch.rollout.freezes import FreezeKind, StandingFreeze
from securewatch.store import freezes, releases, runs

RUNS_MAX = 200


@dataclass(frozen=True)
class DeployRow:
    """One deploy on Render; `tag` is the vendor's tag at its commit, `run_id` ours where we made it."""

    kind: ServiceKind
    service_id: str
    deploy_id: str
    status: str
    trigger: str
    commit: str
    tag: str
    created_at: datetime | None
    finished_at: datetime | None
    run_id: str


@dataclass(frozen=True)
class Standing:
    """A pin or a hold that somebody set on one customer; a hold has no end."""

    kind: str
    actor: str
    until: datetime | None
    reason: str


@dataclass(frozen=True)
class CustomerRow:
    """One customer and what it runs as far as is recorded; `status` is empty where nothing was ever deployed.

    `held` is why the files hold it; `standing` are the pins and holds that people set.
    """

    slug: str
    name: str
    policy: str
    phase: str
    backend: str
    frontend: str
    status: str
    since: datetime | None
    held: str
    standing: tuple[Standing, ...] = ()


@dataclass(frozen=True)
class CustomerCard:
    """Everything about one customer that needs no look outside; `last` is None where nothing was ever deployed, and
    `way_back` where nothing of ours is live and at rest.
    """

    row: CustomerRow
    services: Mapping[ServiceKind, str]
    domain: str
    window: str
    needs_window: bool
    needs_approval: bool
    last: CustomerStatus | None
    way_back: WayBack | None = None


async def list_deployments(
    deps: Deps, slug: str, *, kinds: tuple[ServiceKind, ...] = BOTH, limit: int = 10
) -> list[DeployRow]:
    """The newest `limit` deploys of each service, newest first. Raises NotFound, SignInNeeded, the gateway's errors."""
    customer = deps.fleet.find_customer(slug)
    await find_owner(deps)
    ours = await _made_by_us(deps, customer.slug)
    tags = {tag.commit: tag.name for tag in reversed(await deps.repository.list_tags())}
    rows = []
    for expected in expected_services(deps.fleet, customer, kinds):
        found = await deploys.fetch_deploys(
            await deps.client(), ServiceID(expected.service_id), limit=limit, priority=Priority.CLI
        )
        for one in found:
            commit = one.commit.id if one.commit else ""
            rows.append(
                DeployRow(
                    kind=expected.kind,
                    service_id=expected.service_id,
                    deploy_id=one.id,
                    status=str(one.status),
                    trigger=one.trigger or "",
                    commit=commit,
                    tag=tags.get(commit, ""),
                    created_at=one.created_at,
                    finished_at=one.finished_at,
                    run_id=ours.get(one.id, ""),
                )
            )
    return rows


async def _made_by_us(deps: Deps, slug: str) -> Mapping[str, str]:
    return {
        deploy_id: run.id
        for run in await load_runs(deps, slug)
        for one in run.progress
        for deploy_id in (one.deploy_id, one.back_deploy_id)
        if deploy_id
    }


async def load_runs(deps: Deps, slug: str, *, limit: int = RUNS_MAX) -> list[Run]:
    """The customer's runs, newest first; none where there is no state yet."""
    database = await deps.existing_database()
    if database is None:
        return []
    async with database.read() as tx:
        return list(await runs.runs_of(tx, slug, limit))


async def list_customers(deps: Deps) -> list[CustomerRow]:
    """Every customer of the configuration, with what the records say it runs."""
    current: dict[tuple[str, ServiceKind], releases.Release] = {}
    latest: Mapping[str, Run] = {}
    standing: Sequence[StandingFreeze] = ()
    database = await deps.existing_database()
    if database is not None:
        async with database.read() as tx:
            current = {(one.slug, one.service_kind): one for one in await releases.current_releases(tx)}
            latest = await runs.latest_runs(tx)
            standing = [one for one in await freezes.open_freezes(tx) if one.kind is not FreezeKind.FREEZE]
    words = {slug: await _word(deps, run) for slug, run in latest.items()}
    rows = (_row(deps, customer, current, words.get(slug, "")) for slug, customer in deps.fleet.customers.items())
    return [replace(row, standing=_standing(standing, row.slug, deps.clock.now())) for row in rows]


def _standing(found: Sequence[StandingFreeze], slug: str, now: datetime) -> tuple[Standing, ...]:
    ours = (one for one in found if slug in one.customers and not one.is_over(now))
    return tuple(Standing(one.kind.value, one.actor, one.end, one.reason) for one in ours)


async def _word(deps: Deps, run: Run) -> str:
    """One of the eight words; of an unfinished run only a decision tells whether it waits."""
    return str(status_word(run, None) if run.stage.is_terminal else (await load_status(deps, run.id)).status)


async def show_customer(deps: Deps, slug: str) -> CustomerCard:
    """One customer: what the files say, what the records say it runs, and where its last run stands."""
    customer = deps.fleet.find_customer(slug)
    found = await load_runs(deps, customer.slug)
    gates = deps.fleet.gates_of(customer)
    return CustomerCard(
        row=next(row for row in await list_customers(deps) if row.slug == customer.slug),
        services={
            ServiceKind.BACKEND: customer.backend_service_id,
            ServiceKind.FRONTEND: customer.frontend_service_id,
        },
        domain=customer.custom_domain or "",
        window=str(customer.window),
        needs_window=gates.needs_window,
        needs_approval=gates.needs_approval,
        last=await load_status(deps, found[0].id) if found else None,
        way_back=await load_way_back(deps, customer, found),
    )


def _row(
    deps: Deps, customer: Customer, current: Mapping[tuple[str, ServiceKind], releases.Release], word: str
) -> CustomerRow:
    backend = current.get((customer.slug, ServiceKind.BACKEND))
    frontend = current.get((customer.slug, ServiceKind.FRONTEND))
    return CustomerRow(
        slug=customer.slug,
        name=customer.name,
        policy=customer.policy,
        phase=deps.fleet.phase_of(customer).short_name,
        backend=backend.version if backend else "",
        frontend=frontend.version if frontend else "",
        status=word,
        since=backend.since if backend else None,
        held=customer.held[0] if customer.held else "",
    )
