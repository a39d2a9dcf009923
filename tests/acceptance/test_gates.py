"""An enterprise customer: nothing begins before a second person has approved and the maintenance window is open."""

import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.acceptance.given import Place

CUSTOMER = "financefirst"
BACKEND = "srv-financefirst-backend-yza567"
DEPLOY = ("deploy-customer", "--version", "v1.1.0", "--customer", CUSTOMER)
DEMO = ("deploy-customer", "--version", "v1.1.0", "--customer", "demo")
DEMO_BACKEND = "srv-demo-backend-mno345"
APPROVE = ("approve", "--version", "v1.1.0", "--customer", CUSTOMER)
SUNDAY = 6


@pytest.fixture(autouse=True)
def outside_the_window(place: Place) -> None:
    """Each test begins at Sunday noon, long before the next window, whatever the real day and the tests before."""
    clock = place.clock()
    noon = clock.now().replace(hour=12, minute=0, second=0) + timedelta(days=(SUNDAY - clock.now().weekday()) % 7)
    clock.skip_to(noon if noon >= clock.now() else noon + timedelta(days=7))


def test_it_waits_for_approval_and_window_and_then_runs_inside_the_window(place: Place) -> None:
    shut = place.run(*DEPLOY).ended(5)
    own = place.run(*APPROVE, "--comment", "mine").ended(2)
    again = place.run(*DEPLOY, "-o", "json").ended(5)
    before = place.platform.writes()
    given = place.run(*APPROVE, "--comment", "change 4711", SECUREWATCH_ACTOR="dana").ended(0)
    window_only = place.run(*DEPLOY, "-o", "json").ended(5)
    done = place.run(*DEPLOY, "--wait", "-o", "json").ended(0)

    assert "an approval by anyone but robin" in shut.out
    assert "the maintenance window, until" in shut.out
    assert "approval     by anyone but the one who asks for it" in shut.out
    assert "window       Saturday 22:00-04:00 Europe/London" in shut.out
    assert "error[SW413]" in own.err
    assert "robin asked for it" in own.err
    assert again.data["status"] == "waiting"
    assert "approval" in again.data["waiting_on"]
    assert again.data["until"] is not None
    assert before == []
    assert "dana approved v1.1.0 for financefirst" in given.out
    assert "approval" not in window_only.data["waiting_on"]
    assert done.data["status"] == "live"
    created = place.platform.service(BACKEND)["deploys"][-1]["created_at"]
    local = datetime.fromisoformat(created).astimezone(ZoneInfo("Europe/London"))
    assert (local.strftime("%A"), local.hour) in [("Saturday", 22), ("Saturday", 23)]
    assert [one["detail"].get("comment") for one in entries(place, "approval.granted")] == ["change 4711"]


def entries(place: Place, action: str) -> list[dict[str, dict[str, str]]]:
    """The audit entries of one action."""
    found = place.run("audit", "list", "--limit", "1000", "-o", "json").ended(0).data
    return [one for one in found if one["action"] == action]


def test_a_detached_deploy_at_a_shut_gate_says_for_what_it_waits(place: Place) -> None:
    ran = place.run(*DEPLOY, "--detach").ended(5)
    why = place.run("why", "--customer", "FinanceFirst Bank").ended(0)

    assert "waits for: " in ran.out
    assert "an approval by anyone but robin" in why.out
    assert "the maintenance window, until" in why.out


def test_a_dry_run_at_shut_gates_ends_well(place: Place) -> None:
    before = place.traces()
    place.run(*DEPLOY, "--dry-run").ended(0)
    assert place.traces() == before


def test_a_rejected_deploy_does_not_begin(place: Place) -> None:
    place.run(*DEPLOY).ended(5)
    said = place.run(
        "reject", "--version", "v1.1.0", "--customer", CUSTOMER, "--comment", "not this week", SECUREWATCH_ACTOR="dana"
    ).ended(0)
    ran = place.run(*DEPLOY)

    assert "dana rejected v1.1.0 for financefirst" in said.out
    assert ran.code in (1, 5), ran.out + ran.err
    assert "dana" in ran.out + ran.err
    assert place.platform.writes() == []


def test_force_opens_the_gates_of_a_deploy_that_waits_already(place: Place) -> None:
    place.run(*DEPLOY).ended(5)
    ran = place.run(*DEPLOY, "--force", "--reason", "outage 12", "--timeout", "20m", "-o", "json").ended(0)

    assert (ran.data["run"], ran.data["status"]) == ("financefirst-1", "live")
    assert "--timeout is ignored" in ran.err
    assert [one["detail"]["reason"] for one in entries(place, "force.used")] == ["outage 12"]


def test_force_goes_past_both_gates_and_is_recorded(place: Place) -> None:
    ran = place.run(*DEPLOY, "--force", "--reason", "outage 12", "-o", "json").ended(0)

    assert ran.data["status"] == "live"
    assert [one["detail"]["reason"] for one in entries(place, "force.used")] == ["outage 12"]


def test_a_freeze_is_waited_for_like_a_window(place: Place) -> None:
    freeze = {"name": "audit", "start": "2000-01-01T00:00:00Z", "end": "2100-01-01T00:00:00Z"}
    (place.config / "securewatch.json").write_text(json.dumps({"freezes": [freeze]}), encoding="utf-8")

    dry = place.run(*DEMO, "--dry-run").ended(0)
    shut = place.run(*DEMO, "-o", "json").ended(5)
    before = place.platform.writes()
    forced = place.deploy("acme-corp", "v1.1.0", "--force", "--reason", "outage 12").ended(0)
    back = place.run("rollback-customer", "--customer", "acme-corp", "-o", "json").ended(0)

    assert "'audit' holds until 2100-01-01 00:00 UTC" in dry.out
    assert (shut.data["status"], shut.data["waiting_on"]) == ("waiting", "the end of the freeze 'audit'")
    assert shut.data["until"] == "2100-01-01T00:00:00Z"
    assert before == []
    assert (forced.data["status"], back.data["status"]) == ("live", "rolled_back")


def test_with_wait_a_deploy_begins_when_the_freeze_has_ended(place: Place) -> None:
    now = place.clock().now()
    freeze = {"name": "audit", "start": now.isoformat(), "end": (now + timedelta(days=9)).isoformat()}
    (place.config / "securewatch.json").write_text(json.dumps({"freezes": [freeze]}), encoding="utf-8")

    ran = place.run(*DEMO, "--wait", "-o", "json").ended(0)

    created = place.platform.service(DEMO_BACKEND)["deploys"][-1]["created_at"]
    assert ran.data["status"] == "live"
    assert datetime.fromisoformat(created) >= now + timedelta(days=9)


def test_nothing_to_approve_is_said(place: Place) -> None:
    ran = place.refuses(2, "SW206", *APPROVE, SECUREWATCH_ACTOR="dana")
    assert "deploy-customer --version v1.1.0 --customer financefirst" in ran.err
