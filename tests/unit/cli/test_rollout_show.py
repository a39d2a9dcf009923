"""A rollout as lines: phases up to the next one, and the customers of those that have begun."""

from collections.abc import Mapping

import pytest

from securewatch.cli.rollout_show import begun_members, phase_lines, way_back_words, ways_back_lines
from securewatch.cli.words import show_instant
from securewatch.deploy.readiness import WayBack
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


SOON = WayBack("v1.0.0", True, NOW, "the policy's rollback window", "the policy's rollback window ends soon")
BARRED = WayBack("v1.0.0", False, why="after v1.1.0/002.sql only a restore of the database leads back")


@pytest.mark.parametrize(
    ("way", "words"),
    [
        (None, "-"),
        (WayBack("v1.0.0", True), "v1.0.0"),
        (WayBack("v1.0.0", True, NOW, "the policy's rollback window"), f"v1.0.0 to {show_instant(NOW)[:10]}"),
        (SOON, f"v1.0.0 to {show_instant(NOW)[:10]} !"),
        (BARRED, "none !"),
    ],
)
def test_a_way_back_in_short(way: WayBack | None, words: str) -> None:
    assert way_back_words(way) == words


def test_ways_back_are_counted_and_what_lapses_or_is_barred_is_named() -> None:
    ways = {"alfa": WayBack("v1.0.0", True), "bravo": SOON, "coco": SOON, "demo": BARRED}

    assert ways_back_lines({}) == []
    assert ways_back_lines(ways) == [
        "way back    open for 3 of 4 with the version",
        "            ! bravo, coco: the policy's rollback window ends soon",
        "            ! demo: none, after v1.1.0/002.sql only a restore of the database leads back",
    ]


def test_of_many_ways_back_only_a_few_are_named() -> None:
    alike = {f"c{number}": SOON for number in range(7)}
    unlike = {f"d{number}": WayBack("v1.0.0", True, warning=f"warning {number}") for number in range(7)}

    assert ways_back_lines(alike)[1:] == [
        "            ! c0, c1, c2, c3, c4 and 2 more: the policy's rollback window ends soon"
    ]
    assert ways_back_lines(unlike)[-2:] == [
        "            ! d4: warning 4",
        "            ! and 2 customers more; -o json shows all",
    ]
