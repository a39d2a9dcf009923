"""One customer's story on real processes and databases: a good version, a bad one taken back, and restoration."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.given import Place, Platform, platform

BACKEND = "srv-acme-backend-abc123"
FRONTEND = "srv-acme-frontend-def456"


@pytest.fixture(scope="module")
def render(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform whose applications are processes, with a database each."""
    with platform(tmp_path_factory.mktemp("platform"), "--apps", "process") as found:
        yield found


def pair(place: Place) -> tuple[Any, Any]:
    """Both services as the platform has them."""
    return place.platform.service(BACKEND), place.platform.service(FRONTEND)


def effective(place: Place) -> tuple[int, int]:
    """How many deploys of each service ever went live, the seeded one included."""
    backend, frontend = pair(place)
    return backend["effective"], frontend["effective"]


def creates(place: Place) -> int:
    """How many deploys were asked for."""
    return sum(line.startswith("POST") and line.endswith("/deploys") for line in place.platform.writes())


def test_a_good_version_is_verified_and_a_bad_one_is_taken_back_by_itself(place: Place) -> None:
    good = place.deploy("acme-corp", "v1.1.0").ended(0).data
    after_good = pair(place)
    bad = place.run("deploy-customer", "--version", "v1.2.0", "--customer", "acme-corp").ended(6)
    after_bad = pair(place)

    assert (good["status"], good["version"], good["stage"]) == ("live", "v1.1.0", "watching")
    assert [one["reported_version"] for one in good["services"]] == ["1.1.0", "1.1.0"]
    assert after_good[0]["live_env"]["VERSION_TAG"] == "v1.1.0"
    assert "↩ rolled back  acme-corp  v1.2.0 was taken back to v1.1.0" in bad.out
    assert "SW503" in bad.out
    for was, now in zip(after_good, after_bad, strict=True):
        assert (now["live_commit"], now["env"], now["live_env"]) == (was["live_commit"], was["env"], was["live_env"])
    assert creates(place) == 3, "the frontend must never see the bad version"
    health = place.run("check-health", "--customer", "acme-corp", "-o", "json").ended(0).data
    assert [one["tag"] for one in health["services"]] == ["v1.1.0", "v1.1.0"]
    assert health["services"][0]["database"] == "ok"
    place.run("audit", "verify").ended(0)


def test_the_same_command_twice_deploys_once(place: Place) -> None:
    place.deploy("acme-corp").ended(0)
    followed = place.deploy("acme-corp").ended(0).data
    place.run("deploy-customer", "--version", "v1.1.0", "--customer", "acme-corp", "--force").ended(0)

    assert followed["run"] == "acme-corp-1"
    assert (effective(place), creates(place)) == ((2, 2), 2)


def test_full_restoration_builds_the_old_version_again_with_its_env_vars(place: Place) -> None:
    before = pair(place)
    place.deploy("acme-corp", "v1.1.0").ended(0)

    back = place.deploy("acme-corp", "v1.0.0", "--force", "--reason", "restore").ended(0).data

    assert (back["status"], back["version"]) == ("live", "v1.0.0")
    for was, now in zip(before, pair(place), strict=True):
        assert (now["live_commit"], now["env"], now["live_env"]) == (was["live_commit"], was["env"], was["live_env"])
    again = place.run("deploy-customer", "--version", "v1.0.0", "--customer", "acme-corp", "--force").ended(0)
    assert creates(place) == 4
    assert "v1.0.0 is verified" in again.out or "is there already" in again.out


def test_a_downgrade_without_force_is_refused(place: Place) -> None:
    place.deploy("acme-corp", "v1.1.0").ended(0)
    ran = place.refuses(1, "SW406", "deploy-customer", "--version", "v1.0.0", "--customer", "acme-corp")
    assert "--force" in ran.err
