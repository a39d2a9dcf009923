"""Plays the courses of a rehearsal, some side by side where there are several and a core for each."""

import gc
from collections.abc import Sequence
from functools import partial

from rehearsal.side_by_side import play_all
from rehearsal.simulate.course import Course
from securewatch.operations.release.simulate import CourseOutcome, Setting

SMALL = 2_000
"""Customers over all courses up to which other processes cost more than they bring."""


def simulate(setting: Setting) -> Sequence[CourseOutcome]:
    """The courses of a setting, by seed. The same setting gives the same values."""
    wish = setting.wish
    size = wish.runs * sum(len(phase.members) for phase in setting.plan.phases)
    return play_all(partial(play, setting), range(wish.seed, wish.seed + wish.runs), alone=size <= SMALL)


def play(setting: Setting, seed: int) -> CourseOutcome:
    """One course. Its values live until its end, so that looking for cycles among them only costs time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        return Course(setting, seed).play()
    finally:
        if was_on:
            gc.enable()
