"""The phases, triggers and calendar of the files as values, with their documented defaults. Knows no customer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from securewatch.config.files.checking import show_found
from securewatch.config.files.policy_files import ReleaseLifecycle
from securewatch.config.files.reading import join_path
from securewatch.config.files.render_file import AutomaticTriggers, RenderDeploymentFile
from securewatch.config.files.render_file import Phase as PhaseEntry
from securewatch.config.fleet import PHASE_OF_POLICY, Bar, Criterion, DayRange, Phase, Triggers
from securewatch.config.quantity import (
    COMPARISON_ACCEPTED,
    BatchKind,
    BatchSize,
    Comparison,
    is_parsed_by,
    parse_comparison,
    show_duration,
)
from securewatch.core.errors import Problem

ValueT = TypeVar("ValueT")


@dataclass(frozen=True)
class PhaseDefaults:
    """What a phase does where the files leave a key out (design: architecture, the fleet)."""

    deployment_method: str
    batch_size: BatchSize
    batch_delay: timedelta | str
    rollback_method: str = "previous_deployment"
    monitoring_duration: timedelta = timedelta(hours=24)
    health_check_delay: timedelta = timedelta(minutes=10)


PHASE_DEFAULTS = {
    "demo": PhaseDefaults("immediate_auto_deploy", BatchSize(BatchKind.ALL), timedelta(0)),
    "startup_early_access": PhaseDefaults(
        "manual_trigger_with_tag", BatchSize(BatchKind.PERCENT, 50), timedelta(hours=2)
    ),
    "standard_rollout": PhaseDefaults("manual_trigger_with_tag", BatchSize(BatchKind.PERCENT, 25), timedelta(hours=6)),
    "enterprise_rollout": PhaseDefaults(
        "scheduled_manual_with_approval", BatchSize(BatchKind.INDIVIDUAL), "maintenance_window"
    ),
}
STAGE_DAYS = {"demo_release": 1, "startup_early_access": 7, "standard_rollout": 14, "enterprise_rollout": 30}
"""The stages of a minor release that reach customers, and how long each lasts (reference: config format)."""

_MEASURED = {"ms": "response_ms_max", "<": "error_rate_max", ">": "availability_min"}
_MEANT_BY = {"response": "response_ms_max", "latency": "response_ms_max", "error": "error_rate_max"}
_MEANT_BY |= {"availability": "availability_min", "uptime": "availability_min"}
_ACCEPTED_OF = {
    "response_ms_max": "a comparison such as `< 2000ms`",
    "error_rate_max": "a comparison such as `< 1%`",
    "availability_min": "a comparison such as `> 99.9%`",
}


@dataclass
class Defaults:
    """Collects which keys were absent and what stands in for them, as (path, value)."""

    used: list[tuple[str, str]] = field(default_factory=list)

    def take(self, value: ValueT | None, default: ValueT, path: str, *, shown: str = "") -> ValueT:
        """The value; where it is absent the default, remembered in the files' words or as `shown`."""
        if value is not None:
            return value
        self.used.append((path, shown or show_default(default)))
        return default


def show_default(value: object) -> str:
    """A default in the files' own words."""
    return show_duration(value) if isinstance(value, timedelta) else str(value)


def merge_phases(file: RenderDeploymentFile, defaults: Defaults) -> dict[str, Phase]:
    """The phases that the file has, by their long names."""
    found = {}
    for name in PHASE_OF_POLICY.values():
        entry: PhaseEntry | None = getattr(file.deployment_phases, name)
        if entry is not None:
            found[name] = _phase(name, entry, defaults)
    return found


def _phase(name: str, entry: PhaseEntry, defaults: Defaults) -> Phase:
    other, path, batch = PHASE_DEFAULTS[name], f"deployment_phases.{name}", entry.batch_configuration
    inner = f"{path}.batch_configuration"
    return Phase(
        name=name,
        deployment_method=defaults.take(entry.deployment_method, other.deployment_method, f"{path}.deployment_method"),
        rollback_method=defaults.take(entry.rollback_method, other.rollback_method, f"{path}.rollback_method"),
        monitoring_duration=defaults.take(
            entry.monitoring_duration, other.monitoring_duration, f"{path}.monitoring_duration"
        ),
        batch_size=defaults.take(batch.batch_size, other.batch_size, f"{inner}.batch_size"),
        batch_delay=defaults.take(batch.batch_delay, other.batch_delay, f"{inner}.batch_delay"),
        health_check_delay=defaults.take(
            batch.health_check_delay, other.health_check_delay, f"{inner}.health_check_delay"
        ),
    )


