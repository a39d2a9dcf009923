"""What `doctor` and `config check` say of an installation: each finding under its own name, with its own mark."""

import subprocess
from pathlib import Path

from tests.acceptance.given import Place, Ran

DEPLOY = ("deploy-customer", "--version", "v1.1.0", "--customer", "acme-corp")


def marks(ran: Ran) -> dict[str, str]:
    """The mark of each finding by its name."""
    return {line[2:16].strip(): line[0] for line in ran.out.splitlines()}


def test_a_sound_installation_has_a_check_mark_everywhere(place: Place) -> None:
    found = marks(place.run("doctor").ended(0))

    assert set(found) == {"configuration", "Render", "repository", "state", "audit log", "controller", "notices"}
    assert set(found.values()) == {"✔"}


def test_a_damaged_database_is_a_finding_about_the_state_and_not_about_render(place: Place) -> None:
    place.state.mkdir()
    (place.state / "state.db").write_bytes(b"this is no database" * 500)

    found = marks(place.run("doctor").ended(1))

    assert (found["Render"], found["state"]) == ("!", "✖")


def test_the_state_of_another_render_is_found_without_a_deploy(place: Place) -> None:
    place.run(*DEPLOY, "--detach").ended(0)
    other = place.platform.env["RENDER_HOST"].replace("127.0.0.1", "localhost")

    ran = place.run("doctor", RENDER_HOST=other).ended(7)

    assert marks(ran)["state"] == "✖"
    assert "SW414" in ran.out


def test_a_pause_and_a_repository_without_tags_have_no_check_mark(place: Place, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path / "empty")], check=True)
    place.run("pause", "--all").ended(0)

    ran = place.run("doctor", SECUREWATCH_REPO=str(tmp_path / "empty")).ended(0)

    assert (marks(ran)["state"], marks(ran)["repository"]) == ("!", "!")


def test_a_mistyped_variable_is_warned_of_with_the_nearest_one(place: Place) -> None:
    checked = place.run("config", "check", SECUREWATCH_ACTR="ann").ended(0)
    examined = place.run("doctor", SECUREWATCH_ACTR="ann").ended(0)

    assert "SECUREWATCH_ACTR: nothing reads this variable; did you mean SECUREWATCH_ACTOR?" in checked.out
    assert marks(examined)["configuration"] == "!"
    assert "SECUREWATCH_ACTR" in examined.out


def test_config_show_names_the_variable_of_each_setting(place: Place) -> None:
    out = place.run("config", "show").ended(0).out

    assert ".env (RENDER_HOST)" in out
    assert "default (SECUREWATCH_GRACE)" in out


def test_an_unknown_customer_or_run_of_the_audit_log_is_an_error(place: Place) -> None:
    place.run(*DEPLOY, "--detach").ended(0)

    customer = place.refuses(2, "SW202", "audit", "list", "--customer", "acme-crop")
    place.refuses(2, "SW206", "audit", "list", "--run", "nope")

    assert "acme-corp" in customer.err
    assert place.run("audit", "list", "--customer", "ACME Corporation").ended(0).out.count("acme-corp-1") > 0


def test_an_empty_config_folder_name_is_refused(place: Place) -> None:
    place.refuses(2, "SW201", "config", "check", "--config", "")
