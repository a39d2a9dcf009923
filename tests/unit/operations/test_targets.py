"""Which services go back where: the newest release, by run and by what is live; the other half of a pair stays."""

from dataclasses import replace
from typing import Any

from securewatch.deploy.facts import LiveDeploy, ServiceFacts
from securewatch.deploy.model import Run, RunKind, ServiceKind, Stage
from securewatch.operations.targets import find_targets, is_back, split_words
from tests.factories import BACKEND, COMMIT, FRONTEND, OLD_COMMIT, SERVICE_IDS, make_good, make_live, make_run

BOTH = (BACKEND, FRONTEND)
SOUND = ServiceFacts(
    kind=BACKEND,
    service_id=SERVICE_IDS[BACKEND],
    name="acme-corp-backend",
    type="web_service",
    owner_id="tea-1",
    url="http://backend.test",
    is_suspended=False,
    autodeploy_is_off=True,
    health_check_path="",
    has_disk=False,
    live=None,
)


def run(number: int, *kinds: ServiceKind, stage: Stage = Stage.WATCHING, commit: str = COMMIT, **changes: Any) -> Run:
    """A deploy of those services that went live and is the customer's run of that number."""
    progress = tuple(make_live(kind, deploy_id=f"dep-{number}-{kind}") for kind in kinds)
    facts = {"progress": progress, "good": tuple(make_good(kind) for kind in kinds), "commit": commit, **changes}
    return make_run(id=f"acme-corp-{number}", generation=number, stage=stage, went_live=True, **facts)


def serving(kind: ServiceKind, deploy_id: str, commit: str | None = COMMIT) -> ServiceFacts:
    return replace(SOUND, kind=kind, service_id=SERVICE_IDS[kind], live=LiveDeploy(deploy_id, commit))


def goes_back(found: list[Run], *facts: ServiceFacts) -> list[tuple[ServiceKind, str]]:
    return [(one.kind, one.run.id) for one in find_targets(found, facts)]


def test_each_half_goes_back_by_the_run_that_brought_it() -> None:
    found = [run(2, FRONTEND), run(1, BACKEND, stage=Stage.SUPERSEDED)]
    facts = (serving(BACKEND, "dep-1-backend"), serving(FRONTEND, "dep-2-frontend"))

    assert goes_back(found, *facts) == [(BACKEND, "acme-corp-1"), (FRONTEND, "acme-corp-2")]


def test_what_only_one_half_got_since_goes_back_alone_and_once() -> None:
    fix = run(2, BACKEND, commit="c" * 40, good=(make_good(BACKEND, deploy_id="dep-1-backend", commit=COMMIT),))
    pair = run(1, *BOTH, stage=Stage.SUPERSEDED)
    frontend = serving(FRONTEND, "dep-1-frontend")

    assert goes_back([fix, pair], serving(BACKEND, "dep-2-backend", "c" * 40), frontend) == [(BACKEND, "acme-corp-2")]
    assert goes_back([fix, pair], serving(BACKEND, "dep-back"), frontend) == []


def test_a_run_that_completed_a_split_goes_back_to_the_pair_before_the_split() -> None:
    half = run(1, BACKEND, stage=Stage.SUPERSEDED)
    good = (make_good(BACKEND, deploy_id="dep-1-backend", commit=COMMIT), make_good(FRONTEND))
    facts = (serving(BACKEND, "dep-2-backend"), serving(FRONTEND, "dep-2-frontend"))

    assert goes_back([run(2, *BOTH, good=good), half], *facts) == [(BACKEND, "acme-corp-1"), (FRONTEND, "acme-corp-2")]


def test_a_version_that_was_built_again_goes_back_to_its_own_earlier_build() -> None:
    good = tuple(make_good(kind, deploy_id=f"dep-1-{kind}", commit=COMMIT) for kind in BOTH)
    again = run(2, *BOTH, good=good)

    targets = find_targets([again, run(1, *BOTH)], [serving(kind, f"dep-2-{kind}") for kind in BOTH])

    assert [(one.run.id, one.good) for one in targets] == [("acme-corp-2", one) for one in good]


def test_a_service_is_back_at_its_good_deploy_at_its_commit_or_at_what_our_way_back_made() -> None:
    made = replace(make_live(BACKEND, deploy_id="dep-1-backend"), back_deploy_id="dep-back")
    source = run(1, BACKEND, stage=Stage.ROLLED_BACK, progress=(made,))

    assert is_back([source], serving(BACKEND, "dep-old-backend", None), source)
    assert is_back([source], serving(BACKEND, "dep-other", OLD_COMMIT), source)
    assert is_back([source], serving(BACKEND, "dep-back", None), source)
    assert not is_back([source], serving(BACKEND, "dep-theirs"), source)
    assert not is_back([source], replace(SOUND, live=None), source)


def test_a_half_that_is_taken_back_alone_is_a_split_unless_the_other_is_back_already() -> None:
    pair = run(1, *BOTH)
    gone = (replace(make_live(FRONTEND), live_at=None, back_deploy_id="dep-back"),)
    other = run(2, FRONTEND, kind=RunKind.ROLLBACK, stage=Stage.ROLLED_BACK, commit="", progress=gone)

    assert split_words([pair], (BACKEND,)) == "split: only the backend was asked for"
    assert split_words([other, pair], (BACKEND,)) == ""
    assert split_words([pair], BOTH) == ""
