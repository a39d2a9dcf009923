"""What a release costs: how many calls to Render its deploys need, and the time that those take at least. Pure.

Estimates for people, never a rule. The numbers are those of one deploy until it is verified, as it is carried out.
"""

import math
from dataclasses import dataclass

from securewatch.rollout.model import ReleasePlan
from securewatch.rollout.usual import BUILD_SECONDS

READS_PER_MINUTE = 400
WRITES_PER_MINUTE = 30
"""Render's limits as documented; up to 100 writes were recorded, and deploys are limited for each service alone."""
READS_OF_CUSTOMER = 1
"""Whose services they are."""
READS_OF_SERVICE = 10
"""The plan: service, deploys, domains, env vars. The preflight: service, deploys, domains. The backup: env vars. Before
the deploy: service, deploys."""
READS_OF_HISTORY = 1
"""All env vars, after the last one of a service was written."""
SERVICE_COUNT = 2


@dataclass(frozen=True)
class Calls:
    """The calls of a whole release until everybody is verified; `least_seconds` is what the limits ask for."""

    reads: int
    env_writes: int
    deploys: int
    least_seconds: float


def count_calls(plan: ReleasePlan, build_seconds: float = BUILD_SECONDS) -> Calls:
    """The calls of every customer to whom the version comes."""
    keys = {kind: len(names) for kind, names in plan.env_keys}
    reads = env_writes = deploys = 0
    for phase in plan.phases:
        polls = math.ceil(build_seconds / phase.rules.poll_interval_seconds)
        for member in phase.due:
            changed = [keys[kind] for kind, _ in member.services if keys.get(kind)]
            written = sum(changed)
            reads += READS_OF_CUSTOMER + len(member.services) * (READS_OF_SERVICE + polls)
            reads += written + len(changed) * READS_OF_HISTORY
            env_writes += written
            deploys += len(member.services)
    least = max(reads / READS_PER_MINUTE, env_writes / WRITES_PER_MINUTE) * 60
    return Calls(reads, env_writes, deploys, least)


def starts_per_minute(plan: ReleasePlan) -> int:
    """How many customers can begin in one minute; polls wait for what is more urgent and do not count."""
    changed = [len(names) for _, names in plan.env_keys if names]
    written = sum(changed)
    reads = READS_OF_CUSTOMER + SERVICE_COUNT * READS_OF_SERVICE + written + len(changed) * READS_OF_HISTORY
    return max(1, min(READS_PER_MINUTE // reads, WRITES_PER_MINUTE // max(written, 1)))
