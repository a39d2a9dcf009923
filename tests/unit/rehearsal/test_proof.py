"""What the demo asserts of the platform's record, where the story went astray."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rehearsal.proof import (
    Deploy,
    Window,
    Write,
    course_of,
    deploys_of,
    more_than_once,
    off_calendar,
    running_on,
    window_of,
    writes_to,
)

DAY_ZERO = datetime(2026, 11, 26, 12, tzinfo=UTC)  # a Thursday
SATURDAY_NIGHT = Window(5, time(22), time(4), ZoneInfo("Europe/London"))
POLICIES = {"acme-corp": "standard", "medhealth": "enterprise"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def deploy(customer: str, created_at: datetime, **changes: Any) -> Deploy:
    return Deploy(customer, **{"kind": "backend", "trigger": "api", "commit": "c1", **changes}, created_at=created_at)


@pytest.mark.parametrize(
    ("instant", "is_inside"),
    [
        ("2026-12-19T21:59", False),
        ("2026-12-19T22:00", True),
        ("2026-12-20T03:59", True),
        ("2026-12-20T04:00", False),
        ("2026-12-20T22:00", False),
        ("2026-06-20T21:00", True),  # 22:00 of the summer
    ],
)
def test_a_window_over_midnight_is_by_the_customers_clock(instant: str, is_inside: bool) -> None:
    assert SATURDAY_NIGHT.holds(at(instant)) is is_inside


def test_a_window_is_read_as_customers_write_it() -> None:
    said = {"day": "saturday", "time": "22:00-04:00", "timezone": "Europe/London"}

    assert window_of({"maintenance_window": said}) == SATURDAY_NIGHT


def test_a_start_on_the_wrong_day_or_outside_the_window_is_told() -> None:
    made = [
        deploy("acme-corp", DAY_ZERO + timedelta(days=8)),
        deploy("acme-corp", DAY_ZERO + timedelta(days=7.9)),
        deploy("medhealth", at("2026-12-19T23:00")),
        deploy("medhealth", at("2026-12-19T12:00")),
    ]

    assert off_calendar(made, POLICIES, {"medhealth": SATURDAY_NIGHT}, DAY_ZERO) == (
        "acme-corp: its backend began on day 7, not on days 8 to 21",
        "medhealth: its backend began outside its window, at 2026-12-19 12:00 UTC",
    )


def test_the_same_commit_twice_on_a_service_is_told_and_a_rollback_to_it_is_none() -> None:
    once = [deploy("acme-corp", DAY_ZERO), deploy("acme-corp", DAY_ZERO, kind="frontend")]
    back = deploy("acme-corp", DAY_ZERO, trigger="rollback")

    assert more_than_once([*once, back]) == ()
    assert more_than_once([*once, once[0]]) == ("acme-corp backend",)


def test_a_customer_runs_a_commit_when_every_service_does() -> None:
    made = {"trigger": "api", "commit": "c2", "created_at": "2026-12-04T12:00:00+00:00"}
    seeded = {**made, "trigger": "new_commit", "commit": "c1"}
    rows = [("acme-corp", "backend", "c2"), ("acme-corp", "frontend", "c1"), ("demo", "backend", "c2"), ("", "x", None)]
    services = {
        str(place): {"customer": slug, "kind": kind, "live_commit": live, "deploys": [seeded, made]}
        for place, (slug, kind, live) in enumerate(rows)
    }

    assert running_on({"services": services}, "c2") == {"demo"}
    assert [(one.customer, one.kind, one.commit) for one in deploys_of({"services": services})] == [
        ("acme-corp", "backend", "c2"),
        ("acme-corp", "frontend", "c2"),
        ("demo", "backend", "c2"),
    ]


def test_the_writes_to_a_service_tell_the_course_of_a_restore() -> None:
    def line(method: str, path: str, status: int = 200) -> dict[str, Any]:
        return {"method": method, "path": f"/v1/services/{path}", "status": status, "at": "2026-11-26T23:00:00+00:00"}

    journal = [
        line("PATCH", "srv-a", 500),
        line("PATCH", "srv-a"),
        line("PUT", "srv-a/env-vars/DATABASE_URL"),
        line("PUT", "srv-a/env-vars/VERSION_TAG"),
        line("PATCH", "srv-b"),
        line("GET", "srv-a/deploys"),
        line("POST", "srv-a/deploys", 201),
        line("PATCH", "srv-a"),
    ]

    writes = writes_to(journal, "srv-a")

    assert [one.what for one in writes if one.is_page] == ["page", "page"]
    assert course_of(writes) == Write.RESTORE
    assert course_of(writes_to(journal, "srv-b")) == ("page",)
