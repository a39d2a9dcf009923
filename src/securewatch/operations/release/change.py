"""What people ask of an open rollout: pause, resume, abort, retry, skip. Each is committed at once and audited."""

from collections.abc import Callable, Sequence
from datetime import datetime

from securewatch.controller.commit_rollout import Scribe
from securewatch.core.errors import NotFound, UsageError
from securewatch.deps import Deps
from securewatch.operations.release.status import find_rollout
from securewatch.operations.start import bind
from securewatch.rollout import verbs
from securewatch.rollout.model import Member, Rollout
from securewatch.store import rollouts

Changed = tuple[Rollout, Sequence[Member]]
Change = Callable[[Rollout, Sequence[Member], datetime], Changed]


async def pause_rollout(deps: Deps, version: str | None, *, reason: str) -> Rollout:
    """Start nothing new. Raises NotFound (SW208), Conflict (SW421), as all here do."""
    return await _change(deps, version, lambda rollout, _, now: (verbs.pause(rollout, now, reason=reason), ()))


async def resume_rollout(deps: Deps, version: str | None) -> Rollout:
    """Go on; after a halt the failures so far count as seen."""
    return await _change(deps, version, verbs.resume)


async def abort_rollout(deps: Deps, version: str | None, *, reason: str) -> Rollout:
    """Never start anything more; what runs and is watched goes on."""
    return await _change(deps, version, lambda *rows: verbs.abort(*rows, reason=reason))


async def list_rollouts(deps: Deps) -> Sequence[Rollout]:
    """Every rollout there is and was, oldest first."""
    database = await deps.existing_database()
    if database is None:
        return ()
    async with database.read() as tx:
        return await rollouts.all_rollouts(tx)


async def retry_customer(deps: Deps, version: str | None, customer: str) -> Rollout:
    """Try a customer again that failed, was taken back, held or skipped."""
    slug = deps.fleet.find_customer(customer).slug
    return await _change(
        deps, version, lambda rollout, members, now: (rollout, (verbs.retry(rollout, _one(members, slug), now),))
    )


async def skip_customer(deps: Deps, version: str | None, customer: str, *, reason: str) -> Rollout:
    """Leave a customer out. Raises UsageError (SW417) without a reason."""
    if not reason.strip():
        raise UsageError(
            "SW417", "skipping a customer needs a reason", why="it gets no version", fix='add --reason "..."'
        )
    slug = deps.fleet.find_customer(customer).slug

    def leave_out(rollout: Rollout, members: Sequence[Member], now: datetime) -> Changed:
        return rollout, (verbs.skip(rollout, _one(members, slug), now, reason=reason),)

    return await _change(deps, version, leave_out)


def _one(members: Sequence[Member], slug: str) -> Member:
    found = next((one for one in members if one.slug == slug), None)
    if found is None:
        raise NotFound(
            "SW208",
            f"{slug} is not in the rollout",
            why="it is new in the files and no controller has seen it yet, or its policy has no phase",
            fix="securewatch rollout status",
        )
    return found


async def _change(deps: Deps, version: str | None, change: Change) -> Rollout:
    database = await deps.existing_database()
    if database is None:
        raise NotFound(
            "SW208", "there is no rollout", why="there is no state database yet", fix="securewatch plan-release"
        )
    scribe = Scribe(deps.box(create=True), deps.settings.actor, deps.clock.now())
    async with database.write("change rollout") as tx:
        await bind(deps, tx, None)
        before = await find_rollout(tx, version)
        members = await rollouts.members_of(tx, before.id)
        after, changed = change(before, tuple(members.values()), scribe.at)
        for one in changed:
            await scribe.save_member(tx, members[one.slug], one)
        return after if after == before else await scribe.save_rollout(tx, before, after)
