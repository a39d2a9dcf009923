"""Whole releases of made-up fleets, each with the troubles that its seed picks: nothing may happen that must not.

`--seeds N` plays more of them, `--seed S --customers N` one alone. A failure says the line that reproduces it.
"""

import pytest

from tests.simulation.given import play_seed, reproduce

LARGE = 5
"""So many more are played with a hundred customers."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a seed: those that were asked for, or all of a CI run."""
    seed, customers = (metafunc.config.getoption(one) for one in ("--seed", "--customers"))
    if seed is not None:
        cases = [(seed, customers)]
    else:
        cases = [(1000 + one, 100) for one in range(1, 1 + LARGE)]
        cases += [(one, customers) for one in range(1, 1 + metafunc.config.getoption("--seeds"))]
    metafunc.parametrize(("seed", "customers"), cases)


def test_a_release_keeps_every_invariant_whatever_goes_wrong(seed: int, customers: int) -> None:
    outcome = play_seed(seed, customers)

    assert outcome.is_well, reproduce(outcome, seed, customers)
