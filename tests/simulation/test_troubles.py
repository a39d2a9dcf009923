"""Every trouble by itself: it comes about, and the invariants hold."""

import pytest

from rehearsal.play import Course, play
from rehearsal.trouble import menu
from rehearsal.trouble.base import Trouble
from tests.simulation.given import play_trouble, reproduce


def test_a_release_without_trouble_comes_to_everybody() -> None:
    outcome = play(Course(2, 12))

    assert outcome.is_well, reproduce(outcome, 2, 12)
    assert (outcome.state, outcome.members) == ("done", {"done": 12})


def test_the_same_seed_plays_the_same_release() -> None:
    first, second = (play(Course(7, 6, tuple(menu.pick(7)))) for _ in range(2))

    assert first == second


@pytest.mark.parametrize("kind", menu.ALL, ids=lambda kind: kind.__name__)
def test_a_trouble_comes_about_and_the_invariants_hold(kind: type[Trouble]) -> None:
    outcome = play_trouble(kind)

    assert outcome.is_well, f"{kind.__name__}: {reproduce(outcome, 1, 6)}"


@pytest.mark.parametrize("kind", menu.BAD_VERSIONS, ids=lambda kind: kind.__name__)
def test_a_bad_version_reaches_one_customer_alone_and_is_taken_back(kind: type[Trouble]) -> None:
    outcome = play_trouble(kind)

    assert outcome.state == "aborted"
    assert "done" not in outcome.members
    assert outcome.members.get("rolled_back", 0) + outcome.members.get("failed", 0) == 1
