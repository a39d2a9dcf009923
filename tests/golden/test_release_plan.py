"""The plan of a release as a person reads it: for the example's five customers, for one that cannot work, for many."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from securewatch.cli.failures import as_text
from securewatch.cli.release_show import show_release_plan
from securewatch.config.extras import Freeze
from securewatch.config.fleet import Fleet
from securewatch.config.load import load_fleet
from securewatch.operations.release_plan import PlannedRelease, infeasible
from securewatch.rollout.plan import ReleaseTarget, plan_release
from securewatch.rollout.schedule import Known, make_schedule
from securewatch.versions.version import parse_version
from tests.factories import COMMIT, NOW
from tests.golden.conftest import Golden

CONFIG = Path(__file__).resolve().parents[2] / "config"
TAGS = tuple(parse_version(tag) for tag in ("v1.0.0", "v1.1.0", "v1.2.0"))


def planned(fleet: Fleet, *, current: Mapping[str, str] | None = None, late_days: int = 0) -> PlannedRelease:
    """The release of v1.1.0, whose day 0 was so many days ago."""
    plan, runs = plan_release(fleet, ReleaseTarget("v1.1.0", COMMIT, TAGS), current or {}), current or {}
    there = tuple(slug for slug, version in runs.items() if version == "v1.1.0")
    schedule = make_schedule(plan, NOW - timedelta(days=late_days), now=NOW, known=Known(there=there))
    return PlannedRelease(plan, schedule, NOW, there)


@pytest.fixture
def fleet() -> Fleet:
    """The example's five customers."""
    return load_fleet(CONFIG)


def crowd(fleet: Fleet, enterprise: int, others: int) -> Fleet:
    """Many customers like those of the example."""
    kinds = [("medhealth", "financefirst")[n % 2] for n in range(enterprise)]
    kinds += [("techstart", "acme-corp")[n % 2] for n in range(others)]
    many = {f"c{n:04}": replace(fleet.customers[kind], slug=f"c{n:04}") for n, kind in enumerate(kinds)}
    return replace(fleet, customers={"demo": fleet.customers["demo"], **many})


def test_the_plan_of_five_customers(fleet: Fleet, golden: Golden, capsys: pytest.CaptureFixture[str]) -> None:
    show_release_plan(planned(fleet))

    golden("release-plan", capsys.readouterr().out)


def test_the_plan_where_some_are_left_out_and_notices_are_late(
    fleet: Fleet, golden: Golden, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = {"demo": "v1.1.0", "techstart": "v1.2.0", "acme-corp": "v1.0.0"}

    show_release_plan(planned(fleet, current=runs, late_days=5))

    golden("release-plan-left-out", capsys.readouterr().out)


def test_the_plan_of_very_many(fleet: Fleet, golden: Golden, capsys: pytest.CaptureFixture[str]) -> None:
    lanes = replace(fleet.extra, lanes={"enterprise": 2})

    show_release_plan(planned(replace(crowd(fleet, 60, 1000), extra=lanes)))

    golden("release-plan-of-many", capsys.readouterr().out)


def not_feasible(fleet: Fleet) -> PlannedRelease:
    """Two customers have no slot, and one lane is too few for the others."""
    many = crowd(fleet, 120, 0)
    customers = dict(many.customers)
    short = replace(customers["c0000"].window, end_text="02:20")
    customers["c0000"] = replace(customers["c0000"], window=short)
    freeze = Freeze("year end", NOW, NOW + timedelta(days=60), customers=("c0001",))
    return planned(replace(many, customers=customers, extra=replace(many.extra, freezes=(freeze,))))


def test_the_refusal_of_a_plan_that_is_not_feasible(fleet: Fleet, golden: Golden) -> None:
    golden("release-plan-infeasible", as_text(infeasible(not_feasible(fleet))))


def test_a_plan_that_is_not_feasible_says_so_first(
    fleet: Fleet, golden: Golden, capsys: pytest.CaptureFixture[str]
) -> None:
    show_release_plan(not_feasible(fleet))

    golden("release-plan-infeasible-forced", "\n".join(capsys.readouterr().out.splitlines()[:9]))
