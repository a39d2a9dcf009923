"""The commands that customers have in their runbooks, as written there, through the scripts of the same names."""

import re
from pathlib import Path

from tests.acceptance.given import Place, Ran, wait_until

SCRIPT = "render-deploy.sh"
BACKEND = "srv-acme-backend-abc123"
FRONTEND = "srv-acme-frontend-def456"
DEPLOY = ("deploy-customer", "--version", "v1.1.0", "--customer", "acme-corp")
EXPECTED_WRITES = [
    f"PUT /v1/services/{BACKEND}/env-vars/VERSION_TAG",
    f"PUT /v1/services/{FRONTEND}/env-vars/VITE_VERSION_TAG",
    f"POST /v1/services/{BACKEND}/deploys",
    f"POST /v1/services/{FRONTEND}/deploys",
]


def script(place: Place, *words: str, **env: str) -> Ran:
    """One command through the script of the runbooks."""
    return place.run(*words, script=SCRIPT, **env)


def live_tags(place: Place) -> tuple[str, str]:
    """What both services' env vars say that they run."""
    backend, frontend = place.platform.service(BACKEND), place.platform.service(FRONTEND)
    return backend["env"]["VERSION_TAG"], frontend["env"]["VITE_VERSION_TAG"]


# --- customer deployment ----------------------------------------------------------------------------------------------


def test_deploy_customer_brings_both_services_to_the_version_and_proves_it(place: Place) -> None:
    ran = script(place, *DEPLOY).ended(0)

    assert place.platform.writes() == EXPECTED_WRITES
    assert live_tags(place) == ("v1.1.0", "v1.1.0")
    assert "v1.0.0 → v1.1.0" in ran.out
    assert "✔ live  acme-corp  v1.1.0 is verified" in ran.out
    assert re.search(r"median \d+ ms → \d+ ms, p95 \d+ ms → \d+ ms", ran.out)
    assert "reports 1.1.0" in ran.out
    assert "the watch stops here: `securewatch serve` or `--until watched`" in ran.err


def test_deploy_customer_with_a_service_type_touches_only_that_service_and_is_shown_as_split(place: Place) -> None:
    ran = script(place, *DEPLOY, "--service-type", "backend").ended(0)

    assert place.platform.writes() == [line for line in EXPECTED_WRITES if BACKEND in line]
    assert "split: only the backend was asked for" in ran.out
    health = script(place, "check-health", "--customer", "acme-corp").ended(0)
    assert "acme-corp is split: backend v1.1.0, frontend v1.0.0" in health.out
    script(place, *DEPLOY).ended(0)
    assert live_tags(place) == ("v1.1.0", "v1.1.0")


def test_deploy_customer_with_dry_run_shows_the_plan_and_writes_nothing_anywhere(place: Place) -> None:
    before = place.traces()

    ran = script(place, *DEPLOY, "--dry-run").ended(0)

    assert place.traces() == before
    assert not place.state.exists()
    assert "v1.0.0 → v1.1.0" in ran.out
    assert "VERSION_TAG (changed)" in ran.out
    assert "rolls back   3 failures in a row, over 5000 ms, over 5% errors" in ran.out
    assert ran.out.endswith("dry run: nothing was written anywhere\n")


# --- health monitoring ------------------------------------------------------------------------------------------------


def test_check_health_tells_health_version_and_database_and_fails_for_a_sick_service(place: Place) -> None:
    before = place.traces()
    well = script(place, "check-health", "--customer", "acme-corp").ended(0)
    place.platform.misbehave(BACKEND, status=500)
    sick = script(place, "check-health", "--customer", "acme-corp").ended(1)

    assert "acme-corp (ACME Corporation): healthy" in well.out
    assert re.search(r"backend +✔ healthy +1\.0\.0 +v1\.0\.0 +ok", well.out)
    assert "acme-corp (ACME Corporation): UNHEALTHY" in sick.out
    assert "500" in sick.out
    assert place.traces() == before


def test_list_deployments_shows_what_render_knows_with_tags(place: Place) -> None:
    ran = script(place, "list-deployments", "--customer", "acme-corp").ended(0)
    data = script(place, "list-deployments", "--customer", "acme-corp", "-o", "json").ended(0).data

    assert re.search(r"backend +dep-\w+ +live +v1\.0\.0", ran.out)
    assert [(one["kind"], one["status"], one["tag"]) for one in data] == [
        ("backend", "live", "v1.0.0"),
        ("frontend", "live", "v1.0.0"),
    ]
    assert place.platform.writes() == []


