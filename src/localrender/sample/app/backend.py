"""What the backend answers, path by path. Knows nothing of sockets, so that any server can ask it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .release import Release

JSON_TYPE = "application/json; charset=utf-8"

DatabaseCheck = Callable[[str], None]
"""Connects to the database at a URL and asks it something; raises any exception when that fails."""


class WrongSchema(Exception):
    """The database answers, and the schema is not the one that the code needs; the message is safe to show."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer over HTTP: status, content type and body."""

    status: int
    content_type: str
    body: bytes


class Backend:
    """One running instance, with the env vars that it was started with."""

    def __init__(self, release: Release, env: Mapping[str, str], check_database: DatabaseCheck) -> None:
        self._release = release
        self._env = env
        self._check_database = check_database
        self._health_checks = 0

    def reply(self, path: str) -> Reply:
        """The answer to a GET of the path; a query is ignored."""
        pages: dict[str, Callable[[], Reply]] = {
            "/api/health": self._health,
            "/api/version": self._version,
            "/api/health/database": self._database,
        }
        page = pages.get(path.partition("?")[0])
        return page() if page else json_reply(404, {"error": "not found"})

    def _health(self) -> Reply:
        self._health_checks += 1
        limit = self._release.healthy_answers
        is_spared = self._env.get("CUSTOMER_SLUG") in self._release.spared
        healthy = limit is None or is_spared or self._health_checks <= limit
        status = "ok" if healthy else "unhealthy"
        return json_reply(200 if healthy else 500, {"status": status, "version": self._release.version})

    def _version(self) -> Reply:
        """The version and commit of the code, and beside them what the configuration says."""
        said = {"version": self._release.version, "commit": self._env.get("RENDER_GIT_COMMIT", "")}
        configured = {"version_tag": self._env.get("VERSION_TAG"), "customer": self._env.get("CUSTOMER_SLUG")}
        return json_reply(200, {**said, "configured": configured})

    def _database(self) -> Reply:
        url = self._env.get("DATABASE_URL")
        if not url:
            return json_reply(503, {"status": "error", "reason": "no database is configured"})
        try:
            self._check_database(url)
        except WrongSchema as error:
            return json_reply(503, {"status": "error", "reason": str(error)})
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a database is an answer here
            return json_reply(
                503, {"status": "error", "reason": f"the database does not answer ({type(error).__name__})"}
            )
        return json_reply(200, {"status": "ok"})


def json_reply(status: int, document: Mapping[str, object]) -> Reply:
    """An answer in JSON."""
    return Reply(status, JSON_TYPE, json.dumps(document).encode())
