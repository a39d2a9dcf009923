"""The effect ledger and the local platform: lost answers, the grace, the send deadline, fencing, the kill switch."""

from dataclasses import replace
from pathlib import Path

import pytest

from securewatch.controller.ledger import REFUSALS_MAX, SENDS_MAX
from securewatch.core.errors import GatewayError
from securewatch.deploy.model import Stage
from securewatch.deploy.view import EffectKind, EffectState, NewEffect
from securewatch.store import effects, runs
from tests.factories import BACKEND, SERVICE_IDS
from tests.integration.controller.given import NEW, OLD, Engine, running_engine

SERVICE = SERVICE_IDS[BACKEND]
DEPLOYS = f"/services/{SERVICE}/deploys$"
ENV_VAR = f"/services/{SERVICE}/env-vars/VERSION_TAG$"


def deploy() -> NewEffect:
    return NewEffect("deploy:backend", EffectKind.DEPLOY, BACKEND, SERVICE, {"commit": NEW})


def posts(engine: Engine) -> int:
    return sum(one.startswith("POST") for one in engine.wire.writes)


async def foreign_deploy(engine: Engine, commit: str = NEW) -> None:
    answer = await engine.rig.api.post(f"/services/{SERVICE}/deploys", json={"commitId": commit})
    assert answer.status_code < 300


# --- deploys ----------------------------------------------------------------------------------------------------------


