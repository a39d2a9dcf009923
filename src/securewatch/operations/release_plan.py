"""Plan a release over the whole fleet, and find plans again. Asks git and the state alone, and writes nothing there."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from securewatch.config.fleet import Fleet
from securewatch.core.errors import NeedsHuman, NotFound, Refused, UsageError
from securewatch.deps import Deps
from securewatch.operations.files import write_file
from securewatch.operations.plan import BOTH, refuse_moved
from securewatch.operations.usual import load_known
from securewatch.rollout.differences import Difference, diff_plans
from securewatch.rollout.model import ReleasePlan
from securewatch.rollout.plan import ReleaseTarget, hash_of_release, plan_release
from securewatch.rollout.schedule import Schedule, make_schedule
from securewatch.store import release_plans, releases
from securewatch.store.codec import dump, load
from securewatch.store.releases import Release
from securewatch.versions.version import find_version, parse_version


@dataclass(frozen=True)
class PlannedRelease:
    """A plan, laid on the calendar as things are now. `there` are the customers who have the version already."""

    plan: ReleasePlan
    schedule: Schedule
    made_at: datetime
    there: tuple[str, ...] = ()

    @property
    def is_feasible(self) -> bool:
        """Whether every customer to whom the version comes finds a slot."""
        return not self.schedule.conflicts


async def make_release_plan(
    deps: Deps, version: str, *, day_zero: datetime | None = None, force: bool = False, only_minor: bool = True
) -> PlannedRelease:
    """The plan of a version for everybody, from `day_zero` on (now, where it is None).

    Raises NotFound (SW203), UsageError (SW204; SW214 for a patch, with `only_minor`), Conflict (SW412) for a moved tag,
    and Refused (SW418) where customers have no slot, without `force`.
    """
    tag = await deps.repository.resolve(version)
    if only_minor:
        _refuse_patch(tag.name)
    await refuse_moved(deps, tag)
    plan = await plan_of(deps, deps.fleet, version=tag.name, commit=tag.commit)
    current = _versions_of(await _current(deps))
    there = tuple(one.slug for phase in plan.phases for one in phase.due if current.get(one.slug) == tag.name)
    now = deps.clock.now()
    known = replace(await load_known(deps, plan), there=there)
    planned = PlannedRelease(plan, make_schedule(plan, day_zero or now, now=now, known=known), now, there)
    if not planned.is_feasible and not force:
        raise infeasible(planned)
    return planned


async def plan_of(deps: Deps, fleet: Fleet, *, version: str, commit: str) -> ReleasePlan:
    """The plan of a version, at that commit, for the customers of `fleet`, by the tags and what is on record now."""
    tags = tuple(one.version for one in await deps.repository.list_tags() if one.version is not None)
    return plan_release(fleet, ReleaseTarget(version, commit, tags), _versions_of(await _current(deps)))


def _refuse_patch(version: str) -> None:
    found = parse_version(version)
    if not found.semantic.patch:
        return
    minor = f"v{found.semantic.major}.{found.semantic.minor}.0"
    raise UsageError(
        "SW214",
        f"{version} is no minor release",
        why=f"a release comes to the whole fleet by its calendar and has patch 0, like {minor}; {version} is a patch",
        fix=f"securewatch deploy-customer --version {version} --customer SLUG",
    )


def infeasible(planned: PlannedRelease) -> Refused:
    """The refusal of a plan in which customers have no slot (SW418)."""
    plan = planned.plan
    return Refused(
        "SW418",
        f"the plan of {plan.version} is not feasible",
        why="; ".join(one.text for one in planned.schedule.conflicts),
        fix="change the windows, freezes, lanes or notices in the files, or the start with --start-at; "
        "--force goes on all the same",
    )


async def _current(deps: Deps) -> Sequence[Release]:
    database = await deps.existing_database()
    if database is None:
        return ()
    async with database.read() as tx:
        return await releases.current_releases(tx)


def _versions_of(rows: Sequence[Release]) -> Mapping[str, str]:
    """What each customer runs; of a split pair the older half, and nothing where one half is not known."""
    halves: dict[str, list[str]] = {}
    for one in rows:
        halves.setdefault(one.slug, []).append(one.version)
    return {slug: _older(versions) for slug, versions in halves.items() if len(versions) == len(BOTH)}


def _older(versions: Sequence[str]) -> str:
    known = sorted(one for one in map(find_version, versions) if one is not None)
    return known[0].tag if len(known) == len(versions) else versions[0]


# --- plans as files ---------------------------------------------------------------------------------------------------


def save_plan_file(plan: ReleasePlan, path: Path) -> None:
    """Write the plan as it is, for reading and for `load_plan_file`. Raises UsageError (SW201)."""
    text = json.dumps(json.loads(dump(plan)), indent=2, ensure_ascii=False)
    write_file(path, f"{text}\n".encode(), example="--out plan.json")


def load_plan_file(path: Path) -> ReleasePlan:
    """The plan that `save_plan_file` wrote. Raises UsageError (SW206) for a file that holds no plan, or another than
    its hash says.
    """
    try:
        plan = load(ReleasePlan, path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is no text"
        raise _no_plan(path, why) from error
    except NeedsHuman as error:
        raise _no_plan(path, error.why) from error
    if hash_of_release(plan) != plan.hash:
        raise _no_plan(path, "what it says is not what its hash stands for: it was changed")
    return plan


async def find_plan(deps: Deps, word: str) -> ReleasePlan:
    """The plan of a file, or the one on record whose hash begins so. Raises like `load_plan_file`, NotFound (SW206)."""
    path = Path(word)
    if path.suffix or path.is_file():
        return load_plan_file(path)
    database = await deps.existing_database()
    found: Sequence[ReleasePlan] = ()
    if database is not None and word:
        async with database.read() as tx:
            found = await release_plans.find_release_plans(tx, word)
    if len(found) == 1:
        return found[0]
    count = f"{len(found)} begin so" if found else "none begins so, and there is no such file"
    raise NotFound(
        "SW206",
        f"there is no plan {word!r}",
        why=f"of the plans on record {count}",
        fix="give the file that `plan-release --out FILE` wrote, or more of the hash",
    )


async def compare_plans(deps: Deps, before: str, after: str) -> tuple[Difference, ...]:
    """What differs between two plans, each a file or the beginning of a hash. Raises like `find_plan`."""
    return diff_plans(await find_plan(deps, before), await find_plan(deps, after))


def _no_plan(path: Path, why: str) -> UsageError:
    return UsageError(
        "SW206",
        f"{path} holds no plan of a release",
        why=why,
        fix="write one with `securewatch plan-release --version v1.1.0 --out plan.json`",
    )
