"""What differs between two plans of releases, by phase and customer. Pure; knows no file and no store."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from typing import Any

from securewatch.rollout.model import PhasePlan, ReleasePlan

Flat = Mapping[str, str]
_ABSENT, _PRESENT = "-", "in the plan"
_PLAN_APART, _PHASE_APART, _MEMBER_APART = ("phases", "hash", "notes"), ("members", "name"), ("slug",)
"""What is compared by itself, or not at all."""


@dataclass(frozen=True)
class Difference:
    """One value that differs: of the whole plan, of a phase, or of one customer (`slug`). A dash stands for nothing."""

    phase: str
    slug: str
    name: str
    before: str
    after: str


def diff_plans(before: ReleasePlan, after: ReleasePlan) -> tuple[Difference, ...]:
    """Every difference in the order of the plan. Hashes and notes do not count."""
    found = [*_compare("", "", _flat(before, _PLAN_APART), _flat(after, _PLAN_APART))]
    for name in dict.fromkeys(one.name for plan in (before, after) for one in plan.phases):
        old, new = _phase(before, name), _phase(after, name)
        found += _compare(name, "", _flat(old, _PHASE_APART), _flat(new, _PHASE_APART))
        found += _compare_members(name, old, new)
    return tuple(found)


def _phase(plan: ReleasePlan, name: str) -> PhasePlan | None:
    return next((one for one in plan.phases if one.name == name), None)


def _compare_members(phase: str, before: PhasePlan | None, after: PhasePlan | None) -> Iterator[Difference]:
    """The customers of a phase; of one who came or left only that."""
    old = {one.slug: one for one in before.members} if before else {}
    new = {one.slug: one for one in after.members} if after else {}
    for slug in sorted({*old, *new}):
        if slug not in old or slug not in new:
            here, there = (_PRESENT if slug in one else _ABSENT for one in (old, new))
            yield Difference(phase, slug, "", here, there)
        elif old[slug] != new[slug]:
            yield from _compare(phase, slug, _flat(old[slug], _MEMBER_APART), _flat(new[slug], _MEMBER_APART))


def _compare(phase: str, slug: str, before: Flat, after: Flat) -> Iterator[Difference]:
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name, _ABSENT), after.get(name, _ABSENT)
        if old != new:
            yield Difference(phase, slug, name, old, new)


def _flat(value: Any, without: Collection[str]) -> Flat:
    """A dataclass as plain texts by dotted names; of what is two levels down one text is made."""
    fields = vars(value) if value is not None else {}
    return {name: text for key, one in fields.items() if key not in without for name, text in _leaves(key, one)}


def _leaves(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if is_dataclass(value):
        yield from ((f"{name}.{key}", _text(one)) for key, one in vars(value).items())
    else:
        yield name, _text(value)


def _text(value: Any) -> str:
    if is_dataclass(value):
        return " ".join(_text(one) for one in vars(value).values())
    if isinstance(value, tuple | list):
        return ", ".join(_text(one) for one in value) or _ABSENT
    if isinstance(value, float):
        return f"{value:g}"
    return _ABSENT if value in (None, "") else str(value)
