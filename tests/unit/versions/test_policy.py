"""What policies say of a version: each rule met, broken, softly or hard."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from securewatch.config.fleet import Fleet
from securewatch.config.load import load_fleet
from securewatch.config.policy import DeploymentSource, Lifecycle
from securewatch.core.errors import UsageError
from securewatch.versions.policy import NOTHING_KNOWN, PolicyFinding, VersionFacts, check_version_policy, end_of_testing
from securewatch.versions.version import parse_version

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
EXAMPLE = Path(__file__).resolve().parents[3] / "config"


@pytest.fixture
def fleet() -> Fleet:
    """The example fleet."""
    return load_fleet(EXAMPLE)


def broken(
    fleet: Fleet, slug: str, version: str = "v1.1.0", facts: VersionFacts = NOTHING_KNOWN
) -> dict[str, PolicyFinding]:
    """The rules that the version breaks, by name."""
    found = check_version_policy(fleet, fleet.customers[slug], version, now=NOW, facts=facts)
    assert len({one.rule for one in found}) == len(found)
    assert all(bool(one.code) is not one.ok for one in found)
    return {one.rule: one for one in found if not one.ok}


def with_policy(fleet: Fleet, word: str, **values: object) -> Fleet:
    """The fleet with a changed policy."""
    return replace(fleet, policies={**fleet.policies, word: replace(fleet.policies[word], **values)})  # type: ignore[arg-type]  # names are the test's


@pytest.mark.parametrize("slug", ["demo", "techstart", "acme-corp", "medhealth", "financefirst"])
def test_every_customer_may_take_a_stable_tag(fleet: Fleet, slug: str) -> None:
    assert broken(fleet, slug, facts=VersionFacts("v1.0.0")) == {}


def test_a_malformed_version_is_no_question_of_policy(fleet: Fleet) -> None:
    with pytest.raises(UsageError) as caught:
        broken(fleet, "demo", "main")

    assert caught.value.code == "SW204"


def test_a_candidate_is_for_those_who_take_the_main_branch(fleet: Fleet) -> None:
    assert broken(fleet, "demo", "v1.1.0-rc.1") == {}
    assert broken(fleet, "acme-corp", "v1.1.0-rc.1")["source"].code == "SW405"


def test_only_demo_takes_the_main_branch_without_a_word_of_the_policy(fleet: Fleet) -> None:
    acme = replace(fleet.customers["acme-corp"], deployment_source=DeploymentSource.MAIN_BRANCH)
    changed = replace(fleet, customers={**fleet.customers, "acme-corp": acme})

    assert "source" in broken(changed, "acme-corp", "v1.1.0-rc.1")
    allowed = with_policy(changed, "standard", deployment_source=DeploymentSource.MAIN_BRANCH)
    assert broken(allowed, "acme-corp", "v1.1.0-rc.1") == {}


@pytest.mark.parametrize(
    ("entries", "is_met"),
    [
        (("v1.1.0",), True),
        (("v1.x",), True),
        (("v0.9.0", "v1.1.x"), True),
        (("v1.0.0",), False),
        (("v2.x",), False),
        ((), False),
        (("latest",), False),
        (("main",), False),
    ],
)
def test_a_version_outside_the_supported_ones_is_refused_softly(
    fleet: Fleet, entries: tuple[str, ...], is_met: bool
) -> None:
    known = tuple(parse_version(one) for one in ("v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0-rc.1"))
    found = broken(
        with_policy(fleet, "standard", supported_versions=entries),
        "acme-corp",
        facts=VersionFacts(known_versions=known),
    )

    assert ("supported versions" in found) is not is_met
    assert all((one.soft, one.code) == (True, "SW405") for one in found.values())


def test_latest_is_the_greatest_stable_tag_of_the_repository(fleet: Fleet) -> None:
    known = tuple(parse_version(one) for one in ("v1.0.0", "v1.1.0", "v1.2.0-rc.1"))
    changed = with_policy(fleet, "standard", supported_versions=("latest",))

    assert broken(changed, "acme-corp", facts=VersionFacts(known_versions=known)) == {}


@pytest.mark.parametrize("state", ["deprecated", "unsupported", "end_of_life", "End of life"])
def test_a_version_at_its_end_is_refused_softly(fleet: Fleet, state: str) -> None:
    versions = replace(fleet.versions, lifecycle={"v1.1.0": Lifecycle(status=state)})

    finding = broken(replace(fleet, versions=versions), "acme-corp")["lifecycle"]

    assert (finding.soft, finding.code) == (True, "SW405")


def test_a_version_that_the_metadata_call_deprecated_is_refused_softly(fleet: Fleet) -> None:
    versions = replace(fleet.versions, deprecated=("v1.1.0",))

    assert "lifecycle" in broken(replace(fleet, versions=versions), "acme-corp")


def test_an_older_version_is_a_downgrade(fleet: Fleet) -> None:
    finding = broken(fleet, "acme-corp", "v1.9.0", VersionFacts("v1.10.0"))["order"]

    assert (finding.soft, finding.code) == (True, "SW406")


@pytest.mark.parametrize(
    ("entry", "current", "is_met"),
    [
        ({"compatible_with": ["v1.1.0"]}, "v1.0.0", False),
        ({"compatible_with": ["v1.1.0"]}, "v1.1.3", True),
        ({"compatible_with": ["v1.1.0"]}, "v1.2.0-rc.1", True),
        ({"compatible_with": ["v1.1.0"]}, None, True),
        (["v1.1.x"], "v1.0.9", False),
        (["v1.x"], "v1.0.9", True),
        ({"compatible_with": []}, "v1.0.0", True),
        ({"minimum": "v1.1.0"}, "v1.0.0", True),
        ("all", "v1.0.0", True),
    ],
)
def test_a_step_that_the_files_do_not_name_is_refused_softly(
    fleet: Fleet, entry: object, current: str | None, is_met: bool
) -> None:
    strict = replace(fleet, version_compatibility={"v1.2.0": entry})

    found = broken(strict, "acme-corp", "v1.2.0", VersionFacts(current))

    assert ("step" not in found) is is_met
    assert is_met or (found["step"].code, found["step"].soft) == ("SW405", True)


@pytest.mark.parametrize("current", [None, "", "main", "v1.1.0", "v1.1.0-rc.1", "v1.1.0+build"])
def test_the_same_an_older_or_an_unknown_version_is_no_downgrade(fleet: Fleet, current: str | None) -> None:
    assert broken(fleet, "acme-corp", facts=VersionFacts(current)) == {}


@pytest.mark.parametrize(("verified_days_ago", "is_met"), [(None, False), (6, False), (7, True), (8, True)])
def test_the_testing_period_counts_from_the_first_demo_deploy(
    fleet: Fleet, verified_days_ago: int | None, is_met: bool
) -> None:
    changed = with_policy(fleet, "standard", minimum_testing_period=timedelta(days=7))
    verified = None if verified_days_ago is None else NOW - timedelta(days=verified_days_ago)

    found = broken(changed, "acme-corp", facts=VersionFacts(demo_verified_at=verified))

    assert ("testing period" in found) is not is_met
    assert all((one.soft, one.code) == (True, "SW416") for one in found.values())


def test_the_end_of_the_testing_period_is_told(fleet: Fleet) -> None:
    changed = with_policy(fleet, "standard", minimum_testing_period=timedelta(days=7))
    acme = changed.customers["acme-corp"]

    assert end_of_testing(changed, acme, NOW) == NOW + timedelta(days=7)
    assert end_of_testing(changed, acme, None) is None
    assert end_of_testing(fleet, acme, NOW) is None


def test_no_testing_period_binds_demo_customers(fleet: Fleet) -> None:
    assert broken(with_policy(fleet, "demo", minimum_testing_period=timedelta(days=7)), "demo") == {}


def test_a_held_customer_is_refused_hard(fleet: Fleet) -> None:
    held = replace(fleet.customers["acme-corp"], held=("the files disagree",))

    finding = broken(replace(fleet, customers={**fleet.customers, "acme-corp": held}), "acme-corp")["configuration"]

    assert (finding.soft, finding.code) == (False, "SW404")
    assert "the files disagree" in finding.message


def test_a_commit_of_the_main_branch_is_no_downgrade_from_the_version_before_it(fleet: Fleet) -> None:
    ahead, behind = VersionFacts("v1.1.0"), VersionFacts("v1.2.0")

    assert broken(fleet, "demo", "v1.1.0-3-gabc1234", ahead) == {}
    assert broken(fleet, "demo", "v1.1.0-3-gabc1234", behind)["order"].code == "SW406"
    assert broken(fleet, "acme-corp", "v1.1.0-3-gabc1234", ahead)["source"].code == "SW405"


def test_main_among_the_supported_versions_means_the_commits_of_the_main_branch(fleet: Fleet) -> None:
    only_main = with_policy(fleet, "demo", supported_versions=("main",))

    assert broken(only_main, "demo", "v1.1.0-3-gabc1234") == {}
    assert "supported versions" in broken(only_main, "demo", "v1.1.0")
