"""How long it takes to plan a release over a fleet and to lay it on the calendar. It prints numbers, no verdict.

The yardstick is the same plan written as JSON and read again, in turn with the planning, so that a busy machine slows
both; the ratio of the medians says more than seconds.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from securewatch.config.fleet import Fleet
from securewatch.config.load import load_fleet
from securewatch.rollout.model import ReleasePlan
from securewatch.rollout.plan import ReleaseTarget, plan_release
from securewatch.rollout.schedule import Schedule, make_schedule
from securewatch.store.codec import dump
from securewatch.versions.version import parse_version

CUSTOMERS, ENTERPRISE, DEMOS, RUNS = 5000, 40, 10, 5
CONFIG = Path(__file__).resolve().parents[1] / "config"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TARGET = ReleaseTarget("v1.1.0", "b" * 40, tuple(parse_version(tag) for tag in ("v1.0.0", "v1.1.0")))


def make_fleet(customer_count: int) -> Fleet:
    """The example's fleet with that many customers: a few demo and enterprise ones, half startup, half standard."""
    fleet = load_fleet(CONFIG)
    like = ["demo"] * DEMOS + ["medhealth", "financefirst"] * (ENTERPRISE // 2)
    like += ["techstart", "acme-corp"] * customer_count
    slugs = [f"c{place:05}" for place in range(customer_count)]
    customers = {
        slug: replace(fleet.customers[kind], slug=slug, name=slug)
        for slug, kind in zip(slugs, like[:customer_count], strict=True)
    }
    return replace(fleet, customers=customers)


def seconds_of(work: Callable[[], object]) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def plan_all(fleet: Fleet) -> tuple[ReleasePlan, Schedule]:
    """What `plan-release` computes."""
    plan = plan_release(fleet, TARGET, dict.fromkeys(fleet.customers, "v1.0.0"))
    return plan, make_schedule(plan, NOW, now=NOW)


def main(arguments: list[str]) -> int:
    """Measure 5 times with N customers (default 5,000) and print medians and ratio."""
    fleet = make_fleet(int(arguments[0]) if arguments else CUSTOMERS)
    plan, schedule = plan_all(fleet)
    text = dump(plan)
    pairs = [
        (seconds_of(lambda: plan_all(fleet)), seconds_of(lambda: json.dumps(json.loads(text)))) for _ in range(RUNS)
    ]
    planned, yardstick = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(
        f"plan and calendar   {planned:6.2f} s    ({len(fleet.customers):,} customers, {len(schedule.slots):,} slots)"
    )
    print(f"the plan as JSON    {yardstick:6.2f} s    (read and written, {len(text) / 1e6:.1f} MB)")
    print(f"ratio               {planned / yardstick:6.1f}      (medians of {RUNS})")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
