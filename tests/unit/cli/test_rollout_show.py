"""A rollout as lines: phases up to the next one, and the customers of those that have begun."""

from collections.abc import Mapping

from securewatch.cli.rollout_show import begun_members, phase_lines
from securewatch.operations.release.status import ReleaseStatus, status_of_release
from securewatch.rollout.conduct import decide_rollout
from securewatch.rollout.model import Member, MemberState
from securewatch.rollout.view import RolloutView
from tests.unit.rollout.release import HOUR, PLAN, day, members, rollout

NOW = day(1) + HOUR


def status(rows: Mapping[str, Member]) -> ReleaseStatus:
    view = RolloutView(rollout(), PLAN, rows)
    return status_of_release(view, decide_rollout(view, NOW), {})


def test_phases_are_told_up_to_the_first_that_has_not_begun() -> None:
    found = status(members(demo=MemberState.VERIFIED))

    names, words = zip(*((name, text) for name, _, text in phase_lines(found, NOW)), strict=True)

    assert names == ("demo", "startup", "standard")
    assert words[:2] == ("done", "running, batch 1 of 2")
    assert words[2].startswith("waiting  the phase before (startup: 3 of 3 customers are not done); day 8")
    assert [one.slug for one in begun_members(found)] == ["demo", "alfa", "bravo", "coco"]


def test_a_waiting_phase_is_no_news_while_its_day_is_the_same() -> None:
    one, two = (
        [key for _, key, _ in phase_lines(status(members(demo=MemberState.VERIFIED, alfa=state)), NOW)]
        for state in (MemberState.PENDING, MemberState.VERIFIED)
    )

    assert one == two
