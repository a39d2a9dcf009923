"""Render's rate limits: fixed windows aligned to the clock, and the headers of every answer (reference, section 2)."""

import re
from dataclasses import dataclass
from datetime import datetime

from localrender.model import Options

MINUTE = 60
HOUR = 3600


@dataclass(frozen=True, slots=True)
class Group:
    """One documented group: requests a window of so many seconds, counted per user or per service."""

    name: str
    limit: int
    window_seconds: int


READS = Group("reads", 400, MINUTE)
WRITES = Group("writes", 100, MINUTE)
SERVICE = Group("service", 10, MINUTE)
CREATES = Group("creates", 20, HOUR)
DOMAINS = Group("domains", 50, HOUR)
GROUPS = (READS, WRITES, SERVICE, CREATES, DOMAINS)

_SERVICE_WRITE = re.compile(r"/v1/services/([^/]+)/(deploys|suspend|resume|scale)")
_SERVICE_AND_USER_WRITE = re.compile(r"/v1/services/([^/]+)/(rollback|restart|deploys/[^/]+/cancel)")
_SERVICE = re.compile(r"/v1/services/([^/]+)")
_CREATES = re.compile(r"/v1/(services|postgres|key-value|redis)")
_DOMAINS = re.compile(r"/v1/services/[^/]+/custom-domains(/[^/]+/verify)?")


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of the tightest bucket after a request; `reset` in whole seconds from now (a delta, recorded)."""

    limit: int
    remaining: int
    reset: int
    refused: bool

    def headers(self) -> list[tuple[str, str]]:
        """The three headers that stand on every answer."""
        return [
            ("Ratelimit-Limit", str(self.limit)),
            ("Ratelimit-Remaining", str(self.remaining)),
            ("Ratelimit-Reset", str(self.reset)),
        ]


class RateLimits:
    """Counts requests per bucket and window.

    Args:
        options: `limits` there overrides a group's number by its name.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._spent: dict[tuple[str, str, int], int] = {}

    def clear(self) -> None:
        """Forget everything that was spent."""
        self._spent.clear()

    def spend(self, method: str, path: str, at: datetime, *, user: str = "") -> Quota:
        """Count one request of `user` at product time `at`; a refused one is counted nowhere."""
        before = self.look(method, path, at, user=user)
        if before.refused:
            return before
        seconds = int(at.timestamp())
        for group, key in buckets_of(method, path):
            window = (group.name, user + key, seconds // group.window_seconds)
            self._spent[window] = self._spent.get(window, 0) + 1
        return Quota(before.limit, before.remaining - 1, before.reset, refused=False)

    def look(self, method: str, path: str, at: datetime, *, user: str = "") -> Quota:
        """What the tightest bucket of such a request holds, without spending."""
        seconds = int(at.timestamp())
        quotas = [self._quota(group, user + key, seconds) for group, key in buckets_of(method, path)]
        return min(quotas, key=lambda quota: quota.remaining)

    def _quota(self, group: Group, key: str, seconds: int) -> Quota:
        window = seconds // group.window_seconds
        if (group.name, key, window) not in self._spent:
            self._spent = {one: n for one, n in self._spent.items() if one[:2] != (group.name, key)}
        limit = self._options.limits.get(group.name, group.limit)
        remaining = limit - self._spent.get((group.name, key, window), 0)
        return Quota(
            limit, max(0, remaining), group.window_seconds - 1 - seconds % group.window_seconds, remaining <= 0
        )


def buckets_of(method: str, path: str) -> list[tuple[Group, str]]:
    """The buckets that a request spends from, with the key of each ("" for the user).

    Which ones rollback, cancel and restart spend is unknown (reference, 2.1): the service's and the user's.
    """
    if method in ("GET", "HEAD"):
        return [(READS, "")]
    if match := _SERVICE_AND_USER_WRITE.fullmatch(path):
        return [(SERVICE, match[1]), (WRITES, "")]
    if match := (_SERVICE if method == "PATCH" else _SERVICE_WRITE).fullmatch(path):
        return [(SERVICE, match[1])]
    if method == "POST" and (created := _CREATES.fullmatch(path) or _DOMAINS.fullmatch(path)):
        return [(CREATES if created.re is _CREATES else DOMAINS, "")]
    return [(WRITES, "")]
