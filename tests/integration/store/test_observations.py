"""Observations count within a stage; samples come back newest-limited, oldest first."""

from pathlib import Path
from typing import Any

from securewatch.deploy.model import ServiceKind
from securewatch.deploy.view import Observation
from securewatch.health.verdict import Sample
from securewatch.store import observations
from securewatch.store.observations import Taken, TakenSample
from tests.integration.store.given import NOW, State, later, with_run

BACKEND, FRONTEND = ServiceKind.BACKEND, ServiceKind.FRONTEND


async def see(state: State, run_id: str, key: str, data: dict[str, Any], at: float = 0) -> Observation:
    async with state.database.write("observe") as tx:
        return await observations.save_observation(tx, run_id, Observation(key, later(at), data))


async def test_the_newest_observation_of_a_key_stays_and_counts(tmp_path: Path) -> None:
    async with with_run(tmp_path) as (state, run):
        await see(state, run.id, "poll:backend", {"status": "created"})
        second = await see(state, run.id, "poll:backend", {"status": "live", "doubles": [{"id": "dep-2"}]}, at=5)
        other = await see(state, run.id, "version:backend", {"state": "match"})
        async with state.database.read() as tx:
            found = await observations.observations_of(tx, run.id)

    assert second == Observation("poll:backend", later(5), {"status": "live", "doubles": [{"id": "dep-2"}]}, count=2)
    assert found == {"poll:backend": second, "version:backend": other}


async def test_cleared_observations_count_from_one_again(tmp_path: Path) -> None:
    async with with_run(tmp_path) as (state, run):
        for key in ("poll:backend", "poll:frontend", "version:backend"):
            await see(state, run.id, key, {})
        async with state.database.write("clear") as tx:
            await observations.clear_observations(tx, run.id, "poll:")
            after_a_part = set(await observations.observations_of(tx, run.id))
            await observations.clear_observations(tx, run.id)
            after_all = await observations.observations_of(tx, run.id)
        again = await see(state, run.id, "version:backend", {})

    assert (after_a_part, after_all, again.count) == ({"version:backend"}, {}, 1)


async def test_samples_come_by_service_oldest_first_and_no_more_than_asked(tmp_path: Path) -> None:
    taken = [Sample(later(n), n != 3, None if n == 3 else 10.5 * n, "no answer" if n == 3 else "") for n in range(6)]
    async with with_run(tmp_path) as (state, run):
        async with state.database.write("samples") as tx:
            for sample in reversed(taken):
                await observations.add_samples(tx, [TakenSample(run.id, BACKEND, "verifying", sample)])
            await observations.add_samples(tx, [TakenSample(run.id, FRONTEND, "watching", taken[0])])
        async with state.database.read() as tx:
            everything = await observations.newer_samples(tx, run.id, Taken(), limit=400)
            newest = await observations.newer_samples(tx, run.id, Taken(), limit=2)
            nothing = await observations.newer_samples(tx, "run-x", Taken(), limit=400)

    assert everything.by_kind == {BACKEND: tuple(taken), FRONTEND: (taken[0],)}
    assert newest.by_kind == {BACKEND: tuple(taken[4:]), FRONTEND: (taken[0],)}
    assert nothing == Taken()


async def test_only_samples_that_were_added_since_are_read(tmp_path: Path) -> None:
    taken = tuple(Sample(NOW, True, float(n)) for n in range(5))  # of one instant: they keep their order
    async with with_run(tmp_path) as (state, run):
        known = Taken()
        for sample in taken:
            async with state.database.write("samples") as tx:
                await observations.add_samples(tx, [TakenSample(run.id, BACKEND, "verifying", sample)])
            async with state.database.read() as tx:
                known = await observations.newer_samples(tx, run.id, known, limit=400)
        async with state.database.read() as tx:
            again = await observations.newer_samples(tx, run.id, known, limit=400)

    assert again is known
    assert known.by_kind == {BACKEND: taken}
