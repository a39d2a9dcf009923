"""What the commits of this process were about, so that a loop need not read everything again after each of them."""

from collections.abc import Collection

FLEET = "fleet"
"""A commit changed what a decision about many looks at: which runs there are, rollouts, releases, what people asked."""
OUTBOX = "outbox"
"""A commit put something into the outbox."""
_SAMPLES = "/samples"


def samples_of(run_id: str) -> str:
    """The subject of a commit that added health samples to a run and changed nothing else of it."""
    return f"{run_id}{_SAMPLES}"


def sampled_runs(subjects: Collection[str]) -> frozenset[str]:
    """The ids of the runs that the subjects say have new samples."""
    return frozenset(one.removesuffix(_SAMPLES) for one in subjects if one.endswith(_SAMPLES))


class News:
    """The subjects of this process's commits by the change counter: ids of runs, their samples, FLEET, OUTBOX.

    A commit of another process, or one that did not say what it is about, may be about anything.
    """

    def __init__(self) -> None:
        self._about: dict[int, frozenset[str]] = {}

    def note(self, counter: int, about: Collection[str] | None) -> None:
        """Keep what the commit was about that made the counter what it is; None where it did not say."""
        if about is not None:
            self._about[counter] = frozenset(about)

    def since(self, seen: int, counter: int) -> frozenset[str] | None:
        """What the commits after `seen` up to `counter` were about; None where it may be anything."""
        self._about = {at: about for at, about in self._about.items() if at > seen}
        if counter < seen or not all(at in self._about for at in range(seen + 1, counter + 1)):
            return None
        return frozenset().union(*(self._about[at] for at in range(seen + 1, counter + 1)))
