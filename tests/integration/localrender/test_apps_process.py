"""What only processes can get wrong: leaving some behind, and files."""

import asyncio
import os
import select
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from localrender.apps import ProcessHost
from localrender.hosting import BuildFailed
from localrender.vendor import create_vendor_repo, git
from tests.integration.localrender.given_apps import BACKEND, deploy, get, version_of

WAIT_SECONDS = 10
HOLDER = """
import asyncio, sys
from pathlib import Path
from localrender.apps import ProcessHost

async def main():
    host = ProcessHost(Path(sys.argv[1]), Path(sys.argv[2]))
    commit = host.resolve("v1.1.0").id
    for service in ("srv-one", "srv-two"):
        await host.start(await host.build(service, "backend", commit, {}), {})
    await host.switch("srv-one")
    print(*host.pids, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def ended(pids: Iterable[int]) -> bool:
    """Wait until every process has ended; false when one still runs after the time."""
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            if not select.select([descriptor], [], [], WAIT_SECONDS)[0]:
                return False
        finally:
            os.close(descriptor)
    return True


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="watches processes as Linux does")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_platform_that_is_killed_leaves_no_process_behind(tmp_path: Path, how: signal.Signals) -> None:
    repo = create_vendor_repo(tmp_path / "vendor")
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, str(repo), str(tmp_path / "work"), stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    pids = [int(word) for word in (await holder.stdout.readline()).split()]

    holder.send_signal(how)
    await holder.wait()

    assert len(pids) == 2
    assert ended(pids)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="watches processes as Linux does")
async def test_one_process_a_service_runs_and_none_after_the_end(tmp_path: Path) -> None:
    host = ProcessHost(create_vendor_repo(tmp_path / "vendor"), tmp_path / "work")
    await deploy(host, "v1.0.0")
    first = host.pids
    await deploy(host, "v1.1.0")
    second = host.pids

    await host.close()

    assert (len(first), len(second), len(first & second)) == (1, 1, 0)
    assert host.pids == frozenset()
    assert ended(first | second)
    assert list((tmp_path / "work").iterdir()) == []


async def test_a_second_start_replaces_the_one_that_nobody_switched_to(tmp_path: Path) -> None:
    host = ProcessHost(create_vendor_repo(tmp_path / "vendor"), tmp_path / "work")
    for ref in ("v1.0.0", "v1.1.0"):
        commit = host.resolve(ref)
        assert commit is not None
        await host.start(await host.build(BACKEND, "backend", commit.id, {}), {})
    await host.switch(BACKEND)

    running, version = len(host.pids), await version_of(host)
    await host.close()

    assert (running, version) == (1, "1.1.0")


async def test_a_cancelled_start_ends_its_process_and_leaves_the_old_one_serving(tmp_path: Path) -> None:
    host = ProcessHost(create_vendor_repo(tmp_path / "vendor"), tmp_path / "work")
    await deploy(host, "v1.0.0")
    commit = host.resolve("v1.1.0")
    assert commit is not None
    built = await host.build(BACKEND, "backend", commit.id, {})
    before = host.pids

    starting = asyncio.create_task(host.start(built, {}))
    while host.pids == before and not starting.done():
        await asyncio.sleep(0)
    starting.cancel()
    await asyncio.wait([starting])

    assert starting.cancelled()
    assert (before, await version_of(host)) == (host.pids, "1.0.0")
    await host.close()


async def test_an_instance_that_died_is_answered_for_with_502(tmp_path: Path) -> None:
    host = ProcessHost(create_vendor_repo(tmp_path / "vendor"), tmp_path / "work")
    await deploy(host, "v1.1.0")
    for pid in host.pids:
        os.kill(pid, signal.SIGKILL)

    answer = await get(host, "/api/health")
    await host.close()

    assert answer.status == 502


async def test_a_tag_that_moves_or_appears_is_seen(tmp_path: Path) -> None:
    repo = create_vendor_repo(tmp_path / "vendor")
    host = ProcessHost(repo, tmp_path / "work")
    before = host.resolve("v1.1.0")

    git(repo, "tag", "--force", "v1.1.0", "v1.0.0^{commit}")
    git(repo, "tag", "v1.1.1", "v1.0.1^{commit}")

    assert before != host.resolve("v1.1.0") == host.resolve("v1.0.0")
    assert host.resolve("v1.1.1") == host.resolve("v1.0.1")


async def test_a_commit_without_an_application_does_not_build(tmp_path: Path) -> None:
    repo = create_vendor_repo(tmp_path / "vendor")
    git(repo, "rm", "-r", "--quiet", "app")
    git(repo, "commit", "--quiet", "--message", "Nothing left", date="2026-07-01T09:00:00+00:00")
    host = ProcessHost(repo, tmp_path / "work")

    with pytest.raises(BuildFailed, match="holds no application"):
        await host.build(BACKEND, "backend", host.head().id, {})


async def test_many_services_start_at_once(tmp_path: Path) -> None:
    host = ProcessHost(create_vendor_repo(tmp_path / "vendor"), tmp_path / "work")
    services = [f"srv-{number}" for number in range(6)]

    await asyncio.gather(*(deploy(host, "v1.1.0", service_id=service) for service in services))
    versions = [await version_of(host, service) for service in services]
    await host.close()

    assert versions == ["1.1.0"] * 6
