"""Is it good? Verification with at least twenty samples, bursts, what the services say of themselves, and the watch."""

from dataclasses import replace
from typing import Any

import pytest

from securewatch.deploy.decide import decide
from securewatch.deploy.model import Criteria, DeployRules, Stage
from securewatch.deploy.view import Decision, LookKind, View
from tests.factories import (
    BACKEND,
    FRONTEND,
    NOW,
    at,
    make_customer_plan,
    make_live,
    make_poll,
    make_samples,
    make_seen,
    make_view,
)

HOUR, DAY = 3600.0, 86400.0
RULES = DeployRules(settle_seconds=60.0)
GOOD_ANSWERS = (
    make_seen("version:backend", state="match", reported="1.1.0"),
    make_seen("database:backend", state="ok"),
)


def kinds_of(found: Decision) -> list[tuple[str, str]]:
    return [(str(look.kind), str(look.service_kind)) for look in found.looks]


def verifying(samples: Any, *seen: Any, rules: DeployRules = RULES, **run: Any) -> View:
    """The backend is live and being verified since NOW."""
    progress = (make_live(live_at=at(-60), verified_at=None),)
    return make_view(
        Stage.VERIFYING,
        run={"progress": progress, "went_live": True, **run},
        customer=make_customer_plan(rules=rules),
        seen=seen,
        samples={BACKEND: tuple(samples)},
    )


def watching(samples: Any = (), *seen: Any, rules: DeployRules = RULES, **run: Any) -> View:
    """Both services are verified and watched since NOW; `samples` are those of the backend."""
    progress = (make_live(live_at=at(-120)), make_live(FRONTEND, live_at=at(-90)))
    return make_view(
        Stage.WATCHING,
        run={"progress": progress, "went_live": True, "verified_at": NOW, **run},
        customer=make_customer_plan(rules=rules),
        seen=seen,
        samples={BACKEND: tuple(samples), FRONTEND: tuple(samples)},
    )


