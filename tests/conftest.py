"""Runs every coroutine test, each on a loop of its own, and has the workers' tests handed out by `tests.schedule`."""

import asyncio
import inspect
from typing import Any

import pytest

from tests.schedule import Schedule


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run the test here when it is a coroutine; True says that it was."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    asyncio.run(pyfuncitem.obj(**arguments))
    return True


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Schedule:
    """How several workers share the tests."""
    return Schedule(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    """What the simulation suite plays: one seed, or so many of them, with so many customers each."""
    parser.addoption("--seed", type=int, default=None, help="play this seed of tests/simulation alone")
    parser.addoption("--seeds", type=int, default=200, help="play so many seeds of tests/simulation")
    parser.addoption("--customers", type=int, default=20, help="customers of each seed's fleet")
