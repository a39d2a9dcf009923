"""Carries out looks and records what they saw. Reads outside, writes only our own observations."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from securewatch.core.clock import Clock
from securewatch.core.errors import Conflict, InternalError, NotFound, Rejected, UsageError
from securewatch.core.ids import ServiceID
from securewatch.deploy import looks
from securewatch.deploy.looks import Sight
from securewatch.deploy.view import TROUBLE, Effect, EffectKind, Look, LookKind, Observation, View
from securewatch.store import observations, sealed
from securewatch.store.box import SecretBox
from securewatch.store.database import Database
from securewatch.store.news import samples_of
from securewatch.store.observations import TakenSample


class Observer:
    """Looks on behalf of runs."""

    def __init__(self, database: Database, box: SecretBox, sight: Sight, *, clock: Clock) -> None:
        self._database = database
        self._box = box
        self._sight = sight
        self._clock = clock
        self._samples = _SampleBook(database)

    async def look(self, view: View, look: Look) -> datetime | None:
        """Make one look and record it. Raises the gateways' errors; the caller tries again later.

        A refusal (not an outage) is noted too: after some the decision is that the run stops.
        """
        if look.kind is LookKind.SAMPLE:
            await self._sample(view, look)
            return None
        try:
            data = await self._see(view, look)
        except (Rejected, NotFound) as error:
            trouble = {"code": error.code, "what": error.what}
            await self._save(view, Observation(TROUBLE + look.key, self._clock.now(), trouble))
            raise
        await self._save(view, Observation(look.key, self._clock.now(), data))
        return None

    async def _save(self, view: View, seen: Observation) -> None:
        async with self._database.write("observe", about=(view.run.id,)) as tx:
            if TROUBLE + seen.key in view.observations:
                await observations.clear_observations(tx, view.run.id, TROUBLE + seen.key)
            await observations.save_observation(tx, view.run.id, seen)

    async def _sample(self, view: View, look: Look) -> None:
        if look.service_kind is None:
            raise InternalError("SW901", "a sample needs a service")
        sample = await looks.look_sample(self._sight, view.customer, look.service_kind)
        await self._samples.add(TakenSample(view.run.id, look.service_kind, str(view.run.stage), sample))

    async def _see(self, view: View, look: Look) -> Mapping[str, Any]:
        match look.kind:
            case LookKind.PREFLIGHT:
                return await self._preflight(view)
            case LookKind.POLL:
                return await looks.look_poll(self._sight, look, _maker(view, str(look.args["deploy_id"])))
            case LookKind.VERSION:
                return await looks.look_version(self._sight, view.customer, look)
            case LookKind.DATABASE:
                return await looks.look_database(self._sight, view.customer, look)
            case LookKind.WAY_BACK:
                return await self._way_back(view, look)
            case LookKind.AUTODEPLOY:
                return await looks.look_autodeploy(self._sight, look)
            case LookKind.SAMPLE:
                raise InternalError("SW901", "samples are recorded apart")

    async def _preflight(self, view: View) -> Mapping[str, Any]:
        """The checks; what refuses the run for good becomes data, since it is not a fault of a neighbour."""
        try:
            return await looks.look_preflight(self._sight, view.plan, view.customer)
        except (Conflict, NotFound, UsageError) as error:
            return {"problems": [{"code": error.code, "what": error.what, "fix": error.fix}], "good": []}

    async def _way_back(self, view: View, look: Look) -> Mapping[str, Any]:
        service_id = ServiceID(str(look.args["service_id"]))
        async with self._database.read() as tx:
            backup = await sealed.open_values(
                tx, self._box, purpose="backup", run_id=view.run.id, service_id=service_id
            )
            ours = await sealed.open_values(tx, self._box, purpose="write", run_id=view.run.id, service_id=service_id)
        return await looks.look_way_back(self._sight, look, backup=backup, ours=ours or {})


class _SampleBook:
    """Writes samples down. Those that come in while another write is under way share the next transaction: a batch of
    customers is looked at every few seconds, and a commit waits for the disk.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = asyncio.Lock()
        self._waiting: list[TakenSample] = []

    async def add(self, taken: TakenSample) -> None:
        """Return once it is committed. Raises what the transaction raises; then those of others are tried again."""
        self._waiting.append(taken)
        async with self._turn:
            if taken not in self._waiting:
                return
            await asyncio.sleep(0)  # so that both halves of a customer, asked at the same moment, come in together
            page, self._waiting = self._waiting, []
            try:
                async with self._database.write("observe", about={samples_of(one.run_id) for one in page}) as tx:
                    await observations.add_samples(tx, page)
            except BaseException:
                self._waiting += [one for one in page if one is not taken]
                raise


def _maker(view: View, deploy_id: str) -> Effect | None:
    """The effect that made a deploy, with its snapshot."""
    makers = (EffectKind.DEPLOY, EffectKind.ROLL_BACK)
    return next(
        (one for one in view.effects.values() if one.kind in makers and one.result.get("deploy_id") == deploy_id), None
    )
