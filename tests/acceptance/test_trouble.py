"""Render does not do as it should, or somebody else deploys too: nothing twice, nothing half, a clear end."""

import json
import subprocess
import urllib.request
from typing import Any

from tests.acceptance.given import PROJECT, RUN_SECONDS, Place, Ran, wait_until

BACKEND = "srv-acme-backend-abc123"
FRONTEND = "srv-acme-frontend-def456"
DEPLOY = ("deploy-customer", "--version", "v1.1.0", "--customer", "acme-corp")


def script(place: Place, **how: object) -> None:
    """Say how the backend's next deploy goes."""
    place.platform.admin("POST", f"/services/{BACKEND}/scripts", how)


def journal(place: Place, ending: str) -> list[dict[str, Any]]:
    """The writes whose path ends so."""
    lines = place.platform.admin("GET", "/journal")
    return [one for one in lines if one["method"] == "POST" and one["path"].endswith(ending)]


def cancel(place: Place, deploy_id: str) -> None:
    """Somebody cancels a deploy in Render's dashboard."""
    key = place.platform.env["RENDER_API_KEY"]
    request = urllib.request.Request(
        f"{place.platform.origin}/v1/services/{BACKEND}/deploys/{deploy_id}/cancel",
        method="POST",
        headers={"Authorization": f"Bearer {key}"},
    )
    urllib.request.urlopen(request, timeout=10).close()


def assert_untouched(place: Place, before: tuple[Any, Any]) -> None:
    """What is live and every env var are as they were."""
    for was in before:
        now = place.platform.service(place_id(was))
        assert (now["live_commit"], now["live_env"], now["env"]) == (was["live_commit"], was["live_env"], was["env"])


def place_id(service: dict[str, Any]) -> str:
    """The service's id, by its kind."""
    return BACKEND if service["kind"] == "backend" else FRONTEND


def pair(place: Place) -> tuple[Any, Any]:
    """Both services as the platform has them."""
    return place.platform.service(BACKEND), place.platform.service(FRONTEND)


def ended(process: subprocess.Popen[str]) -> Ran:
    """A process that ends by itself."""
    out, err = process.communicate(timeout=RUN_SECONDS)
    return Ran(tuple(map(str, process.args)), process.returncode, out, err)  # type: ignore[arg-type]


# --- deploys that fail ------------------------------------------------------------------------------------------------


def test_a_deploy_that_takes_too_long_is_cancelled_and_its_env_vars_restored(place: Place) -> None:
    before = pair(place)
    script(place, hangs=True)

    ran = place.run(*DEPLOY, "--timeout", "5m").ended(1)

    assert "SW502" in ran.out
    assert "v1.0.0 goes on serving" in ran.out
    assert "time-out 5 min" in ran.out
    assert [one["status"] for one in place.platform.service(BACKEND)["deploys"]] == ["live", "canceled"]
    assert len(journal(place, "/cancel")) == 1
    assert_untouched(place, before)
    script(place, seconds=1)
    place.deploy("acme-corp").ended(0)


def test_a_failed_build_leaves_the_old_version_and_the_next_try_is_a_new_one(place: Place) -> None:
    before = pair(place)
    script(place, ends="build_failed")

    failed = place.deploy("acme-corp").ended(1).data
    untouched = pair(place)
    again = place.deploy("acme-corp").ended(0).data

    assert (failed["status"], failed["code"]) == ("failed", "SW501")
    assert [one["env"] for one in untouched] == [one["env"] for one in before]
    assert [one["live_commit"] for one in untouched] == [one["live_commit"] for one in before]
    assert (again["status"], failed["run"], again["run"]) == ("live", "acme-corp-1", "acme-corp-2")


def test_a_customer_that_is_unhealthy_before_is_refused_without_a_write(place: Place) -> None:
    place.platform.misbehave(BACKEND, status=503)

    ran = place.run(*DEPLOY).ended(1)

    assert "v1.1.0 refused; v1.0.0 goes on serving" in ran.out
    assert "the last: status 503" in ran.out
    assert "(docs/runbooks/SW409.md)" in ran.out
    assert (PROJECT / "docs" / "runbooks" / "SW409.md").is_file()
    assert place.platform.writes() == []


# --- answers that get lost --------------------------------------------------------------------------------------------


def test_a_deploy_whose_answer_is_lost_is_found_and_not_sent_again(place: Place) -> None:
    place.platform.admin("POST", "/faults", {"kind": "drop_after", "method": "POST", "path": "/deploys$"})
    place.platform.admin("POST", "/faults", {"kind": "drop_after", "method": "PUT", "path": "/env-vars/"})
    try:
        ran = place.deploy("acme-corp").ended(0)
    finally:
        place.platform.admin("DELETE", "/faults")

    assert ran.data["status"] == "live"
    assert len(journal(place, f"{BACKEND}/deploys")) == 1
    assert [one["effective"] for one in pair(place)] == [2, 2]


# --- somebody else deploys --------------------------------------------------------------------------------------------


def test_a_deploy_that_must_queue_behind_somebody_elses_is_adopted(place: Place) -> None:
    script(place, hangs=True)
    foreign = place.platform.admin("POST", f"/services/{BACKEND}/deploys", {"ref": "v1.0.1"})
    with place.running(*DEPLOY, "-o", "json") as process:
        wait_until(lambda: len(place.platform.service(BACKEND)["deploys"]) == 3, seconds=60)
        queued = place.platform.service(BACKEND)["deploys"][-1]
        cancel(place, foreign["id"])
        ran = ended(process).ended(0)

    done = json.loads(ran.out)
    assert queued["status"] == "queued"
    assert [one["status"] for one in journal(place, f"{BACKEND}/deploys")] == [202]
    assert (done["status"], done["services"][0]["deploy_id"]) == ("live", queued["id"])
    assert [one["effective"] for one in pair(place)] == [2, 2]


def test_somebody_elses_deploy_during_the_watch_calls_a_human(place: Place) -> None:
    place.deploy("acme-corp").ended(0)
    place.platform.admin("POST", f"/services/{BACKEND}/deploys", {"ref": "v1.0.1"})
    wait_until(lambda: place.platform.service(BACKEND)["effective"] == 3)
    before = place.platform.writes()

    ran = place.run(*DEPLOY, "--until", "watched").ended(9)

    assert "SW506" in ran.out + ran.err
    assert "held" in ran.out
    assert place.platform.writes() == before, "it is never fought over"
