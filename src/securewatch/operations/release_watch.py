"""Look for new versions and begin to deploy them to the customers that follow them. Carries nothing out itself."""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import asdict, dataclass

from securewatch.core.errors import GatewayError, Refused, SecurewatchError
from securewatch.deps import Deps
from securewatch.operations.follow import pause_real_seconds
from securewatch.operations.plan import DeployRequest, plan_customer
from securewatch.operations.release.start import Wish, ask_for
from securewatch.operations.release_plan import make_release_plan
from securewatch.operations.start import bind, start_run
from securewatch.rollout.model import MemberState
from securewatch.store import meta, rollouts
from securewatch.store.codec import dump_mapping
from securewatch.store.database import Tx
from securewatch.versions.version import latest_stable
from securewatch.versions.watch import (
    Mark,
    News,
    Point,
    Sight,
    Source,
    find_news,
    first_marks,
    followers,
    follows_main,
)

Begin = Callable[[Deps, News], Awaitable[None]]
"""Begins what is new for its customers. It may be asked again for what it has begun, and then begins nothing twice."""
Busy = Callable[[Deps], Awaitable[Collection[str]]]
"""The customers that nothing is begun for now: a rollout has them between its start and the end of their watch."""


@dataclass(frozen=True)
class Found:
    """News, and why they could not begin. A refusal is final; after any other trouble the next look tries again."""

    news: News
    trouble: SecurewatchError | None = None

    @property
    def is_tried_again(self) -> bool:
        """Whether the next look finds it again."""
        return self.trouble is not None and not isinstance(self.trouble, Refused)


@dataclass(frozen=True)
class WatchLook:
    """What one look found; `recorded` are the customers that it saw for the first time."""

    found: tuple[Found, ...]
    recorded: tuple[str, ...]


async def under_way(deps: Deps) -> Collection[str]:
    """The demo customers that a rollout has between its start and the end of their watch."""
    async with (await deps.database()).read() as tx:
        found = [
            one
            for rollout in await rollouts.open_rollouts(tx)
            for one in (await rollouts.members_of(tx, rollout.id)).values()
        ]
    return {one.slug for one in found if one.state in (MemberState.RUNNING, MemberState.VERIFIED)}


async def begin_release(deps: Deps, news: News) -> None:
    """A new minor release begins its rollout with the demo customers; anything else is a deploy to each of them."""
    version = news.point.version
    if news.source is not Source.TAG or version.semantic.patch:
        await deploy_to_each(deps, news)
        return
    planned = await make_release_plan(deps, version.tag, force=True)
    wish = Wish(version.tag, lambda _: news.slugs, reason="the watcher saw a new tag")
    await ask_for(deps, wish, planned.plan, lambda _: None)


async def deploy_to_each(deps: Deps, news: News) -> None:
    """A deploy for each of the customers, as `deploy-customer` begins one; the first trouble is raised after the last.

    Nothing is begun where the version is there, and a deploy of it that is under way stays what it is.
    """
    troubles: list[SecurewatchError] = []
    what = "a new tag" if news.source is Source.TAG else "a new head of main"
    for slug in news.slugs:
        request = DeployRequest(slug, news.point.version.tag, reason=f"the watcher saw {what}")
        try:
            await start_run(deps, await plan_customer(deps, request))
        except SecurewatchError as error:
            troubles.append(error)
    if troubles:
        # One that is not final makes the next look try again; for those that have begun nothing happens twice.
        raise min(troubles, key=lambda one: isinstance(one, Refused))


async def look_once(deps: Deps, *, busy: Busy = under_way, begin: Begin = begin_release) -> WatchLook:
    """Look at the repository, begin what is new and keep how far that is.

    Raises ConfigError, Conflict (SW414) and GatewayError (SW205); trouble with what was found is told in the look.
    """
    fleet, database = deps.fleet, await deps.database()
    sight = await _see(deps)
    async with database.write("watch") as tx:
        await bind(deps, tx, None)
        kept = {one.slug: await meta.get_meta(tx, _key(one.slug)) for one in followers(fleet)}
        marks = {slug: Mark(**json.loads(text)) for slug, text in kept.items() if text is not None}
        first = first_marks(fleet, marks, sight)
        await _keep(tx, first)
    found = []
    for news in find_news(fleet, {**marks, **first}, sight, busy=await busy(deps)):
        found.append(one := Found(news, await _trouble_of(begin(deps, news))))
        if not one.is_tried_again:
            async with database.write("watch") as tx:
                await _keep(tx, news.marks)
    return WatchLook(tuple(found), tuple(slug for slug in first if slug not in marks))


async def watch(
    deps: Deps,
    *,
    every_seconds: float,
    tell: Callable[[WatchLook | GatewayError], None],
    look: Callable[[Deps], Awaitable[WatchLook]] = look_once,
) -> None:
    """Look again and again until cancelled; a repository that cannot be read is told, and looked at again.

    `every_seconds` are real ones: the repository knows no other time.
    """
    while True:
        try:
            tell(await look(deps))
        except GatewayError as error:
            tell(error)
        await pause_real_seconds(every_seconds)


async def _see(deps: Deps) -> Sight:
    tags = {tag.version: tag.commit for tag in await deps.repository.list_tags() if tag.version is not None}
    newest = latest_stable(tuple(tags))
    main = None
    if any(follows_main(deps.fleet, one) for one in followers(deps.fleet)):
        main = await deps.repository.describe_main()
    return Sight(
        newest=Point(newest, tags[newest]) if newest else None,
        main=Point(main.version, main.commit) if main and main.version else None,
    )


async def _trouble_of(work: Awaitable[None]) -> SecurewatchError | None:
    try:
        await work
    except SecurewatchError as error:
        return error
    return None


async def _keep(tx: Tx, marks: Mapping[str, Mark]) -> None:
    for slug, mark in marks.items():
        await meta.set_meta(tx, _key(slug), dump_mapping(asdict(mark)))


def _key(slug: str) -> str:
    return f"watch:{slug}"
