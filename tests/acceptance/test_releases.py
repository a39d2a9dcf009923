"""A release over the whole fleet, by the commands that people type: from day 0 to the last customer, and back."""

import json
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.acceptance.given import Place, Platform, end, platform, wait_until

VERSION = ("--version", "v1.1.0")
START = ("rollout", "start", *VERSION, "--yes")
BACKENDS = {
    "demo": "srv-demo-backend-mno345",
    "techstart": "srv-techstart-backend-ghi789",
    "acme-corp": "srv-acme-backend-abc123",
    "medhealth": "srv-medhealth-backend-stu901",
    "financefirst": "srv-financefirst-backend-yza567",
}
IN_WINDOWS = (
    ("financefirst", "Europe/London", "Saturday", range(22, 24)),
    ("medhealth", "America/New_York", "Sunday", range(2, 6)),
)
MANAGER, DEPLOYER = "minor-release-manager.sh", "render-deploy.sh"


@pytest.fixture(scope="module")
def render(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform on which time runs faster still: a release takes weeks."""
    with platform(
        tmp_path_factory.mktemp("platform"), "--fast", "1200", "--apps", "inprocess", "--no-database"
    ) as found:
        yield found


@pytest.fixture
def fleet(place: Place) -> Place:
    """The installation, with customers looked at every six hours once they are verified."""
    sparse = {"probe": {"dense_interval": "6_hours", "sparse_interval": "6_hours"}}
    (place.config / "securewatch.json").write_text(json.dumps(sparse), encoding="utf-8")
    return place


def approve(place: Place, *slugs: str) -> None:
    """Let dana approve enterprise customers."""
    for slug in slugs:
        place.run("approve", *VERSION, "--customer", slug, SECUREWATCH_ACTOR="dana").ended(0)


def created_at(place: Place, slug: str) -> datetime:
    """When the customer's backend got its latest deploy, by the platform."""
    return datetime.fromisoformat(place.platform.service(BACKENDS[slug])["deploys"][-1]["created_at"])


def deploys_of(place: Place, slug: str) -> list[dict[str, str]]:
    """The deploys that the tool made of the customer's backend."""
    return [one for one in place.platform.service(BACKENDS[slug])["deploys"] if one["trigger"] == "api"]


def statuses(place: Place) -> dict[str, str]:
    """Every customer's status in the release."""
    found = place.run("release", "status", "-o", "json").ended(0).data
    return {one["slug"]: one["status"] for one in found["customers"]}


def skip_to_day(place: Place, day: int) -> None:
    """Let the days go by until that day of the release, as a weekend does."""
    place.clock().skip_to(created_at(place, "demo") + timedelta(days=day))


def deploy_when_approved(place: Place, slug: str) -> str:
    """Deploy an enterprise customer: it asks for an approval first, and waits for the window then."""
    deploy = ("deploy-customer", *VERSION, "--customer", slug)
    asked = place.run(*deploy, script=DEPLOYER).ended(5).out
    approve(place, slug)
    place.run(*deploy, "--wait", script=DEPLOYER).ended(0)
    return asked


def test_one_rollout_start_brings_the_version_to_everybody_on_their_days(fleet: Place) -> None:
    began = fleet.run(*START, "--detach", "-o", "json").ended(0).data
    approve(fleet, "medhealth", "financefirst")
    done = fleet.run(*START, "--wait", "-o", "json").ended(0).data
    day_zero = datetime.fromisoformat(began["day_zero"])

    days = {slug: (created_at(fleet, slug) - day_zero).days for slug in BACKENDS}
    status = fleet.run("check-status", *VERSION, "-o", "json", script=MANAGER).ended(0).data

    assert {one["way_back"]["to"] for one in status["customers"]} == {"v1.0.0"}
    assert done["state"] == "running"
    assert {one["slug"]: one["version"] for one in done["customers"]} == dict.fromkeys(BACKENDS, "v1.1.0")
    assert [one["name"] for one in done["phases"]] == ["demo", "startup", "standard", "enterprise"]
    assert (days["demo"], days["techstart"], days["acme-corp"]) == (0, 1, 8)
    assert all(22 <= days[slug] <= 51 for slug in ("medhealth", "financefirst"))
    medhealth = created_at(fleet, "medhealth").astimezone(ZoneInfo("America/New_York"))
    assert (medhealth.strftime("%A"), 2 <= medhealth.hour < 6) == ("Sunday", True)
    assert fleet.run("rollout", "list").ended(0).out.count("v1.1.0-r1") == 1


def test_the_missions_example_works_as_written(fleet: Place) -> None:
    fleet.run("deploy-customer", *VERSION, "--customer", "demo", script=DEPLOYER).ended(0)
    early = fleet.run("deploy-customers", *VERSION, "--customers", "startup", script=MANAGER).ended(5)
    fleet.run("deploy-customers", *VERSION, "--customers", "startup", "--wait", script=MANAGER).ended(0)
    fleet.run("deploy-customers", *VERSION, "--customers", "standard", "--wait", script=MANAGER).ended(0)

    status = fleet.run("check-status", *VERSION, script=MANAGER).ended(0)

    skip_to_day(fleet, 22)
    asked = {slug: deploy_when_approved(fleet, slug) for slug in ("financefirst", "medhealth")}

    assert "day 1 of the release calendar" in early.out
    assert all("an approval by anyone but robin" in one for one in asked.values())
    assert all(22 <= (created_at(fleet, slug) - created_at(fleet, "demo")).days <= 51 for slug in asked)
    for slug, zone, day, hours in IN_WINDOWS:
        at = created_at(fleet, slug).astimezone(ZoneInfo(zone))
        assert (at.strftime("%A"), at.hour in hours) == (day, True)
    assert set(statuses(fleet).values()) == {"live"}
    assert (created_at(fleet, "acme-corp") - created_at(fleet, "demo")).days in (7, 8)
    assert "has v1.1.0 already" in status.out
    assert "way back    open for 3 of 3 with the version" in status.out


def test_a_bad_version_stops_in_its_phase_and_is_taken_back(fleet: Place) -> None:
    fleet.run("start-phase", *VERSION, "--phase", "demo", script=MANAGER).ended(0)
    fleet.platform.misbehave(BACKENDS["techstart"], status=500)
    failed = fleet.run("start-phase", *VERSION, "--phase", "startup", "--wait", script=MANAGER)
    status = fleet.run("check-status").ended(0)

    assert failed.code in (1, 6), failed.out + failed.err
    assert "halted" in status.out
    assert "securewatch rollout resume --version v1.1.0" in status.out


def test_a_phase_is_taken_back_and_its_customers_have_the_old_version(fleet: Place) -> None:
    fleet.run("start-phase", *VERSION, "--phase", "demo").ended(0)
    forced = ("--force", "--reason", "they ask for it")
    fleet.run("start-phase", *VERSION, "--phase", "startup", *forced).ended(0)

    asked = fleet.run("rollback-phase", *VERSION, "--phase", "startup", script=MANAGER).ended(2)
    back = fleet.run("rollback-phase", *VERSION, "--phase", "startup", "--yes", "-o", "json", script=MANAGER).ended(0)

    assert "error[SW207]" in asked.err
    assert [(one["slug"], one["status"], one["is_back"]) for one in back.data["customers"]] == [
        ("techstart", "rolled_back", True)
    ]
    assert statuses(fleet)["techstart"] == "rolled_back"
    listed = fleet.run("customer", "list", "-o", "json").ended(0).data
    assert [one["backend"] for one in listed if one["slug"] == "techstart"] == ["v1.0.0"]


def test_serve_carries_a_detached_rollout_on_after_being_killed(fleet: Place) -> None:
    fleet.run(*START, "--detach").ended(0)

    with fleet.running("serve") as first:
        wait_until(lambda: len(deploys_of(fleet, "demo")) == 1, seconds=60)
        first.kill()
        first.wait()
    with fleet.running("serve") as second:
        wait_until(lambda: [one["status"] for one in deploys_of(fleet, "techstart")] == ["live"], seconds=100)
        end(second)

    assert len(deploys_of(fleet, "demo")) == 1


def test_why_and_eta_tell_what_each_customer_waits_for_and_when_it_ends(fleet: Place) -> None:
    began = fleet.run(*START, "--detach", "-o", "json").ended(0).data
    day_zero = datetime.fromisoformat(began["day_zero"])

    one = fleet.run("rollout", "why", "medhealth").ended(0).out
    eta = fleet.run("rollout", "eta", "-o", "json").ended(0).data
    status = fleet.run("check-status", *VERSION, "-o", "json", script=MANAGER).ended(0).data

    assert "and for     an approval by anyone but robin" in one
    assert "securewatch approve --version v1.1.0 --customer medhealth" in one
    assert 22 <= (datetime.fromisoformat(eta["earliest"]) - day_zero).days <= 51
    assert datetime.fromisoformat(eta["earliest"]) < datetime.fromisoformat(eta["latest"])
    assert [row["name"] for row in eta["phases"]] == ["demo", "startup", "standard", "enterprise"]
    assert {one["way_back"] for one in status["customers"]} == {None}
    assert status["eta"] == {"earliest": eta["earliest"], "latest": eta["latest"]}


def test_people_pause_resume_skip_and_abort(fleet: Place) -> None:
    fleet.run(*START, "--detach").ended(0)

    paused = fleet.run("rollout", "pause", "--reason", "a fix is coming").ended(0)
    waiting = fleet.run(*START).ended(5)
    fleet.run("rollout", "skip", "techstart", "--reason", "is migrating").ended(0)
    fleet.run("rollout", "resume").ended(0)
    fleet.run("rollout", "abort", "--reason", "enough", "--yes").ended(0)
    again = fleet.run("rollout", "pause").ended(7)

    assert "v1.1.0-r1 is paused (a fix is coming)" in paused.out
    assert "`rollout resume`: a fix is coming" in waiting.out
    assert set(statuses(fleet).values()) == {"held"}
    assert "error[SW421]" in again.err


@pytest.mark.parametrize(
    ("words", "exit_code", "error_code"),
    [
        (("start-phase", *VERSION, "--phase", "startups"), 2, "SW208"),
        (("deploy-batch", *VERSION, "--phase", "startup", "--batch", "7"), 2, "SW208"),
        (("deploy-customers", *VERSION, "--customers", "nobody"), 2, "SW202"),
        (("deploy-customers", *VERSION, "--customers", "startup", "--force"), 2, "SW417"),
        (("rollout", "start", "--version", "v9.9.0"), 2, "SW203"),
        (("rollout", "start", *VERSION, "--start-at", "tomorrow"), 2, "SW201"),
        (("rollout", "status"), 2, "SW208"),
        (("rollback-phase", *VERSION, "--phase", "startup", "--yes"), 2, "SW208"),
    ],
)
def test_what_makes_no_sense_is_refused_and_writes_nothing(
    fleet: Place, words: tuple[str, ...], exit_code: int, error_code: str
) -> None:
    fleet.refuses(exit_code, error_code, *words)


def test_two_operators_who_start_the_same_release_at_once_have_one_rollout(fleet: Place) -> None:
    both = [fleet.start(*START, "--detach", SECUREWATCH_ACTOR=name) for name in ("ann", "bob")]

    ended = [(one.communicate(timeout=60), one.returncode) for one in both]

    assert {code for _, code in ended} <= {0, 5}, ended
    assert sum("v1.1.0-r1 is open already, begun by " in err for (_, err), _ in ended) == 1
    listed = fleet.run("rollout", "list", "-o", "json").ended(0).data
    assert [one["id"] for one in listed] == ["v1.1.0-r1"]


def test_a_rollout_keeps_its_policy_when_the_files_are_edited_and_says_so(fleet: Place) -> None:
    fleet.run(*START, "--detach").ended(0)
    fleet.edit("customers.json", lambda data: data["customers"][3]["maintenance_window"].update(time="01:00-05:00"))
    note = "the files changed since the plan, which stays as it was: medhealth window"
    stale = ("approve", *VERSION, "--customer", "medhealth", "--plan", "0123abcd")

    again = fleet.run(*START, "--detach").ended(0)
    fleet.refuses(7, "SW413", *stale, SECUREWATCH_ACTOR="dana")
    (fleet.config / "customers.json").write_text("{", encoding="utf-8")
    broken = fleet.run("check-status", *VERSION, script=MANAGER).ended(0)

    assert note in again.err
    assert "the files cannot be read (SW103 " in broken.out


def test_a_release_that_cannot_work_does_not_begin(fleet: Place) -> None:
    fleet.edit("customers.json", lambda data: data["customers"][3]["maintenance_window"].update(time="02:00-02:20"))

    fleet.refuses(1, "SW418", *START, "--detach")


def test_a_moved_tag_is_refused(fleet: Place) -> None:
    fleet.run("start-phase", *VERSION, "--phase", "demo").ended(0)
    subprocess.run(["git", "-C", fleet.platform.repo, "tag", "-f", "v1.1.0", "v1.0.0^{}"], check=True)

    moved = fleet.run("start-phase", *VERSION, "--phase", "startup", "--wait")

    assert "error[SW412]" in moved.err
    assert moved.code == 7
