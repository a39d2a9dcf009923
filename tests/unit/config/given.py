"""What the tests of the configuration begin with: the example fleet in a folder of its own, changed key by key."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from securewatch.config.fleet import Fleet
from securewatch.config.load import load_fleet
from securewatch.core.errors import ConfigError, Problem

EXAMPLE = Path(__file__).resolve().parents[3] / "config"
RENDER = "render-deployment.json"
CUSTOMERS = "customers.json"
RELEASES = "minor-release-policies.json"
POLICIES = "deployment-policies.json"
OWN = "securewatch.json"

Change = Callable[[dict[str, Any]], object]


def make_files(folder: Path, changes: Mapping[str, Change] | None = None, **extra: Any) -> Path:
    """The example's files in `folder/config`, each changed in place by its function; `policies` and `own` add files."""
    config = folder / "config"
    config.mkdir(exist_ok=True)
    for name in (RENDER, CUSTOMERS, RELEASES):
        data = json.loads((EXAMPLE / name).read_text())
        (changes or {}).get(name, lambda _: None)(data)
        (config / name).write_text(json.dumps(data))
    for key, name in (("policies", POLICIES), ("own", OWN)):
        if key in extra:
            (config / name).write_text(json.dumps(extra[key]))
    return config


def make_fleet(folder: Path, changes: Mapping[str, Change] | None = None, **extra: Any) -> Fleet:
    """The fleet of the changed example."""
    return load_fleet(make_files(folder, changes, **extra))


def refusal_of(config: Path) -> ConfigError:
    """The error with which the folder is refused."""
    try:
        load_fleet(config)
    except ConfigError as error:
        return error
    raise AssertionError("the configuration was accepted")


def problems_of(folder: Path, changes: Mapping[str, Change] | None = None, **extra: Any) -> dict[str, Problem]:
    """The problems for which the changed example is refused, by path."""
    return {one.path: one for one in refusal_of(make_files(folder, changes, **extra)).problems}


def put(path: str, value: Any) -> Change:
    """A change that puts a value at a path such as `customers/2/slug`; numbers are places in lists."""
    *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]

    def change(data: Any) -> None:
        for step in steps:
            data = data[step]
        data[last] = value

    return change


def drop(path: str) -> Change:
    """A change that takes away what is at a path."""
    *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]

    def change(data: Any) -> None:
        for step in steps:
            data = data[step]
        del data[last]

    return change


def both(*changes: Change) -> Change:
    """Several changes of one file, one after the other."""

    def change(data: dict[str, Any]) -> None:
        for one in changes:
            one(data)

    return change
