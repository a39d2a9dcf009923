"""Versions: what a tag's name means, and in which order versions stand."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securewatch.core.errors import UsageError
from securewatch.versions.version import (
    find_described,
    find_version,
    is_in_family,
    is_same_or_older,
    latest_stable,
    parse_version,
)

ORDER = [
    "v0.9.0",
    "v1.0.0-alpha",
    "v1.0.0-alpha.2",
    "v1.0.0-alpha.10",
    "v1.0.0-rc.1",
    "v1.0.0",
    "v1.0.1",
    "v1.9.0",
    "v1.10.0",
]


def test_versions_stand_in_the_order_of_semantic_versions() -> None:
    assert [str(one) for one in sorted(parse_version(text) for text in reversed(ORDER))] == ORDER


def test_builds_have_an_order_of_their_own_and_are_no_newer_version() -> None:
    one, other = parse_version("v1.0.0+a"), parse_version("v1.0.0+b")

    assert one < other
    assert is_same_or_older(other, one)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v",
        "1.0.0",
        "v1",
        "v1.0",
        "v1.0.0.0",
        "v01.0.0",
        "V1.0.0",
        "v1.0.0 ",
        "v1.0.0\n",
        "main",
        "v\u0661.0.0",
        "v1.0.0-" + "a" * 200,
    ],
)
def test_other_names_are_no_version(text: str) -> None:
    assert find_version(text) is None
    with pytest.raises(UsageError) as caught:
        parse_version(text)
    assert caught.value.code == "SW204"


def test_a_version_without_its_v_is_asked_about() -> None:
    with pytest.raises(UsageError) as caught:
        parse_version("1.1.0")

    assert caught.value.fix == "did you mean v1.1.0?"


def test_hostile_text_is_escaped_and_cut() -> None:
    with pytest.raises(UsageError) as caught:
        parse_version("\x1b[31m" + "x" * 1000)

    assert "\x1b" not in caught.value.what
    assert len(caught.value.what) < 200


@given(st.text(max_size=40))
def test_any_text_is_a_version_or_none(text: str) -> None:
    found = find_version(text)

    assert found is None or found.tag == text


def test_candidates_are_not_stable() -> None:
    assert not parse_version("v1.0.0-rc.1").is_stable
    assert parse_version("v1.0.0+build").is_stable


def test_the_latest_stable_version_is_the_greatest_without_a_candidate() -> None:
    assert latest_stable(tuple(parse_version(one) for one in (*ORDER, "v2.0.0-rc.1"))) == parse_version("v1.10.0")
    assert latest_stable(()) is None


@pytest.mark.parametrize(
    ("tag", "family", "is_in"),
    [
        ("v1.2.3", "v1.x", True),
        ("v1.2.3", "v1.2.x", True),
        ("v2.0.0", "v1.x", False),
        ("v1.3.0", "v1.2.x", False),
        ("v10.0.0", "v1.x", False),
        ("v1.2.3-rc.1", "v1.x", False),
        ("v1.2.3", "latest", False),
    ],
)
def test_families_hold_the_stable_versions_below_them(tag: str, family: str, is_in: bool) -> None:
    assert is_in_family(parse_version(tag), family) is is_in


def test_a_commit_of_the_main_branch_is_known_by_its_described_name() -> None:
    found = find_described("v1.3.0-rc.1-12-gabc1234")

    assert found is not None
    assert (found.base.tag, found.count, found.commit) == ("v1.3.0-rc.1", 12, "abc1234")


@pytest.mark.parametrize("text", ["v1.1.0", "v1.1.0-rc.1", "v1.1.0-0-gabc1234", "v1.1.0-3-gxyz", "nightly-3-gabc1234"])
def test_other_names_describe_no_commit(text: str) -> None:
    assert find_described(text) is None


def test_commits_of_the_main_branch_come_after_the_version_they_are_described_by() -> None:
    names = ["v1.1.0", "v1.1.0-3-gabc1234", "v1.1.0-12-gfff0000", "v1.1.1"]
    versions = [parse_version(text) for text in names]

    assert all(is_same_or_older(one, other) for one, other in pairwise(versions))
    assert not any(is_same_or_older(other, one) for one, other in pairwise(versions))
