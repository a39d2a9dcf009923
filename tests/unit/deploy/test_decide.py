"""The way forward: gates, preflight, env vars, then each service's deploy until Render says that it ended."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from securewatch.deploy.decide import decide
from securewatch.deploy.model import DeployRules, RunKind, Stage
from securewatch.deploy.view import Decision, EffectKind, EffectState, Gate, LookKind
from tests.factories import (
    BACKEND,
    COMMIT,
    FRONTEND,
    NOW,
    OPEN,
    SHUT,
    at,
    make_customer_plan,
    make_deploy,
    make_effect,
    make_env_effect,
    make_live,
    make_poll,
    make_progress,
    make_samples,
    make_seen,
    make_service,
    make_view,
)

APPROVAL = Gate("approval", False, "an approval by alice", "SW402", person="alice")
GOOD = {"kind": "backend", "service_id": "srv-1", "deploy_id": "dep-0", "commit": "c0", "version": "v1.0.0"}
BOTH_SAMPLED = {kind: make_samples(20, every=1.0) for kind in (BACKEND, FRONTEND)}


def preflight(**changes: Any) -> Any:
    view = make_view(Stage.PREFLIGHT, run={"good": (), "baseline": ()}, seen=[make_seen("preflight", good=[GOOD])])
    return replace(view, **{"samples": BOTH_SAMPLED, **changes})


def deploying(*effects: Any, progress: Any = (), seen: Any = (), **changes: Any) -> Any:
    run = {"progress": tuple(progress), **changes.pop("run", {})}
    return make_view(Stage.DEPLOYING, run=run, effects=effects, seen=seen, **changes)


def building(status: str = "build_in_progress", *effects: Any, **changes: Any) -> Any:
    """The backend's deploy is under way; its progress may be changed by keywords."""
    poll = make_poll(status=status)
    return deploying(make_deploy(), *effects, progress=[make_progress(status=status, **changes)], seen=[poll])


# --- gates ------------------------------------------------------------------------------------------------------------


def test_a_run_behind_a_shut_gate_begins_nothing_and_says_until_when() -> None:
    found = decide(make_view(gates=(SHUT,)), NOW)

    assert (found.run.stage, found.effects, found.looks) == (Stage.QUEUED, (), ())
    assert found.waiting_on is not None
    assert (found.waiting_on.code, found.waiting_on.is_gate) == ("SW401", True)
    assert (found.waiting_on.until, found.next_at) == (SHUT.until, SHUT.until)


def test_a_run_waits_for_a_person_only_when_every_other_gate_is_open() -> None:
    alone = decide(make_view(gates=(OPEN, APPROVAL)), NOW).waiting_on
    with_window = decide(make_view(gates=(SHUT, APPROVAL)), NOW).waiting_on

    assert alone is not None
    assert with_window is not None
    assert (alone.person, with_window.person) == ("alice", "")


@pytest.mark.parametrize(
    ("kind", "stage"),
    [
        (RunKind.DEPLOY, Stage.PREFLIGHT),
        (RunKind.ENV, Stage.BACKING_UP),
        (RunKind.ROLLBACK, Stage.ROLLING_BACK),
    ],
)
def test_behind_open_gates_each_kind_of_run_begins_where_its_work_does(kind: RunKind, stage: Stage) -> None:
    assert decide(make_view(run={"kind": kind}, gates=(OPEN,)), NOW).run.stage is stage


def test_gates_are_checked_again_after_the_baseline_before_the_first_write() -> None:
    found = decide(preflight(gates=(SHUT,)), at(30))

    assert (found.run.stage, found.effects) == (Stage.QUEUED, ())


def test_a_window_that_shuts_while_env_vars_are_written_unwinds_them() -> None:
    view = make_view(Stage.SETTING_ENV, effects=[make_env_effect("env")], gates=(SHUT,))

    found = decide(view, NOW)

    assert (found.run.stage, found.run.code) == (Stage.UNWINDING, "")


def test_a_window_that_shuts_before_the_deploy_is_asked_for_unwinds_the_env_vars() -> None:
    assert decide(deploying(gates=(SHUT,)), NOW).run.stage is Stage.UNWINDING


