"""The vendor's versions: list them, check one, and ask what a customer's policy says of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from securewatch.config.fleet import PHASE_OF_POLICY, Customer
from securewatch.core.errors import UsageError
from securewatch.deploy.model import ServiceKind
from securewatch.deps import Deps
from securewatch.operations.plan import BOTH, find_policy, refuse_moved
from securewatch.store import meta, releases
from securewatch.store.releases import Release
from securewatch.versions.policy import PolicyFinding
from securewatch.versions.tag import Tag
from securewatch.versions.version import parse_version


@dataclass(frozen=True)
class VersionRow:
    """One tag; `moved_from` is the commit that it had when it was first planned with, where that differs.

    `customers` have it on both services; those that are `split` on one only, which is named.
    """

    tag: Tag
    moved_from: str
    customers: tuple[str, ...]
    split: Mapping[str, ServiceKind]


@dataclass(frozen=True)
class PolicyAnswer:
    """What one customer's policy says of a version."""

    slug: str
    policy: str
    findings: tuple[PolicyFinding, ...]

    @property
    def is_allowed(self) -> bool:
        """Whether every rule is met."""
        return all(one.ok for one in self.findings)


async def list_versions(deps: Deps) -> list[VersionRow]:
    """Every tag, the newest version first, with the customers that run it as far as is recorded."""
    tags = await deps.repository.list_tags()
    first: dict[str, str | None] = {}
    current: Sequence[Release] = ()
    database = await deps.existing_database()
    if database is not None:
        async with database.read() as tx:
            first = {tag.name: await meta.get_meta(tx, f"tag:{tag.name}") for tag in tags}
            current = await releases.current_releases(tx)
    return [_row(tag, first.get(tag.name), [one for one in current if one.version == tag.name]) for tag in tags]


def _row(tag: Tag, before: str | None, current: Sequence[Release]) -> VersionRow:
    kinds: dict[str, list[ServiceKind]] = {}
    for one in current:
        kinds.setdefault(one.slug, []).append(one.service_kind)
    return VersionRow(
        tag,
        moved_from=before if before and before != tag.commit else "",
        customers=tuple(slug for slug, found in kinds.items() if len(found) == len(BOTH)),
        split={slug: found[0] for slug, found in kinds.items() if len(found) < len(BOTH)},
    )


async def validate(deps: Deps, version: str) -> Tag:
    """The tag of a version that can be deployed: well-formed, there, and not moved.

    Raises UsageError (SW204), NotFound (SW203), Conflict (SW412), GatewayError (SW205).
    """
    tag = await deps.repository.resolve(version)
    parse_version(tag.name)
    await refuse_moved(deps, tag)
    return tag


async def check_policy(
    deps: Deps, version: str, *, customer: str | None = None, policy: str | None = None
) -> list[PolicyAnswer]:
    """What the policies of the customer, of a policy's customers, or of all say of the version.

    Raises like `validate`, NotFound (SW202) for an unknown customer, UsageError (SW201) for an unknown policy.
    """
    tag = await validate(deps, version)
    chosen = _chosen(deps, customer, policy)
    current: dict[str, str] = {}
    database = await deps.existing_database()
    if database is not None:
        async with database.read() as tx:
            found = await releases.current_releases(tx)
            current = {one.slug: one.version for one in found if one.service_kind is ServiceKind.BACKEND}
    return [
        PolicyAnswer(one.slug, one.policy, await find_policy(deps, one, tag.name, current.get(one.slug, "")))
        for one in chosen
    ]


def _chosen(deps: Deps, customer: str | None, policy: str | None) -> Sequence[Customer]:
    known = [deps.fleet.find_customer(customer)] if customer else list(deps.fleet.customers.values())
    if policy is not None and policy not in PHASE_OF_POLICY:
        raise UsageError(
            "SW201",
            f"there is no policy {policy!r}",
            why="it is none of the policies that a release knows",
            fix=f"give {', '.join(PHASE_OF_POLICY)}",
        )
    return [one for one in known if policy in (None, one.policy)]
