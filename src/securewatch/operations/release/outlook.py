"""What a person asks of a rollout beyond its state: when it is expected to end, why somebody waits, what was edited."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from securewatch.core.errors import NotFound
from securewatch.deploy.readiness import WayBack
from securewatch.deploy.view import Gate
from securewatch.deps import Deps
from securewatch.operations.release.edits import notes_on_files
from securewatch.operations.release.status import MemberStatus, ReleaseStatus, load_release_status
from securewatch.operations.usual import usual_build_seconds
from securewatch.operations.way_back import load_ways_back
from securewatch.rollout.entry import gates_of_member
from securewatch.rollout.eta import CustomerEta, ReleaseEta, expect_end
from securewatch.rollout.freezes import FreezeCheck
from securewatch.rollout.model import MemberState


@dataclass(frozen=True)
class Outlook:
    """A rollout's state, when it is expected to end, and what the files say otherwise than its plan.

    `ways_back` are, by slug, those from the version, of the customers with whom it is live.
    """

    status: ReleaseStatus
    eta: ReleaseEta
    notes: tuple[str, ...]
    ways_back: Mapping[str, WayBack] = field(default_factory=dict)

    def eta_of(self, slug: str) -> CustomerEta | None:
        """When the customer is expected to be verified; None for who is through or was not asked for."""
        return next((one for one in self.eta.customers if one.slug == slug), None)


async def load_outlook(deps: Deps, version: str | None) -> Outlook:
    """The outlook of a rollout. Raises NotFound (SW208) where there is none."""
    status = await load_release_status(deps, version)
    eta = ReleaseEta()
    if not status.rollout.state.is_over:
        waiting = {one.slug: one.waiting_on for one in status.members}
        build_seconds = await usual_build_seconds(deps)
        eta = expect_end(status.view, waiting, deps.clock.now(), build_seconds=build_seconds)
    live = [one.slug for one in status.members if one.version]
    ways_back = await load_ways_back(deps, live, status.rollout.version)
    return Outlook(status, eta, notes_on_files(deps, status), ways_back)


def find_rows(deps: Deps, outlook: Outlook, customer: str | None) -> tuple[MemberStatus, ...]:
    """The row of a customer, or of everybody who has not the version yet.

    Raises NotFound: SW202 for an unknown customer, SW208 for one that is not in the rollout.
    """
    if customer is None:
        return tuple(one for one in outlook.status.members if not one.version)
    rows = {one.slug: one for one in outlook.status.members}
    slug = customer if customer in rows else deps.fleet.find_customer(customer).slug
    if slug in rows:
        return (rows[slug],)
    raise NotFound(
        "SW208",
        f"{slug} is not in the rollout {outlook.status.rollout.id}",
        why="it is new in the files and no controller has seen it yet, or its policy has no phase",
        fix="securewatch rollout status",
    )


def shut_gates(outlook: Outlook, row: MemberStatus, now: datetime) -> tuple[Gate, ...]:
    """The customer's own gates that are shut now, also where its batch or phase is not open yet."""
    view = outlook.status.view
    if row.member.state is not MemberState.PENDING:
        return ()
    return gates_of_member(view, row.member, FreezeCheck(view.freezes, now), now)
