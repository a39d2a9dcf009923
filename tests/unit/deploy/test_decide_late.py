"""Deploys that take too long, people who step in, and the kill switch."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from securewatch.deploy.decide import decide
from securewatch.deploy.model import DeployRules, Stage
from securewatch.deploy.view import Decision, EffectKind, EffectState, Gate, LookKind
from tests.factories import (
    BACKEND,
    FRONTEND,
    NOW,
    SHUT,
    at,
    make_customer_plan,
    make_deploy,
    make_effect,
    make_live,
    make_poll,
    make_progress,
    make_samples,
    make_view,
)

APPROVAL = Gate("approval", False, "an approval by alice", "SW402", person="alice")


def deploying(*effects: Any, progress: Any = (), seen: Any = (), **changes: Any) -> Any:
    run = {"progress": tuple(progress), **changes.pop("run", {})}
    return make_view(Stage.DEPLOYING, run=run, effects=effects, seen=seen, **changes)


def building(status: str = "build_in_progress", *effects: Any, **changes: Any) -> Any:
    """The backend's deploy is under way; its progress may be changed by keywords."""
    poll = make_poll(status=status)
    return deploying(make_deploy(), *effects, progress=[make_progress(status=status, **changes)], seen=[poll])


# --- time-outs --------------------------------------------------------------------------------------------------------


def timed_out(*effects: Any) -> Any:
    return building("build_in_progress", *effects, left_queue_at=at(-600))


def cancelled() -> Any:
    return make_effect("cancel:backend", EffectKind.CANCEL)


def test_the_time_out_counts_from_leaving_the_queue() -> None:
    in_time = building("build_in_progress", sent_at=at(-3000), left_queue_at=at(-599))
    too_late = building("build_in_progress", sent_at=at(-3000), left_queue_at=at(-600))

    assert decide(in_time, NOW).effects == ()
    assert [one.kind for one in decide(too_late, NOW).effects] == [EffectKind.CANCEL]


def test_a_deploy_is_looked_at_before_it_counts_as_late() -> None:
    seen_long_ago = building("build_in_progress", left_queue_at=at(0))

    found = decide(seen_long_ago, at(3600))

    assert (found.effects, [look.kind for look in found.looks]) == ((), [LookKind.POLL])


def test_a_deploy_that_takes_too_long_is_cancelled_once() -> None:
    first, second = decide(timed_out(), at(1)), decide(timed_out(cancelled()), at(1))

    assert [(one.key, one.args) for one in first.effects] == [("cancel:backend", {"deploy_id": "dep-new-backend"})]
    assert first.run.of(BACKEND).timed_out_at == at(1)
    assert second.effects == ()


def test_after_the_cancel_render_is_asked_until_it_says_that_the_deploy_ended() -> None:
    found = decide(timed_out(cancelled()), at(5))

    assert found.run.stage is Stage.DEPLOYING
    assert [look.kind for look in found.looks] == [LookKind.POLL]
    assert found.waiting_on is not None
    assert "timed out" in found.waiting_on.what


def test_a_cancelled_deploy_that_timed_out_is_taken_back_as_a_time_out() -> None:
    view = building("canceled", cancelled(), timed_out_at=at(-5))

    found = decide(view, NOW).run

    assert (found.stage, found.code) == (Stage.STOPPING, "SW502")


def test_a_deploy_that_goes_live_after_its_time_out_goes_on_to_the_checks() -> None:
    view = building("live", cancelled(), timed_out_at=at(-5))

    assert decide(view, NOW).run.stage is Stage.SETTLING


def test_a_queue_that_does_not_move_for_an_hour_calls_a_person_and_watching_goes_on() -> None:
    stuck = building("queued", sent_at=at(-3600), left_queue_at=None)

    early, found = decide(stuck, at(-1)), decide(stuck, at(10))

    assert early.waiting_on is None
    assert found.waiting_on is not None
    assert (found.waiting_on.code, bool(found.waiting_on.person)) == ("SW502", True)
    assert found.effects == ()
    assert [look.kind for look in found.looks] == [LookKind.POLL]


