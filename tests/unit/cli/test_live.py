"""What is seen while a run is followed."""

from io import StringIO

import pytest
from rich.console import Console

from securewatch.cli.live import FleetLines, PlainLines, draw, progress_of
from securewatch.core.errors import Retryable
from securewatch.deploy.model import ServiceKind, Stage
from securewatch.deploy.view import Decision, WaitingOn
from securewatch.operations.status import CustomerStatus, status_of
from tests.factories import NOW, make_live, make_progress, make_view
from tests.fakes.clock import ManualClock

BACKEND, FRONTEND = ServiceKind.BACKEND, ServiceKind.FRONTEND


def status(stage: Stage, **run: object) -> CustomerStatus:
    """acme-corp's state in that stage."""
    return status_of(make_view(stage, run=run), None, NOW)


def test_the_progress_bar_never_goes_back_on_the_way_to_verified() -> None:
    way = [
        status(Stage.QUEUED),
        status(Stage.PREFLIGHT),
        status(Stage.BACKING_UP),
        status(Stage.SETTING_ENV),
        status(Stage.DEPLOYING),
        status(Stage.DEPLOYING, progress=(make_progress(BACKEND),)),
        status(Stage.SETTLING, progress=(make_progress(BACKEND, live_at=NOW),)),
        status(Stage.DEPLOYING, progress=(make_live(BACKEND),)),
        status(Stage.DEPLOYING, progress=(make_live(BACKEND), make_progress(FRONTEND))),
        status(Stage.VERIFYING, progress=(make_live(BACKEND), make_live(FRONTEND))),
        status(Stage.WATCHING, verified_at=NOW, progress=(make_live(BACKEND), make_live(FRONTEND))),
    ]

    found = [progress_of(one) for one in way]

    assert found == sorted(found)
    assert (found[0], found[-1]) == (0.0, 1.0)


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage.is_terminal])
def test_what_is_over_fills_the_bar(stage: Stage) -> None:
    assert progress_of(status(stage)) == 1.0


def test_a_line_is_printed_once_for_each_change(capsys: pytest.CaptureFixture[str]) -> None:
    lines = PlainLines(ManualClock(NOW))

    for _ in range(3):
        lines(status(Stage.PREFLIGHT), None)

    assert capsys.readouterr().out.splitlines() == [
        "12:00:00  backend    pre-deployment checks",
        "12:00:00  frontend   pre-deployment checks",
    ]


def test_trouble_is_told_with_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    lines = PlainLines(ManualClock(NOW))

    lines(status(Stage.PREFLIGHT), Retryable("SW303", "Render cannot be reached"))

    assert "trouble: SW303 Render cannot be reached; tried again" in capsys.readouterr().out


def test_a_quiet_log_says_every_half_minute_that_it_is_alive(capsys: pytest.CaptureFixture[str]) -> None:
    clock = ManualClock(NOW)
    lines = PlainLines(clock)
    lines(status(Stage.BACKING_UP), None)
    capsys.readouterr()

    clock.advance(31)
    lines(status(Stage.BACKING_UP), None)

    assert capsys.readouterr().out == "12:00:31  still backing up\n"


def test_a_controller_tells_each_change_of_each_customer_once(capsys: pytest.CaptureFixture[str]) -> None:
    lines = FleetLines(ManualClock(NOW))

    for stage in (Stage.PREFLIGHT, Stage.PREFLIGHT, Stage.BACKING_UP):
        lines(status(stage), None)

    assert capsys.readouterr().out.splitlines() == [
        "12:00:00  acme-corp  backend    pre-deployment checks",
        "12:00:00  acme-corp  frontend   pre-deployment checks",
        "12:00:00  acme-corp  · queued  deploy v1.1.0",
        "12:00:00  acme-corp  backend    backing up",
        "12:00:00  acme-corp  frontend   backing up",
        "12:00:00  acme-corp  ▶ building  deploy v1.1.0",
    ]


def test_a_quiet_log_says_what_the_trouble_is(capsys: pytest.CaptureFixture[str]) -> None:
    clock = ManualClock(NOW)
    lines = PlainLines(clock)
    trouble = Retryable("SW303", "Render cannot be reached")
    lines(status(Stage.BACKING_UP), trouble)
    capsys.readouterr()

    clock.advance(31)
    lines(status(Stage.BACKING_UP), trouble)

    assert capsys.readouterr().out == (
        "12:00:31  still backing up; trouble: SW303 Render cannot be reached; tried again\n"
    )


def test_what_a_run_waits_for_stands_whole_on_lines_of_its_own_below_the_bar() -> None:
    screen = StringIO()
    text = "an approval by anyone but root; the maintenance window, which nobody will cut in the middle"
    decision = Decision(make_view(Stage.QUEUED).run, waiting_on=WaitingOn(text, "SW402", is_gate=True))
    waiting = status_of(make_view(Stage.QUEUED), decision, NOW)

    Console(width=60, file=screen, color_system=None).print(draw(waiting, None, NOW, {}))

    lines = [line.rstrip() for line in screen.getvalue().splitlines()]
    start = next(number for number, line in enumerate(lines) if line.startswith("waits for: "))
    assert " ".join(lines[start:]) == f"waits for: {text}"
