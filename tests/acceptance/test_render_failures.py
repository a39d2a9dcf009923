"""Render fails in the middle of a deploy: half a pair goes back whole, lost answers are looked up, bursts outlasted."""

import json
import subprocess

import pytest

from tests.acceptance.given import RUN_SECONDS, Place, Ran, wait_until

BACKEND = "srv-acme-backend-abc123"
FRONTEND = "srv-acme-frontend-def456"
DEPLOY = ("deploy-customer", "--version", "v1.1.0", "--customer", "acme-corp")


def script(place: Place, service_id: str, **how: object) -> None:
    """Say how the next deploy of a service goes."""
    place.platform.admin("POST", f"/services/{service_id}/scripts", how)


def arm(place: Place, **fault: object) -> None:
    """Let requests fail until the platform is reset."""
    place.platform.admin("POST", "/faults", fault)


def creates(place: Place, service_id: str) -> int:
    """How often a deploy of a service was asked for."""
    return place.platform.writes().count(f"POST /v1/services/{service_id}/deploys")


def test_a_frontend_that_fails_takes_the_backend_back_with_it(place: Place) -> None:
    before = [place.platform.service(one) for one in (BACKEND, FRONTEND)]
    script(place, FRONTEND, ends="update_failed")

    ran = place.run(*DEPLOY, "-o", "json").ended(6)

    assert (ran.data["status"], ran.data["code"]) == ("rolled_back", "SW501")
    for was, service_id in zip(before, (BACKEND, FRONTEND), strict=True):
        now = place.platform.service(service_id)
        assert (now["live_commit"], now["env"], now["live_env"]) == (was["live_commit"], was["env"], was["live_env"])
    health = place.run("check-health", "--customer", "acme-corp", "-o", "json").ended(0).data
    assert health["split"] is None


@pytest.mark.parametrize("kind", ["truncate", "html", "empty"])
def test_a_spoilt_answer_to_a_deploy_is_looked_up_and_the_deploy_made_once(place: Place, kind: str) -> None:
    arm(place, kind=kind, method="POST", path=f"{BACKEND}/deploys$", acts=True)

    ran = place.deploy("acme-corp").ended(0)

    assert [one["struck"] for one in place.platform.admin("GET", "/faults")] == [1]
    assert ran.data["status"] == "live"
    assert creates(place, BACKEND) == 1
    assert place.platform.service(BACKEND)["effective"] == 2


def test_a_burst_of_failures_and_rate_limits_is_outlasted(place: Place) -> None:
    arm(place, kind="status", status=503, method="GET", path="/deploys", count=2)
    arm(place, kind="status", status=429, method="GET", path="/deploys", count=2, retry_after=1)

    place.deploy("acme-corp").ended(0)

    assert [one["struck"] for one in place.platform.admin("GET", "/faults")] == [2, 2]
    assert (creates(place, BACKEND), creates(place, FRONTEND)) == (1, 1)


def test_a_deploy_that_somebody_else_overrides_is_never_fought_over(place: Place) -> None:
    place.platform.admin("PATCH", "/options", {"policy": "override"})
    script(place, BACKEND, hangs=True)
    with place.running(*DEPLOY, "-o", "json") as process:
        wait_until(lambda: bool(place.platform.service(BACKEND)["running_deploy"]), seconds=60)
        foreign = place.platform.admin("POST", f"/services/{BACKEND}/deploys", {"ref": "v1.0.1"})["id"]
        ran = ended(process)
    wait_until(lambda: place.platform.service(BACKEND)["live_deploy"] == foreign)
    why = place.run("why", "--customer", "acme-corp").ended(0)

    assert (ran.data["status"], ran.data["code"]) == ("held", "SW506"), ran.err
    assert foreign in ran.data["detail"]
    assert foreign in why.out
    assert (creates(place, BACKEND), creates(place, FRONTEND)) == (1, 0)
    assert json.loads(ran.out)["exit_code"] == ran.code == 9


def ended(process: subprocess.Popen[str]) -> Ran:
    """A process that ends by itself."""
    out, err = process.communicate(timeout=RUN_SECONDS)
    return Ran(DEPLOY, process.returncode, out, err)
