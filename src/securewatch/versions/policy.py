"""What a customer's policy says of one version: rules, each with its answer and reason. Pure; waits for nothing.

Windows, freezes and approvals are gates of the rollout and not here: they ask when and by whom, not which version.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from securewatch.config.fleet import Customer, Fleet
from securewatch.config.policy import DeploymentSource
from securewatch.versions.version import (
    Version,
    find_described,
    find_version,
    is_in_family,
    is_same_or_older,
    latest_stable,
    parse_version,
)

_REFUSED_STATES = ("deprecated", "unsupported", "end_of_life")


@dataclass(frozen=True)
class PolicyFinding:
    """One rule's answer. A `soft` one that is not `ok` yields to `--force`; `code` is empty where the rule is met."""

    rule: str
    ok: bool
    soft: bool
    message: str
    code: str = ""


@dataclass(frozen=True)
class VersionFacts:
    """What is known beside the files: `current_version`, what the customer runs (None: not known); `known_versions`,
    those of the repository, for `latest`; `demo_verified_at`, the version's first verified deploy to a demo customer.
    """

    current_version: str | None = None
    known_versions: tuple[Version, ...] = ()
    demo_verified_at: datetime | None = None


NOTHING_KNOWN = VersionFacts()


def check_version_policy(
    fleet: Fleet, customer: Customer, version: str, *, now: datetime, facts: VersionFacts = NOTHING_KNOWN
) -> tuple[PolicyFinding, ...]:
    """Every rule for bringing the version (a tag) to the customer now (aware), met or not, in a fixed order.

    Raises UsageError (SW204) for a text that is no version.
    """
    rules = check_version_rules(fleet, customer, version, facts=facts)
    return (_configuration(customer), *rules, _testing(fleet, customer, facts.demo_verified_at, now))


def check_version_rules(
    fleet: Fleet, customer: Customer, version: str, *, facts: VersionFacts = NOTHING_KNOWN
) -> tuple[PolicyFinding, ...]:
    """The rules that ask for the version alone: not whether the customer is held, nor how long it was tested.

    Of the customer only its policy and source count. Raises like `check_version_policy`.
    """
    wanted = parse_version(version)
    newest = latest_stable(facts.known_versions)
    return (
        _source(fleet, customer, wanted),
        _supported(fleet, customer, wanted, newest),
        _lifecycle(fleet, wanted),
        _order(wanted, facts.current_version),
        _step(fleet, wanted, facts.current_version),
    )


def source_of(fleet: Fleet, customer: Customer) -> DeploymentSource:
    """Where the customer's versions come from: its own source, but the main branch only where its policy allows that.

    Without a word of the policy only `demo` may take `main` (reference: config format).
    """
    allowed = fleet.policy_of(customer).deployment_source
    may_take_main = allowed is DeploymentSource.MAIN_BRANCH or (allowed is None and customer.policy == "demo")
    if customer.deployment_source is DeploymentSource.MAIN_BRANCH and not may_take_main:
        return allowed or DeploymentSource.STABLE_TAGS_ONLY
    return customer.deployment_source


def end_of_testing(fleet: Fleet, customer: Customer, demo_verified_at: datetime | None) -> datetime | None:
    """When the testing period of a version ends for the customer; None without a period or without a demo deploy."""
    period = _testing_period(fleet, customer)
    return demo_verified_at + period if period and demo_verified_at else None


def _configuration(customer: Customer) -> PolicyFinding:
    if not customer.held:
        return PolicyFinding("configuration", True, False, "the files agree on the customer")
    return PolicyFinding("configuration", False, False, f"held: {'; '.join(customer.held)}", "SW404")


def _source(fleet: Fleet, customer: Customer, wanted: Version) -> PolicyFinding:
    source = source_of(fleet, customer)
    if source is DeploymentSource.MAIN_BRANCH:
        return PolicyFinding("source", True, True, f"{source}: takes the main branch and every tag")
    if wanted.is_stable:
        return PolicyFinding("source", True, True, f"{source}: {wanted} is a stable tag")
    text = f"{source}: {wanted} is a candidate and no stable tag"
    return PolicyFinding("source", False, True, text, "SW405")


