"""One contract for both hosts: the same answers whether the applications are processes or coroutines."""

import json
from pathlib import Path

import pytest

from localrender.forwarder import Request, ask
from localrender.hosting import BuildFailed, StartFailed
from localrender.sample.app.release import Release
from localrender.vendor import SampleTag, add_release, create_vendor_repo
from tests.integration.localrender.given_apps import (
    BACKEND,
    FRONTEND,
    KINDS,
    deploy,
    get,
    hosting,
    version_of,
)

pytestmark = pytest.mark.parametrize("kind", KINDS)
DATE = "2026-08-03T09:00:00+00:00"


async def test_tags_and_shas_resolve_to_commits_and_other_words_to_none(kind: str, tmp_path: Path) -> None:
    async with hosting(kind, tmp_path) as host:
        commit = host.resolve("v1.1.0")

        assert commit is not None
        assert (len(commit.id), commit.message) == (40, "Release 1.1.0: faster alerts")
        assert host.resolve(commit.id) == host.resolve(commit.id[:7]) == commit
        assert host.head() == host.resolve("v1.3.0-rc.1")
        for unknown in ("v9.9.9", "main", "HEAD", commit.id[:4], "0" * 40, "--all", "", "a b", "é"):
            assert host.resolve(unknown) is None, unknown


async def test_a_backend_tells_its_version_commit_and_the_env_vars_of_that_moment(kind: str, tmp_path: Path) -> None:
    async with hosting(kind, tmp_path) as host:
        await deploy(host, "v1.1.0", {"VERSION_TAG": "v1.1.0", "CUSTOMER_SLUG": "acme-corp"})

        version, health = await get(host, "/api/version"), await get(host, "/api/health?deep=1")

        commit = host.resolve("v1.1.0")
        assert commit is not None
        assert json.loads(version.body) == {
            "version": "1.1.0",
            "commit": commit.id,
            "configured": {"version_tag": "v1.1.0", "customer": "acme-corp"},
        }
        assert (health.status, json.loads(health.body)["status"]) == (200, "ok")
        assert (await get(host, "/nothing/here")).status == 404


