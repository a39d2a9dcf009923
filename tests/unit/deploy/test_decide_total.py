"""Promises of `decide` over all that a store can hold: it never raises, never writes unasked, is never stuck."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from securewatch.controller.commit import WAY_BACK, changes
from securewatch.deploy.decide import decide
from securewatch.deploy.model import DatabasePlan, MigrationPlan, Progress, RestorePlan, RunKind, ServiceKind, Stage
from securewatch.deploy.view import Decision, Effect, EffectKind, EffectState, Gate, Observation, View
from tests.factories import (
    BACKEND,
    FRONTEND,
    SERVICE_IDS,
    SHUT,
    at,
    make_customer_plan,
    make_effect,
    make_good,
    make_samples,
    make_service,
    make_view,
)

STEPS_MAX = 60
PERSON = Gate("approval", False, "an approval by alice", "SW402", person="alice")
STATUSES = (
    "created",
    "queued",
    "build_in_progress",
    "update_in_progress",
    "live",
    "deactivated",
    "build_failed",
    "update_failed",
    "canceled",
    "unknown",
)
WORDS = {
    "backup": EffectKind.BACK_UP_ENV,
    "migrate": EffectKind.MIGRATE,
    "env": EffectKind.SET_ENV,
    "deploy": EffectKind.DEPLOY,
    "cancel": EffectKind.CANCEL,
    "rollback": EffectKind.ROLL_BACK,
    "rebuild": EffectKind.DEPLOY,
    "restore": EffectKind.RESTORE_ENV,
    "close": EffectKind.SET_MAINTENANCE,
    "open": EffectKind.SET_MAINTENANCE,
    "reopen": EffectKind.SET_MAINTENANCE,
    "restore-database": EffectKind.RESTORE_DATABASE,
}
ON_DATABASES = (EffectKind.BACK_UP_DATABASE, EffectKind.RESTORE_DATABASE)
DATABASES = tuple(
    DatabasePlan("dpg-1", (MigrationPlan("v1.1.0/001.sql", "c" * 64, irreversible),)) for irreversible in (False, True)
)
RESTORED = DatabasePlan("dpg-1", needs_backup=True, restore=RestorePlan(at(-7200), "acme-corp/one.swbackup"))
instants = st.integers(-8000, 90000).map(at)
maybe_instants = st.none() | instants
kinds = st.sampled_from(ServiceKind)


@st.composite
def progresses(draw: Any, kind: ServiceKind) -> Progress:
    ours = st.sampled_from((None, f"dep-new-{kind}"))
    return Progress(
        kind,
        deploy_id=draw(ours),
        status=draw(st.sampled_from(("", *STATUSES))),
        sent_at=draw(maybe_instants),
        left_queue_at=draw(maybe_instants),
        live_at=draw(maybe_instants),
        verified_at=draw(maybe_instants),
        timed_out_at=draw(maybe_instants),
        way_back=draw(st.sampled_from(("", "render", "build", "none"))),
        back_deploy_id=draw(st.sampled_from((None, f"dep-back-{kind}"))),
        back_live_at=draw(maybe_instants),
    )


@st.composite
def effects(draw: Any) -> Effect:
    word, kind = draw(st.sampled_from(sorted(WORDS))), draw(kinds)
    name = f"{word}:{kind}" + (":VERSION_TAG" if word in ("env", "restore") else "")
    state = draw(st.sampled_from(EffectState))
    deploy_id = f"dep-back-{kind}" if word in ("rollback", "rebuild") else f"dep-new-{kind}"
    code = draw(st.sampled_from(("", "SW306", "SW407")))
    result = {"deploy_id": deploy_id} if state is EffectState.CONFIRMED else {}
    return make_effect(name, WORDS[word], state=state, result=result, code=code, reason="it says no")


@st.composite
def observations(draw: Any) -> Observation:
    word, kind = draw(st.sampled_from(("poll", "version", "database", "way_back", "autodeploy"))), draw(kinds)
    newer = st.sampled_from((None, {"id": "dep-theirs", "status": "live"}))
    data: dict[str, Any] = {
        "poll": {
            "deploy_id": draw(st.sampled_from((f"dep-new-{kind}", f"dep-back-{kind}"))),
            "status": draw(st.sampled_from(STATUSES)),
            "newer": draw(newer),
            "doubles": draw(st.sampled_from(([], ["dep-twin"]))),
        },
        "version": {"state": draw(st.sampled_from(("match", "mismatch", "not_reported", "unreachable")))},
        "database": {"state": draw(st.sampled_from(("ok", "failed", "not_reported", "unreachable")))},
        "way_back": {"way": draw(st.sampled_from(("render", "build", "none")))},
        "autodeploy": {"is_off": draw(st.booleans())},
    }[word]
    return Observation(f"{word}:{kind}", draw(instants), data, draw(st.integers(1, 4)))


@st.composite
def sample_sets(draw: Any) -> Any:
    count = draw(st.sampled_from((0, 1, 3, 19, 20, 21, 130)))
    bad = draw(st.sets(st.integers(0, 130), max_size=8))
    start, every = draw(st.integers(-500, 90000)), draw(st.sampled_from((1.0, 5.0, 300.0)))
    return make_samples(count, start=start, every=every, bad=bad, response_ms=draw(st.sampled_from((20.0, 6000.0))))


@st.composite
def runs(draw: Any) -> dict[str, Any]:
    return {
        "kind": draw(st.sampled_from(RunKind)),
        "attempt": draw(st.sampled_from((1, 1, 2))),
        "force": draw(st.booleans()),
        "since": draw(st.sampled_from((at(0), at(-3000), at(50000)))),
        "progress": tuple(draw(progresses(kind)) for kind in draw(st.lists(kinds, unique=True))),
        "good": tuple(make_good(kind) for kind in draw(st.lists(kinds, unique=True))),
        "baseline_healthy": draw(st.booleans()),
        "trigger": draw(st.sampled_from(("", "slow", "customer request"))),
        "code": draw(st.sampled_from(("", "SW501"))),
        "went_live": draw(st.booleans()),
        "burst_since": draw(maybe_instants),
        "unwatched_seconds": draw(st.sampled_from((0.0, 3600.0))),
    }


@st.composite
def views(draw: Any) -> View:
    services = draw(st.sampled_from(((BACKEND, FRONTEND), (BACKEND,), (FRONTEND,))))
    seen = draw(st.lists(observations(), max_size=6))
    if draw(st.booleans()):
        problems = draw(st.sampled_from(([], [{"code": "SW407", "what": "autodeploy is on"}])))
        seen.append(Observation("preflight", draw(instants), {"problems": problems, "good": []}))
    return make_view(
        draw(st.sampled_from(Stage)),
        run=draw(runs()),
        customer=make_customer_plan(
            services=tuple(make_service(kind) for kind in services),
            database=draw(st.sampled_from((None, *DATABASES, RESTORED))),
        ),
        effects=draw(st.lists(effects(), max_size=8)),
        seen=seen,
        samples={kind: draw(sample_sets()) for kind in services},
        gates=draw(st.sampled_from(((), (SHUT,), (PERSON,), (SHUT, PERSON)))),
        is_paused=draw(st.booleans()),
        rollback_reason=draw(st.sampled_from((None, None, "customer-request"))),
    )


def committed(view: View, found: Decision) -> View:
    """The view after the decision was written down, as the controller does it, with nothing new from outside."""
    run, known = replace(found.run, epoch=view.run.epoch + 1), dict(view.effects)
    if run.stage is not view.run.stage and (run.stage in WAY_BACK or run.stage.is_terminal):
        intents = {key for key, one in known.items() if one.state is EffectState.INTENT}
        known |= {key: replace(known[key], state=EffectState.DROPPED) for key in intents}
    known |= {
        one.key: make_effect(one.key, one.kind, state=EffectState.INTENT, args=one.args)
        for one in found.effects
        if one.key not in known or known[one.key].state is EffectState.DROPPED
    }
    seen = view.observations if run.stage is view.run.stage else {}
    return replace(view, run=run, effects=known, observations=seen, rollback_reason=None)


@settings(max_examples=100, deadline=None)
@given(view=views(), now=instants)
def test_a_decision_is_always_made_and_writes_only_to_the_plans_services(view: View, now: datetime) -> None:
    found = decide(view, now)

    planned = {one.service_id for one in view.customer.services}
    databases = {view.customer.database.postgres_id} if view.customer.database is not None else set()
    assert planned <= set(SERVICE_IDS.values())
    for one in found.effects:
        assert one.service_id in (databases if one.kind in ON_DATABASES else planned)
    assert found == decide(view, now)


@settings(max_examples=100, deadline=None)
@given(view=views(), now=instants)
def test_nothing_is_written_while_everything_is_paused(view: View, now: datetime) -> None:
    assert decide(replace(view, is_paused=True), now).effects == ()


@settings(max_examples=100, deadline=None)
@given(view=views(), now=instants)
def test_no_deploy_begins_behind_a_shut_gate_unless_one_was_sent(view: View, now: datetime) -> None:
    shut = replace(view, gates=(SHUT,))
    nothing_sent = not any(one.sent_at for one in view.run.progress)

    wanted = [one.key for one in decide(shut, now).effects if one.key.startswith(("deploy:", "env:"))]

    assert not (nothing_sent and wanted)


@settings(max_examples=100, deadline=None)
@given(view=views(), now=instants)
def test_no_run_is_ever_stuck_in_silence(view: View, now: datetime) -> None:
    found = decide(view, now)

    has_more = found.looks or found.effects or found.waiting_on or found.next_at
    is_working = any(one.state.is_open for one in view.effects.values())
    assert found.run.stage.is_terminal or has_more or is_working


@settings(max_examples=100, deadline=None)
@given(view=views(), now=instants)
def test_without_news_a_run_comes_to_rest_and_says_when_to_look_again(view: View, now: datetime) -> None:
    shut = tuple(replace(gate, until=gate.until and now + timedelta(hours=1)) for gate in view.gates)
    view = replace(view, gates=shut)
    for _ in range(STEPS_MAX):
        found = decide(view, now)
        if not changes(view, found):
            break
        view = committed(view, found)
    else:
        raise AssertionError(f"still moving after {STEPS_MAX} steps: {view.run}")
    assert found.looks or found.next_at is None or found.next_at > now
