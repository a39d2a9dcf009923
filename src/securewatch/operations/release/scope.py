"""Which customers a command about a release means: policies, phases, slugs, full names, batches. Pure."""

import difflib
from collections.abc import Sequence

from securewatch.config.fleet import PHASE_OF_POLICY, SHORT_PHASE_NAMES, Fleet
from securewatch.core.errors import NotFound
from securewatch.rollout.model import ReleasePlan

SLUG_PREFIX = "slug:"
"""Picks the customer of that slug where it is also a policy's word."""


def find_phase(word: str) -> str:
    """The short name of a phase, given as policy or phase (`startup`, `startup_early_access`).

    Raises NotFound (SW208) for anything else.
    """
    name = word.strip().lower()
    short = SHORT_PHASE_NAMES.get(name, name)
    if short not in PHASE_OF_POLICY:
        near = difflib.get_close_matches(name, [*PHASE_OF_POLICY, *SHORT_PHASE_NAMES], n=1)
        fix = f"did you mean {near[0]}?" if near else f"give one of {', '.join(PHASE_OF_POLICY)}"
        raise NotFound("SW208", f"there is no phase {word!r}", why="it is neither a policy nor a phase", fix=fix)
    return short


def find_customers(fleet: Fleet, plan: ReleasePlan, words: Sequence[str]) -> tuple[str, ...]:
    """The slugs that the words of `--customers` mean: policy words win over slugs (design: behaviour, commands).

    Raises NotFound (SW202) for a customer, and (SW208) for a policy without customers in the plan.
    """
    found: dict[str, None] = {}
    for word in words:
        name = word.strip()
        short = SHORT_PHASE_NAMES.get(name.lower(), name.lower())
        if short in PHASE_OF_POLICY:
            found.update(dict.fromkeys(customers_of_phase(plan, short)))
        else:
            found[fleet.find_customer(name.removeprefix(SLUG_PREFIX)).slug] = None
    return tuple(found)


def customers_of_phase(plan: ReleasePlan, phase: str) -> tuple[str, ...]:
    """Every customer of a phase (short name). Raises NotFound (SW208) where it has none."""
    slugs = tuple(one.slug for each in plan.phases if each.name == phase for one in each.members)
    if not slugs:
        raise NotFound(
            "SW208",
            f"the phase {phase} has no customers",
            why=f"no customer of the plan has the policy {phase}",
            fix="securewatch customer list",
        )
    return slugs


def customers_of_batch(plan: ReleasePlan, phase: str, number: int) -> tuple[str, ...]:
    """The customers of one batch of a phase. Raises NotFound (SW208) for a number that there is not."""
    members = plan.phase(phase).members if customers_of_phase(plan, phase) else ()
    slugs = tuple(one.slug for one in members if one.batch == number)
    if not slugs:
        count = plan.phase(phase).batch_count
        raise NotFound(
            "SW208", f"the phase {phase} has no batch {number}", why=f"it has {count}", fix=f"give 1 to {count}"
        )
    return slugs


def split_words(text: str) -> tuple[str, ...]:
    """The words of a comma-separated list."""
    return tuple(word.strip() for word in text.split(",") if word.strip())
