"""The way back: stop what is in flight, return to the recorded good pair, restore our env vars, check again; once."""

from dataclasses import replace
from typing import Any

import pytest

from securewatch.deploy.decide import decide
from securewatch.deploy.model import RunKind, Stage
from securewatch.deploy.view import Decision, Effect, EffectKind, EffectState, LookKind, Observation, View
from tests.factories import (
    BACKEND,
    FRONTEND,
    NOW,
    OLD_COMMIT,
    SHUT,
    at,
    make_deploy,
    make_effect,
    make_env_effect,
    make_good,
    make_live,
    make_poll,
    make_progress,
    make_seen,
    make_view,
)

RESTORED = (make_env_effect("restore"), make_env_effect("restore", FRONTEND))
WRITTEN = (make_env_effect("env"), make_env_effect("env", FRONTEND))
DEPLOYED = (make_deploy(), make_deploy(FRONTEND))
BOTH_LIVE = (make_live(status="live"), make_live(FRONTEND))


def stopping(*effects: Effect, seen: Any = (), **run: Any) -> View:
    return make_view(Stage.STOPPING, run={"code": "SW503", "trigger": "slow", **run}, effects=effects, seen=seen)


def going_back(*effects: Effect, seen: Any = (), **run: Any) -> View:
    facts = {"progress": BOTH_LIVE, "went_live": True, "code": "SW503", **run}
    return make_view(Stage.ROLLING_BACK, run=facts, effects=(*DEPLOYED, *WRITTEN, *effects), seen=seen)


def rollback_of(kind: Any = BACKEND, **changes: Any) -> Effect:
    made = make_effect(f"rollback:{kind}", EffectKind.ROLL_BACK, result={"deploy_id": f"dep-back-{kind}"})
    return replace(made, **changes)


def rebuild_of(kind: Any = BACKEND, **changes: Any) -> Effect:
    made = make_effect(f"rebuild:{kind}", EffectKind.DEPLOY, result={"deploy_id": f"dep-back-{kind}"})
    return replace(made, **changes)


def returned(kind: Any, way: str = "render") -> Any:
    """One service that is back at its good deploy."""
    return make_live(kind, way_back=way, back_deploy_id=f"dep-back-{kind}", back_live_at=at(-5))


def autodeploy(kind: Any, *, is_off: bool = True, seconds: float = 0.0) -> Observation:
    return make_seen(f"autodeploy:{kind}", seconds=seconds, is_off=is_off)


def wanted(found: Decision) -> list[str]:
    return [one.key for one in found.effects]


# --- stop what is in flight -------------------------------------------------------------------------------------------


def test_a_deploy_under_way_is_cancelled_before_anything_goes_back() -> None:
    view = stopping(make_deploy(), seen=[make_poll(status="build_in_progress")], progress=(make_progress(),))

    found = decide(view, NOW)

    assert [(one.key, one.kind) for one in found.effects] == [("cancel:backend", EffectKind.CANCEL)]


def test_after_the_cancel_render_must_say_that_the_deploy_ended() -> None:
    cancelled = make_effect("cancel:backend", EffectKind.CANCEL)
    view = stopping(make_deploy(), cancelled, seen=[make_poll(status="update_in_progress")])

    found = decide(view, at(5))

    assert found.run.stage is Stage.STOPPING
    assert [look.kind for look in found.looks] == [LookKind.POLL]


@pytest.mark.parametrize("state", [EffectState.SENT, EffectState.ACCEPTED, EffectState.IN_DOUBT])
def test_a_deploy_whose_outcome_is_unknown_is_found_out_first(state: EffectState) -> None:
    found = decide(stopping(make_deploy(state=state, result={})), NOW)

    assert (found.run.stage, found.effects) == (Stage.STOPPING, ())
    assert found.waiting_on is not None


def test_a_deploy_that_went_live_while_it_was_being_stopped_is_rolled_back_too() -> None:
    view = stopping(make_deploy(), seen=[make_poll(status="live")], progress=(make_progress(),))

    found = decide(view, NOW).run

    assert found.went_live
    assert found.of(BACKEND).live_at == NOW


