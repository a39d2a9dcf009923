"""Values as lines for people. The whole texts are in tests/golden; here is what must hold of each."""

from datetime import timedelta

from securewatch.cli.show import explain_lines, instant_or_dash, summary_lines, waiting_line
from securewatch.core.errors import ExitCode
from securewatch.deploy.model import ServiceKind, Stage
from securewatch.deploy.view import Decision, WaitingOn
from securewatch.operations.status import CustomerStatus, status_of
from tests.factories import NOW, make_live, make_progress, make_view


def status(stage: Stage, waiting: WaitingOn | None = None, **run: object) -> CustomerStatus:
    """acme-corp's state in that stage."""
    view = make_view(stage, run=run)
    return status_of(view, Decision(view.run, waiting_on=waiting), NOW)


def test_what_moves_by_itself_waits_for_nothing() -> None:
    assert waiting_line(status(Stage.DEPLOYING), NOW) == ""


def test_what_waits_says_for_what_and_until_when() -> None:
    waiting = WaitingOn("the maintenance window", "SW401", NOW + timedelta(hours=6), is_gate=True)

    line = waiting_line(status(Stage.QUEUED, waiting), NOW)

    assert line.startswith("waits for: the maintenance window, until ")
    assert line.endswith("in 6 h")


def test_what_waits_for_a_person_has_no_end() -> None:
    waiting = WaitingOn("an approval by dana", "SW402", person="dana", is_gate=True)

    assert waiting_line(status(Stage.QUEUED, waiting), NOW) == "waits for: an approval by dana"


def test_a_summary_names_the_page_of_its_code_and_the_exit_code() -> None:
    held = status(Stage.HELD, code="SW504", detail="backend: outcome unknown")

    lines = summary_lines(held, ExitCode.NEEDS_HUMAN)

    assert "  SW504      backend: outcome unknown (docs/runbooks/SW504.md)" in lines
    assert lines[-1] == "  run acme-corp-1, exit code 9"


def test_a_verified_deploy_says_what_is_verified() -> None:
    progress = (make_live(ServiceKind.BACKEND), make_live(ServiceKind.FRONTEND))

    lines = summary_lines(status(Stage.WATCHING, verified_at=NOW, progress=progress), ExitCode.DONE)

    assert lines[0] == "✔ live  acme-corp  v1.1.0 is verified"


def test_a_deploy_that_is_not_live_yet_is_not_said_to_be() -> None:
    found = status(Stage.DEPLOYING, progress=(make_progress(),))

    shown = "\n".join(summary_lines(found, ExitCode.SIGN_IN))

    assert "under way for 60 s" in shown or "under way for 1 min" in shown
    assert "live after" not in shown


def test_a_rollback_says_from_what_to_what_and_why() -> None:
    lines = summary_lines(status(Stage.ROLLED_BACK, trigger="failures_in_a_row"), ExitCode.ROLLED_BACK)

    assert lines[0] == "↩ rolled back  acme-corp  v1.1.0 was taken back to v1.0.0 (failures in a row)"


def test_a_deploy_that_never_went_live_says_what_goes_on_serving() -> None:
    lines = summary_lines(status(Stage.FAILED), ExitCode.FAILED)

    assert lines[0].endswith("v1.1.0 failed; the old version goes on serving, with its env vars")


def test_why_says_what_moves_a_run_that_waits_for_nothing() -> None:
    assert "it moves when a controller runs" in explain_lines(status(Stage.DEPLOYING), NOW, None)[-1]


def test_why_says_nothing_of_a_controller_where_all_is_over() -> None:
    assert "controller" not in "\n".join(explain_lines(status(Stage.DONE), NOW, None))


def test_an_instant_that_is_not_known_is_a_dash() -> None:
    assert instant_or_dash(None) == "-"


def test_why_names_the_controller_that_runs() -> None:
    lines = explain_lines(status(Stage.WATCHING), NOW, None, holder="securewatch serve (pid 7)")

    assert lines[-1] == "  moved by securewatch serve (pid 7)"


def test_why_says_that_nobody_watches_where_no_controller_runs() -> None:
    assert "nobody watches it now" in explain_lines(status(Stage.WATCHING), NOW, None)[-1]