async def test_the_environment_of_the_platform_reaches_no_application(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERSION_TAG", "ours")
    async with hosting(kind, tmp_path) as host:
        await deploy(host, "v1.1.0", {"CUSTOMER_SLUG": "acme-corp"})

        said = json.loads((await get(host, "/api/version")).body)

        assert said["configured"] == {"version_tag": None, "customer": "acme-corp"}


async def test_without_a_database_the_database_check_fails(kind: str, tmp_path: Path) -> None:
    async with hosting(kind, tmp_path) as host:
        await deploy(host, "v1.1.0")

        assert (await get(host, "/api/health/database")).status == 503
        assert (await get(host, "/api/health")).status == 200


async def test_version_1_2_0_passes_the_start_and_then_fails_its_health_checks(kind: str, tmp_path: Path) -> None:
    async with hosting(kind, tmp_path) as host:
        await deploy(host, "v1.2.0")

        answers = [await get(host, "/api/health") for _ in range(3)]

        assert [answer.status for answer in answers] == [500, 500, 500]
        assert {json.loads(answer.body)["status"] for answer in answers} == {"unhealthy"}
        assert await version_of(host) == "1.2.0"


async def test_going_back_to_a_good_version_heals(kind: str, tmp_path: Path) -> None:
    async with hosting(kind, tmp_path) as host:
        await deploy(host, "v1.1.0")
        await deploy(host, "v1.2.0")

        await deploy(host, "v1.1.0")

        assert (await get(host, "/api/health")).status == 200
        assert await version_of(host) == "1.1.0"


@pytest.mark.parametrize(
    ("flaw", "why"),
    [
        (Release("1.4.0", starts=False), "ended with 1 while it was starting"),
        (Release("1.4.0", healthy_answers=0), "the health check answered 500"),
    ],
)
async def test_an_instance_that_does_not_come_up_leaves_the_old_one_serving(
    kind: str, tmp_path: Path, flaw: Release, why: str
) -> None:
    repo = create_vendor_repo(tmp_path / "vendor")
    commit = add_release(repo, SampleTag("v1.4.0", "A bad one", DATE, flaw))
    async with hosting(kind, tmp_path, repo) as host:
        await deploy(host, "v1.1.0")
        built = await host.build(BACKEND, "backend", commit, {})

        with pytest.raises(StartFailed, match=why):
            await host.start(built, {})

        assert await version_of(host) == "1.1.0"
        await host.switch(BACKEND)
        assert await version_of(host) == "1.1.0"


@pytest.mark.parametrize("service_id", [BACKEND, FRONTEND])
async def test_a_commit_that_does_not_build_is_told(kind: str, tmp_path: Path, service_id: str) -> None:
    repo = create_vendor_repo(tmp_path / "vendor")
    commit = add_release(repo, SampleTag("v1.4.0", "A bad one", DATE, Release("1.4.0", builds=False)))
    async with hosting(kind, tmp_path, repo) as host:
        with pytest.raises(BuildFailed, match="the build command ended with 1"):
            await host.build(service_id, "frontend" if service_id == FRONTEND else "backend", commit, {})


async def test_a_commit_that_nobody_knows_does_not_build(kind: str, tmp_path: Path) -> None:
    async with hosting(kind, tmp_path) as host:
        with pytest.raises(BuildFailed, match="unknown"):
            await host.build(BACKEND, "backend", "0" * 40, {})


async def test_until_the_switch_the_old_instance_serves(kind: str, tmp_path: Path) -> None:
    async with hosting(kind, tmp_path) as host:
        await deploy(host, "v1.0.0")
        commit = host.resolve("v1.1.0")
        assert commit is not None
        await host.start(await host.build(BACKEND, "backend", commit.id, {}), {})

        before = await version_of(host)
        await host.discard(BACKEND)
        await host.switch(BACKEND)

        assert (before, await version_of(host)) == ("1.0.0", "1.0.0")


async def test_a_services_url_stays_and_answers_from_its_first_start_on(kind: str, tmp_path: Path) -> None:
    async with hosting(kind, tmp_path) as host:
        url = host.url(BACKEND)
        with pytest.raises(OSError, match="Connect"):
            await get(host, "/api/health")

        await deploy(host, "v1.0.0")
        await deploy(host, "v1.1.0")

        assert url == host.url(BACKEND) != host.url(FRONTEND)
        assert url.startswith("http://127.0.0.1:")
        assert (await get(host, "/api/health")).status == 200


async def test_a_closed_host_answers_no_more(kind: str, tmp_path: Path) -> None:
    async with hosting(kind, tmp_path) as host:
        await deploy(host, "v1.1.0")
        port = int(host.url(BACKEND).rpartition(":")[2])

        await host.close()

        with pytest.raises(OSError, match="Connect"):
            await ask(port, Request("GET", "/api/health"))


async def test_a_frontend_serves_the_page_of_its_build(kind: str, tmp_path: Path) -> None:
    env = {"VITE_VERSION_TAG": "v1.1.0", "VITE_CUSTOMER_SLUG": "<acme & co>"}
    async with hosting(kind, tmp_path) as host:
        await deploy(host, "v1.1.0", env, FRONTEND)

        page, version = await get(host, "/", FRONTEND), await get(host, "/version.json", FRONTEND)

        commit = host.resolve("v1.1.0")
        assert commit is not None
        assert '<meta name="version" content="1.1.0">' in page.body.decode()
        assert "Version 1.1.0 for &lt;acme &amp; co&gt;, configured as v1.1.0." in page.body.decode()
        assert page.content_type.startswith("text/html")
        assert json.loads(version.body) == {"version": "1.1.0", "commit": commit.id}
        assert (await get(host, "/../release.json", FRONTEND)).status == 404


async def test_an_earlier_build_starts_again_without_building(kind: str, tmp_path: Path) -> None:
    async with hosting(kind, tmp_path) as host:
        commit = host.resolve("v1.0.0")
        assert commit is not None
        for service_id, what in ((BACKEND, "backend"), (FRONTEND, "frontend")):
            earlier = await host.build(service_id, what, commit.id, {})
            await deploy(host, "v1.1.0", service_id=service_id)

            await host.start(earlier, {})
            await host.switch(service_id)

            assert await version_of(host, service_id) == "1.0.0"


async def test_a_suspended_service_answers_503_until_it_is_resumed(kind: str, tmp_path: Path) -> None:
    async with hosting(kind, tmp_path) as host:
        await deploy(host, "v1.1.0")

        await host.suspend(BACKEND, suspended=True)
        suspended = (await get(host, "/api/health")).status
        await host.suspend(BACKEND, suspended=False)

        assert (suspended, (await get(host, "/api/health")).status) == (503, 200)


async def test_a_service_misbehaves_on_request_and_heals(kind: str, tmp_path: Path) -> None:
    async with hosting(kind, tmp_path) as host:
        await deploy(host, "v1.1.0")

        await host.misbehave(BACKEND, {"status": 500})
        broken = (await get(host, "/api/health")).status
        await host.misbehave(BACKEND, {"body": "<html>busy</html>"})
        page = await get(host, "/api/health")
        await host.misbehave(BACKEND, {"error_rate": 0.2})
        statuses = [(await get(host, "/api/health")).status for _ in range(10)]
        await host.misbehave(BACKEND, None)

        assert broken == 500
        assert (page.status, page.body) == (200, b"<html>busy</html>")
        assert statuses == [200, 200, 200, 200, 500] * 2
        assert (await get(host, "/api/health")).status == 200


@pytest.mark.parametrize(
    "fault", [{"stauts": 500}, {"status": "500"}, {"status": 99}, {"error_rate": 2}, {"latency_ms": -1}, {"body": 1}]
)
async def test_an_unknown_or_unusable_fault_is_refused(kind: str, tmp_path: Path, fault: dict[str, object]) -> None:
    async with hosting(kind, tmp_path) as host:
        with pytest.raises(ValueError, match=r"fault|status|rate|latency|body"):
            await host.misbehave(BACKEND, fault)
