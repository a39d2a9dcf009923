"""The stages of a restore: what comes after what, and how whatever fails leads back to the database that served."""

from dataclasses import replace
from typing import Any

import pytest

from securewatch.deploy.decide import decide
from securewatch.deploy.model import DatabasePlan, RestorePlan, RunKind, ServiceKind, Stage
from securewatch.deploy.view import EffectKind, EffectState, View
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
    make_seen,
    make_service,
    make_view,
)

DATABASE = DatabasePlan("dpg-1", needs_backup=True, restore=RestorePlan(at(-7200), "acme-corp/one.swbackup"))
MADE = {"database": "acme_r3", "kept": "acme on dpg-1", "postgres_id": "dpg-2"}


def view(stage: Stage, *effects: Any, database: DatabasePlan | None = DATABASE, **changes: Any) -> View:
    run = {"kind": RunKind.RESTORE, **changes.pop("run", {})}
    plan = make_customer_plan(database=database, services=(make_service(), make_service(FRONTEND)))
    return make_view(stage, customer=plan, effects=effects, run=run, **changes)


def closed(state: EffectState = EffectState.CONFIRMED) -> Any:
    return make_effect("close:backend", EffectKind.SET_MAINTENANCE, state=state, args={"is_on": True})


def opened(state: EffectState = EffectState.CONFIRMED, **changes: Any) -> Any:
    return make_effect("open:backend", EffectKind.SET_MAINTENANCE, state=state, args={"is_on": False}, **changes)


def restored(state: EffectState = EffectState.CONFIRMED, **changes: Any) -> Any:
    return make_effect("restore-database:backend", EffectKind.RESTORE_DATABASE, state=state, result=MADE, **changes)


def backed_up() -> list[Any]:
    kept = [make_effect(f"backup:{kind}", EffectKind.BACK_UP_ENV) for kind in ("backend", "frontend")]
    return [*kept, make_effect("dump:backend", EffectKind.BACK_UP_DATABASE)]


def test_it_begins_without_a_baseline_since_the_customer_may_be_sick() -> None:
    seen = make_seen("preflight", problems=[], good=[])

    assert decide(view(Stage.QUEUED), NOW).run.stage is Stage.PREFLIGHT
    assert decide(view(Stage.PREFLIGHT, seen=[seen]), NOW).run.stage is Stage.BACKING_UP


def test_the_site_is_closed_only_once_the_safety_backup_is_there() -> None:
    assert decide(view(Stage.BACKING_UP, *backed_up()[:2]), NOW).effects[0].kind is EffectKind.BACK_UP_DATABASE
    assert decide(view(Stage.BACKING_UP, *backed_up()), NOW).run.stage is Stage.CLOSING


def test_a_gate_that_has_shut_meanwhile_keeps_the_site_open() -> None:
    assert decide(view(Stage.BACKING_UP, *backed_up(), gates=(SHUT,)), NOW).run.stage is Stage.UNWINDING


def test_the_page_goes_up_then_the_database_is_made_then_the_env_vars_follow() -> None:
    (page,) = decide(view(Stage.CLOSING), NOW).effects
    (made,) = decide(view(Stage.RESTORING, closed()), NOW).effects

    assert (page.kind, page.args, page.service_id) == (
        EffectKind.SET_MAINTENANCE,
        {"is_on": True},
        make_service().service_id,
    )
    assert (made.kind, made.service_id, made.args["backup"]) == (
        EffectKind.RESTORE_DATABASE,
        "dpg-1",
        "acme-corp/one.swbackup",
    )
    assert decide(view(Stage.CLOSING, closed()), NOW).run.stage is Stage.RESTORING
    assert decide(view(Stage.RESTORING, closed(), restored()), NOW).run.stage is Stage.SETTING_ENV


@pytest.mark.parametrize("state", [EffectState.SENT, EffectState.ACCEPTED, EffectState.IN_DOUBT])
def test_what_is_under_way_is_waited_for(state: EffectState) -> None:
    assert decide(view(Stage.CLOSING, closed(state)), NOW).run.stage is Stage.CLOSING
    assert decide(view(Stage.RESTORING, closed(), restored(state)), NOW).run.stage is Stage.RESTORING


def test_the_page_goes_down_once_the_backend_is_live_and_before_the_checks() -> None:
    deploy = make_deploy(result={"deploy_id": "dep-new-backend"})
    going = view(
        Stage.DEPLOYING,
        closed(),
        restored(),
        deploy,
        seen=[make_poll(status="live")],
        run={"progress": (make_progress(deploy_id="dep-new-backend"),)},
    )

    assert decide(going, NOW).run.stage is Stage.OPENING
    (page,) = decide(view(Stage.OPENING, closed(), restored(), deploy), NOW).effects
    assert (page.key, page.args) == ("open:backend", {"is_on": False})
    assert decide(view(Stage.OPENING, closed(), opened()), NOW).run.stage is Stage.SETTLING