async def test_a_deploy_is_sent_once_after_its_snapshot_was_committed(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        old = [one.id for one in engine.rig.backend.deploys]

        done = await engine.work(await engine.intend(deploy()))

        assert done.state is EffectState.CONFIRMED
        assert done.before["ids"] == old
        assert [one.id for one in engine.ours()] == [done.result["deploy_id"]]
        assert await engine.audited() == ["effect.sent", "effect.confirmed"]


async def test_a_lost_answer_is_looked_up_and_the_one_match_adopted(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        made = await engine.intend(deploy())
        await engine.arm("drop_after", method="POST", path=DEPLOYS)

        in_doubt = await engine.work(made)
        adopted = await engine.work(made)

        assert (in_doubt.state, adopted.state) == (EffectState.IN_DOUBT, EffectState.CONFIRMED)
        assert adopted.result == {"deploy_id": engine.ours()[0].id, "adopted": True}
        assert posts(engine) == 1


async def test_an_accepted_deploy_without_a_body_is_adopted_the_same_way(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        made = await engine.intend(deploy())
        await engine.arm("empty", method="POST", path=DEPLOYS, status=202, acts=True)

        accepted, adopted = await engine.work(made), await engine.work(made)

        assert (accepted.state, adopted.state) == (EffectState.ACCEPTED, EffectState.CONFIRMED)
        assert len(engine.ours()) == posts(engine) == 1


async def test_two_deploys_that_could_be_ours_call_a_human(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        made = await engine.intend(deploy())
        await engine.arm("drop_after", method="POST", path=DEPLOYS)
        await engine.work(made)
        await foreign_deploy(engine)

        found = await engine.work(made)

        assert (found.state, found.code) == (EffectState.NEEDS_HUMAN, "SW505")
        assert all(one.id in found.reason for one in engine.ours())


async def test_none_is_not_believed_before_the_grace_and_arms_again_after_it(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        made = await engine.intend(deploy())
        await engine.arm("drop_before", method="POST", path=DEPLOYS)
        await engine.work(made)

        await engine.pass_seconds(299)
        early = await engine.work(made)
        await engine.pass_seconds(2)
        late = await engine.work(made)
        again = await engine.work(await engine.intend(deploy()))

        assert (early.state, late.state) == (EffectState.IN_DOUBT, EffectState.DROPPED)
        assert (again.seq, again.state) == (2, EffectState.CONFIRMED)
        assert len(engine.ours()) == 1


async def test_armed_again_it_adopts_no_deploy_from_when_the_same_version_ran_before(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        for commit in (NEW, OLD):
            await foreign_deploy(engine, commit)
            await engine.pass_seconds(3600)
        earlier = [one.id for one in engine.ours()]
        made = await engine.intend(deploy())
        await engine.arm("drop_before", method="POST", path=DEPLOYS)
        await engine.work(made)
        await engine.pass_seconds(301)
        await engine.work(made)

        again = await engine.work(await engine.intend(deploy()))

        assert (again.seq, again.state) == (2, EffectState.CONFIRMED)
        assert again.result["deploy_id"] not in earlier
        assert len(engine.ours()) == len(earlier) + 1


async def test_the_grace_is_real_time_too(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        made = await engine.intend(deploy())
        await engine.arm("drop_before", method="POST", path=DEPLOYS)
        await engine.work(made)

        await engine.pass_seconds(3600, real=29)
        early = await engine.work(made)
        await engine.pass_seconds(1, real=1)
        late = await engine.work(made)

        assert (early.state, late.state) == (EffectState.IN_DOUBT, EffectState.DROPPED)


async def test_after_a_restart_the_grace_begins_anew(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        made = await engine.intend(deploy())
        await engine.arm("drop_before", method="POST", path=DEPLOYS)
        await engine.work(made)
        await engine.pass_seconds(3600)
        engine.restart()

        early = await engine.work(made)
        await engine.pass_seconds(301)
        late = await engine.work(made)

        assert (early.state, late.state) == (EffectState.IN_DOUBT, EffectState.DROPPED)


async def test_what_render_accepted_and_does_not_show_is_superseded_and_never_sent_again(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        made = await engine.intend(deploy())
        await engine.arm("empty", method="POST", path=DEPLOYS, status=202, acts=False)
        await engine.work(made)
        await engine.pass_seconds(301)

        found = await engine.work(made)

        assert (found.state, found.code) == (EffectState.FAILED, "SW506")
        assert posts(engine) == 1


async def test_a_process_that_froze_between_intent_and_request_sends_nothing(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        made = await engine.intend(deploy())

        def freeze() -> None:
            engine.clock.monotonic_seconds += 2.1

        engine.clock.on_reading = freeze
        await engine.ledger.work(made.id)

        assert (await engine.effect(made)).state is EffectState.SENT
        assert engine.ours() == []


async def test_a_deploy_that_render_refuses_fails_with_its_words(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        made = await engine.intend(deploy())
        await engine.arm("status", method="POST", path=DEPLOYS, status=400, message="invalid commit")

        found = await engine.work(made)

        assert (found.state, found.code) == (EffectState.FAILED, "SW306")
        assert "invalid commit" in found.reason


async def test_a_rate_limit_arms_the_deploy_again_without_a_second_send(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        made = await engine.intend(deploy())
        await engine.arm("status", method="POST", path=DEPLOYS, status=429, message="slow down", retry_after=30)

        again_at = await engine.ledger.work(made.id)
        found = await engine.effect(made)

        assert found.state is EffectState.DROPPED
        assert again_at is not None
        assert again_at > engine.clock.now()
        assert engine.ours() == []


async def test_a_read_that_fails_before_the_send_changes_nothing(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        made = await engine.intend(deploy())
        await engine.arm("status", method="GET", path=SERVICE, status=500, count=None)

        with pytest.raises(GatewayError):
            await engine.ledger.work(made.id)

        assert (await engine.effect(made)).state is EffectState.INTENT
        assert engine.wire.writes == []


@pytest.mark.parametrize(("change", "code"), [("auto_deploy", "SW407"), ("suspended", "SW415"), ("owner_id", "SW408")])
async def test_the_hard_checks_are_repeated_just_before_a_deploy(tmp_path: Path, change: str, code: str) -> None:
    async with running_engine(tmp_path) as engine:
        made = await engine.intend(deploy())
        setattr(engine.rig.backend, change, "tea-other0000000000000" if change == "owner_id" else True)

        found = await engine.work(made)

        assert (found.state, found.code) == (EffectState.FAILED, code)
        assert engine.wire.writes == []


# --- fencing ----------------------------------------------------------------------------------------------------------


async def test_whoever_lost_the_row_can_neither_send_nor_record(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        made = await engine.intend(deploy())
        async with engine.database.write("claim") as tx:
            mine = await effects.claim_effect(tx, made.id)
            theirs = await effects.claim_effect(tx, made.id)
        assert mine is not None
        assert theirs is not None

        async with engine.database.write("send") as tx:
            sent = await effects.mark_sent(tx, mine, generation=1, before={}, at=engine.clock.now())
            recorded = await effects.finish_effect(tx, mine, state=EffectState.CONFIRMED, at=engine.clock.now())

        assert (sent, recorded) == (None, False)


async def test_an_effect_of_a_finished_run_is_not_sent(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        made = await engine.intend(deploy())
        async with engine.database.write("finish") as tx:
            await runs.update_run(tx, replace(engine.run, stage=Stage.HELD), expected_epoch=0)

        found = await engine.work(made)

        assert found.state is EffectState.INTENT
        assert engine.wire.writes == []


async def test_while_everything_is_paused_not_even_an_intent_is_sent(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        made = await engine.intend(deploy())
        await engine.pause()
        paused = await engine.work(made)
        await engine.pause(False)
        resumed = await engine.work(made)

        assert (paused.state, resumed.state) == (EffectState.INTENT, EffectState.CONFIRMED)
        assert len(engine.ours()) == 1


# --- rollbacks and cancels --------------------------------------------------------------------------------------------


async def live_new_version(engine: Engine) -> str:
    """Bring v1.1.0 to the backend; gives the id of the good deploy before it."""
    good = engine.rig.backend.deploys[0].id
    await engine.work(await engine.intend(deploy()))
    for _ in range(8):
        await engine.pass_seconds(10)
    assert engine.rig.host.serving[SERVICE][0] == NEW
    return good


def roll_back(good: str) -> NewEffect:
    return NewEffect("rollback:backend", EffectKind.ROLL_BACK, BACKEND, SERVICE, {"deploy_id": good, "commit": OLD})


async def test_a_rollback_with_a_lost_answer_is_adopted_by_its_trigger(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        made = await engine.intend(roll_back(await live_new_version(engine)))
        await engine.arm("drop_after", method="POST", path="rollback$")

        in_doubt, adopted = await engine.work(made), await engine.work(made)

        assert (in_doubt.state, adopted.state) == (EffectState.IN_DOUBT, EffectState.CONFIRMED)
        assert [one.id for one in engine.ours() if one.trigger == "rollback"] == [adopted.result["deploy_id"]]


async def test_a_rollback_to_a_deploy_that_render_no_longer_has_fails_so_that_it_can_be_built(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await live_new_version(engine)

        found = await engine.work(await engine.intend(roll_back("dep-d0000000000000000000")))

        assert (found.state, found.code) == (EffectState.FAILED, "SW306")


async def test_a_cancel_leaves_it_to_the_polls_to_see_the_end(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        made = await engine.work(await engine.intend(deploy()))
        cancel = NewEffect(
            "cancel:backend", EffectKind.CANCEL, BACKEND, SERVICE, {"deploy_id": made.result["deploy_id"]}
        )

        done = await engine.work(await engine.intend(cancel))

        assert (done.state, done.result) == (EffectState.CONFIRMED, {"asked": True})


async def test_what_ended_meanwhile_is_not_cancelled(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await live_new_version(engine)
        cancel = NewEffect("cancel:backend", EffectKind.CANCEL, BACKEND, SERVICE, {"deploy_id": engine.ours()[0].id})

        done = await engine.work(await engine.intend(cancel))

        assert done.result == {"ended": "live"}
        assert posts(engine) == 1


# --- lost for longer than anybody believed ----------------------------------------------------------------------------


async def test_a_look_that_is_refused_leaves_what_was_sent_unknown(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        made = await engine.intend(deploy())
        await engine.arm("drop_after", method="POST", path=DEPLOYS)
        await engine.work(made)
        await engine.arm("status", method="GET", path=DEPLOYS, status=404)

        refused, adopted = await engine.work(made), await engine.work(made)

        assert (refused.state, adopted.state) == (EffectState.IN_DOUBT, EffectState.CONFIRMED)
        assert posts(engine) == 1


async def test_looks_that_are_refused_for_ever_call_a_person(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        made = await engine.intend(deploy())
        await engine.arm("drop_after", method="POST", path=DEPLOYS)
        await engine.work(made)
        await engine.arm("status", method="GET", path=DEPLOYS, status=404, count=REFUSALS_MAX)

        for _ in range(REFUSALS_MAX):
            found = await engine.work(made)

        assert (found.state, found.code) == (EffectState.NEEDS_HUMAN, "SW305")


async def test_a_request_that_arrives_after_the_grace_is_adopted_before_another_is_sent(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        made = await engine.intend(deploy())
        await engine.arm("drop_before", method="POST", path=DEPLOYS)
        await engine.work(made)
        await engine.pass_seconds(301)
        dropped = await engine.work(made)
        await foreign_deploy(engine)  # the first request, which the network kept for so long

        again = await engine.work(await engine.intend(deploy()))

        assert dropped.state is EffectState.DROPPED
        assert (again.state, again.result["adopted"], again.before) == (EffectState.CONFIRMED, True, dropped.before)
        assert posts(engine) == len(engine.ours()) == 1


async def test_what_is_sent_again_and_again_without_a_trace_calls_a_person(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        await engine.arm("drop_before", method="POST", path=DEPLOYS, count=100)
        for _ in range(SENDS_MAX):
            made = await engine.intend(deploy())
            await engine.work(made)
            await engine.pass_seconds(301)
            found = await engine.work(made)

        assert (found.state, found.code) == (EffectState.NEEDS_HUMAN, "SW504")
        assert posts(engine) == SENDS_MAX
