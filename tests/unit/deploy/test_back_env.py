"""The way back of env vars: only the keys that were written, each once, as far as nobody else changed them."""

from typing import Any

from securewatch.deploy.decide import decide
from securewatch.deploy.model import Stage
from securewatch.deploy.view import Decision, Effect, EffectState, View
from tests.factories import FRONTEND, NOW, make_deploy, make_env_effect, make_view

RESTORED = (make_env_effect("restore"), make_env_effect("restore", FRONTEND))
WRITTEN = (make_env_effect("env"), make_env_effect("env", FRONTEND))


def wanted(found: Decision) -> list[str]:
    """The keys of the effects that a decision asks for."""
    return [one.key for one in found.effects]


def unwinding(*effects: Effect, **run: Any) -> View:
    return make_view(Stage.UNWINDING, run=run, effects=effects)


def test_only_the_keys_that_were_written_are_restored() -> None:
    only_backend = unwinding(make_env_effect("env"))

    assert wanted(decide(only_backend, NOW)) == ["restore:backend:VERSION_TAG"]


def test_a_key_whose_writing_is_in_doubt_is_found_out_first() -> None:
    found = decide(unwinding(make_env_effect("env", state=EffectState.IN_DOUBT)), NOW)

    assert (found.effects, found.run.stage) == ((), Stage.UNWINDING)


def test_a_key_that_was_refused_needs_no_restoring() -> None:
    view = unwinding(make_env_effect("env", state=EffectState.FAILED), code="SW306")

    assert decide(view, NOW).run.stage is Stage.FAILED


def test_after_unwinding_for_a_gate_the_run_waits_again_as_a_further_attempt() -> None:
    found = decide(unwinding(*WRITTEN, *RESTORED), NOW).run

    assert (found.stage, found.attempt) == (Stage.QUEUED, 2)


def test_after_unwinding_for_an_error_the_run_has_failed() -> None:
    found = decide(unwinding(*WRITTEN, *RESTORED, code="SW306", detail="too long"), NOW).run

    assert (found.stage, found.code, found.detail) == (Stage.FAILED, "SW306", "too long")


def test_a_deploy_sent_just_before_the_gate_shut_is_followed_and_its_env_vars_stay() -> None:
    found = decide(unwinding(*WRITTEN, make_deploy(state=EffectState.SENT, result={})), NOW)

    assert (found.run.stage, found.effects) == (Stage.DEPLOYING, ())


def test_a_key_that_cannot_be_restored_holds_for_a_person() -> None:
    failed = make_env_effect("restore", FRONTEND, state=EffectState.FAILED, reason="HTTP 400")

    found = decide(unwinding(*WRITTEN, failed), NOW).run

    assert (found.stage, found.code) == (Stage.HELD, "SW604")
