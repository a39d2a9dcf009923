"""The notes of a release plan: what a reader should know and nothing rests on. Pure; no part of the plan's hash."""

from collections.abc import Iterable, Mapping, Sequence

from securewatch.config.fleet import PHASE_OF_POLICY, Fleet
from securewatch.rollout.model import PhasePlan
from securewatch.rollout.phases import exit_rule, follows_policies, size_words
from securewatch.versions.version import Version, find_version

_NAMED_MAX = 5


def notes_of(fleet: Fleet, phases: Sequence[PhasePlan]) -> Iterable[str]:
    """Which calendar rules, where files disagree, what is a default, and which words gate nothing."""
    yield from _calendar_notes(fleet, phases)
    defaults = [_budget_words(one) for one in phases if one.name not in fleet.extra.failure_budget]
    if defaults:
        yield f"default: failure budget {', '.join(defaults)}"
    for phase in phases:
        told, rules = fleet.policies[phase.name].batch_size, fleet.phases[PHASE_OF_POLICY[phase.name]]
        if told is not None and told != rules.batch_size:
            yield (
                f"{phase.name}: {size_words(rules.batch_size)}, as the phase says; "
                f"its policy's batch_size says {size_words(told)}"
            )
        shown_only = exit_rule(fleet, rules).shown_only
        if shown_only:
            yield f"{phase.name}: nothing measures {', '.join(shown_only)}: shown only"


def notes_on_versions(
    version: str, known_versions: Sequence[Version], current: Mapping[str, str], phases: Sequence[PhasePlan]
) -> Iterable[str]:
    """Who has the version already, and whose way passes a stable minor version by where no file forbids it."""
    runs = {one.slug: current.get(one.slug, "") for phase in phases for one in phase.due}
    there = [slug for slug, one in runs.items() if one == version]
    if there:
        yield f"{_has(there)} {version} already and {'is' if len(there) == 1 else 'are'} skipped"
    wanted = find_version(version)
    minors = sorted(one for one in known_versions if one.is_stable and one.semantic.patch == 0)
    for before in sorted(set(runs.values())):
        begin = find_version(before)
        passed = [one.tag for one in minors if begin and wanted and begin < one < wanted]
        if passed:
            slugs = [slug for slug, one in runs.items() if one == before]
            yield f"{name_some(slugs)}: from {before} to {version}, past {', '.join(passed)}"


def name_some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - _NAMED_MAX
    return ", ".join(names[:_NAMED_MAX]) + (f" and {more:,} more" if more > 0 else "")


def _has(names: Sequence[str]) -> str:
    return f"{name_some(names)} {'has' if len(names) == 1 else 'have'}"


def _calendar_notes(fleet: Fleet, phases: Sequence[PhasePlan]) -> Iterable[str]:
    """Which dates rule, and how far the others lie from them."""
    by_policy = follows_policies(fleet)
    rule = "each policy's rollout_delay rules" if by_policy else "the days of the phases rule"
    yield f"calendar: {rule} (release_calendar: {fleet.extra.release_calendar})"
    for phase in phases:
        delay = fleet.policies[phase.name].rollout_delay
        other = float(fleet.calendar[PHASE_OF_POLICY[phase.name]].first_day)
        if not by_policy:
            other = other if delay is None else delay.total_seconds() / 86400
        apart = other - phase.first_day
        if apart:
            who = "the calendar of the phases" if by_policy else "rollout_delay"
            yield (
                f"calendar: {phase.name} begins on day {phase.first_day}; {who} says day {other:g}, "
                f"{abs(apart):g} days {'later' if apart > 0 else 'earlier'}"
            )


def _budget_words(phase: PhasePlan) -> str:
    budget = phase.budget
    return f"{phase.name} {f'{budget.share * 100:g} % of a batch' if budget.share else budget.count}"