def test_it_is_done_when_both_halves_are_proved_and_names_the_old_database() -> None:
    proved = tuple(replace(make_live(kind), verified_at=NOW) for kind in (BACKEND, FRONTEND))

    found = decide(view(Stage.DEPLOYING, closed(), restored(), opened(), run={"progress": proved}), NOW).run

    assert (found.stage, found.verified_at) == (Stage.DONE, NOW)
    assert "acme_r3" in found.detail
    assert "acme on dpg-1" in found.detail


@pytest.mark.parametrize("stage", [Stage.CLOSING, Stage.RESTORING])
def test_what_fails_turns_round(stage: Stage) -> None:
    failed = {"code": "SW606", "reason": "it is cut"}
    effect = closed(EffectState.FAILED) if stage is Stage.CLOSING else restored(EffectState.FAILED, **failed)

    assert decide(view(stage, closed(), effect), NOW).run.stage is Stage.UNWINDING


def test_on_the_way_back_the_page_goes_down_before_it_is_over() -> None:
    lost = view(Stage.UNWINDING, closed(), restored(EffectState.FAILED), run={"code": "SW606"})

    (page,) = decide(lost, NOW).effects
    assert page.key == "reopen:backend"
    over = view(Stage.UNWINDING, closed(), restored(EffectState.FAILED), opened(), run={"code": "SW606"})
    assert decide(over, NOW).run.stage is Stage.FAILED


def test_the_way_back_waits_for_a_restore_under_way() -> None:
    found = decide(view(Stage.UNWINDING, closed(), restored(EffectState.SENT), run={"code": "SW606"}), NOW)

    assert found.run.stage is Stage.UNWINDING
    assert found.waiting_on is not None
    assert decide(view(Stage.STOPPING, closed(), restored(EffectState.SENT)), NOW).run.stage is Stage.STOPPING


def test_a_page_that_stays_up_calls_a_person_and_is_tried_anew_on_the_way_back() -> None:
    stays = opened(EffectState.FAILED, reason="no")
    found = decide(view(Stage.OPENING, closed(), stays), NOW)

    assert (found.run.stage, found.run.code) == (Stage.HELD, "SW613")
    assert "the maintenance page is still up" in found.run.detail
    (again,) = decide(view(Stage.UNWINDING, closed(), stays, run={"code": "SW613"}), NOW).effects
    assert again.key == "reopen:backend"


def test_a_run_that_ends_elsewhere_names_the_database_that_it_leaves_behind() -> None:
    effects = (closed(), restored(), opened())
    failed = view(Stage.UNWINDING, *effects, run={"code": "SW604", "detail": "why"})
    went_live = view(Stage.ROLLING_BACK, *effects, run={"code": "SW503", "went_live": True})
    nothing = view(Stage.UNWINDING, closed(), restored(EffectState.FAILED), opened(), run={"code": "SW606"})
    held = decide(view(Stage.OPENING, closed(), restored(), opened(EffectState.FAILED), run={"code": "SW604"}), NOW)

    assert decide(failed, NOW).run.detail == "why; the restored database is kept and served nobody: acme_r3 on dpg-2"
    assert (
        "what was written to it while it served is in it alone: acme_r3 on dpg-2" in decide(went_live, NOW).run.detail
    )
    assert decide(nothing, NOW).run.detail == ""
    assert "the maintenance page is still up" in held.run.detail
    assert "the restored database is acme_r3 on dpg-2" in held.run.detail


def test_a_site_that_was_never_closed_is_not_opened() -> None:
    assert decide(view(Stage.UNWINDING, run={"code": "SW606"}), NOW).run.stage is Stage.FAILED
    assert decide(view(Stage.OPENING), NOW).run.stage is Stage.SETTLING


def test_a_finished_restore_is_never_taken_back_by_code() -> None:
    done = view(Stage.DONE, closed(), restored(), opened(), rollback_reason="customer-request")

    assert decide(done, NOW).run == done.run


@pytest.mark.parametrize("stage", [Stage.CLOSING, Stage.RESTORING])
def test_a_plan_without_a_database_closes_nothing(stage: Stage) -> None:
    found = decide(view(stage, database=None), NOW)

    assert found.run.code == "SW613"
    assert not found.effects


def test_only_the_backend_stands_behind_the_page() -> None:
    assert {kind.value for kind in ServiceKind} == {"backend", "frontend"}
    proved = (replace(make_live(), verified_at=NOW), make_progress(FRONTEND, deploy_id="dep-new-frontend"))
    deploy = make_deploy(FRONTEND, result={"deploy_id": "dep-new-frontend"})
    going = view(
        Stage.DEPLOYING, closed(), restored(), opened(), deploy, seen=[make_poll(FRONTEND)], run={"progress": proved}
    )

    assert decide(going, NOW).run.stage is Stage.SETTLING
