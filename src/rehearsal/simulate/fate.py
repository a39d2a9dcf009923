"""What becomes of a customer's deploy in a rehearsal: drawn once for each customer and seed. Pure."""

import random
from dataclasses import dataclass
from enum import StrEnum


class Trouble(StrEnum):
    """What is wrong with the version for one customer."""

    NONE = "none"
    BUILD = "the build fails"
    SICK = "it is unhealthy once live"
    SICK_LATER = "it becomes unhealthy while it is watched"
    HANGS = "the build hangs"


_WEIGHTS = {Trouble.BUILD: 3, Trouble.SICK: 4, Trouble.SICK_LATER: 2, Trouble.HANGS: 1}
_STAYS_SICK = 0.05
_SPREAD = 0.25


@dataclass(frozen=True)
class Fate:
    """What happens to one customer. Builds take `pace` times as long as usual; shares are of one.

    `sick_after` is the share of the watch after which a version that is bad later is; `stays_sick` says that going back
    does not heal it. `answers_after_hours` is how long an approver takes.
    """

    trouble: Trouble
    pace: float
    sick_after: float
    stays_sick: bool
    answers_after_hours: float


def draw(seed: int, slug: str, failure_rate: float) -> Fate:
    """The fate of a customer; the same for the same seed, whoever else there is."""
    dice = random.Random(f"{seed}/{slug}")  # noqa: S311 - a rehearsal, no secret
    is_bad = dice.random() < failure_rate
    (kind,) = dice.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
    return Fate(
        trouble=kind if is_bad else Trouble.NONE,
        pace=dice.lognormvariate(0.0, _SPREAD),
        sick_after=dice.random(),
        stays_sick=dice.random() < _STAYS_SICK,
        answers_after_hours=dice.lognormvariate(1.5, 0.8),
    )
