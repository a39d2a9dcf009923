"""The environment, read here alone; flags of the command line win over it."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says: where the shared clock file and the configuration folder are, None where unset."""

    clock_file: Path | None
    config_folder: Path | None


def read_settings() -> Settings:
    """Read `SECUREWATCH_CLOCK_FILE` and `SECUREWATCH_CONFIG_DIR`; empty means unset."""
    return Settings(_path("SECUREWATCH_CLOCK_FILE"), _path("SECUREWATCH_CONFIG_DIR"))


def _path(name: str) -> Path | None:
    text = os.environ.get(name, "")
    return Path(text) if text else None
