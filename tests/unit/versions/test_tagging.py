"""Which version may be tagged next, and what is said of one that may not."""

import pytest

from securewatch.core.errors import Conflict, SecurewatchError, UsageError
from securewatch.versions.tagging import check_next

TAKEN = ("nightly", "v1.0.0", "v1.0.1", "v1.1.0", "v1.2.0-rc.1")


@pytest.mark.parametrize(
    "text", ["v1.0.2", "v1.1.1", "v1.1.1-rc.1", "v1.1.5", "v1.2.0-rc.2", "v1.2.0", "v1.3.0", "v2.0.0", "v2.0.0-rc.1"]
)
def test_what_comes_after_its_line_may_be_tagged(text: str) -> None:
    assert check_next(text, TAKEN).tag == text


@pytest.mark.parametrize("text", ["v0.1.0", "v1.0.0", "v3.0.0"])
def test_the_first_version_of_all_may_be_any_with_patch_0(text: str) -> None:
    assert check_next(text, ("nightly",)).tag == text


@pytest.mark.parametrize("text", ["v1.1.0", "v1.1.0+build.7"])
def test_a_version_that_is_tagged_is_taken_whatever_its_build(text: str) -> None:
    with pytest.raises(Conflict) as caught:
        check_next(text, TAKEN)

    assert caught.value.code == "SW209"
    assert caught.value.what == "tag v1.1.0 exists already"
    assert caught.value.fix == "next come v1.1.1 (patch), v1.2.0 (minor) or v2.0.0 (major)"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("v1.0.1-rc.1", "v1.0.1 is newer"),
        ("v1.2.0-alpha", "v1.2.0-rc.1 is newer"),
        ("v1.3.1", "the first version of v1.3.x has patch 0"),
        ("v0.9.0", "has minor 0"),
        ("v0.0.0", "v1.2.0-rc.1 is newer"),
        ("v2.1.0", "the first version of v2.x has minor 0"),
        ("v2.0.1", "the first version of v2.0.x has patch 0"),
    ],
)
def test_a_version_out_of_place_is_refused_with_those_that_would_do(text: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_next(text, TAKEN)

    assert caught.value.code == "SW210"
    assert why in caught.value.why
    assert "v1.2.0 (minor) or v2.0.0 (major)" in caught.value.fix


def test_a_line_behind_the_newest_of_its_major_version_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        check_next("v1.4.0", ("v1.5.0",))

    assert caught.value.code == "SW210"


def test_the_next_patch_is_that_of_the_line_that_was_asked_for() -> None:
    with pytest.raises(Conflict) as caught:
        check_next("v1.0.1", TAKEN)

    assert "v1.0.2 (patch), v1.2.0 (minor)" in caught.value.fix


@pytest.mark.parametrize(
    "text", ["", "1.4.0", "v1.4", "--delete", "v1.4.0 --force", "v1.4.0\n", "refs/tags/v1.4.0", "v1.1.0-3-gabc1234"]
)
def test_other_names_are_no_version_to_tag(text: str) -> None:
    with pytest.raises(SecurewatchError) as caught:
        check_next(text, TAKEN)

    assert caught.value.code == "SW204"
