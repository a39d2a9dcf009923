"""Reads the files of the configuration folder into one Fleet, or says all that is wrong at once. Never writes."""

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from securewatch.config.files.checking import CheckedFile, check_file
from securewatch.config.files.customers_file import CustomersFile
from securewatch.config.files.own_file import SecurewatchFile
from securewatch.config.files.policy_files import DeploymentPoliciesFile, MinorReleasePoliciesFile
from securewatch.config.files.reading import read_raw
from securewatch.config.files.render_file import RenderDeploymentFile
from securewatch.config.fleet import ConfigWarning, Fleet
from securewatch.config.folder import (
    CUSTOMERS_FILE,
    DEPLOYMENT_POLICIES_FILE,
    OWN_FILE,
    RELEASE_POLICIES_FILE,
    RENDER_FILE,
    find_config_dir,
)
from securewatch.config.merge import Files, merge_fleet
from securewatch.config.phases import Defaults, merge_calendar, merge_criteria
from securewatch.core.errors import ConfigError, Problem

__all__ = ["FleetReader", "find_config_dir", "load_fleet"]

_FILES = (RENDER_FILE, CUSTOMERS_FILE, RELEASE_POLICIES_FILE, DEPLOYMENT_POLICIES_FILE, OWN_FILE)


@dataclass(frozen=True)
class _Checked:
    render: CheckedFile[RenderDeploymentFile]
    customers: CheckedFile[CustomersFile]
    release_policies: CheckedFile[MinorReleasePoliciesFile]
    deployment_policies: CheckedFile[DeploymentPoliciesFile]
    own: CheckedFile[SecurewatchFile]

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong in the files, each by itself."""
        return tuple(problem for file in self._all for problem in file.problems)

    @property
    def warnings(self) -> tuple[ConfigWarning, ...]:
        """What deserves a look in the files, each by itself."""
        return tuple(warning for file in self._all for warning in file.warnings)

    @property
    def _all(self) -> tuple[CheckedFile[Any], ...]:
        return self.render, self.customers, self.release_policies, self.deployment_policies, self.own


class FleetReader:
    """The fleet of a folder for who asks again and again: read anew only where a file changed."""

    def __init__(self, config_dir: Path) -> None:
        self._config_dir = config_dir
        self._seen: tuple[object, ...] = ()
        self._fleet: Fleet | None = None
        self._paths = [str(config_dir / name) for name in _FILES]

    def stamp(self) -> tuple[object, ...]:
        """What the files look like from outside: it changes when one of them does."""
        return tuple(_look_of(path) for path in self._paths)

    def __call__(self) -> Fleet:
        """The fleet as the files are now. Raises what `load_fleet` raises."""
        seen = self.stamp()
        if self._fleet is None or seen != self._seen:
            self._fleet, self._seen = load_fleet(self._config_dir), seen
        return self._fleet


def _look_of(path: str) -> tuple[int, int, int] | None:
    """When a file was changed, its size and its number; None where there is none. Asked at every tick: no Path here."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def load_fleet(config_dir: Path) -> Fleet:
    """The fleet of the folder: three files that must be there and two that may.

    Customers whose files disagree or who share something are held (`Customer.held`, `Fleet.problems`). Raises
    ConfigError with every problem of every file at once: SW101 without the folder, SW103 where a file is not JSON (at
    its line and column), SW102 otherwise. No value that may be a secret is shown.
    """
    folder = find_config_dir(Path(), config_dir)
    raws = {
        name: read_raw(folder, name, is_required=name in (RENDER_FILE, CUSTOMERS_FILE, RELEASE_POLICIES_FILE))
        for name in _FILES
    }
    checked = _Checked(
        check_file(raws[RENDER_FILE], RenderDeploymentFile),
        check_file(raws[CUSTOMERS_FILE], CustomersFile),
        check_file(raws[RELEASE_POLICIES_FILE], MinorReleasePoliciesFile),
        check_file(raws[DEPLOYMENT_POLICIES_FILE], DeploymentPoliciesFile),
        check_file(raws[OWN_FILE], SecurewatchFile),
    )
    names = {name: raw.name for name, raw in raws.items()}
    is_broken = any(raw.is_broken for raw in raws.values())
    files = _files(checked, names)
    if files is None:
        raise _refusal([*checked.problems, *_problems_inside(checked, names)], is_broken=is_broken)
    fleet, problems = merge_fleet(folder, files)
    if checked.problems or problems:
        raise _refusal([*checked.problems, *problems], is_broken=is_broken)
    return fleet


def _files(checked: _Checked, names: Mapping[str, str]) -> Files | None:
    """The files' models, or None where one that must be there cannot be made."""
    render, customers, releases = checked.render.model, checked.customers.model, checked.release_policies.model
    if render is None or customers is None or releases is None:
        return None
    policies = checked.deployment_policies.model
    return Files(
        render=render,
        customers=customers,
        release_policies=releases,
        deployment_policies=policies or DeploymentPoliciesFile(),
        own=checked.own.model or SecurewatchFile(),
        has_deployment_policies=policies is not None,
        names=names,
        warnings=checked.warnings,
    )


def _problems_inside(checked: _Checked, names: Mapping[str, str]) -> list[Problem]:
    """What is wrong inside one file and shows only when its parts are put together, though another file is broken."""
    problems = []
    if checked.render.model is not None:
        problems += merge_criteria(checked.render.model.health_monitoring.success_criteria, names[RENDER_FILE])[2]
    if checked.release_policies.model is not None:
        lifecycle = checked.release_policies.model.minor_release_lifecycle
        problems += merge_calendar(lifecycle, names[RELEASE_POLICIES_FILE], Defaults())[1]
    return problems


def _refusal(problems: Sequence[Problem], *, is_broken: bool) -> ConfigError:
    unique = tuple(dict.fromkeys(problems))
    count = "a problem" if len(unique) == 1 else f"{len(unique)} problems"
    return ConfigError(
        "SW103" if is_broken else "SW102",
        f"the configuration has {count}",
        why="; ".join(str(one) for one in unique[:3]) + ("; ..." if len(unique) > 3 else ""),
        fix="correct the files, then `securewatch config check`",
        problems=unique,
    )