def test_what_has_ended_lets_the_way_back_begin() -> None:
    progress = (make_progress(status="canceled"),)

    found = decide(stopping(make_deploy(), seen=[make_poll(status="canceled")], progress=progress), NOW)

    assert found.run.stage is Stage.ROLLING_BACK


def test_a_foreign_deploy_that_took_the_place_of_a_failing_one_is_not_rolled_back() -> None:
    newer = {"id": "dep-theirs", "status": "live"}
    view = stopping(make_deploy(), seen=[make_poll(status="deactivated", newer=newer)], progress=BOTH_LIVE)

    found = decide(view, NOW).run

    assert (found.stage, found.code) == (Stage.HELD, "SW506")
    assert "dep-theirs" in found.detail


def test_a_person_may_take_back_what_a_foreign_deploy_replaced() -> None:
    newer = {"id": "dep-theirs", "status": "live"}
    progress = (make_live(status="deactivated"),)
    seen = [make_poll(status="deactivated", newer=newer)]

    found = decide(stopping(make_deploy(), seen=seen, progress=progress, trigger="customer request"), NOW).run

    assert found.stage is Stage.ROLLING_BACK


# --- go back ----------------------------------------------------------------------------------------------------------


def test_the_frontend_goes_back_before_the_backend() -> None:
    first = decide(going_back(), NOW)
    progress = (make_live(), returned(FRONTEND))
    second = decide(
        going_back(
            rollback_of(FRONTEND),
            make_env_effect("restore", FRONTEND),
            seen=[autodeploy(FRONTEND)],
            progress=progress,
        ),
        NOW,
    )

    assert [(look.kind, look.service_kind) for look in first.looks] == [(LookKind.WAY_BACK, FRONTEND)]
    assert [(look.kind, look.service_kind) for look in second.looks] == [(LookKind.WAY_BACK, BACKEND)]


def test_a_rollback_goes_to_the_recorded_good_deploy() -> None:
    progress = (make_live(), make_live(FRONTEND, way_back="render"))

    (one,) = decide(going_back(progress=progress), NOW).effects

    assert (one.key, one.kind) == ("rollback:frontend", EffectKind.ROLL_BACK)
    assert one.args == {"deploy_id": "dep-old-frontend", "commit": OLD_COMMIT}


def test_renders_rollback_comes_before_the_env_vars_and_a_build_after_them() -> None:
    by_render = going_back(progress=(make_live(), make_live(FRONTEND, way_back="render")))
    by_build = going_back(progress=(make_live(), make_live(FRONTEND, way_back="build")))
    restored = going_back(
        make_env_effect("restore", FRONTEND), progress=(make_live(), make_live(FRONTEND, way_back="build"))
    )

    assert wanted(decide(by_render, NOW)) == ["rollback:frontend"]
    assert wanted(decide(by_build, NOW)) == ["restore:frontend:VERSION_TAG"]
    (build,) = decide(restored, NOW).effects
    assert (build.key, build.kind, build.args) == ("rebuild:frontend", EffectKind.DEPLOY, {"commit": OLD_COMMIT})


def test_a_rollback_that_render_refuses_becomes_a_build_of_the_old_commit() -> None:
    gone = rollback_of(FRONTEND, state=EffectState.FAILED, reason="no artifact", result={"refused": True})
    view = going_back(gone, progress=(make_live(), make_live(FRONTEND, way_back="render")))

    assert decide(view, NOW).run.of(FRONTEND).way_back == "build"


def test_a_refused_rollback_without_a_known_commit_holds_for_a_person() -> None:
    gone = rollback_of(FRONTEND, state=EffectState.FAILED, reason="no artifact", result={"refused": True})
    good = (make_good(), make_good(FRONTEND, commit=None))
    view = going_back(gone, progress=(make_live(), make_live(FRONTEND, way_back="render")), good=good)

    found = decide(view, NOW).run

    assert (found.stage, found.code) == (Stage.HELD, "SW601")


def test_a_rollback_refused_by_a_check_of_ours_is_not_taken_for_an_artifact_that_is_gone() -> None:
    suspended = rollback_of(FRONTEND, state=EffectState.FAILED, code="SW415", reason="suspended", result={})
    view = going_back(suspended, progress=(make_live(), make_live(FRONTEND, way_back="render")))

    found = decide(view, NOW).run

    assert (found.stage, found.code) == (Stage.HELD, "SW601")


