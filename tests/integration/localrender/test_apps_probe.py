"""The product's own probe takes the sample application's answers for what they are, over HTTP alone."""

from pathlib import Path

import pytest

from securewatch.core.clock import RealClock
from securewatch.health.probe import DatabaseState, Prober, ProbeTarget, VersionState
from tests.integration.localrender.given_apps import BACKEND, FRONTEND, KINDS, deploy, hosting


@pytest.mark.parametrize("kind", KINDS)
async def test_health_version_and_database_are_understood(kind: str, tmp_path: Path) -> None:
    async with hosting(kind, tmp_path) as host, Prober(clock=RealClock()) as prober:
        backend, frontend = ProbeTarget("backend", host.url(BACKEND)), ProbeTarget("frontend", host.url(FRONTEND))
        for service_id in (BACKEND, FRONTEND):
            await deploy(host, "v1.1.0", service_id=service_id)
        commit = host.resolve("v1.1.0")
        assert commit is not None

        samples = [await prober.sample(target) for target in (backend, frontend)]
        versions = [
            await prober.version(target, expected_version="v1.1.0", expected_commit=commit.id)
            for target in (backend, frontend)
        ]
        older = [await prober.version(target, expected_version="v1.0.0") for target in (backend, frontend)]
        database = await prober.database(backend)
        await deploy(host, "v1.2.0")
        sick = await prober.sample(backend)

    assert [sample.ok for sample in samples] == [True, True]
    assert [answer.state for answer in versions] == [VersionState.MATCH, VersionState.MATCH]
    assert [answer.state for answer in older] == [VersionState.MISMATCH, VersionState.MISMATCH]
    assert database.state is DatabaseState.FAILED
    assert (sick.ok, sick.reason) == (False, "status 500")