def test_a_window_that_shuts_while_the_deploy_waits_to_be_sent_unwinds_the_env_vars() -> None:
    waiting = make_deploy(state=EffectState.INTENT, result={}, sent_at=None)

    assert decide(deploying(waiting, gates=(SHUT,)), NOW).run.stage is Stage.UNWINDING


@pytest.mark.parametrize("state", [EffectState.SENT, EffectState.ACCEPTED, EffectState.IN_DOUBT])
def test_a_deploy_that_may_have_been_sent_is_followed_past_the_window(state: EffectState) -> None:
    found = decide(deploying(make_deploy(state=state, result={}), gates=(SHUT,)), NOW)

    assert (found.run.stage, found.effects) == (Stage.DEPLOYING, ())


def test_once_the_backend_is_out_the_frontend_follows_past_the_window() -> None:
    found = decide(deploying(make_deploy(), progress=[make_live()], gates=(SHUT,)), NOW)

    assert [one.key for one in found.effects] == ["deploy:frontend"]


def test_the_frontends_deploy_that_waits_to_be_sent_is_not_unwound_when_the_window_shuts() -> None:
    waiting = make_deploy(FRONTEND, state=EffectState.INTENT, result={}, sent_at=None)

    found = decide(deploying(make_deploy(), waiting, progress=[make_live()], gates=(SHUT,)), NOW)

    assert found.run.stage is Stage.DEPLOYING


# --- preflight --------------------------------------------------------------------------------------------------------


def test_preflight_looks_first() -> None:
    found = decide(make_view(Stage.PREFLIGHT), NOW)

    assert [look.kind for look in found.looks] == [LookKind.PREFLIGHT]


def test_what_an_earlier_preflight_saw_does_not_count_for_this_one() -> None:
    found = decide(preflight(observations={"preflight": make_seen("preflight", seconds=-1, good=[GOOD])}), NOW)

    assert [look.kind for look in found.looks] == [LookKind.PREFLIGHT]


def test_a_problem_found_by_preflight_refuses_the_run_and_names_them_all() -> None:
    problems = [{"code": "SW407", "what": "autodeploy is on"}, {"code": "SW415", "what": "it is suspended"}]

    found = decide(preflight(observations={"preflight": make_seen("preflight", problems=problems)}), NOW)

    assert (found.run.stage, found.run.code) == (Stage.REFUSED, "SW407")
    assert found.run.detail == "autodeploy is on; it is suspended"
    assert found.run.finished_at == NOW


def test_the_baseline_is_twenty_samples_of_each_service_one_second_apart() -> None:
    view = preflight(samples={BACKEND: make_samples(19, every=1.0), FRONTEND: make_samples(20, every=1.0)})

    early, due = decide(view, at(18.5)), decide(view, at(19))

    assert (early.looks, early.next_at) == ((), at(19))
    assert [(look.kind, look.service_kind) for look in due.looks] == [(LookKind.SAMPLE, BACKEND)]


def test_an_unhealthy_customer_is_refused_before_anything_is_written() -> None:
    sick = {**BOTH_SAMPLED, BACKEND: make_samples(20, every=1.0, bad=(17, 18, 19))}

    found = decide(preflight(samples=sick), at(20))

    assert (found.run.stage, found.run.code, found.effects) == (Stage.REFUSED, "SW409", ())
    assert "backend" in found.run.detail


def test_force_goes_on_with_an_unhealthy_customer_and_remembers_that_it_was() -> None:
    sick = {**BOTH_SAMPLED, BACKEND: make_samples(20, every=1.0, bad=(17, 18, 19))}
    view = preflight(samples=sick)

    found = decide(replace(view, run=replace(view.run, force=True)), at(20))

    assert (found.run.stage, found.run.baseline_healthy) == (Stage.BACKING_UP, False)


def test_the_good_pair_and_the_baseline_are_recorded_before_the_first_write() -> None:
    found = decide(preflight(), at(20)).run

    assert found.stage is Stage.BACKING_UP
    assert found.baseline_healthy
    assert [(one.deploy_id, one.version) for one in found.good] == [("dep-0", "v1.0.0")]
    assert [(kind, one.samples, one.failures) for kind, one in found.baseline] == [(BACKEND, 20, 0), (FRONTEND, 20, 0)]


# --- backups and env vars ---------------------------------------------------------------------------------------------