def test_nothing_is_built_where_the_old_commit_is_not_known() -> None:
    good = (make_good(), make_good(FRONTEND, commit=None))
    view = going_back(*RESTORED, progress=(make_live(), make_live(FRONTEND, way_back="build")), good=good)

    found = decide(view, NOW)

    assert (found.run.stage, found.run.code, found.effects) == (Stage.HELD, "SW601", ())


def test_a_build_of_the_old_commit_that_render_refuses_ends_the_one_attempt() -> None:
    refused = rebuild_of(FRONTEND, state=EffectState.FAILED, code="SW306", reason="no such commit", result={})
    progress = (make_live(), make_live(FRONTEND, way_back="build"))

    found = decide(going_back(refused, *RESTORED, progress=progress), NOW)

    assert (found.run.stage, found.run.code, found.effects) == (Stage.HELD, "SW601", ())


@pytest.mark.parametrize("status", ["build_failed", "update_failed", "pre_deploy_failed", "canceled", "deactivated"])
def test_a_rollback_whose_deploy_fails_is_not_tried_again(status: str) -> None:
    progress = (make_live(), make_live(FRONTEND, way_back="render", back_deploy_id="dep-back-frontend"))
    poll = make_poll(FRONTEND, status=status, deploy_id="dep-back-frontend")

    found = decide(going_back(rollback_of(FRONTEND), seen=[poll], progress=progress), NOW)

    assert (found.run.stage, found.run.code, found.effects) == (Stage.HELD, "SW601", ())
    assert status in found.run.detail


def test_a_rollback_that_takes_long_calls_a_person_is_never_cancelled_and_is_watched_on() -> None:
    progress = (make_live(), make_live(FRONTEND, way_back="render", back_deploy_id="dep-back-frontend"))
    poll = make_poll(FRONTEND, status="update_in_progress", deploy_id="dep-back-frontend", seconds=3000)
    view = going_back(rollback_of(FRONTEND), seen=[poll], progress=progress)

    found = decide(view, at(3005))

    assert (found.run.stage, found.effects) == (Stage.ROLLING_BACK, ())
    assert [look.kind for look in found.looks] == [LookKind.POLL]
    assert found.waiting_on is not None
    assert (found.waiting_on.code, bool(found.waiting_on.person)) == ("SW601", True)


def test_a_service_without_a_recorded_good_deploy_holds_for_a_person() -> None:
    found = decide(going_back(good=()), NOW).run

    assert (found.stage, found.code) == (Stage.HELD, "SW602")


def test_autodeploy_is_looked_at_after_the_rollback_and_holds_where_it_is_on() -> None:
    progress = (make_live(), returned(FRONTEND))
    unseen = going_back(rollback_of(FRONTEND), progress=progress)
    stale = going_back(rollback_of(FRONTEND), progress=progress, seen=[autodeploy(FRONTEND, seconds=-6)])
    switched_on = going_back(rollback_of(FRONTEND), progress=progress, seen=[autodeploy(FRONTEND, is_off=False)])

    assert [look.kind for look in decide(unseen, NOW).looks] == [LookKind.AUTODEPLOY]
    assert [look.kind for look in decide(stale, NOW).looks] == [LookKind.AUTODEPLOY]
    found = decide(switched_on, NOW).run
    assert (found.stage, found.code) == (Stage.HELD, "SW407")


def test_a_rollback_passes_windows_and_pays_no_heed_to_gates() -> None:
    view = replace(going_back(progress=(make_live(), make_live(FRONTEND, way_back="render"))), gates=(SHUT,))

    assert wanted(decide(view, NOW)) == ["rollback:frontend"]


def test_a_failed_frontend_deploy_takes_the_verified_backend_back() -> None:
    """The frontend never went live, so that only its env vars are restored; the backend goes back by Render."""
    progress = (make_live(), make_progress(FRONTEND, status="build_failed"))
    first = going_back(progress=progress)
    second = going_back(make_env_effect("restore", FRONTEND), progress=progress)
    third = replace(second, observations={"way_back:backend": make_seen("way_back:backend", way="render")})

    assert wanted(decide(first, NOW)) == ["restore:frontend:VERSION_TAG"]
    assert [(look.kind, look.service_kind) for look in decide(second, NOW).looks] == [(LookKind.WAY_BACK, BACKEND)]
    chosen = decide(third, NOW).run
    assert chosen.of(BACKEND).way_back == "render"
    assert wanted(decide(replace(third, run=chosen), NOW)) == ["rollback:backend"]


