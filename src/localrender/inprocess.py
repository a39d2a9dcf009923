"""Hosts the sample application as coroutines: the same answers as from processes, for large fleets and simulations.

The vendor's repository is read once, into a snapshot; no program is started.
"""

import re
from collections.abc import Mapping

from localrender.forwarder import Answer, Request
from localrender.hosting import BuildFailed, Built, CommitInfo, StartFailed
from localrender.sample.app.backend import Backend, DatabaseCheck
from localrender.sample.app.release import Release
from localrender.sample.app.site import build_pages
from localrender.sites import Sites, StaticSite
from localrender.vendor import Snapshot

_SHA = re.compile(r"[0-9a-f]{7,40}")


def always_reachable(url: str) -> None:
    """The database check of a fleet whose databases are always well."""


class InProcessHost(Sites):
    """An `AppHost` without processes and checkouts.

    `check_database` gets the `DATABASE_URL` of an instance and raises anything when that database does not answer.
    With `listen` false no ports are bound and the host itself is the ASGI application to ask.
    """

    def __init__(
        self, snapshot: Snapshot, *, check_database: DatabaseCheck = always_reachable, listen: bool = True
    ) -> None:
        super().__init__(listen=listen)
        self.snapshot = snapshot
        """What `resolve` and `build` see; replace it to let a tag move."""
        self._check_database = check_database
        # What was built, by service and commit: the pages of a site, None of a backend.
        self._built: dict[tuple[str, str], Mapping[str, bytes] | None] = {}

    async def reset(self) -> None:
        """Forget every service; the snapshot stays."""
        await self.close()
        self._built.clear()

    def resolve(self, ref: str) -> CommitInfo | None:
        """The commit of a tag, or of a full or short sha (7 characters or more) that fits exactly one; else None."""
        if ref in self.snapshot.tags:
            return self.snapshot.commits[self.snapshot.tags[ref]]
        if not _SHA.fullmatch(ref):
            return None
        fitting = [commit for sha, commit in self.snapshot.commits.items() if sha.startswith(ref)]
        return fitting[0] if len(fitting) == 1 else None

    def head(self) -> CommitInfo:
        """The tip of the default branch."""
        return self.snapshot.commits[self.snapshot.head]

    async def build(self, service_id: str, kind: str, commit: str, env: Mapping[str, str]) -> Built:
        """Build a commit, a site's pages with the env vars of this moment. Raises BuildFailed."""
        found = self.resolve(commit)
        release = self.snapshot.releases.get(found.id) if found else None
        if found is None or release is None:
            raise BuildFailed("the commit is unknown or holds no application")
        if not release.builds:
            raise BuildFailed("the build command ended with 1")
        pages = build_pages(release, _with_commit(env, found.id)) if kind == "frontend" else None
        self._built[service_id, found.id] = pages
        return Built(service_id, found.id, None)

    async def start(self, built: Built, env: Mapping[str, str]) -> None:
        """Start an instance and check its health. Raises StartFailed."""
        release = self.snapshot.releases.get(built.commit)
        key = (built.service_id, built.commit)
        if release is None or key not in self._built:
            raise StartFailed("there is no such build")
        pages = self._built[key]
        if pages is not None:
            await self._admit(built.service_id, StaticSite(pages), "frontend")
            return
        if not release.starts:
            raise StartFailed("the application ended with 1 while it was starting")
        await self._admit(built.service_id, self._instance(release, _with_commit(env, built.commit)), "backend")

    def _instance(self, release: Release, env: Mapping[str, str]) -> "Coroutine":
        return Coroutine(Backend(release, env, self._check_database))


class Coroutine:
    """One instance of the backend, asked by a call."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def answer(self, request: Request) -> Answer:
        """The backend's answer."""
        reply = self._backend.reply(request.path)
        return Answer(reply.status, reply.content_type, reply.body)

    async def end(self) -> None:
        """Nothing runs, so there is nothing to stop."""


def _with_commit(env: Mapping[str, str], commit: str) -> dict[str, str]:
    return {**env, "RENDER_GIT_COMMIT": commit}
