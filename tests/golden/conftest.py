"""Golden texts: what a person reads, kept beside the tests; UPDATE_GOLDEN=1 writes them anew."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TEXTS = Path(__file__).parent / "texts"

Golden = Callable[[str, str], None]


@pytest.fixture
def golden() -> Golden:
    """Compares a text with the kept one of that name, or keeps it."""

    def check(name: str, text: str) -> None:
        path = TEXTS / f"{name}.txt"
        shown = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
        if os.environ.get("UPDATE_GOLDEN"):
            path.write_text(shown, encoding="utf-8")
        assert shown == path.read_text(encoding="utf-8"), f"{path} differs; ./dev golden rewrites it"

    return check


@pytest.fixture(autouse=True)
def _same_everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same zone and width on every machine, and no colours."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
