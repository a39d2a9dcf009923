"""What a person reads of plans, states, errors and health, made from values built by hand."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from securewatch.cli.failures import as_text
from securewatch.cli.show import card_lines, explain_lines, plan_lines, show_health, summary_lines
from securewatch.config.load import load_fleet
from securewatch.core.errors import ConfigError, Conflict, ExitCode, Problem
from securewatch.deploy.model import EnvChange, GateRules, Plan, RunKind, Stage, WindowSpec
from securewatch.deploy.view import Decision, WaitingOn
from securewatch.health.verdict import Baseline, Comparison
from securewatch.operations.checks import Check
from securewatch.operations.health import CustomerHealth, ServiceHealth
from securewatch.operations.history import CustomerCard, CustomerRow
from securewatch.operations.plan import DeployRequest, Planned
from securewatch.operations.status import CustomerStatus, status_of
from tests.factories import (
    BACKEND,
    BASELINE,
    COMMIT,
    FRONTEND,
    NOW,
    SERVICE_IDS,
    VERSION,
    make_customer_plan,
    make_live,
    make_plan,
    make_progress,
    make_service,
    make_view,
)
from tests.golden.conftest import Golden

CONFIG = Path(__file__).resolve().parents[2] / "config"
AFTER = Baseline(median_ms=25.0, p95_ms=66.0, samples=20, failures=0)
CHECKS = (
    Check("version tag", f"{VERSION} is {COMMIT[:12]}"),
    Check("autodeploy", "off"),
    Check("domain", "acme.securewatch.app is not verified", "warning"),
    Check("policy", "downgrade", "forced"),
)
WINDOW = WindowSpec("sunday", "02:00", "06:00", "America/New_York")


def planned(plan: Plan, *, is_there: bool = False) -> Planned:
    """A plan with checks of each kind behind it."""
    customer = load_fleet(CONFIG).find_customer("acme-corp")
    return Planned(DeployRequest("acme-corp", VERSION), customer, plan, CHECKS, is_there, "v1.0.0", {}, {})


def status(stage: Stage, waiting: WaitingOn | None = None, **run: object) -> CustomerStatus:
    """acme-corp's state in that stage."""
    view = make_view(stage, run=run)
    return status_of(view, Decision(view.run, waiting_on=waiting), NOW)


def test_a_plan_with_gates_and_drift(golden: Golden) -> None:
    changes = (EnvChange("VERSION_TAG", "f0", "f1"), EnvChange("NEW_FLAG", None, "f2"))
    backend = make_service(BACKEND, env_changes=changes, drift=(EnvChange("LOG_LEVEL", "f3", "f4"),))
    gates = GateRules(window=WINDOW, needs_approval=True, approvers=("dana", "kim"))
    customer = make_customer_plan(services=(backend, make_service(FRONTEND, env_changes=())), gates=gates)
    plan = make_plan(customer, notes=("ahead of the release calendar: enterprise is due on days 22 to 51",))

    golden("plan-with-gates", "\n".join(plan_lines(planned(plan))))


def test_a_plan_of_env_vars(golden: Golden) -> None:
    golden("plan-of-env-vars", "\n".join(plan_lines(planned(make_plan(kind=RunKind.ENV)))))


def test_a_plan_of_what_is_there_already(golden: Golden) -> None:
    golden("plan-of-nothing", "\n".join(plan_lines(planned(make_plan(), is_there=True))))


def test_why_of_a_customer_that_waits_for_its_window(golden: Golden) -> None:
    text = "an approval by dana; the maintenance window"
    waiting = WaitingOn(text, "SW401", NOW + timedelta(days=4, hours=19), is_gate=True)

    golden("why-waiting", "\n".join(explain_lines(status(Stage.QUEUED, waiting), NOW, "America/New_York")))


