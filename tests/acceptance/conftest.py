"""One platform a module, and a fresh installation a test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.given import Place, Platform, platform


@pytest.fixture(scope="module")
def render(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The module's platform; its process ends with the module."""
    with platform(tmp_path_factory.mktemp("platform")) as found:
        yield found


@pytest.fixture
def place(tmp_path: Path, render: Platform) -> Place:
    """A fresh installation on a platform in its seeded state."""
    render.admin("POST", "/reset")
    return Place.make(tmp_path / "project", render)
