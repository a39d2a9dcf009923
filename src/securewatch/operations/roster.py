"""Keeps the customers of open rollouts in step with the files: who came joins, who went leaves. Knows no rule.

The files are looked at by their times and sizes and read only after a change. Files that cannot be read change nothing.
"""

import asyncio
import logging
from dataclasses import replace
from datetime import datetime

from securewatch.config.fleet import Customer, Fleet
from securewatch.config.load import FleetReader
from securewatch.controller.commit_rollout import Scribe
from securewatch.core.errors import ConfigError
from securewatch.deps import Deps
from securewatch.operations.release_plan import plan_of
from securewatch.rollout.model import ReleasePlan, Rollout
from securewatch.rollout.roster import join, leave
from securewatch.store import release_plans, rollouts

log = logging.getLogger(__name__)


class RosterKeeper:
    """Brings the members of every open rollout up to date after a change of the files, on behalf of this process."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._reader = FleetReader(deps.config_dir)
        self._seen: dict[str, object] = {}

    def stamp(self) -> object:
        """Changes when a file does. Cheap."""
        return self._reader.stamp()

    async def keep(self, now: datetime) -> None:
        """Write who joined or left, where the files changed since the last time. Raises GatewayError where git fails.

        Files that cannot be read are logged and left alone until they change again.
        """
        stamp, database = self._reader.stamp(), await self._deps.database()
        async with database.read() as tx:
            found = [one for one in await rollouts.open_rollouts(tx) if self._seen.get(one.id) != stamp]
        if not found:
            return
        try:
            fleet = await asyncio.to_thread(self._reader)
        except ConfigError as error:
            log.warning("the files cannot be read", extra={"action": "files_broken", "code": error.code})
            self._seen.update((one.id, stamp) for one in found)
            return
        for rollout in found:
            if not rollout.state.is_over:
                await self._bring_up_to_date(rollout, fleet, now)
            self._seen[rollout.id] = stamp

    async def _bring_up_to_date(self, rollout: Rollout, fleet: Fleet, now: datetime) -> None:
        deps, database = self._deps, await self._deps.database()
        async with database.read() as tx:
            known = await rollouts.members_of(tx, rollout.id)
        new = {slug: one for slug, one in fleet.customers.items() if slug not in known and not one.held}
        latest = await self._plan(rollout, fleet, new) if new else None
        scribe = Scribe(deps.box(create=True), deps.settings.actor, now)
        async with database.read() as tx:
            plan = await release_plans.load_release_plan(tx, rollout.plan_hash)
            members = await rollouts.members_of(tx, rollout.id)
        if plan is None:
            return
        joining = join(rollout, plan, members, latest=latest, now=now) if latest else ()
        changed = leave(rollout, plan, members, fleet.customers.keys(), now=now)
        if not joining and not changed:
            return
        async with database.write("roster") as tx:
            for one in joining:
                await scribe.add_member(tx, one)
            for one in changed:
                await scribe.save_member(tx, members[one.slug], one)

    async def _plan(self, rollout: Rollout, fleet: Fleet, new: dict[str, Customer]) -> ReleasePlan:
        """The version as it would come to the new customers alone; from here on this process knows them."""
        self._deps.admit(new)
        return await plan_of(self._deps, replace(fleet, customers=new), version=rollout.version, commit=rollout.commit)
