"""What of the environment the platform reads."""

from pathlib import Path

import pytest

from localrender.settings import Settings, read_settings


def test_both_names_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECUREWATCH_CLOCK_FILE", "/tmp/clock.json")
    monkeypatch.setenv("SECUREWATCH_CONFIG_DIR", "fleet")

    assert read_settings() == Settings(Path("/tmp/clock.json"), Path("fleet"))


def test_empty_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECUREWATCH_CLOCK_FILE", "")
    monkeypatch.delenv("SECUREWATCH_CONFIG_DIR", raising=False)

    assert read_settings() == Settings(None, None)