def test_the_policys_own_time_out_is_the_one_that_counts() -> None:
    part = make_customer_plan(rules=DeployRules(deploy_timeout_seconds=900.0))
    early = replace(building("build_in_progress", left_queue_at=at(-899)), customer=part)
    late = replace(building("build_in_progress", left_queue_at=at(-900)), customer=part)

    assert decide(early, NOW).effects == ()
    assert len(decide(late, NOW).effects) == 1


# --- people -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [one for one in Stage if not one.is_terminal])
def test_an_effect_that_needs_a_human_holds_the_run(stage: Stage) -> None:
    lost = make_deploy(state=EffectState.NEEDS_HUMAN, code="SW506", reason="superseded", result={})

    found = decide(make_view(stage, effects=[lost]), NOW)

    assert (found.run.stage, found.run.code, found.effects) == (Stage.HELD, "SW506", ())


@pytest.mark.parametrize("stage", [one for one in Stage if one.is_forward])
def test_a_person_can_take_back_whatever_is_on_its_way(stage: Stage) -> None:
    found = decide(make_view(stage, rollback_reason="customer-request", gates=(SHUT, APPROVAL)), NOW).run

    assert (found.stage, found.trigger, found.code) == (Stage.STOPPING, "customer request", "")
    assert found.detail == "customer-request"


@pytest.mark.parametrize("stage", [Stage.DONE, Stage.HELD, Stage.SUPERSEDED])
def test_a_person_can_take_back_what_is_finished_but_live(stage: Stage) -> None:
    found = decide(make_view(stage, run={"finished_at": at(-9)}, rollback_reason="customer-request"), NOW).run

    assert (found.stage, found.finished_at) == (Stage.STOPPING, None)


@pytest.mark.parametrize("stage", [Stage.FAILED, Stage.ROLLED_BACK, Stage.REFUSED])
def test_nothing_is_taken_back_twice(stage: Stage) -> None:
    view = make_view(stage, rollback_reason="customer-request")

    assert decide(view, NOW) == Decision(view.run)


@pytest.mark.parametrize("stage", [one for one in Stage if one.is_terminal])
def test_a_finished_run_stays_as_it_is(stage: Stage) -> None:
    view = make_view(stage, gates=(SHUT,))

    assert decide(view, at(99999)) == Decision(view.run)


# --- the kill switch --------------------------------------------------------------------------------------------------


def paused(view: Any, seconds: float = 0.0) -> Decision:
    return decide(replace(view, is_paused=True), at(seconds))


def test_while_everything_is_paused_no_effect_is_wanted_and_the_run_stays_where_it_is() -> None:
    for view in (deploying(), make_view(Stage.SETTING_ENV), make_view(Stage.BACKING_UP), timed_out()):
        found = paused(view, 1)

        assert (found.run.stage, found.effects) == (view.run.stage, ())
        assert found.waiting_on is not None
        assert found.waiting_on.code == "SW403"


def test_while_everything_is_paused_reads_go_on() -> None:
    assert [look.kind for look in paused(building(), 5).looks] == [LookKind.POLL]


def test_while_everything_is_paused_what_would_have_been_rolled_back_is_an_alarm_and_sampling_goes_on() -> None:
    progress = (make_live(), make_live(FRONTEND))
    failing = make_view(
        Stage.WATCHING, run={"progress": progress}, samples={BACKEND: make_samples(3, start=30, bad=(0, 1, 2))}
    )

    found = paused(failing, 3600)

    assert found.run.stage is Stage.WATCHING
    assert found.waiting_on is not None
    assert "ALARM" in found.waiting_on.what
    assert LookKind.SAMPLE in {look.kind for look in found.looks}


def test_a_request_to_go_back_is_taken_up_while_paused_and_writes_nothing() -> None:
    view = make_view(Stage.WATCHING, run={"progress": (make_live(), make_live(FRONTEND))}, effects=[make_deploy()])

    asked = paused(replace(view, rollback_reason="customer-request"))
    then = paused(replace(view, run=asked.run))

    assert asked.run.stage is Stage.STOPPING
    assert then.effects == ()


def test_a_pause_that_ends_goes_on_where_it_stood() -> None:
    view: Any = deploying()

    assert paused(view).effects == ()
    assert len(decide(view, NOW + timedelta(hours=3)).effects) == 1
