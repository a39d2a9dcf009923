"""After the way back: settle, twenty samples, the old version; then rolled back, or held for a person."""

from typing import Any

import pytest

from securewatch.deploy.decide import decide
from securewatch.deploy.model import Run, Stage
from securewatch.deploy.view import LookKind, Observation, View
from tests.factories import (
    BACKEND,
    OLD_VERSION,
    at,
    make_live,
    make_samples,
    make_seen,
    make_view,
)


def returned(kind: Any, way: str = "render") -> Any:
    """One service that is back at its good deploy."""
    return make_live(kind, way_back=way, back_deploy_id=f"dep-back-{kind}", back_live_at=at(-5))


def rechecking(samples: Any, *seen: Observation, **run: Any) -> View:
    facts = {"progress": (returned(BACKEND),), "went_live": True, **run}
    return make_view(Stage.RECHECKING, run=facts, seen=seen, samples={BACKEND: tuple(samples)})


def old_version(state: str = "match") -> Observation:
    return make_seen("version:backend", seconds=160, state=state, detail="it says 1.1.0")


def test_the_checks_after_a_rollback_begin_when_it_has_settled() -> None:
    assert decide(rechecking(()), at(59)).next_at == at(60)
    assert [look.kind for look in decide(rechecking(()), at(60)).looks] == [LookKind.SAMPLE]


def test_a_rollback_is_done_after_twenty_good_samples_and_the_old_version() -> None:
    samples = make_samples(20, start=60)

    asked = decide(rechecking(samples), at(160))
    done = decide(rechecking(samples, old_version()), at(161)).run

    assert [(look.kind, look.args["version"]) for look in asked.looks] == [(LookKind.VERSION, OLD_VERSION)]
    assert (done.stage, done.finished_at) == (Stage.ROLLED_BACK, at(161))


@pytest.mark.parametrize("bad", [(17, 18, 19), (1, 6, 11)])
def test_a_customer_that_is_still_sick_after_the_rollback_is_held(bad: tuple[int, ...]) -> None:
    found = decide(rechecking(make_samples(20, start=60, bad=bad), old_version()), at(161)).run

    assert (found.stage, found.code) == (Stage.HELD, "SW601")


def test_a_rollback_that_did_not_bring_the_old_version_is_held() -> None:
    found: Run = decide(rechecking(make_samples(20, start=60), old_version("mismatch")), at(161)).run

    assert (found.stage, found.code) == (Stage.HELD, "SW601")
    assert "it says 1.1.0" in found.detail
