"""The way forward: gates, preflight, env vars, then each service's deploy until Render says that it ended."""

from dataclasses import replace
from typing import Any

import pytest

from securewatch.deploy.decide import decide
from securewatch.deploy.model import EnvChange, RunKind, Stage
from securewatch.deploy.view import EffectKind, EffectState, Gate, LookKind
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


@pytest.mark.parametrize("stage", [Stage.DEPLOYING, Stage.UNWINDING])
def test_a_refused_deploy_behind_a_shut_gate_does_not_bounce_between_two_stages(stage: Stage) -> None:
    refused = make_deploy(FRONTEND, state=EffectState.FAILED, result={}, code="SW407", sent_at=None)

    first = decide(make_view(stage, effects=[refused], gates=(SHUT,)), NOW)
    second = decide(make_view(first.run.stage, effects=[refused], gates=(SHUT,)), NOW)

    assert second.run.stage is not stage


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


def test_the_last_env_var_of_each_service_says_so() -> None:
    changes = (EnvChange("VERSION_TAG", None, "f1"), EnvChange("ZONE", None, "f2"))
    view = make_view(Stage.SETTING_ENV)
    backend, frontend = view.customer.services
    customer = replace(view.customer, services=(replace(backend, env_changes=changes), frontend))

    first = decide(replace(view, customer=customer), NOW)
    second = decide(replace(view, customer=customer, effects={"env:backend:VERSION_TAG": make_env_effect("env")}), NOW)

    assert [one.args for one in first.effects] == [{"env_key": "VERSION_TAG"}]
    assert [one.args for one in second.effects] == [{"env_key": "ZONE", "is_last": True}]


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

    assert (wanted.key, wanted.kind) == ("deploy:backend", EffectKind.DEPLOY)
    assert wanted.args == {"commit": COMMIT, "live": "dep-old-backend"}


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


def test_a_deploy_cancelled_by_a_newer_one_takes_its_env_vars_back_and_was_never_live() -> None:
    poll = make_poll(status="canceled", newer={"id": "dep-theirs", "status": "queued"})

    found = decide(deploying(make_deploy(), progress=[make_progress()], seen=[poll]), NOW).run

    assert (found.stage, found.code, found.went_live) == (Stage.ROLLING_BACK, "SW506", False)


def test_a_frontend_that_somebody_else_replaced_is_held_with_the_backend_as_it_is() -> None:
    replaced = make_deploy(FRONTEND, state=EffectState.FAILED, code="SW506", reason="dep-theirs", result={})
    view = deploying(make_deploy(), replaced, progress=[make_live()], run={"went_live": True})

    found = decide(view, NOW)

    assert (found.run.stage, found.run.code, found.effects) == (Stage.HELD, "SW506", ())


def test_a_second_deploy_of_ours_stops_the_run_and_names_both() -> None:
    poll = make_poll(status="live", doubles=["dep-twin"])

    found = decide(deploying(make_deploy(), progress=[make_progress()], seen=[poll]), NOW).run

    assert (found.stage, found.code) == (Stage.HELD, "SW505")
    assert "dep-new-backend" in found.detail
    assert "dep-twin" in found.detail
