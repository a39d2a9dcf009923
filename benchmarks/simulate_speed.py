"""How long it takes to rehearse a release over a fleet for 52 days, in memory and through HTTP. It prints numbers.

The yardstick is the same plan written as JSON and read again, as for `plan_speed`; the ratio says more than seconds.
"""

import json
import sys
from datetime import UTC, datetime

from plan_speed import CUSTOMERS, TARGET, make_fleet, seconds_of

from rehearsal.simulate import simulate
from rehearsal.through_http import through_http
from securewatch.deploy.model import ServiceKind
from securewatch.operations.release.simulate import CourseOutcome, PlayedOutcome, Setting, Wish
from securewatch.rollout.plan import plan_release
from securewatch.rollout.usual import BUILD_SECONDS
from securewatch.store.codec import dump

THROUGH_HTTP = 200
"""Customers of the made-up fleet that is played through the real client and store."""
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def main(arguments: list[str]) -> int:
    """Rehearse with N customers (default 5,000), and 200 through HTTP, once each; print the times and ratios."""
    count = int(arguments[0]) if arguments else CUSTOMERS
    plan = plan_release(make_fleet(count), TARGET, {})
    setting = Setting(plan, NOW, Wish("v1.1.0"), dict.fromkeys(ServiceKind, BUILD_SECONDS))
    courses: list[CourseOutcome] = []
    rehearsed = seconds_of(lambda: courses.extend(simulate(setting)))
    played: list[PlayedOutcome] = []
    wish = Wish("v1.1.0", customers=THROUGH_HTTP)
    through = seconds_of(lambda: played.extend(through_http(wish)))
    text = dump(plan)
    yardstick = seconds_of(lambda: json.dumps(json.loads(text)))
    (course,) = courses
    lanes = len(plan.phases[-1].due)
    days = (course.ended_at - NOW).days
    print(f"rehearsal           {rehearsed:6.1f} s    ({count:,} customers, {lanes} of them enterprise; {days} days)")
    print(f"                    {course.changes:,} changes, {len(course.violations)} invariants broken, {course.state}")
    print(f"the plan as JSON    {yardstick:6.2f} s    (read and written, {len(text) / 1e6:.1f} MB)")
    print(f"ratio               {rehearsed / yardstick:6.1f}")
    (one,) = played
    print(f"through HTTP        {through:6.1f} s    ({THROUGH_HTTP} customers; {one.days:.0f} days, {one.state})")
    print(f"                    {one.requests:,} requests, {len(one.violations)} invariants broken")
    print(f"ratio               {through / yardstick:6.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