def test_a_service_that_is_at_its_good_deploy_already_only_gets_its_env_vars_back() -> None:
    progress = (make_live(), make_live(FRONTEND, way_back="none"))

    assert wanted(decide(going_back(progress=progress), NOW)) == ["restore:frontend:VERSION_TAG"]


def test_a_deploy_that_never_went_live_ends_as_failed_and_not_as_rolled_back() -> None:
    progress = (make_progress(status="build_failed"),)
    view = going_back(*RESTORED, progress=progress, went_live=False, code="SW501")

    found = decide(view, NOW).run

    assert (found.stage, found.code) == (Stage.FAILED, "SW501")


def test_a_request_to_take_back_what_never_went_live_ends_as_rolled_back() -> None:
    progress = tuple(make_progress(kind, way_back="none") for kind in (BACKEND, FRONTEND))
    view = going_back(*RESTORED, progress=progress, went_live=False, trigger="customer request", code="")

    assert decide(view, NOW).run.stage is Stage.ROLLED_BACK


def test_what_went_back_is_checked_again() -> None:
    done = going_back(
        rollback_of(),
        rollback_of(FRONTEND),
        *RESTORED,
        progress=(returned(BACKEND), returned(FRONTEND)),
        seen=[autodeploy(BACKEND), autodeploy(FRONTEND)],
    )

    assert decide(done, NOW).run.stage is Stage.RECHECKING


def test_a_rollback_to_named_deploys_goes_back_without_having_been_live() -> None:
    view = make_view(Stage.ROLLING_BACK, run={"kind": RunKind.ROLLBACK})

    assert [look.kind for look in decide(view, NOW).looks] == [LookKind.WAY_BACK]


def test_a_rollback_of_its_own_restores_the_keys_that_earlier_runs_wrote() -> None:
    progress = (make_progress(way_back="none"), make_progress(FRONTEND, way_back="none"))
    view = make_view(Stage.ROLLING_BACK, run={"kind": RunKind.ROLLBACK, "progress": progress})

    assert wanted(decide(view, NOW)) == ["restore:frontend:VERSION_TAG"]


def test_a_request_asks_render_what_is_live_also_where_ours_never_was() -> None:
    progress = (make_progress(status="canceled"), make_progress(FRONTEND))
    view = going_back(*RESTORED, progress=progress, went_live=False, trigger="customer request", code="")

    assert [one.kind for one in decide(view, NOW).looks] == [LookKind.WAY_BACK]


def test_env_vars_go_back_and_a_person_is_called_after_somebody_elses_deploy() -> None:
    progress = (make_progress(status="canceled"),)
    begun = going_back(progress=progress, went_live=False, code="SW506")
    restored = going_back(*RESTORED, progress=progress, went_live=False, code="SW506")

    assert wanted(decide(begun, NOW)) == ["restore:frontend:VERSION_TAG"]
    assert (decide(restored, NOW).run.stage, decide(restored, NOW).run.code) == (Stage.HELD, "SW506")


def test_a_rollback_that_was_made_twice_is_held() -> None:
    progress = (make_live(), make_live(FRONTEND, way_back="render", back_deploy_id="dep-back-frontend"))
    poll = make_poll(FRONTEND, deploy_id="dep-back-frontend", doubles=["dep-twin"])

    found = decide(going_back(rollback_of(FRONTEND), progress=progress, seen=[poll]), NOW).run

    assert (found.stage, found.code) == (Stage.HELD, "SW601")
    assert "dep-twin" in found.detail


def test_keys_that_were_left_are_told_to_the_operator() -> None:
    left = make_env_effect(
        "restore", result={"left": True}, reason="VERSION_TAG was changed by somebody else and is left"
    )
    view = going_back(left, make_env_effect("restore", FRONTEND), progress=(), went_live=False, detail="it failed")

    found = decide(view, NOW).run

    assert found.detail == "it failed; VERSION_TAG was changed by somebody else and is left"
