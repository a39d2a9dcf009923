"""The configuration as a whole: is it sound, and which value is from where?"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from securewatch.config.effective import effective_values
from securewatch.config.fleet import ConfigWarning
from securewatch.config.settings import Settings
from securewatch.config.variables import VARIABLES
from securewatch.core.errors import Problem
from securewatch.deps import Deps


@dataclass(frozen=True)
class ConfigReport:
    """What `config check` found; `problems` hold single customers, since worse ones are raised."""

    config_dir: Path
    customer_count: int
    problems: tuple[Problem, ...]
    warnings: tuple[ConfigWarning, ...]
    defaults_used: tuple[tuple[str, str], ...]


async def check_config(deps: Deps) -> ConfigReport:
    """Load the files. Raises ConfigError with all problems at once where they cannot be used."""
    fleet = deps.fleet
    warnings = (*fleet.warnings, *unknown_variables(deps.settings))
    return ConfigReport(deps.config_dir, len(fleet.customers), fleet.problems, warnings, fleet.defaults_used)


def unknown_variables(settings: Settings) -> tuple[ConfigWarning, ...]:
    """A warning for each variable that looks like ours and that nothing reads."""
    return tuple(ConfigWarning("environment or .env", name, _unknown(name)) for name in settings.unknown)


def _unknown(name: str) -> str:
    near = get_close_matches(name, VARIABLES.values(), n=1)
    return "nothing reads this variable" + (f"; did you mean {near[0]}?" if near else "")


async def show_config(deps: Deps) -> Sequence[tuple[str, str, str]]:
    """Every effective value as name, text and origin; secrets masked."""
    return effective_values(deps.fleet, deps.settings)
