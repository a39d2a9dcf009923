"""Gives each worker a platform of its own, and says at the end how many points were tried."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.crash.given import Stand, standing


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    """A platform and a zygote for all tests of a worker."""
    with standing() as found:
        yield found


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line a scenario; the properties travel from the workers with the reports."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, value in getattr(report, "user_properties", ()):
            if name == "crash points":
                terminalreporter.write_line(f"killed at {value}")
