"""Rehearse a release on a virtual clock: ask the package that can, which is found by its entry point."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib.metadata import entry_points
from typing import cast

from securewatch.config.fleet import Customer, Fleet
from securewatch.core.errors import InternalError, Refused, UsageError
from securewatch.deploy.model import ServiceKind
from securewatch.deps import Deps
from securewatch.operations.release_plan import make_release_plan
from securewatch.operations.usual import usual_seconds
from securewatch.rollout.model import ReleasePlan
from securewatch.rollout.plan import ReleaseTarget, plan_release
from securewatch.rollout.usual import BUILD_SECONDS

CUSTOMERS_MAX = 100_000
GROUP = "securewatch.rehearsal"


@dataclass(frozen=True)
class Wish:
    """What is to be rehearsed. `customers` of None means those of the files; else that many, like those.

    `failure_rate` is the share of customers to whom the version is bad. `runs` courses are played, with the seeds from
    `seed` on. With `probes` of `full` every health request is played, with `verify` those that decide something.
    """

    version: str
    start_at: datetime | None = None
    customers: int | None = None
    failure_rate: float = 0.0
    seed: int = 1
    runs: int = 1
    probes: str = "verify"


@dataclass(frozen=True)
class Setting:
    """What a rehearsal is given: the plan, its day 0, the wish, and what a build usually takes, in seconds.

    `there` are the customers who have the version already.
    """

    plan: ReleasePlan
    day_zero: datetime
    wish: Wish
    build_seconds: Mapping[ServiceKind, float] = field(default_factory=dict)
    there: tuple[str, ...] = ()


@dataclass(frozen=True)
class PhaseOutcome:
    """How one course of a phase went. `ended_at` is when its last customer was verified, None where it did not end."""

    name: str
    customers: int
    ended_at: datetime | None
    deploys: int
    rollbacks: int
    failed: int


@dataclass(frozen=True)
class CourseOutcome:
    """How one course of the release went.

    `exposed` are the customers that the version was live for when the rollout halted; `journal` is a digest over all
    that happened, in order, of `changes` entries; `violations` say which invariant was broken.
    """

    seed: int
    state: str
    detail: str
    ended_at: datetime
    phases: tuple[PhaseOutcome, ...]
    approvals: int
    exposed: int
    held: tuple[str, ...]
    changes: int
    journal: str
    violations: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlayedOutcome:
    """How one course through HTTP went, on a fleet that the seed made up: how many members ended in which state, the
    requests that Render was sent, the faults that came, and which invariants a witness saw broken.
    """

    seed: int
    state: str
    days: float
    members: Mapping[str, int]
    requests: int
    restarts: int
    faults: tuple[str, ...] = ()
    violations: tuple[str, ...] = ()


Simulate = Callable[[Setting], Sequence[CourseOutcome]]


@dataclass(frozen=True)
class Rehearsed:
    """A setting, and how its courses went."""

    setting: Setting
    courses: tuple[CourseOutcome, ...]


async def simulate_release(deps: Deps, wish: Wish) -> Rehearsed:
    """Plan the release as `plan-release` does, and play it through. Writes nothing and asks Render nothing.

    Raises what `make_release_plan` raises, UsageError (SW201) for unusable numbers, Refused (SW422) where the rehearsal
    is not installed.
    """
    _check(wish)
    simulate = cast("Simulate", find_rehearsal("simulate"))
    planned = await make_release_plan(deps, wish.version, day_zero=wish.start_at, force=True)
    plan, there = planned.plan, planned.there
    if wish.customers is not None:
        fleet = enlarged(deps.fleet, wish.customers)
        plan, there = plan_release(fleet, ReleaseTarget(plan.version, plan.commit), {}), ()
    build = dict.fromkeys(ServiceKind, BUILD_SECONDS) | dict(await usual_seconds(deps))
    setting = Setting(plan, planned.schedule.day_zero, wish, build, there)
    return Rehearsed(setting, tuple(simulate(setting)))


def play_through_http(wish: Wish) -> tuple[PlayedOutcome, ...]:
    """Play releases of made-up fleets with the real client and store against the local platform in-process.

    With a failure rate above 0 things go wrong as each seed picks. Not to be called where an event loop runs: it has
    one of its own, in virtual time. Raises UsageError (SW201), Refused (SW422).
    """
    _check(wish)
    play = cast("Callable[[Wish], Sequence[PlayedOutcome]]", find_rehearsal("through_http"))
    return tuple(play(wish))


def find_rehearsal(name: str) -> object:
    """What plays releases. Raises Refused (SW422) where it is not installed."""
    found = next(iter(entry_points(group=GROUP, name=name)), None)
    if found is None:
        raise Refused(
            "SW422",
            "the rehearsal is not installed",
            why=f"no package has the entry point {name} of {GROUP}",
            fix="install SecureWatch Render with its package `rehearsal`, as its own distribution has it",
        )
    return found.load()


def refuse_broken(courses: Sequence[CourseOutcome | PlayedOutcome]) -> None:
    """Raise InternalError (SW901) where an invariant was broken: a bug; begin no release before it is found."""
    found = [(one.seed, text) for one in courses for text in one.violations]
    if found:
        raise InternalError(
            "SW901",
            f"the rehearsal broke {len(found)} invariants",
            why=f"seed {found[0][0]}: {found[0][1]}",
            fix="report it with the command line; begin no rollout before it is explained",
        )


def enlarged(fleet: Fleet, count: int) -> Fleet:
    """A fleet of that many customers, like those of the files in turn; at least one of each kind comes first."""
    like = list(fleet.customers.values())
    if not like:
        return fleet
    width = len(str(count - 1))
    made: dict[str, Customer] = {}
    for number in range(count):
        one = like[number % len(like)]
        slug = one.slug if number < len(like) else f"{one.slug}-{number:0{width}}"
        made[slug] = replace(one, slug=slug, name=one.name if number < len(like) else f"{one.name} {number}")
    return replace(fleet, customers=made)


def _check(wish: Wish) -> None:
    problems = (
        ("--failure-rate", wish.failure_rate, 0.0 <= wish.failure_rate <= 1.0, "a share from 0 to 1, like 0.02"),
        ("--runs", wish.runs, 1 <= wish.runs <= 10_000, "a number from 1 to 10000"),
        ("--customers", wish.customers, wish.customers is None or 1 <= wish.customers <= CUSTOMERS_MAX, "1 to 100000"),
        ("--probes", wish.probes, wish.probes in ("verify", "full"), "verify or full"),
    )
    for option, value, is_good, wanted in problems:
        if not is_good:
            raise UsageError(
                "SW201", f"{option} cannot be {value}", why="it is none of the accepted values", fix=f"give {wanted}"
            )
