"""`release simulate --through-http`: the simulation suite's plays of made-up fleets, for users."""

import logging
from collections.abc import Sequence
from functools import partial

from rehearsal.play import Course, play
from rehearsal.side_by_side import play_all
from rehearsal.trouble import menu
from securewatch.operations.release.simulate import PlayedOutcome, Wish

CUSTOMERS = 20
"""Where nobody says how many."""


def through_http(wish: Wish) -> Sequence[PlayedOutcome]:
    """A course for each seed, through the real client and store, before the witness of the simulation suite."""
    return play_all(partial(_played, wish), range(wish.seed, wish.seed + wish.runs))


def _played(wish: Wish, seed: int) -> PlayedOutcome:
    logging.getLogger("securewatch").setLevel(logging.ERROR)
    troubles = tuple(menu.pick(seed)) if wish.failure_rate else ()
    found = play(Course(seed, wish.customers or CUSTOMERS, troubles))
    return PlayedOutcome(
        seed=seed,
        state=found.state,
        days=found.days,
        members=found.members,
        requests=found.requests,
        restarts=found.restarts,
        faults=tuple(one.name for one in troubles if one.has_fired),
        violations=tuple(found.violations),
    )