def test_the_env_vars_of_every_service_are_backed_up_before_one_is_written() -> None:
    first = decide(make_view(Stage.BACKING_UP), NOW)
    half = decide(make_view(Stage.BACKING_UP, effects=[make_effect("backup:backend", EffectKind.BACK_UP_ENV)]), NOW)

    assert [one.key for one in first.effects] == ["backup:backend", "backup:frontend"]
    assert [one.key for one in half.effects] == ["backup:frontend"]
    assert half.run.stage is Stage.BACKING_UP


def test_a_backup_that_cannot_be_taken_refuses_the_run() -> None:
    failed = make_effect(
        "backup:backend", EffectKind.BACK_UP_ENV, state=EffectState.FAILED, code="SW305", reason="gone"
    )

    found = decide(make_view(Stage.BACKING_UP, effects=[failed]), NOW).run

    assert (found.stage, found.code, found.detail) == (Stage.REFUSED, "SW305", "gone")


def test_env_vars_are_written_one_at_a_time_backend_first() -> None:
    first = decide(make_view(Stage.SETTING_ENV), NOW)
    under_way = decide(make_view(Stage.SETTING_ENV, effects=[make_env_effect("env", state=EffectState.SENT)]), NOW)
    second = decide(make_view(Stage.SETTING_ENV, effects=[make_env_effect("env")]), NOW)

    assert [one.key for one in first.effects] == ["env:backend:VERSION_TAG"]
    assert under_way.effects == ()
    assert [one.key for one in second.effects] == ["env:frontend:VERSION_TAG"]


def test_the_deploy_begins_once_every_env_var_is_written() -> None:
    both = [make_env_effect("env"), make_env_effect("env", FRONTEND)]

    assert decide(make_view(Stage.SETTING_ENV, effects=both), NOW).run.stage is Stage.DEPLOYING
    assert decide(make_view(Stage.SETTING_ENV, run={"kind": RunKind.ENV}, effects=both), NOW).run.stage is Stage.DONE


def test_an_env_var_that_render_refuses_unwinds_those_before_it() -> None:
    refused = make_env_effect("env", FRONTEND, state=EffectState.FAILED, code="SW306", reason="too long")

    found = decide(make_view(Stage.SETTING_ENV, effects=[make_env_effect("env"), refused]), NOW).run

    assert (found.stage, found.code, found.detail) == (Stage.UNWINDING, "SW306", "too long")


def test_a_further_attempt_names_its_effects_anew() -> None:
    found = decide(make_view(Stage.SETTING_ENV, run={"attempt": 2}, effects=[make_env_effect("env")]), NOW)

    assert [one.key for one in found.effects] == ["env:backend:VERSION_TAG#2"]


# --- deploys ----------------------------------------------------------------------------------------------------------


def test_the_backend_is_deployed_first_at_the_exact_commit_of_the_plan() -> None:
    (wanted,) = decide(deploying(), NOW).effects

    assert (wanted.key, wanted.kind, wanted.args) == ("deploy:backend", EffectKind.DEPLOY, {"commit": COMMIT})


def test_the_frontend_waits_until_the_backend_is_verified() -> None:
    live_only = deploying(make_deploy(), progress=[make_live(verified_at=None)], seen=[make_poll()])

    assert decide(live_only, NOW).effects == ()


def test_a_deploy_that_was_dropped_is_asked_for_again() -> None:
    dropped = make_deploy(state=EffectState.DROPPED, result={})

    assert [one.key for one in decide(deploying(dropped), NOW).effects] == ["deploy:backend"]


def test_one_half_asked_for_alone_is_verified_as_a_split() -> None:
    part = make_customer_plan(services=(make_service(BACKEND),))

    found = decide(deploying(progress=[make_live()], customer=part), NOW).run

    assert (found.stage, found.verified_at) == (Stage.WATCHING, NOW)
    assert "split" in found.detail


def test_both_services_verified_begin_the_watch() -> None:
    found = decide(deploying(progress=[make_live(), make_live(FRONTEND)]), NOW).run

    assert (found.stage, found.verified_at, found.detail) == (Stage.WATCHING, NOW, "")


