"""Runs the coroutine tests of this folder, each on a loop of its own."""

from tests.integration.store.conftest import pytest_pyfunc_call

__all__ = ["pytest_pyfunc_call"]
