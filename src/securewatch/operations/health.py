"""Is a customer well right now? Probes its services and says what they run. Changes nothing."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from securewatch.config.fleet import Customer
from securewatch.core.clock import Clock
from securewatch.deploy.facts import ServiceFacts
from securewatch.deploy.model import ServiceKind
from securewatch.deploy.plan import expected_services
from securewatch.deps import Deps
from securewatch.health.probe import DatabaseState, Prober, ProbeTarget, VersionAnswer, VersionState
from securewatch.health.verdict import Baseline, Sample, baseline_of
from securewatch.operations.owner import find_owner
from securewatch.operations.plan import BOTH, fetch_all

SAMPLE_INTERVAL_SECONDS = 1.0


@dataclass(frozen=True)
class ServiceHealth:
    """One service's answers. `database` is empty for a frontend; response times are in milliseconds."""

    kind: ServiceKind
    service_id: str
    url: str
    domains: tuple[str, ...]
    is_healthy: bool
    reason: str
    version: str
    database: str
    response: Baseline
    live_deploy_id: str
    live_commit: str
    tag: str


@dataclass(frozen=True)
class CustomerHealth:
    """The health of a customer; `split` names the versions where backend and frontend run different ones (S9)."""

    slug: str
    name: str
    services: tuple[ServiceHealth, ...]
    split: str

    @property
    def is_healthy(self) -> bool:
        """Whether every service answered every time."""
        return all(one.is_healthy for one in self.services)


async def check_health(
    deps: Deps, slug: str, *, kinds: tuple[ServiceKind, ...] = BOTH, sample_count: int = 3
) -> CustomerHealth:
    """Take a few samples of each service, one second apart, and ask for version and database.

    Raises NotFound for an unknown customer or service, SignInNeeded, and the gateway's errors.
    """
    customer = deps.fleet.find_customer(slug)
    await find_owner(deps)
    facts = await fetch_all(deps, expected_services(deps.fleet, customer, kinds))
    tags = {tag.commit: tag.name for tag in reversed(await deps.repository.list_tags())}
    prober = await deps.prober()
    found = await asyncio.gather(*(_check(deps, prober, one, tags, sample_count) for one in facts))
    return CustomerHealth(customer.slug, customer.name, tuple(found), _split(customer, tuple(found)))


async def _check(
    deps: Deps, prober: Prober, facts: ServiceFacts, tags: dict[str, str], sample_count: int
) -> ServiceHealth:
    paths = deps.fleet.endpoints
    target = ProbeTarget(str(facts.kind), facts.url, paths.health, paths.version, paths.database)
    samples = await _sample(deps.clock, prober, target, sample_count)
    commit = facts.live.commit or "" if facts.live else ""
    tag = tags.get(commit, "")
    version = await prober.version(target, expected_version=tag, expected_commit=None)
    database = await prober.database(target)
    bad = [one.reason for one in samples if not one.ok]
    reason = f"{len(bad)} of {len(samples)} checks failed: {bad[-1]}" if bad else ""
    if version.state is VersionState.MISMATCH and tag:
        reason = reason or f"it reports {version.reported_version}, and Render runs {tag}"
    if database.state is DatabaseState.FAILED:
        reason = reason or f"database: {database.detail}"
    return ServiceHealth(
        kind=facts.kind,
        service_id=facts.service_id,
        url=facts.url,
        domains=facts.domains,
        is_healthy=not reason,
        reason=reason,
        version=_words(version),
        database=str(database.state).replace("_", " ") if target.is_backend else "",
        response=baseline_of(samples),
        live_deploy_id=facts.live.id if facts.live else "",
        live_commit=commit,
        tag=tag,
    )


async def _sample(clock: Clock, prober: Prober, target: ProbeTarget, count: int) -> list[Sample]:
    samples = [await prober.sample(target)]
    while len(samples) < count:
        await clock.sleep_until(clock.now() + timedelta(seconds=SAMPLE_INTERVAL_SECONDS), wake=asyncio.Event())
        samples.append(await prober.sample(target))
    return samples


def _words(answer: VersionAnswer) -> str:
    return answer.reported_version or str(answer.state).replace("_", " ")


def _split(customer: Customer, services: tuple[ServiceHealth, ...]) -> str:
    versions = {one.kind: one.tag or one.live_commit[:12] for one in services}
    if len(set(versions.values())) < 2:
        return ""
    return f"{customer.slug} is split: " + ", ".join(f"{kind} {version}" for kind, version in versions.items())