def test_a_created_deploy_is_followed_under_its_id() -> None:
    found = decide(deploying(make_deploy()), NOW)

    assert found.run.of(BACKEND).deploy_id == "dep-new-backend"
    assert found.run.of(BACKEND).sent_at == at(-60)


def test_a_deploy_is_polled_every_five_seconds_and_half_as_often_in_the_queue() -> None:
    built, queued = building(), building("queued", left_queue_at=None)

    assert decide(built, at(4)).next_at == at(5)
    assert [look.kind for look in decide(built, at(5)).looks] == [LookKind.POLL]
    assert decide(queued, at(5)).next_at == at(10)


def test_a_deploy_leaves_the_queue_when_render_first_says_so() -> None:
    left = deploying(
        make_deploy(),
        progress=[make_progress(status="queued", left_queue_at=None)],
        seen=[make_poll(status="build_in_progress")],
    )

    found = decide(left, at(1)).run.of(BACKEND)

    assert (found.status, found.left_queue_at) == ("build_in_progress", at(1))


def test_a_live_deploy_settles_before_its_checks_count() -> None:
    found = decide(building("live"), at(1)).run
    settling = make_view(Stage.SETTLING, run={"progress": (make_live(verified_at=None),)})

    assert (found.stage, found.went_live, found.of(BACKEND).live_at) == (Stage.SETTLING, True, at(1))
    assert decide(settling, at(59)).next_at == at(60)
    assert decide(settling, at(60)).run.stage is Stage.VERIFYING


@pytest.mark.parametrize("status", ["build_failed", "pre_deploy_failed", "update_failed", "canceled"])
def test_a_deploy_that_never_went_live_is_taken_back_without_a_rollback_of_its_own(status: str) -> None:
    found = decide(building(status), at(1)).run

    assert (found.stage, found.code, found.went_live) == (Stage.STOPPING, "SW501", False)
    assert status in found.detail


def test_a_deploy_that_render_refuses_is_taken_back_with_its_reason() -> None:
    refused = make_deploy(state=EffectState.FAILED, code="SW407", reason="autodeploy is on", result={})

    found = decide(deploying(refused), NOW).run

    assert (found.stage, found.code, found.detail) == (Stage.STOPPING, "SW407", "autodeploy is on")


def test_a_deactivated_deploy_with_a_successor_was_live_and_superseded() -> None:
    poll = make_poll(status="deactivated", newer={"id": "dep-theirs", "status": "live"})

    found = decide(deploying(make_deploy(), progress=[make_progress()], seen=[poll]), NOW)

    assert (found.run.stage, found.run.code, found.run.went_live) == (Stage.HELD, "SW506", True)
    assert found.effects == ()
    assert "dep-theirs" in found.run.detail


def test_a_deploy_cancelled_by_a_newer_one_is_held_and_was_never_live() -> None:
    poll = make_poll(status="canceled", newer={"id": "dep-theirs", "status": "queued"})

    found = decide(deploying(make_deploy(), progress=[make_progress()], seen=[poll]), NOW).run

    assert (found.stage, found.code, found.went_live) == (Stage.HELD, "SW506", False)


def test_a_second_deploy_of_ours_stops_the_run_and_names_both() -> None:
    poll = make_poll(status="live", doubles=["dep-twin"])

    found = decide(deploying(make_deploy(), progress=[make_progress()], seen=[poll]), NOW).run

    assert (found.stage, found.code) == (Stage.HELD, "SW505")
    assert "dep-new-backend" in found.detail
    assert "dep-twin" in found.detail


# --- time-outs --------------------------------------------------------------------------------------------------------


def timed_out(*effects: Any) -> Any:
    return building("build_in_progress", *effects, left_queue_at=at(-600))


def cancelled() -> Any:
    return make_effect("cancel:backend", EffectKind.CANCEL)


def test_the_time_out_counts_from_leaving_the_queue() -> None:
    long_queue = building("build_in_progress", sent_at=at(-3000), left_queue_at=at(-599))

    assert decide(long_queue, at(0.5)).effects == ()
    assert [one.kind for one in decide(long_queue, at(1)).effects] == [EffectKind.CANCEL]


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
    view = replace(timed_out(), customer=part)

    assert decide(view, at(299)).effects == ()
    assert len(decide(view, at(300)).effects) == 1


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