# --- rollback operations ----------------------------------------------------------------------------------------------


def test_rollback_customer_goes_back_to_the_recorded_pair_and_says_so_the_second_time(place: Place) -> None:
    before = {one: place.platform.service(one) for one in (BACKEND, FRONTEND)}
    script(place, *DEPLOY).ended(0)

    dry = script(place, "rollback-customer", "--customer", "acme-corp", "--dry-run").ended(0)
    dry_writes = place.platform.writes()
    ran = script(place, "rollback-customer", "--customer", "acme-corp").ended(0)
    writes = place.platform.writes()
    again = script(place, "rollback-customer", "--customer", "acme-corp", "--force").ended(0)

    assert dry_writes == EXPECTED_WRITES
    assert "acme-corp goes back: backend to dep-" in dry.out
    assert dry.out.endswith("dry run: nothing was written anywhere\n")
    assert "v1.1.0 was taken back to v1.0.0 (customer request)" in ran.out
    for service_id, was in before.items():
        now = place.platform.service(service_id)
        assert (now["live_commit"], now["env"], now["live_env"]) == (was["live_commit"], was["env"], was["live_env"])
    assert "is at its last good deploy already" in again.out
    assert place.platform.writes() == writes
    script(place, "check-health", "--customer", "acme-corp").ended(0)


def test_an_emergency_rollback_with_force_needs_no_answer(place: Place) -> None:
    script(place, *DEPLOY).ended(0)

    ran = script(place, "rollback-customer", "--customer", "acme-corp", "--force").ended(0)

    assert "↩ rolled back  acme-corp" in ran.out
    assert live_tags(place) == ("v1.0.0", "v1.0.0")


def test_a_customer_without_a_recorded_deploy_is_told_what_it_may_go_back_to(place: Place) -> None:
    place.platform.admin("POST", f"/services/{BACKEND}/deploys", {"ref": "v1.0.1"})
    script(place, "why", "--customer", "acme-corp").ended(2)
    ran = place.refuses(9, "SW602", "rollback-customer", "--customer", "acme-corp", script=SCRIPT)

    assert "--to DEPLOY" in ran.err


def test_a_rollback_to_a_named_deploy_goes_there_once(place: Place) -> None:
    old = place.platform.service(BACKEND)["live_deploy"]
    place.platform.admin("POST", f"/services/{BACKEND}/deploys", {"ref": "v1.0.1"})
    wait_until(lambda: bool(place.platform.service(BACKEND)["effective"] == 2))
    words = ("rollback-customer", "--customer", "acme-corp", "--to")

    live = script(place, *words, place.platform.service(BACKEND)["live_deploy"]).ended(0)
    place.refuses(2, "SW206", *words, "dep-nonsense", script=SCRIPT)
    dry = script(place, *words, old, "--dry-run").ended(0)
    before = place.platform.writes()
    script(place, *words, old).ended(0)
    again = script(place, *words, old).ended(0)

    assert "already" in live.out
    assert f"backend to {old}" in dry.out
    assert before == []
    assert "already" in again.out
    assert place.platform.writes() == [f"POST /v1/services/{BACKEND}/rollback"]
    assert place.platform.service(BACKEND)["env"]["VERSION_TAG"] == "v1.0.0"


# --- environment management -------------------------------------------------------------------------------------------


def test_update_env_vars_writes_the_version_and_deploys_nothing(place: Place) -> None:
    words = ("update-env-vars", "--version", "v1.1.0", "--customer", "acme-corp")
    before = {one: place.platform.service(one) for one in (BACKEND, FRONTEND)}

    ran = script(place, *words).ended(0)
    again = script(place, *words).ended(0)

    assert place.platform.writes() == EXPECTED_WRITES[:2]
    assert place.platform.service(BACKEND)["env"] == {**before[BACKEND]["env"], "VERSION_TAG": "v1.1.0"}
    assert place.platform.service(FRONTEND)["env"] == {**before[FRONTEND]["env"], "VITE_VERSION_TAG": "v1.1.0"}
    assert "env vars for v1.1.0: written" in ran.out
    assert "nothing to write" in again.out