def watched_until(seconds: float, *, every: float = 300.0) -> Any:
    return make_samples(int(seconds // every) + 1, every=every)


# --- verification -----------------------------------------------------------------------------------------------------


def test_nineteen_good_samples_verify_nothing() -> None:
    found = decide(verifying(make_samples(19), *GOOD_ANSWERS), at(91))

    assert found.run.stage is Stage.VERIFYING
    assert found.next_at == at(95)


def test_verification_samples_every_five_seconds() -> None:
    view = verifying(make_samples(3))

    assert kinds_of(decide(view, at(14))) == []
    assert kinds_of(decide(view, at(15))) == [("sample", "backend")]


def test_twenty_good_samples_and_good_answers_verify_the_backend() -> None:
    found = decide(verifying(make_samples(20), *GOOD_ANSWERS), at(96)).run

    assert (found.stage, found.of(BACKEND).verified_at) == (Stage.DEPLOYING, at(96))
    assert found.of(BACKEND).version_note == "1.1.0"


def test_samples_from_before_the_settling_ended_do_not_count() -> None:
    found = decide(verifying(make_samples(20, start=-50, every=2.0), *GOOD_ANSWERS), at(1))

    assert found.run.stage is Stage.VERIFYING


def test_three_failures_in_a_row_take_it_back_at_once() -> None:
    found = decide(verifying(make_samples(3, bad=(0, 1, 2))), at(11)).run

    assert (found.stage, found.code, found.trigger) == (Stage.STOPPING, "SW503", "failures_in_a_row")


def test_three_slow_answers_in_a_row_take_it_back() -> None:
    found = decide(verifying(make_samples(3, response_ms=5001.0)), at(11)).run

    assert (found.stage, found.trigger) == (Stage.STOPPING, "slow")


def test_a_suspect_error_rate_asks_for_a_burst_before_it_acts() -> None:
    found = decide(verifying(make_samples(20, bad=(2, 8, 14)), *GOOD_ANSWERS), at(96))

    assert (found.run.stage, found.run.burst_since) == (Stage.VERIFYING, at(96))


def test_a_burst_is_twenty_samples_one_second_apart() -> None:
    before = make_samples(20, bad=(2, 8, 14))
    view = verifying((*before, *make_samples(19, start=96, every=1.0)), burst_since=at(96))

    assert decide(view, at(114.5)).next_at == at(115)
    assert kinds_of(decide(view, at(115))) == [("sample", "backend")]


def test_a_burst_that_shows_the_errors_again_takes_it_back() -> None:
    burst = make_samples(20, start=96, every=1.0, bad=(3, 9))
    view = verifying((*make_samples(20, bad=(2, 8, 14)), *burst), burst_since=at(96))

    found = decide(view, at(116)).run

    assert (found.stage, found.code, found.trigger) == (Stage.STOPPING, "SW503", "error_rate")
    assert "burst" in found.detail


def test_a_burst_that_shows_no_errors_lets_it_go_on() -> None:
    burst = make_samples(20, start=96, every=1.0)
    view = verifying((*make_samples(20, bad=(2, 8, 14)), *burst), burst_since=at(96))

    found = decide(view, at(116)).run

    assert (found.stage, found.burst_since) == (Stage.VERIFYING, None)


def test_failures_in_a_row_during_a_burst_act_at_once() -> None:
    burst = make_samples(3, start=96, every=1.0, bad=(0, 1, 2))
    view = verifying((*make_samples(20, bad=(2, 8, 14)), *burst), burst_since=at(96))

    assert decide(view, at(99)).run.trigger == "failures_in_a_row"


def test_a_sick_backend_turns_back_while_the_frontend_is_being_verified() -> None:
    view = verifying(make_samples(3, bad=(0, 1, 2)))
    progress = (make_live(), make_live(FRONTEND, live_at=at(-60), verified_at=None))
    both = replace(view, run=replace(view.run, progress=progress))

    assert decide(both, at(11)).run.stage is Stage.STOPPING


@pytest.mark.parametrize(
    ("criteria", "words"),
    [(Criteria(response_ms_max=15.0), "p95"), (Criteria(response_ms_max=20.0), "p95")],
)
def test_success_criteria_that_are_not_met_after_the_longest_verification_take_it_back(
    criteria: Criteria, words: str
) -> None:
    rules = replace(RULES, criteria=criteria)

    early = decide(verifying(make_samples(20), *GOOD_ANSWERS, rules=rules), at(96)).run
    late = decide(verifying(make_samples(120), *GOOD_ANSWERS, rules=rules), at(596)).run

    assert early.stage is Stage.VERIFYING
    assert (late.stage, late.trigger) == (Stage.STOPPING, "verification")
    assert words in late.detail


def test_one_failure_prolongs_a_verification_with_a_strict_error_rate_and_does_not_decide_it() -> None:
    rules = replace(RULES, criteria=Criteria(error_rate_max=0.01, availability_min=0.999))

    early = decide(verifying(make_samples(20, bad=(5,)), *GOOD_ANSWERS, rules=rules), at(96)).run
    late = decide(verifying(make_samples(120, bad=(5,)), *GOOD_ANSWERS, rules=rules), at(596)).run

    assert (early.stage, late.stage) == (Stage.VERIFYING, Stage.DEPLOYING)


def test_met_success_criteria_verify() -> None:
    rules = replace(RULES, criteria=Criteria(2000.0, 0.01, 0.999))

    assert decide(verifying(make_samples(20), *GOOD_ANSWERS, rules=rules), at(96)).run.stage is Stage.DEPLOYING


def test_the_version_is_asked_for_after_the_samples_and_then_the_database() -> None:
    first = decide(verifying(make_samples(20)), at(96))
    second = decide(verifying(make_samples(20), GOOD_ANSWERS[0]), at(96))

    assert kinds_of(first) == [("version", "backend")]
    assert dict(first.looks[0].args) == {"version": "v1.1.0", "commit": "b" * 40}
    assert kinds_of(second) == [("database", "backend")]


@pytest.mark.parametrize("state", ["mismatch", "unreachable"])
def test_a_wrong_version_is_asked_for_three_times_before_it_counts(state: str) -> None:
    twice = make_seen("version:backend", seconds=96, count=2, state=state, detail="it says 1.0.0")
    thrice = replace(twice, count=3)

    assert decide(verifying(make_samples(20), twice), at(97)).next_at == at(101)
    assert kinds_of(decide(verifying(make_samples(20), twice), at(101))) == [("version", "backend")]
    found = decide(verifying(make_samples(20), thrice), at(97)).run
    assert (found.stage, found.code) == (Stage.STOPPING, "SW503")
    assert "it says 1.0.0" in found.detail


def test_a_database_that_does_not_answer_takes_it_back() -> None:
    failed = make_seen("database:backend", count=3, state="failed", detail="connection refused")

    found = decide(verifying(make_samples(20), GOOD_ANSWERS[0], failed), at(96)).run

    assert (found.stage, "connection refused" in found.detail) == (Stage.STOPPING, True)


def test_a_version_that_is_not_reported_is_noted_and_lets_the_service_pass() -> None:
    silent = make_seen("version:backend", state="not_reported")

    found = decide(verifying(make_samples(20), silent, GOOD_ANSWERS[1]), at(96)).run

    assert (found.stage, found.of(BACKEND).version_note) == (Stage.DEPLOYING, "not reported")


def test_a_frontend_is_not_asked_for_its_database() -> None:
    view = make_view(
        Stage.VERIFYING,
        run={"progress": (make_live(), make_live(FRONTEND, verified_at=None))},
        seen=[make_seen("version:frontend", state="match", reported="v1.1.0")],
        samples={BACKEND: make_samples(20), FRONTEND: make_samples(20)},
    )

    assert decide(view, at(96)).run.of(FRONTEND).verified_at == at(96)


def test_a_p95_over_twice_the_baseline_is_reported_and_passes() -> None:
    found = decide(verifying(make_samples(20, response_ms=61.0), *GOOD_ANSWERS), at(96)).run

    comparison = found.of(BACKEND).comparison
    assert found.stage is Stage.DEPLOYING
    assert comparison is not None
    assert comparison.is_regression


def test_a_p95_over_twice_the_baseline_fails_where_the_policy_says_so() -> None:
    rules = replace(RULES, p95_may_fail=True)

    slow = decide(verifying(make_samples(20, response_ms=61.0), *GOOD_ANSWERS, rules=rules), at(96)).run
    just = decide(verifying(make_samples(20, response_ms=60.0), *GOOD_ANSWERS, rules=rules), at(96)).run

    assert (slow.stage, just.stage) == (Stage.STOPPING, Stage.DEPLOYING)


def test_a_deploy_forced_onto_an_unhealthy_customer_is_held_not_rolled_back() -> None:
    view = verifying(make_samples(3, bad=(0, 1, 2)), baseline_healthy=False)

    found = decide(view, at(11))

    assert (found.run.stage, found.run.code, found.effects) == (Stage.HELD, "SW503", ())


def test_a_person_can_still_take_back_a_deploy_forced_onto_an_unhealthy_customer() -> None:
    view = replace(verifying(make_samples(3), baseline_healthy=False), rollback_reason="customer-request")

    assert decide(view, at(11)).run.stage is Stage.STOPPING


# --- the watch --------------------------------------------------------------------------------------------------------


def test_a_watch_samples_both_services_densely_in_the_first_hour_and_sparsely_after() -> None:
    early = watching(make_samples(2, every=30.0))
    late = watching(watched_until(2 * HOUR))

    assert kinds_of(decide(early, at(59))) == []
    assert kinds_of(decide(early, at(60))) == [("sample", "backend"), ("sample", "frontend")]
    assert decide(late, at(2 * HOUR + 10)).next_at is not None
    assert ("sample", "backend") not in kinds_of(decide(late, at(2 * HOUR + 299)))
    assert ("sample", "backend") in kinds_of(decide(late, at(2 * HOUR + 300)))


def test_a_watch_that_was_kept_up_ends_complete() -> None:
    view = watching(watched_until(DAY))

    assert decide(view, at(DAY - 1)).run.stage is Stage.WATCHING
    found = decide(view, at(DAY)).run
    assert (found.stage, found.detail, found.finished_at) == (Stage.DONE, "", at(DAY))


def test_a_trigger_during_the_watch_takes_it_back() -> None:
    found = decide(watching(make_samples(3, start=600, bad=(0, 1, 2))), at(611)).run

    assert (found.stage, found.code) == (Stage.STOPPING, "SW503")


def test_the_samples_of_the_verification_arm_the_triggers_of_the_watch() -> None:
    before = make_samples(2, start=-10, bad=(0, 1))
    view = watching((*before, *make_samples(1, start=1, bad=(0,))), rules=replace(RULES, settle_seconds=60.0))

    assert decide(view, at(2)).run.stage is Stage.STOPPING


def test_a_suspect_rate_in_the_watch_asks_for_a_burst_first() -> None:
    found = decide(watching(make_samples(20, every=30.0, bad=(2, 8, 14))), at(571)).run

    assert (found.stage, found.burst_since) == (Stage.WATCHING, at(571))


def test_the_deploys_are_polled_every_ten_minutes_of_a_watch() -> None:
    view = watching(watched_until(HOUR, every=30.0), make_poll(seconds=3000), make_poll(FRONTEND, seconds=3000))

    assert ("poll", "backend") not in kinds_of(decide(view, at(3599)))
    assert ("poll", "backend") in kinds_of(decide(view, at(3600)))


def test_the_deploys_are_polled_no_more_often_than_the_application_is_asked() -> None:
    rules = replace(RULES, dense_interval_seconds=1800.0, sparse_interval_seconds=1800.0)
    polls = make_poll(seconds=1800), make_poll(FRONTEND, seconds=1800)
    view = watching(watched_until(HOUR, every=1800.0), *polls, rules=rules)

    assert ("poll", "backend") not in kinds_of(decide(view, at(3599)))
    assert ("poll", "backend") in kinds_of(decide(view, at(3600)))


def test_a_foreign_deploy_during_the_watch_is_held_and_not_fought_over() -> None:
    poll = make_poll(status="deactivated", seconds=600, newer={"id": "dep-theirs", "status": "live"})

    found = decide(watching(make_samples(20, every=30.0), poll), at(601))

    assert (found.run.stage, found.run.code, found.effects) == (Stage.HELD, "SW506", ())
    assert "dep-theirs" in found.run.detail


def test_a_controller_that_comes_back_looks_at_once() -> None:
    found = decide(watching(make_samples(10, every=30.0)), at(4 * HOUR))

    assert ("sample", "backend") in kinds_of(found)


def test_a_gap_in_the_watch_is_remembered() -> None:
    view = watching((*make_samples(10, every=30.0), *make_samples(1, start=4 * HOUR)))

    found = decide(view, at(4 * HOUR))

    assert found.run.unwatched_seconds == 4 * HOUR - 270
    assert found.next_at == at(4 * HOUR)


def test_after_a_gap_twenty_samples_are_taken_at_once() -> None:
    back = make_samples(5, start=4 * HOUR, every=1.0)
    view = watching((*make_samples(10, every=30.0), *back), unwatched_seconds=4 * HOUR - 270)

    assert kinds_of(decide(view, at(4 * HOUR + 4.5)))[:2] == [("poll", "backend"), ("poll", "frontend")]
    assert ("sample", "backend") in kinds_of(decide(view, at(4 * HOUR + 5)))


def test_a_watch_with_a_gap_is_never_called_complete() -> None:
    back = make_samples(int(20 * HOUR // 300) + 1, start=4 * HOUR, every=300.0)
    view = watching((*make_samples(10, every=30.0), *back), unwatched_seconds=4 * HOUR - 270)

    found = decide(view, at(DAY)).run

    assert found.stage is Stage.DONE
    assert "not complete" in found.detail
    assert "nobody watched for 236 min" in found.detail


def test_a_watch_whose_end_passed_unwatched_takes_its_twenty_samples_and_is_not_complete() -> None:
    alone = watching(make_samples(10, every=30.0))
    back = (*make_samples(10, every=30.0), *make_samples(20, start=30 * HOUR, every=1.0))

    returned = decide(alone, at(30 * HOUR))
    counted = decide(watching(back[:15]), at(30 * HOUR + 4)).run
    catching_up = decide(watching(back[:15], unwatched_seconds=counted.unwatched_seconds), at(30 * HOUR + 4.5))
    ended = decide(watching(back, unwatched_seconds=counted.unwatched_seconds), at(30 * HOUR + 20)).run

    assert returned.run.stage is Stage.WATCHING
    assert ("sample", "backend") in kinds_of(returned)
    assert counted.unwatched_seconds == 30 * HOUR - 270
    assert (catching_up.run.stage, catching_up.next_at) == (Stage.WATCHING, at(30 * HOUR + 5))
    assert ended.stage is Stage.DONE
    assert "not complete" in ended.detail


def test_a_failure_found_after_a_gap_takes_the_version_back() -> None:
    back = make_samples(3, start=4 * HOUR, every=1.0, bad=(0, 1, 2))
    view = watching((*make_samples(10, every=30.0), *back), unwatched_seconds=4 * HOUR - 270)

    assert decide(view, at(4 * HOUR + 3)).run.stage is Stage.STOPPING


def test_a_watch_wants_no_effect_whatever_it_sees() -> None:
    assert LookKind.SAMPLE in {look.kind for look in decide(watching(), NOW).looks}
    assert decide(watching(), NOW).effects == ()
