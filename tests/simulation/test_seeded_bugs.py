"""Engines that are broken on purpose: the witness must catch each of them, or it is blind there."""

from typing import Any, ClassVar

import pytest

from localrender.machine import Order
from localrender.model import Status, Trigger
from rehearsal.play import Course, play
from rehearsal.trouble import home, network, render
from rehearsal.trouble.base import Scene, Trouble
from securewatch.deploy import effects as acts
from securewatch.deploy import looks
from securewatch.deploy.view import Gate
from securewatch.operations import approve, plan
from securewatch.render import deploys, env_vars
from securewatch.rollout import conduct, entry, gates
from securewatch.store import audit, effects, meta
from tests.simulation.given import broken, found_invariants


def _open(*_: Any) -> Gate:
    return Gate("open", is_open=True)


# --- the broken parts -------------------------------------------------------------------------------------------------


async def _no_look(effect: Any, tools: Any, *, trigger: str, commit: str) -> Any:
    """Forgets what was sent, and does not look for it."""
    if effect.state.was_sent:
        return acts.Outcome(acts.OutcomeKind.NOTHING_FOUND)
    return acts._snapshot([])


async def _whole_list(client: Any, service_id: str, key: str, *, value: str, priority: Any, guard: Any) -> Any:
    """Puts the first page of env vars with the new value in the place of all of them."""
    page = await client.get(f"/services/{service_id}/env-vars", priority=priority)
    others = [one["envVar"] for one in page if one["envVar"]["key"] != key]
    body: Any = [*others, {"key": key, "value": value}]
    return await client.write("PUT", f"/services/{service_id}/env-vars", body=body, priority=priority, guard=guard)


async def _second_in_list(client: Any, service_id: Any, *, deploy_id: str, priority: Any, guard: Any) -> Any:
    """Goes back to whatever stands second in Render's list."""
    found = await deploys.fetch_deploys(client, service_id, priority=priority)
    return await _real_roll_back(client, service_id, deploy_id=found[1].id, priority=priority, guard=guard)


_real_roll_back = deploys.roll_back


async def _never_paused(_: Any) -> bool:
    return False


async def _unmoved(*_: Any, **__: Any) -> None:
    """Takes every tag for the one that was planned."""


async def _forgetful(tx: Any, box: Any, *, at: Any, **event: Any) -> Any:
    """Leaves every entry about a rollback out."""
    if event["action"] in ("run.rolled_back", "run.verifying"):
        return None
    return await _real_append(tx, box, at=at, **event)


_real_append = audit.append


async def _unsent(tx: Any, effect: Any, **more: Any) -> Any:
    """Says that it committed the row as sent, and did not."""
    return effect


class ManyDeploys(Trouble):
    """Every backend has a deploy in its list that was cancelled lately."""

    def prepare(self, scene: Scene) -> None:
        """From the start on."""
        for service in scene.stage.platform.state.services.values():
            if service.customer:
                commit = service.deploys[0].commit
                made = scene.stage.platform.machine.create(service, Order(Trigger.MANUAL, commit, service.values))
                scene.stage.platform.machine.cancel(service, made)
                assert made.status is Status.CANCELED
                scene.foreign.deploys.add(made.id)
        self.has_fired = True


class MovedBeforeStartup(render.TagMoved):
    """The tag moves the day before the startup phase, and stays there for it."""

    day: ClassVar[tuple[float, float]] = (0.8, 0.9)
    days_moved: ClassVar[tuple[float, float]] = (3, 4)


# --- the bugs ---------------------------------------------------------------------------------------------------------

BUGS: dict[str, tuple[tuple[tuple[Any, str, Any], ...], tuple[type[Trouble], ...], set[str]]] = {
    "no look before the act": (((acts, "_look", _no_look),), (network.ReplyLost,), {"I1"}),
    "the whole env-var list is put": (((env_vars, "put_env_var", _whole_list),), (), {"I2", "I7"}),
    "an own approval counts": (
        ((gates, "objection_to", lambda *_, **__: ""), (approve, "objection_to", lambda *_, **__: "")),
        (home.ApprovalReplayed,),
        {"I9"},
    ),
    "windows are ignored": (((gates, "_window_gate", _open), (entry, "_room", _open)), (), {"I4"}),
    "batches are ignored": (
        ((conduct, "_batch_gates", lambda *_, **__: ()), (conduct, "_turn", lambda *_: None)),
        (),
        {"I4", "I5"},
    ),
    "the failure budget is ignored": (((conduct, "_over_budget", lambda *_: ""),), (render.BadInOnePhase,), {"I5"}),
    "freezes are ignored": (((gates, "_freeze_gate", _open),), (), {"I4"}),
    "back to the second in the list": (
        ((deploys, "roll_back", _second_in_list),),
        (ManyDeploys, render.BadInOnePhase),
        {"I8"},
    ),
    "a moved tag is ignored": (
        ((plan, "refuse_moved", _unmoved), (looks, "ensure_unmoved", lambda *_: None)),
        (MovedBeforeStartup,),
        {"I3"},
    ),
    "pause --all is ignored": (((meta, "is_paused", _never_paused),), (home.PauseAll,), {"I14"}),
    "an entry is left out of the log": (((audit, "append", _forgetful),), (), {"I10"}),
    "nothing is committed before it is sent": (((effects, "mark_sent", _unsent),), (), {"I2"}),
}


@pytest.mark.parametrize("bug", BUGS)
def test_the_witness_catches(bug: str) -> None:
    changes, troubles, expected = BUGS[bug]

    found: set[str] = set()
    with broken(*changes):
        for seed in (3, 5, 8, 11):
            outcome = play(Course(seed, 12, tuple(one() for one in troubles)))
            found |= found_invariants(outcome)
            if found & expected:
                break

    assert found & expected, f"{bug}: {outcome}"
