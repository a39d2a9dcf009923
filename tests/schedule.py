"""Which tests a worker of pytest-xdist gets next. Says nothing of what they do.

Plays of the simulation only reckon; most others wait for clocks, processes and databases as well. So one worker plays,
the others go through the rest, long ones first, and whoever comes to its end helps out: no core idles before the end.
A module stays on one worker, since its fixtures are dear; plays and kills are given out one by one.
"""

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

PLAYS = "tests/simulation/"
ONE_BY_ONE = (PLAYS, "tests/crash/test_crash.py")
LONG_FIRST = ("tests/crash/", "tests/acceptance/", "tests/integration/", "")
PLAYER = "gw0"


class Schedule(LoadScopeScheduling):
    """Hands out the tests of a run."""

    def _split_scope(self, nodeid: str) -> str:
        """What is handed out together: a module, or one test."""
        return nodeid if nodeid.startswith(ONE_BY_ONE) else nodeid.partition("::")[0]

    def _assign_work_unit(self, node: WorkerController) -> None:
        """Give the worker what is first for it."""
        is_player = node.gateway.id == PLAYER
        scope = min(self.workqueue, key=lambda one: (one.startswith(PLAYS) is not is_player, place_of(one)))
        self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)


def place_of(scope: str) -> int:
    """Where its folder stands in the order of what takes long."""
    return next(place for place, folder in enumerate(LONG_FIRST) if scope.startswith(folder))