def test_full_restoration_puts_env_vars_right_where_the_version_never_left(place: Place) -> None:
    script(place, "update-env-vars", "--version", "v1.1.0", "--customer", "acme-corp").ended(0)
    before = len(place.platform.writes())

    ran = script(place, "deploy-customer", "--version", "v1.0.0", "--customer", "acme-corp", "--force").ended(0)

    assert live_tags(place) == ("v1.0.0", "v1.0.0")
    assert "the version runs already" in ran.out
    assert [line.split()[0] for line in place.platform.writes()[before:]] == ["PUT", "PUT"]


def test_update_env_vars_all_writes_what_drifted_too(place: Place) -> None:
    place.platform.admin("PUT", f"/services/{BACKEND}/env-vars/NODE_ENV", {"value": "staging"})
    words = ("update-env-vars", "--version", "v1.0.0", "--customer", "acme-corp")

    shown = script(place, *words).ended(0)
    kept = place.platform.service(BACKEND)["env"]["NODE_ENV"]
    script(place, *words, "--all").ended(0)

    assert re.search(r"drift +NODE_ENV", shown.out)
    assert "what drifted stays (--all writes it)" in shown.out
    assert kept == "staging"
    assert place.platform.service(BACKEND)["env"]["NODE_ENV"] == "production"


# --- versions ---------------------------------------------------------------------------------------------------------


def test_the_versions_are_listed_validated_and_asked_about(place: Place) -> None:
    listed = place.run("list-versions", script="tag-based-deploy.sh").ended(0)
    valid = place.run("validate", "--version", "v1.1.0", script="tag-based-deploy.sh").ended(0)
    allowed = place.run("check-policy", "--version", "v1.1.0", script="tag-based-deploy.sh").ended(0)

    tags = [line.split()[0] for line in listed.out.splitlines()[1:]]
    assert tags == ["v1.3.0-rc.1", "v1.2.0", "v1.1.0", "v1.0.1", "v1.0.0"]
    assert "v1.1.0 is valid: an annotated tag at " in valid.out
    assert "acme-corp" in allowed.out
    assert not place.state.exists()


def test_a_policy_is_asked_about_for_its_customers_alone(place: Place) -> None:
    asked = place.run(
        "check-policy", "--version", "v1.1.0", "--policy", "enterprise", script="tag-based-deploy.sh"
    ).ended(0)
    unknown = place.run("check-policy", "--version", "v1.1.0", "--policy", "gold", script="tag-based-deploy.sh").ended(
        2
    )
    place.run("version", "validate", "v1.1.0").ended(0)

    assert {line.split()[0] for line in asked.out.splitlines()[1:]} == {"medhealth", "financefirst"}
    assert "give demo, startup, standard, enterprise" in unknown.err


# --- the key, and where one stands ------------------------------------------------------------------------------------


def test_the_key_may_stand_before_or_after_the_subcommand_and_alone_it_is_checked(place: Place) -> None:
    key = place.platform.env["RENDER_API_KEY"]
    without = {"RENDER_API_KEY": ""}

    before = script(place, "--api-key", key, *DEPLOY, "--dry-run", **without).ended(0)
    after = script(place, *DEPLOY, "--dry-run", f"--api-key={key}", **without).ended(0)
    alone = script(place, "--api-key", key, **without).ended(0)

    assert before.out == after.out
    assert "Render accepts the key" in alone.out
    for ran in (before, after, alone):
        assert "a key on the command line shows in `ps`" in ran.err
        assert key not in ran.out + ran.err


def test_the_scripts_work_from_another_folder_and_from_below_the_project(place: Place, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (place.folder / "deep" / "down").mkdir(parents=True)
    away = Place(
        tmp_path / "elsewhere", place.platform, {**place.platform.env, "SECUREWATCH_CONFIG_DIR": str(place.config)}
    )
    below = Place(place.folder / "deep" / "down", place.platform, {"SECUREWATCH_ACTOR": "robin"})

    script(away, *DEPLOY, "--detach").ended(0)
    ran = script(below, "why", "--customer", "acme-corp", "-o", "json").ended(0)

    assert list(away.folder.iterdir()) == []
    assert (place.state / "state.db").is_file()
    assert ran.data["version"] == "v1.1.0"
