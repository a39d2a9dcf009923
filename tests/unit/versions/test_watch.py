"""What is new for demo customers: by their source, after a first look, and never while they are busy."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from securewatch.config.fleet import Customer, Fleet
from securewatch.config.load import load_fleet
from securewatch.config.policy import DeploymentSource
from securewatch.versions.version import parse_version
from securewatch.versions.watch import Mark, Point, Sight, Source, find_news, first_marks

EXAMPLE = Path(__file__).resolve().parents[3] / "config"
OLD = {"demo": Mark("v1.1.0", "c-3"), "tags-only": Mark("v1.1.0")}


def point(name: str, commit: str) -> Point:
    return Point(parse_version(name), commit)


SEEN = Sight(point("v1.1.0", "c-1"), point("v1.1.0-2-gabc1234", "c-3"))
HEAD = point("v1.1.0-3-gabc1235", "c-4")


def with_customers(fleet: Fleet, *changed: Customer) -> Fleet:
    return replace(fleet, customers={**fleet.customers, **{one.slug: one for one in changed}})


@pytest.fixture
def fleet() -> Fleet:
    """The example's demo customer, which follows main, and one that takes stable tags."""
    example = load_fleet(EXAMPLE)
    source = DeploymentSource.LATEST_STABLE_TAG
    return with_customers(example, replace(example.customers["demo"], slug="tags-only", deployment_source=source))


def news(fleet: Fleet, sight: Sight, *, marks: Mapping[str, Mark] = OLD, busy: tuple[str, ...] = ()) -> list[object]:
    """What is new, as (source, version, customers)."""
    found = find_news(fleet, marks, sight, busy=busy)
    return [(str(one.source), one.point.version.tag, one.slugs) for one in found]


def test_a_first_look_only_makes_marks(fleet: Fleet) -> None:
    assert first_marks(fleet, {}, SEEN) == OLD
    assert news(fleet, SEEN, marks={}) == []
    assert first_marks(fleet, OLD, SEEN) == {}


def test_a_customer_who_comes_later_or_takes_up_main_is_looked_at_for_the_first_time(fleet: Fleet) -> None:
    later = Sight(SEEN.newest, HEAD)

    assert first_marks(fleet, {"demo": OLD["demo"]}, later) == {"tags-only": Mark("v1.1.0")}
    assert first_marks(fleet, {**OLD, "demo": Mark("v1.0.0")}, later) == {"demo": Mark("v1.0.0", "c-4")}


def test_nothing_is_new_where_nothing_changed(fleet: Fleet) -> None:
    assert news(fleet, SEEN) == []


def test_a_new_head_of_main_is_for_those_who_follow_it(fleet: Fleet) -> None:
    (found,) = find_news(fleet, OLD, Sight(SEEN.newest, HEAD))

    assert (found.source, found.point, found.marks) == (Source.MAIN, HEAD, {"demo": Mark("v1.1.0", "c-4")})


def test_a_newer_stable_tag_is_for_all(fleet: Fleet) -> None:
    (found,) = find_news(fleet, OLD, Sight(point("v1.2.0", "c-9"), SEEN.main))

    assert (found.source, found.slugs) == (Source.TAG, ("demo", "tags-only"))
    assert found.marks == {"demo": Mark("v1.2.0", "c-3"), "tags-only": Mark("v1.2.0")}


@pytest.mark.parametrize("newest", ["v1.0.5", "v1.1.0"])
def test_a_tag_that_is_no_newer_is_no_news(fleet: Fleet, newest: str) -> None:
    assert news(fleet, Sight(point(newest, "c-9"), SEEN.main)) == []


def test_the_first_tag_of_all_is_news(fleet: Fleet) -> None:
    assert news(fleet, Sight(point("v0.1.0", "c-1")), marks={"tags-only": Mark()}) == [
        ("tag", "v0.1.0", ("tags-only",))
    ]


def test_a_tag_comes_before_main_and_main_after_it(fleet: Fleet) -> None:
    both = Sight(point("v1.2.0", "c-4"), point("v1.2.0-1-gabc1236", "c-5"))
    (tag,) = find_news(fleet, OLD, both)

    assert tag.point.version.tag == "v1.2.0"
    assert news(fleet, both, marks={**OLD, **tag.marks}) == [("main", "v1.2.0-1-gabc1236", ("demo",))]


def test_a_tag_on_the_head_of_main_is_both_at_once(fleet: Fleet) -> None:
    head = Sight(point("v1.2.0", "c-4"), point("v1.2.0", "c-4"))
    (tag,) = find_news(fleet, OLD, head)

    assert tag.source is Source.TAG
    assert news(fleet, head, marks={**OLD, **tag.marks}) == []


def test_what_is_new_for_a_busy_customer_is_new_afterwards(fleet: Fleet) -> None:
    sight = Sight(point("v1.2.0", "c-9"), SEEN.main)

    assert news(fleet, sight, busy=("demo",)) == [("tag", "v1.2.0", ("tags-only",))]
    assert news(fleet, sight, busy=("tags-only",)) == [("tag", "v1.2.0", ("demo",))]


def test_nothing_is_new_for_customers_who_are_held_or_deployed_to_by_hand(fleet: Fleet) -> None:
    sight = Sight(point("v1.2.0", "c-9"), HEAD)
    held = with_customers(fleet, replace(fleet.customers["demo"], held=("SW105: the files disagree",)))
    by_hand = replace(fleet.phases["demo"], deployment_method="manual_trigger_with_tag")

    assert news(held, sight) == [("tag", "v1.2.0", ("tags-only",))]
    assert news(replace(fleet, phases={**fleet.phases, "demo": by_hand}), sight) == []
    assert first_marks(replace(fleet, phases={**fleet.phases, "demo": by_hand}), {}, sight) == {}


def test_a_main_branch_that_cannot_be_described_is_no_news(fleet: Fleet) -> None:
    assert news(fleet, Sight(SEEN.newest, None)) == []
