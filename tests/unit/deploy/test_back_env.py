"""The way back of env vars: only the keys that were written, each once, as far as nobody else changed them."""

from dataclasses import replace
from typing import Any

from securewatch.deploy.decide import decide
from securewatch.deploy.model import EnvChange, Stage
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


def test_the_key_that_is_restored_last_is_the_first_of_those_that_were_written_and_says_so() -> None:
    changes = tuple(EnvChange(key, None, "f") for key in ("REFUSED", "VERSION_TAG", "ZONE", "NEVER_BEGUN"))
    done = [
        make_env_effect("env", key="REFUSED", state=EffectState.FAILED),
        make_env_effect("env"),
        make_env_effect("env", key="ZONE"),
    ]
    effects = {one.key: one for one in done}
    view = make_view(Stage.UNWINDING, run={"code": "SW306"})
    backend, frontend = view.customer.services
    customer = replace(view.customer, services=(replace(backend, env_changes=changes), frontend))

    first = decide(replace(view, customer=customer, effects=effects), NOW)
    restored = effects | {"restore:backend:ZONE": make_env_effect("restore", key="ZONE")}
    second = decide(replace(view, customer=customer, effects=restored), NOW)

    assert [one.args for one in first.effects] == [{"env_key": "ZONE"}]
    assert [one.args for one in second.effects] == [{"env_key": "VERSION_TAG", "is_last": True}]


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
