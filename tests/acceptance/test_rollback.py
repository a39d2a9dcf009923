"""Rollbacks that a person asks for, where more than one run or only one half is concerned, or somebody else meddles."""

import json

import pytest

from tests.acceptance.given import RUN_SECONDS, Place, wait_until

BACKEND = "srv-acme-backend-abc123"
FRONTEND = "srv-acme-frontend-def456"
BACK = ("rollback-customer", "--customer", "acme-corp")


def state(place: Place) -> dict[str, tuple[object, object]]:
    """What each service runs, and its env vars."""
    services = {one: place.platform.service(one) for one in (BACKEND, FRONTEND)}
    return {name: (one["live_commit"], one["env"]) for name, one in services.items()}


@pytest.mark.parametrize("second", ["frontend", "both"])
def test_a_pair_that_went_out_in_two_runs_goes_back_as_a_pair_with_its_env_vars(place: Place, second: str) -> None:
    before = state(place)
    place.deploy("acme-corp", "v1.1.0", "--service-type", "backend").ended(0)
    place.deploy("acme-corp", "v1.1.0", "--service-type", second).ended(0)

    ran = place.run(*BACK, "-o", "json").ended(0)
    writes = place.platform.writes()
    again = place.run(*BACK).ended(0)

    assert (ran.data["kind"], ran.data["status"]) == ("rollback", "rolled_back")
    assert state(place) == before
    assert "is at its last good deploy already" in again.out
    assert place.platform.writes() == writes


def test_one_half_goes_back_alone_is_shown_as_split_and_the_other_half_follows(place: Place) -> None:
    before = state(place)
    place.deploy("acme-corp").ended(0)
    new = state(place)

    half = place.run(*BACK, "--service-type", "frontend").ended(0)
    split = state(place)
    place.run(*BACK).ended(0)

    assert "split: only the frontend was asked for" in half.out
    assert split == {BACKEND: new[BACKEND], FRONTEND: before[FRONTEND]}
    assert state(place) == before


def test_a_waiting_deploy_is_called_off_and_the_watched_version_goes_back(place: Place) -> None:
    backend = "srv-financefirst-backend-yza567"
    old = place.platform.service(backend)
    place.deploy("financefirst", "v1.0.1", "--force", "--reason", "outage").ended(0)
    place.deploy("financefirst", "v1.1.0", "--detach").ended(5)

    ran = place.run("rollback-customer", "--customer", "financefirst", "-o", "json").ended(0)

    now = place.platform.service(backend)
    assert (ran.data["status"], ran.data["run"]) == ("rolled_back", "financefirst-3")
    assert (now["live_commit"], now["env"]) == (old["live_commit"], old["env"])


def test_who_follows_a_deploy_that_somebody_takes_back_is_told_by_the_exit_code(place: Place) -> None:
    words = ("deploy-customer", "--version", "v1.1.0", "--customer", "acme-corp", "--until", "watched", "-o", "json")
    with place.running(*words) as deploying:
        wait_until(lambda: place.run("why", "--customer", "acme-corp").out.count("watched") > 0, seconds=60)
        place.run(*BACK).ended(0)
        out, err = deploying.communicate(timeout=RUN_SECONDS)

    assert (deploying.returncode, json.loads(out)["status"]) == (6, "rolled_back"), err


def test_a_rollback_that_failed_is_no_reason_to_say_that_all_is_well(place: Place) -> None:
    place.deploy("acme-corp").ended(0)
    old = next(one["id"] for one in place.platform.service(BACKEND)["deploys"] if one["status"] == "deactivated")
    place.platform.admin("POST", f"/services/{BACKEND}/scripts", {"ends": "update_failed"})
    place.run(*BACK, "--to", old).ended(9)

    ran = place.refuses(9, "SW602", *BACK)

    assert old in ran.err


def test_a_bad_version_that_comes_back_after_the_rollback_is_taken_back_again(place: Place) -> None:
    before = state(place)
    place.deploy("acme-corp").ended(0)
    place.run(*BACK).ended(0)
    place.platform.admin("POST", f"/services/{BACKEND}/deploys", {"ref": "v1.1.0"})
    wait_until(lambda: place.platform.service(BACKEND)["live_commit"] != before[BACKEND][0], seconds=60)

    place.run(*BACK).ended(0)

    assert state(place) == before