def merge_triggers(file: AutomaticTriggers, defaults: Defaults) -> Triggers:
    """What rolls a customer back."""
    other, path = Triggers(), "rollback_procedures.automatic_triggers"
    rate, response = file.error_rate_threshold, file.response_time_threshold
    return Triggers(
        defaults.take(file.health_check_failures, other.consecutive_failures, f"{path}.health_check_failures"),
        defaults.take(rate, other.error_rate, f"{path}.error_rate_threshold", shown="5%"),
        defaults.take(response, other.response_ms, f"{path}.response_time_threshold", shown="5000ms"),
    )


def merge_calendar(
    lifecycle: ReleaseLifecycle, file: str, defaults: Defaults
) -> tuple[dict[str, DayRange], list[Problem]]:
    """The days of each phase, one after the other from day 0, and what is wrong with them."""
    durations: dict[str, timedelta] = {}
    problems = []
    for index, stage in enumerate(lifecycle.phases):
        path = f"minor_release_lifecycle.phases[{index}]"
        if stage.name not in STAGE_DAYS:
            continue
        if stage.name in durations:
            problems.append(Problem(file, f"{path}.name", f'"{stage.name}" again', "each stage once"))
        if stage.duration % timedelta(days=1) or not stage.duration:
            found = show_duration(stage.duration)
            problems.append(Problem(file, f"{path}.duration", found, "a number of whole days, such as 7_days"))
        durations[stage.name] = stage.duration
    calendar, day = {}, 0
    for stage_name, days in STAGE_DAYS.items():
        path = f"minor_release_lifecycle.{stage_name}.duration"
        length = defaults.take(durations.get(stage_name), timedelta(days=days), path).days
        phase = "demo" if stage_name == "demo_release" else stage_name
        calendar[phase] = DayRange(day, day + max(length, 1) - 1)
        day += length
    return calendar, problems


def merge_criteria(
    criteria: Mapping[str, object] | list[object], file: str
) -> tuple[tuple[Criterion, ...], Bar, list[Problem]]:
    """The success criteria, the bar that those make which can be measured, and what is wrong with them."""
    problems: list[Problem] = []
    found: list[Criterion] = []
    bars: dict[str, float] = {}
    for name, path, value in _named(criteria):
        text = value if isinstance(value, str) else ""
        bar = parse_comparison(text) if is_parsed_by(parse_comparison, text) else None
        meant = next((one for word, one in _MEANT_BY.items() if word in name.lower()), None)
        measured = _measure_of(bar) if bar else None
        is_upside_down = bar is not None and bar.unit == "ms" and bar.operator.startswith(">")
        if not text or (meant and meant != measured) or is_upside_down or (not name and bar is None):
            accepted = _ACCEPTED_OF.get(meant or "", COMPARISON_ACCEPTED)
            problems.append(Problem(file, path, show_found(value, path), accepted))
            continue
        is_measured = measured is not None and bool(meant or not name)
        found.append(Criterion(name or text, text, bar, is_measured))
        if bar and measured and is_measured:
            stricter = max if measured == "availability_min" else min
            bars[measured] = stricter(bar.value, bars.get(measured, bar.value))
    return tuple(found), Bar(**bars), problems


def _named(criteria: Mapping[str, object] | list[object]) -> list[tuple[str, str, object]]:
    """(name, path, comparison) of each criterion; in a list the name stands before the comparison or is left out."""
    path = "health_monitoring.success_criteria"
    if isinstance(criteria, Mapping):
        return [(name, join_path(path, name), value) for name, value in criteria.items()]
    named: list[tuple[str, str, object]] = []
    for index, value in enumerate(criteria):
        text = value if isinstance(value, str) else ""
        start = next((place for place, mark in enumerate(text) if mark in "<>"), 0)
        named.append((text[:start].strip(" :"), join_path(path, index), text[start:] or value))
    return named


def _measure_of(bar: Comparison) -> str | None:
    """What a comparison bounds, by its unit and direction."""
    return _MEASURED.get("ms" if bar.unit == "ms" else bar.operator[0] if bar.unit else "")
