"""Planning a release with the real program: through the runbook's script, as a file, refused where it cannot work."""

import json
from pathlib import Path

import pytest

from tests.acceptance.given import Place

SCRIPT = "minor-release-manager.sh"
PLAN = ("plan-release", "--version", "v1.1.0")


def change_window(place: Place, slug: str, hours: str) -> None:
    """Give a customer another maintenance window."""
    path = place.config / "customers.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    next(one for one in data["customers"] if one["slug"] == slug)["maintenance_window"]["time"] = hours
    path.write_text(json.dumps(data), encoding="utf-8")


def test_plan_release_shows_the_calendar_of_52_days_and_writes_nothing(place: Place) -> None:
    before = place.traces()

    ran = place.run(*PLAN, script=SCRIPT).ended(0)

    assert place.traces() == before
    for line in ("demo, day 0:", "startup, days 1 to 7:", "standard, days 8 to 21:", "enterprise, days 22 to 51:"):
        assert line in ran.out
    assert "Sunday 02:00-06:00 America/New_York" in ran.out
    assert "5 customers in 5 batches" in ran.out


def test_the_everyday_words_say_the_same_as_json(place: Place) -> None:
    start = ("--start-at", "2030-01-07T09:00Z", "-o", "json")

    seed = place.run(*PLAN, *start, script=SCRIPT).ended(0).data
    everyday = place.run("release", "plan", "--version", "v1.1.0", *start).ended(0).data

    assert everyday | {"notices": []} == seed | {"notices": []}
    assert (seed["version"], seed["feasible"], seed["day_zero"]) == ("v1.1.0", True, "2030-01-07T09:00:00Z")
    assert [(one["name"], one["first_day"], one["last_day"]) for one in seed["phases"]] == [
        ("demo", 0, 0),
        ("startup", 1, 7),
        ("standard", 8, 21),
        ("enterprise", 22, 51),
    ]
    enterprise = {one["slug"]: one for one in seed["phases"][3]["customers"]}
    assert enterprise["medhealth"]["start"] == "2030-02-03T07:00:00Z"  # Sunday, 2:00 in New York
    assert enterprise["medhealth"]["approvals_needed"] == 1


def test_a_plan_is_kept_as_a_file_and_compared(place: Place, tmp_path: Path) -> None:
    first, second = tmp_path / "plan.json", tmp_path / "new-plan.json"
    place.run(*PLAN, "--out", str(first), script=SCRIPT).ended(0)
    change_window(place, "medhealth", "01:00-05:00")
    place.run(*PLAN, "--out", str(second), script=SCRIPT).ended(0)

    same = place.run("plan", "diff", str(first), str(first), "--detailed-exitcode").ended(0)
    differs = place.run("plan", "diff", str(first), str(second), "--detailed-exitcode", "-o", "json").ended(3)

    assert same.out == "the plans are the same\n"
    assert differs.data == [
        {
            "phase": "enterprise",
            "slug": "medhealth",
            "name": "gates.window",
            "before": "sunday 02:00 06:00 America/New_York",
            "after": "sunday 01:00 05:00 America/New_York",
        }
    ]


def test_a_plan_that_is_not_feasible_is_refused_and_shown_with_force(place: Place) -> None:
    change_window(place, "medhealth", "02:00-02:20")

    place.refuses(1, "SW418", *PLAN, script=SCRIPT)
    ran = place.run(*PLAN, "--force", script=SCRIPT).ended(0)

    assert "‼ medhealth: Sunday 02:00-02:20 America/New_York is never open" in ran.out


@pytest.mark.parametrize(
    ("exit_code", "code", "words"),
    [
        (2, "SW214", ("plan-release", "--version", "v1.0.1")),
        (2, "SW203", ("plan-release", "--version", "v1.9.0")),
        (2, "SW204", ("plan-release", "--version", "one")),
        (2, "SW201", (*PLAN, "--start-at", "tomorrow")),
        (2, "SW201", (*PLAN, "--out", "/nowhere/plan.json")),
        (2, "SW206", ("plan", "diff", "nowhere.json", "nowhere.json")),
        (2, "SW206", ("plan", "diff", "abcdef", "abcdef")),
    ],
)
def test_bad_input_is_refused_and_writes_nothing(
    place: Place, exit_code: int, code: str, words: tuple[str, ...]
) -> None:
    place.refuses(exit_code, code, *words)
