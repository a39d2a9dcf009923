"""What a decision has to write down, and what of it the journal tells."""

import pytest

from securewatch.controller.commit import changes, difference
from securewatch.deploy.model import Stage
from securewatch.deploy.view import Decision, EffectKind, EffectState, Look, LookKind, NewEffect, WaitingOn
from tests.factories import BACKEND, FRONTEND, at, make_deploy, make_live, make_progress, make_run, make_view

WANTED = NewEffect("deploy:backend", EffectKind.DEPLOY, BACKEND, "srv-1")


def test_looks_and_waiting_alone_are_nothing_to_write_down() -> None:
    view = make_view(Stage.WATCHING)

    found = Decision(view.run, looks=(Look(LookKind.SAMPLE, BACKEND),), waiting_on=WaitingOn("the end"), next_at=at(5))

    assert not changes(view, found)


def test_a_moved_run_is_written_down() -> None:
    assert changes(make_view(Stage.QUEUED), Decision(make_run(stage=Stage.PREFLIGHT)))


@pytest.mark.parametrize(
    ("state", "is_new"),
    [
        (None, True),
        (EffectState.DROPPED, True),
        (EffectState.INTENT, False),
        (EffectState.SENT, False),
        (EffectState.CONFIRMED, False),
        (EffectState.FAILED, False),
    ],
)
def test_an_effect_is_new_when_there_is_none_of_its_name_or_it_was_dropped(
    state: EffectState | None, is_new: bool
) -> None:
    view = make_view(Stage.DEPLOYING, effects=[make_deploy(state=state)] if state else [])

    assert changes(view, Decision(view.run, effects=(WANTED,))) is is_new


def test_the_journal_tells_each_change_once_and_of_the_progress_only_what_is_new() -> None:
    before = make_run(stage=Stage.DEPLOYING, progress=(make_progress(), make_progress(FRONTEND)))
    after = make_run(
        stage=Stage.SETTLING,
        went_live=True,
        epoch=7,
        progress=(make_progress(status="live", live_at=at(3)), make_progress(FRONTEND)),
    )

    assert difference(before, after) == {
        "stage": Stage.SETTLING,
        "went_live": True,
        "backend": {"status": "live", "live_at": at(3)},
    }


def test_where_nothing_changed_the_journal_has_nothing_to_tell() -> None:
    assert difference(make_run(progress=(make_live(),)), make_run(progress=(make_live(),))) == {}
