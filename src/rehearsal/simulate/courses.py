"""Plays the courses of a rehearsal, some side by side where there are several and a core for each."""

import gc
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from rehearsal.simulate.course import Course
from securewatch.operations.release.simulate import CourseOutcome, Setting

SMALL = 2_000
"""Customers over all courses up to which other processes cost more than they bring."""


def simulate(setting: Setting) -> Sequence[CourseOutcome]:
    """The courses of a setting, by seed. The same setting gives the same values."""
    wish = setting.wish
    seeds = range(wish.seed, wish.seed + wish.runs)
    size = wish.runs * sum(len(phase.members) for phase in setting.plan.phases)
    workers = min(os.cpu_count() or 1, wish.runs)
    if workers == 1 or size <= SMALL:
        return [play(setting, seed) for seed in seeds]
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(partial(play, setting), seeds))


def play(setting: Setting, seed: int) -> CourseOutcome:
    """One course. Its values live until its end, so that looking for cycles among them only costs time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        return Course(setting, seed).play()
    finally:
        if was_on:
            gc.enable()
