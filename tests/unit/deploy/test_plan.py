"""The immutable plan: what its hash speaks of, which env vars a deploy writes, which gates and rules it freezes."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from securewatch.config.extras import Freeze
from securewatch.config.fleet import Fleet
from securewatch.config.load import load_fleet
from securewatch.deploy.facts import LiveDeploy, ServiceFacts
from securewatch.deploy.model import DatabasePlan, FreezeSpec, MigrationPlan, Plan, RunKind
from securewatch.deploy.plan import (
    EnvPlan,
    Planning,
    Target,
    digest,
    expected_services,
    hash_of,
    plan_deploy,
    plan_env,
    with_fingerprints,
)
from tests.factories import BACKEND, COMMIT, FRONTEND, NOW, OLD_COMMIT, VERSION, at

LATER = at(3600)
EXAMPLE = Path(__file__).resolve().parents[3] / "config"
KNOWN = {"DEPLOYMENT_VERSION": VERSION, "DEPLOYMENT_PHASE": "demo", "CUSTOMER_SLUG": "acme-corp"}
TEMPLATES = {
    "VERSION_TAG": "${DEPLOYMENT_VERSION}",
    "LOG_LEVEL": "info",
    "JWT_SECRET": "${JWT_SECRET}",
    "DATABASE_URL": "postgresql://${DB_USER}@db/${CUSTOMER_SLUG}",
}
ON_RENDER = {
    "VERSION_TAG": "v1.0.0",
    "LOG_LEVEL": "info",
    "JWT_SECRET": "s3cret",
    "DATABASE_URL": "postgresql://u@db/a",
}


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return load_fleet(EXAMPLE)


def facts(kind: Any = BACKEND, **changes: Any) -> ServiceFacts:
    found = ServiceFacts(
        kind=kind,
        service_id=f"srv-{kind}",
        name=f"securewatch-acme-corp-{kind}",
        type="web_service",
        owner_id="tea-1",
        url="http://backend.test",
        is_suspended=False,
        autodeploy_is_off=True,
        health_check_path="/api/health",
        has_disk=False,
        live=LiveDeploy("dep-0", OLD_COMMIT),
        env=ON_RENDER,
    )
    return replace(found, **changes)


def no_secret(key: str) -> str | None:
    return None


def env_plan(
    env: Mapping[str, str] = ON_RENDER,
    *,
    templates: Mapping[str, str] = TEMPLATES,
    write_all: bool = False,
    **secrets: str,
) -> EnvPlan:
    return plan_env(templates, facts(env=env), KNOWN, secrets.get, write_all=write_all)


def without(key: str) -> dict[str, str]:
    return {name: value for name, value in ON_RENDER.items() if name != key}


def make(fleet: Fleet, slug: str = "acme-corp", *, notes: tuple[str, ...] = (), **changes: Any) -> Plan:
    service = facts(**changes.pop("facts", {}))
    env = {BACKEND: changes.pop("env", env_plan())}
    target = Target(**{"kind": RunKind.DEPLOY, "version": VERSION, "commit": COMMIT, **changes})
    planning = Planning(fleet, fleet.find_customer(slug), "tea-1", "v1.0.0", notes)
    return plan_deploy(planning, target, facts=[service], env=env)


def frozen(fleet: Fleet, freeze: Freeze) -> Fleet:
    """The fleet with a freeze."""
    return replace(fleet, extra=replace(fleet.extra, freezes=(freeze,)))


# --- env vars ---------------------------------------------------------------------------------------------------------


def test_a_deploy_writes_only_the_keys_that_name_the_release_and_differ() -> None:
    found = env_plan()

    assert dict(found.values) == {"VERSION_TAG": "v1.1.0"}
    assert [one.key for one in found.changes] == ["VERSION_TAG"]
    assert (found.drift, found.findings) == ((), ())


def test_a_key_that_has_its_value_already_is_not_written() -> None:
    assert env_plan({**ON_RENDER, "VERSION_TAG": "v1.1.0"}).changes == ()


def test_another_declared_key_that_differs_is_drift_and_shown_only() -> None:
    found = env_plan({**ON_RENDER, "LOG_LEVEL": "debug"})

    assert [one.key for one in found.drift] == ["LOG_LEVEL"]
    assert set(found.values) == {"VERSION_TAG"}


def test_drift_is_written_when_all_keys_are_asked_for() -> None:
    found = env_plan({**ON_RENDER, "LOG_LEVEL": "debug"}, write_all=True)

    assert (found.drift, dict(found.values)) == ((), {"VERSION_TAG": "v1.1.0", "LOG_LEVEL": "info"})


def test_a_declared_key_that_the_service_lacks_is_written() -> None:
    assert env_plan(without("LOG_LEVEL")).values["LOG_LEVEL"] == "info"


@pytest.mark.parametrize("write_all", [False, True])
def test_database_url_is_never_written(write_all: bool) -> None:
    templates = {**TEMPLATES, "DATABASE_URL": "postgresql://new@db/${CUSTOMER_SLUG}?v=${DEPLOYMENT_VERSION}"}

    found = env_plan(templates=templates, write_all=write_all, DATABASE_URL="postgresql://given@db/a")

    assert "DATABASE_URL" not in found.values
    assert "DATABASE_URL" not in {one.key for one in found.drift}


def test_a_missing_database_url_refuses_the_deploy_even_with_a_secret_given() -> None:
    found = env_plan(without("DATABASE_URL"), DATABASE_URL="postgresql://given@db/a")

    assert [one.code for one in found.findings] == ["SW106"]
    assert "DATABASE_URL" not in found.values


def test_a_secret_that_only_render_knows_stays_as_it_is() -> None:
    assert "JWT_SECRET" not in env_plan(write_all=True).values


def test_a_missing_key_whose_secret_nobody_has_refuses_the_deploy_and_names_the_variable() -> None:
    (finding,) = env_plan(without("JWT_SECRET")).findings

    assert (finding.code, finding.is_soft) == ("SW106", False)
    assert "SECUREWATCH_SECRET_ACME_CORP_JWT_SECRET" in finding.fix


def test_a_missing_key_is_written_from_the_secret_that_was_given() -> None:
    found = env_plan(without("JWT_SECRET"), JWT_SECRET="given")

    assert (found.values["JWT_SECRET"], found.findings) == ("given", ())


def test_a_key_that_nobody_declared_is_nobodys_business() -> None:
    found = env_plan({**ON_RENDER, "THEIRS": "1"}, write_all=True)

    assert "THEIRS" not in {*found.values, *(one.key for one in found.drift)}


def test_the_plan_holds_fingerprints_and_never_a_value(fleet: Fleet) -> None:
    env = with_fingerprints(
        env_plan(without("LOG_LEVEL")), facts(env=without("LOG_LEVEL")), lambda value: f"<{len(value)}>"
    )

    changes = {one.key: (one.before, one.after) for one in env.changes}
    text = repr(make(fleet, env=env))
    assert changes == {"VERSION_TAG": ("<6>", "<6>"), "LOG_LEVEL": (None, "<4>")}
    assert "s3cret" not in text + repr(env)
    assert "postgresql" not in text


# --- the hash ---------------------------------------------------------------------------------------------------------


def test_the_same_input_gives_the_same_plan(fleet: Fleet) -> None:
    assert make(fleet) == make(load_fleet(EXAMPLE))
    assert len(make(fleet).hash) == 64


def test_the_hash_holds_what_is_replaced(fleet: Fleet) -> None:
    plan = make(fleet)

    assert make(fleet, facts={"live": LiveDeploy("dep-9", COMMIT)}).hash != plan.hash
    assert make(fleet, facts={"live": None}).hash != plan.hash


def test_the_hash_holds_the_migrations_and_is_as_before_without_any(fleet: Fleet) -> None:
    plan = make(fleet)
    document = asdict(plan)
    for key in ("hash", "notes"):
        document.pop(key)
    (customer,) = document["customers"]
    customer.pop("database")
    for service in customer["services"]:
        service.pop("drift")
        service["env_changes"] = [change["key"] for change in service["env_changes"]]
    database = DatabasePlan("dpg-1", (MigrationPlan("v1.1.0/001.sql", "c" * 64),))
    other = replace(plan, customers=(replace(plan.customers[0], database=database),))

    assert plan.hash == digest(document)
    assert hash_of(other) != plan.hash


def test_the_hash_leaves_out_notes_drift_and_fingerprints(fleet: Fleet) -> None:
    plan = make(fleet)

    assert make(fleet, notes=("ahead of the release calendar",)).hash == plan.hash
    assert make(fleet, env=with_fingerprints(env_plan(), facts(), lambda value: value[::-1])).hash == plan.hash
    assert make(fleet, env=env_plan({**ON_RENDER, "LOG_LEVEL": "debug"})).hash == plan.hash


@pytest.mark.parametrize(
    "changes",
    [
        {"commit": OLD_COMMIT},
        {"version": "v1.1.1"},
        {"kind": RunKind.ENV},
        {"redeploy": True},
        {"timeout_seconds": 900.0},
        {"facts": {"service_id": "srv-other"}},
        {"facts": {"url": "http://other.test"}},
        {"env": env_plan(without("LOG_LEVEL"))},
        {"slug": "medhealth"},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_the_hash_changes_with_what_is_done_where_and_under_which_rules(fleet: Fleet, changes: dict[str, Any]) -> None:
    assert make(fleet, **changes).hash != make(fleet).hash


def test_the_hash_covers_the_rules_that_were_frozen_into_the_plan(fleet: Fleet) -> None:
    plan = make(fleet)
    part = plan.customers[0]
    slower = replace(part, rules=replace(part.rules, settle_seconds=part.rules.settle_seconds + 1))
    ungated = replace(part, gates=replace(part.gates, needs_approval=not part.gates.needs_approval))

    hashes = {hash_of(replace(plan, customers=(one,))) for one in (part, slower, ungated)}

    assert len(hashes) == 3
    assert hash_of(plan) == plan.hash


# --- rules and gates --------------------------------------------------------------------------------------------------


def test_an_enterprise_customer_waits_for_its_window_and_an_approval(fleet: Fleet) -> None:
    gates = make(fleet, "financefirst").customers[0].gates

    assert gates.needs_approval
    assert gates.window is not None


def test_a_demo_customer_is_bound_by_no_gate(fleet: Fleet) -> None:
    gates = make(fleet, "demo").customers[0].gates

    assert (gates.needs_approval, gates.window) == (False, None)


@pytest.mark.parametrize("kind", [RunKind.ROLLBACK, RunKind.ENV])
def test_rollbacks_and_env_vars_pass_window_and_approval(fleet: Fleet, kind: RunKind) -> None:
    gates = make(fleet, "financefirst", kind=kind).customers[0].gates

    assert (gates.needs_approval, gates.window) == (False, None)


@pytest.mark.parametrize(
    ("freeze", "concerns"),
    [
        (Freeze("all", NOW, LATER), True),
        (Freeze("policy", NOW, LATER, policies=("standard",)), True),
        (Freeze("slug", NOW, LATER, customers=("acme-corp",)), True),
        (Freeze("others", NOW, LATER, policies=("enterprise",), customers=("demo",)), False),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_plan_holds_the_freezes_that_concern_the_customer(fleet: Fleet, freeze: Freeze, concerns: bool) -> None:
    found = make(frozen(fleet, freeze)).customers[0].gates.freezes

    assert found == ((FreezeSpec(freeze.name, NOW, LATER),) if concerns else ())


@pytest.mark.parametrize(("kind", "binds"), [(RunKind.DEPLOY, True), (RunKind.ENV, True), (RunKind.ROLLBACK, False)])
def test_a_freeze_binds_all_but_rollbacks(fleet: Fleet, kind: RunKind, binds: bool) -> None:
    gates = make(frozen(fleet, Freeze("all", NOW, LATER)), kind=kind).customers[0].gates

    assert bool(gates.freezes) is binds


def test_the_time_out_asked_for_wins_over_the_policys(fleet: Fleet) -> None:
    assert make(fleet).customers[0].rules.deploy_timeout_seconds == 600.0
    assert make(fleet, timeout_seconds=900.0).customers[0].rules.deploy_timeout_seconds == 900.0


def test_the_backend_stands_before_the_frontend_whatever_the_order_asked_for(fleet: Fleet) -> None:
    customer = fleet.find_customer("acme-corp")

    both = expected_services(fleet, customer, (FRONTEND, BACKEND))
    one = expected_services(fleet, customer, (FRONTEND,))

    assert [each.kind for each in both] == [BACKEND, FRONTEND]
    assert [each.kind for each in one] == [FRONTEND]
    assert both[0].name == "securewatch-acme-corp-backend"
