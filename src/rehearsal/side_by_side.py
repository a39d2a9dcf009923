"""Plays courses side by side, one for each core."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def play_all(play: Callable[[int], T], seeds: Sequence[int], *, alone: bool = False) -> list[T]:
    """What `play` gives for each seed, in order; in this process where there is one, or they shall be `alone`."""
    workers = min(os.cpu_count() or 1, len(seeds))
    if alone or workers == 1:
        return [play(seed) for seed in seeds]
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(play, seeds))
