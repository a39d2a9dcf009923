"""Freezes, pins and holds by command: a deploy waits for them, says so everywhere, and goes on when they end."""

from datetime import datetime, timedelta

import pytest

from tests.acceptance.given import Place

DEMO = ("deploy-customer", "--version", "v1.1.0", "--customer", "demo")
BACKEND = "srv-demo-backend-mno345"


def test_a_deploy_waits_for_the_end_of_a_freeze_and_then_begins(place: Place) -> None:
    ends = (place.clock().now() + timedelta(days=9)).replace(microsecond=0)
    begins = (ends - timedelta(days=10)).isoformat()
    said = place.run(
        "freeze", "add", "audit", "--from", begins, "--to", ends.isoformat(), "--reason", "ISO 27001"
    ).ended(0)
    dry = place.run(*DEMO, "--dry-run").ended(0)
    shut = place.run(*DEMO, "-o", "json").ended(5)
    why = place.run("why", "--customer", "demo").ended(0)
    before = place.platform.writes()
    done = place.run(*DEMO, "--wait", "-o", "json").ended(0)

    assert "freeze audit: set by robin for all customers (ISO 27001)" in said.out
    assert "! freeze          waits for the end of the freeze 'audit'" in dry.out
    assert (shut.data["status"], shut.data["waiting_on"]) == ("waiting", "the end of the freeze 'audit'")
    assert datetime.fromisoformat(shut.data["until"]) == ends
    assert "waits for: the end of the freeze 'audit', until" in why.out
    assert before == []
    assert done.data["status"] == "live"
    assert datetime.fromisoformat(place.platform.service(BACKEND)["deploys"][-1]["created_at"]) >= ends


def test_a_hold_stands_under_force_until_somebody_ends_it_and_a_rollback_passes_it(place: Place) -> None:
    place.run("pin", "demo", "--until", "2100-01-01", "-o", "json").ended(0)
    place.run("hold", "--customer", "demo", "--reason", "log-ins fail").ended(0)
    held = place.run(*DEMO, "--force", "--reason", "outage 12", "-o", "json").ended(5)
    kinds = [(one["kind"], one["state"]) for one in place.run("freeze", "list", "-o", "json").ended(0).data]
    before = place.platform.writes()
    ended = place.run("unhold", "demo").ended(0)
    done = place.run(*DEMO, "--force", "--reason", "outage 12", "-o", "json").ended(0)
    place.run("hold", "demo").ended(0)
    back = place.run("rollback-customer", "--customer", "demo", "-o", "json").ended(0)

    assert held.data["waiting_on"] == "the end of the hold that robin set (log-ins fail)"
    assert kinds == [("pin", "holds"), ("hold", "holds")]
    assert before == []
    assert "the hold of demo is ended" in ended.out
    assert (done.data["status"], back.data["status"]) == ("live", "rolled_back")


@pytest.mark.parametrize(
    ("exit_code", "error_code", "words"),
    [
        (2, "SW202", ("hold", "acme-crop")),
        (2, "SW201", ("hold",)),
        (2, "SW201", ("pin", "demo", "--until", "soon")),
        (2, "SW201", ("pin", "demo", "--until", "2001-01-01")),
        (2, "SW206", ("unpin", "demo")),
        (2, "SW206", ("freeze", "rm", "christmas")),
        (2, "SW201", ("freeze", "add", "x", "--from", "2100-01-02", "--to", "2100-01-01")),
        (2, "SW201", ("freeze", "add", "x", "--from", "2100-01-01", "--to", "2100-01-02", "--every", "FREQ=HOURLY")),
        (2, "SW201", ("freeze", "add", "x", "--from", "2100-01-01", "--to", "2100-01-02", "--timezone", "Mars")),
        (2, "SW201", ("freeze", "add", "x", "--from", "2100-01-01", "--to", "2100-01-02", "--policy", "gold")),
    ],
)
def test_what_means_nothing_is_one_clear_error(
    place: Place, exit_code: int, error_code: str, words: tuple[str, ...]
) -> None:
    place.refuses(exit_code, error_code, *words)


def test_a_name_that_is_taken_is_a_conflict(place: Place) -> None:
    words = ("freeze", "add", "christmas", "--from", "2100-12-20", "--to", "2101-01-04")
    place.run(*words).ended(0)

    place.refuses(7, "SW212", *words)
