"""The exit code where following ends: what the same end means depends on what the command that follows asked for."""

from typing import Any

import pytest

from securewatch.core.errors import ExitCode
from securewatch.deploy.model import RunKind, Stage
from securewatch.deploy.view import Decision
from securewatch.operations.follow import FollowOptions, exit_code_of
from securewatch.operations.status import CustomerStatus, status_of
from tests.factories import NOW, make_view

DEPLOYS = FollowOptions()
GOES_BACK = FollowOptions(goes_back=True)
BY_PERSON = {"trigger": "customer request", "went_live": True}
BY_TRIGGER = {"trigger": "failures_in_a_row", "went_live": True}


def ended(stage: Stage, **run: Any) -> CustomerStatus:
    view = make_view(stage, run=run)
    return status_of(view, Decision(view.run), NOW)


@pytest.mark.parametrize("why", [BY_PERSON, BY_TRIGGER])
def test_a_deploy_that_went_live_and_was_taken_back_ends_with_6_whoever_took_it_back(why: dict[str, Any]) -> None:
    assert exit_code_of(ended(Stage.ROLLED_BACK, **why), DEPLOYS) is ExitCode.ROLLED_BACK


@pytest.mark.parametrize("why", [BY_PERSON, BY_TRIGGER])
def test_a_rollback_that_was_asked_for_ends_with_0_though_a_trigger_was_quicker(why: dict[str, Any]) -> None:
    assert exit_code_of(ended(Stage.ROLLED_BACK, **why), GOES_BACK) is ExitCode.DONE


def test_a_deploy_that_was_called_off_before_it_went_live_ends_with_1() -> None:
    assert exit_code_of(ended(Stage.ROLLED_BACK, trigger="customer request"), DEPLOYS) is ExitCode.FAILED


@pytest.mark.parametrize("stage", [Stage.FAILED, Stage.REFUSED])
def test_a_rollback_of_what_came_to_nothing_by_itself_is_done(stage: Stage) -> None:
    assert exit_code_of(ended(stage), GOES_BACK) is ExitCode.DONE
    assert exit_code_of(ended(stage), DEPLOYS) is ExitCode.FAILED


def test_a_rollback_of_its_own_ends_with_0_when_it_is_back_and_with_9_when_it_is_held() -> None:
    back, held = (ended(stage, kind=RunKind.ROLLBACK) for stage in (Stage.ROLLED_BACK, Stage.HELD))

    assert exit_code_of(back, GOES_BACK) is ExitCode.DONE
    assert exit_code_of(held, GOES_BACK) is ExitCode.NEEDS_HUMAN


def test_a_person_who_asked_for_the_way_back_is_followed_past_the_old_end() -> None:
    view = make_view(Stage.DONE, rollback_reason="ticket 4711")

    assert exit_code_of(status_of(view, Decision(view.run), NOW), GOES_BACK) is None