def _supported(fleet: Fleet, customer: Customer, wanted: Version, newest: Version | None) -> PolicyFinding:
    entries = fleet.policy_of(customer).supported_versions
    if entries is None:
        return PolicyFinding("supported versions", True, True, "every stable tag is supported")
    if any(_matches(entry, wanted, newest) for entry in entries):
        return PolicyFinding("supported versions", True, True, f"{wanted} is among {', '.join(entries)}")
    text = f"the policy {customer.policy} supports {', '.join(entries) or 'no version'}, and {wanted} is none of them"
    return PolicyFinding("supported versions", False, True, text, "SW405")


def _matches(entry: str, wanted: Version, newest: Version | None) -> bool:
    if entry == "latest":
        return wanted == newest
    if entry == "main":
        return find_described(wanted.tag) is not None
    return entry == wanted.tag or is_in_family(wanted, entry)


def _lifecycle(fleet: Fleet, wanted: Version) -> PolicyFinding:
    state = fleet.versions.lifecycle[wanted.tag].status if wanted.tag in fleet.versions.lifecycle else None
    if wanted.tag in fleet.versions.deprecated:
        state = "deprecated"
    word = (state or "").strip().lower().replace(" ", "_").replace("-", "_")
    if word in _REFUSED_STATES:
        return PolicyFinding("lifecycle", False, True, f"{wanted} is {word.replace('_', ' ')}", "SW405")
    return PolicyFinding("lifecycle", True, True, f"{wanted} is {state or 'not deprecated'}")


def _order(wanted: Version, current_version: str | None) -> PolicyFinding:
    current = find_version(current_version or "")
    if current is None:
        return PolicyFinding("order", True, True, "what the customer runs is not known")
    if is_same_or_older(current, wanted):
        return PolicyFinding("order", True, True, f"the customer runs {current}")
    return PolicyFinding("order", False, True, f"the customer runs {current}, which is newer than {wanted}", "SW406")


def _step(fleet: Fleet, wanted: Version, current_version: str | None) -> PolicyFinding:
    """Whether the files let the version follow the one that the customer runs (`version_compatibility`).

    Patches and candidates of one minor version are alike here.
    """
    current, entries = find_version(current_version or ""), _compatible_with(fleet, wanted)
    if current is None or not entries or _minor(current) >= _minor(wanted):
        return PolicyFinding("step", True, True, "nothing stands between")
    named = [find_version(entry) for entry in entries]
    is_named = any(one is not None and _minor(one) == _minor(current) for one in named)
    if is_named or any(is_in_family(current, entry) for entry in entries):
        return PolicyFinding("step", True, True, f"{wanted} may follow {current}")
    text = f"{wanted} may follow {', '.join(entries)} only, and the customer runs {current}"
    return PolicyFinding("step", False, True, text, "SW405")


def _minor(version: Version) -> tuple[int, int]:
    return version.semantic.major, version.semantic.minor


def _compatible_with(fleet: Fleet, wanted: Version) -> tuple[str, ...]:
    """The versions from which a customer may come to the wanted one; nothing where the files do not say it."""
    entry = fleet.version_compatibility.get(wanted.tag)
    listed = entry.get("compatible_with") if isinstance(entry, dict) else entry
    return tuple(one for one in listed if isinstance(one, str)) if isinstance(listed, list | tuple) else ()


def _testing(fleet: Fleet, customer: Customer, demo_verified_at: datetime | None, now: datetime) -> PolicyFinding:
    if not _testing_period(fleet, customer):
        return PolicyFinding("testing period", True, True, "none is asked for")
    until = end_of_testing(fleet, customer, demo_verified_at)
    if until is None:
        return PolicyFinding("testing period", False, True, "no demo customer has run this version yet", "SW416")
    text = f"{'over since' if now >= until else 'runs until'} {until.isoformat()}"
    return PolicyFinding("testing period", now >= until, True, text, "" if now >= until else "SW416")


def _testing_period(fleet: Fleet, customer: Customer) -> timedelta:
    """Demo customers are where a version is tested: none binds them."""
    return timedelta(0) if customer.policy == "demo" else fleet.gates_of(customer).minimum_testing_period
