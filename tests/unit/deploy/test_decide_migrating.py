"""The stage of the migrations: when they may begin, what follows, and which way back they leave."""

from typing import Any

import pytest

from securewatch.deploy.back import turn_back
from securewatch.deploy.decide import decide
from securewatch.deploy.model import DatabasePlan, MigrationPlan, Stage
from securewatch.deploy.view import EffectKind, EffectState, View
from tests.factories import (
    FRONTEND,
    NOW,
    SHUT,
    at,
    make_customer_plan,
    make_deploy,
    make_effect,
    make_env_effect,
    make_service,
    make_view,
)

HARMLESS = DatabasePlan("dpg-1", (MigrationPlan("v1.1.0/001.sql", "c" * 64),))
FINAL = DatabasePlan("dpg-1", (MigrationPlan("v1.1.0/001.sql", "c" * 64, irreversible=True),))


def view(stage: Stage, *effects: Any, database: DatabasePlan | None = HARMLESS, **changes: Any) -> View:
    return make_view(stage, customer=make_customer_plan(database=database), effects=effects, **changes)


def migration(state: EffectState = EffectState.CONFIRMED, **changes: Any) -> Any:
    return make_effect("migrate:backend", EffectKind.MIGRATE, state=state, **changes)


def backed_up() -> list[Any]:
    return [make_effect(f"backup:{kind}", EffectKind.BACK_UP_ENV) for kind in ("backend", "frontend")]


@pytest.mark.parametrize(("database", "stage"), [(HARMLESS, Stage.MIGRATING), (None, Stage.SETTING_ENV)])
def test_only_a_plan_with_migrations_comes_to_them(database: DatabasePlan | None, stage: Stage) -> None:
    assert decide(view(Stage.BACKING_UP, *backed_up(), database=database), NOW).run.stage is stage


def test_the_effect_names_database_commit_and_files() -> None:
    (wanted,) = decide(view(Stage.MIGRATING), NOW).effects

    assert (wanted.key, wanted.kind) == ("migrate:backend", EffectKind.MIGRATE)
    assert wanted.args["postgres_id"] == "dpg-1"
    assert wanted.args["files"] == {"v1.1.0/001.sql": "c" * 64}


@pytest.mark.parametrize("effects", [(), (migration(EffectState.INTENT),)])
def test_a_gate_that_has_shut_turns_the_run_round_before_anything_was_sent(effects: tuple[Any, ...]) -> None:
    assert decide(view(Stage.MIGRATING, *effects, gates=(SHUT,)), NOW).run.stage is Stage.UNWINDING


def test_what_is_under_way_is_waited_for_though_the_window_has_shut() -> None:
    found = decide(view(Stage.MIGRATING, migration(EffectState.SENT), gates=(SHUT,)), NOW)

    assert (found.run.stage, found.effects) == (Stage.MIGRATING, ())


def test_env_vars_follow_and_a_failure_unwinds() -> None:
    failed = migration(EffectState.FAILED, code="SW509", reason="it failed")

    assert decide(view(Stage.MIGRATING, migration()), NOW).run.stage is Stage.SETTING_ENV
    found = decide(view(Stage.MIGRATING, failed), NOW).run
    assert (found.stage, found.code, found.detail) == (Stage.UNWINDING, "SW509", "it failed")


def test_the_frontend_alone_migrates_nothing() -> None:
    customer = make_customer_plan(database=HARMLESS, services=(make_service(FRONTEND),))

    assert decide(make_view(Stage.MIGRATING, customer=customer), NOW).run.stage is Stage.SETTING_ENV


def test_the_way_back_waits_for_a_migration_that_is_under_way() -> None:
    found = decide(view(Stage.STOPPING, migration(EffectState.SENT)), NOW)

    assert (found.run.stage, found.effects) == (Stage.STOPPING, ())
    assert found.waiting_on is not None
    assert "migration" in found.waiting_on.what


@pytest.mark.parametrize(
    ("state", "database", "expected"),
    [
        (EffectState.CONFIRMED, FINAL, Stage.HELD),
        (EffectState.SENT, FINAL, Stage.HELD),
        (EffectState.FAILED, FINAL, Stage.STOPPING),
        (EffectState.INTENT, FINAL, Stage.STOPPING),
        (EffectState.CONFIRMED, HARMLESS, Stage.STOPPING),
    ],
)
def test_only_an_irreversible_one_that_may_have_been_applied_bars_the_way_back(
    state: EffectState, database: DatabasePlan, expected: Stage
) -> None:
    sent_at = None if state is EffectState.INTENT else at(-60)
    before = view(Stage.VERIFYING, migration(state, sent_at=sent_at), make_deploy(), database=database)

    found = turn_back(before, NOW, code="SW503", trigger="errors", detail="it fails").run

    assert found.stage is expected
    assert found.code == ("SW425" if expected is Stage.HELD else "SW503")


def test_a_wish_for_the_old_code_changes_nothing_where_the_way_is_barred() -> None:
    asked = view(Stage.DEPLOYING, migration(), database=FINAL, rollback_reason="customer-request")

    found = decide(asked, NOW).run

    assert (found.stage, found.code) == (Stage.DEPLOYING, "SW425")


def test_after_an_irreversible_one_a_gate_that_shuts_stops_nothing() -> None:
    setting = decide(view(Stage.SETTING_ENV, migration(), database=FINAL, gates=(SHUT,)), NOW)
    deploying = decide(view(Stage.DEPLOYING, migration(), database=FINAL, gates=(SHUT,)), NOW)

    assert [one.key for one in setting.effects] == ["env:backend:VERSION_TAG"]
    assert [one.key for one in deploying.effects] == ["deploy:backend"]


@pytest.mark.parametrize("applied", [["v1.1.0/001.sql"], []])
def test_a_failure_after_an_irreversible_one_calls_a_person(applied: list[str]) -> None:
    failed = migration(EffectState.FAILED, code="SW509", reason="the next one failed", result={"applied": applied})
    refused = make_env_effect("env", state=EffectState.FAILED, code="SW306", reason="too long")

    migrating = decide(view(Stage.MIGRATING, failed, database=FINAL), NOW).run
    setting = decide(view(Stage.SETTING_ENV, migration(), refused, database=FINAL), NOW).run

    assert (migrating.stage, migrating.code) == ((Stage.HELD, "SW425") if applied else (Stage.UNWINDING, "SW509"))
    assert (setting.stage, setting.code) == (Stage.HELD, "SW425")


def test_a_migration_of_an_earlier_attempt_bars_the_way_too() -> None:
    second = view(Stage.VERIFYING, migration(), database=FINAL, run={"attempt": 2})

    assert turn_back(second, NOW, code="SW503", trigger="errors", detail="it fails").run.stage is Stage.HELD


def test_a_run_that_turned_round_waits_for_a_migration_that_was_just_sent() -> None:
    waiting = decide(view(Stage.UNWINDING, migration(EffectState.SENT)), NOW)
    over = decide(view(Stage.UNWINDING, migration(), database=FINAL), NOW)

    assert (waiting.run.stage, waiting.effects) == (Stage.UNWINDING, ())
    assert over.run.stage is Stage.HELD