def test_why_of_a_customer_that_is_being_deployed(golden: Golden) -> None:
    building = status(Stage.DEPLOYING, progress=(make_live(BACKEND), make_progress(FRONTEND)))

    golden("why-deploying", "\n".join(explain_lines(building, NOW, None)))


def test_the_summary_of_a_verified_deploy(golden: Golden) -> None:
    slower = Comparison(BASELINE, AFTER, 2.2, is_regression=True)
    backend = make_live(BACKEND, version_note="1.1.0", comparison=slower)
    frontend = make_live(FRONTEND, version_note="not reported", comparison=replace(slower, is_regression=False))

    found = status(Stage.WATCHING, verified_at=NOW, progress=(backend, frontend))

    golden("summary-verified", "\n".join(summary_lines(found, ExitCode.DONE)))


def test_the_summary_of_a_deploy_that_was_taken_back(golden: Golden) -> None:
    backend = make_live(BACKEND, verified_at=None, back_deploy_id="dep-back-backend")
    found = status(
        Stage.ROLLED_BACK,
        trigger="failures_in_a_row",
        code="SW503",
        detail="backend: 3 failed in a row, the last: status 500",
        progress=(backend,),
        finished_at=NOW,
    )

    golden("summary-rolled-back", "\n".join(summary_lines(found, ExitCode.ROLLED_BACK)))


def test_the_summary_of_a_deploy_that_failed(golden: Golden) -> None:
    failed = make_progress(BACKEND, status="build_failed")
    found = status(Stage.FAILED, code="SW501", detail="backend: build_failed at Render", progress=(failed,))

    golden("summary-failed", "\n".join(summary_lines(found, ExitCode.FAILED)))


def test_the_card_of_a_customer(golden: Golden) -> None:
    row = CustomerRow(
        "acme-corp", "Acme Corp", "enterprise", "enterprise", "v1.0.0", "", "live", NOW, "the files disagree"
    )
    services = {kind: str(SERVICE_IDS[kind]) for kind in (BACKEND, FRONTEND)}
    card = CustomerCard(row, services, "acme.example", "sunday 02:00-06:00 America/New_York", True, True, None)

    golden("card", "\n".join(card_lines(card, NOW)))


def test_an_error(golden: Golden) -> None:
    error = Conflict(
        "SW412",
        "tag v1.1.0 moved since plan 7f3a was approved",
        why="approved 9c1e2ab, the repository now says 51d00fe",
        fix="find out who moved it; if the new commit is meant, make a new plan (it needs a new approval)",
    )

    golden("error", as_text(error))


def test_an_error_with_every_problem_of_the_files(golden: Golden) -> None:
    problems = (
        Problem("config/customers.json", "customers[3].slug", "a blank", "a slug"),
        Problem("config/render-deployment.json", "deployment_phases.demo.batch_size", '"most"', "all, or a share"),
    )
    error = ConfigError("SW102", "the configuration has 2 problems", fix="correct the files", problems=problems)

    golden("error-of-the-files", as_text(error))


def test_the_health_of_a_customer(golden: Golden, capsys: pytest.CaptureFixture[str]) -> None:
    well = ServiceHealth(
        kind=BACKEND,
        service_id="srv-acme-backend-abc123",
        url="https://acme-backend.example",
        domains=(),
        is_healthy=True,
        reason="",
        version="1.1.0",
        database="ok",
        response=BASELINE,
        live_deploy_id="dep-1",
        live_commit=COMMIT,
        tag="v1.1.0",
    )
    sick = replace(
        well,
        kind=FRONTEND,
        url="https://acme.example",
        domains=("acme.securewatch.app",),
        is_healthy=False,
        reason="3 of 3 checks failed: status 500",
        version="not reported",
        database="",
        response=Baseline(None, None, 3, 3),
        tag="v1.0.0",
    )
    split = "acme-corp is split: backend v1.1.0, frontend v1.0.0"

    show_health(CustomerHealth("acme-corp", "Acme Corp", (well, sick), split))

    golden("health", capsys.readouterr().out)
