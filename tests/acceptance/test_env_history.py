"""Env vars as they were: listed, compared and put back, and no value of them is ever shown."""

import signal
from pathlib import Path

from tests.acceptance.given import RUN_SECONDS, Place, Ran, wait_until

BACKEND = "srv-acme-backend-abc123"
FRONTEND = "srv-acme-frontend-def456"
CUSTOMER = ("--customer", "acme-corp")
CANARY = "canary-in-an-env-var-of-the-history"
OTHER_CANARY = "canary-in-another-value-of-it"


def env_of(place: Place, service_id: str = BACKEND) -> dict[str, str]:
    """What Render has now."""
    found: dict[str, str] = place.platform.service(service_id)["env"]
    return found


def change(place: Place, key: str, value: str) -> None:
    """Somebody changes an env var in Render's dashboard."""
    place.platform.admin("PUT", f"/services/{BACKEND}/env-vars/{key}", {"value": value})


def history(place: Place, *words: str) -> list[dict[str, object]]:
    """The entries, newest first."""
    found: list[dict[str, object]] = place.run("env", "history", *CUSTOMER, *words, "-o", "json").ended(0).data
    return found


def newest(place: Place, seen: str) -> str:
    """The number of the backend's newest entry that was seen at that time."""
    entries = history(place, "--service-type", "backend")
    return str(next(one["number"] for one in entries if one["seen"] == seen))


def writes_since(place: Place, before: list[str]) -> list[str]:
    """What was written to the platform since then, in order."""
    return place.platform.writes()[len(before) :]


def test_each_run_leaves_what_it_saw_before_and_after_it_wrote_and_the_changed_keys_are_named(place: Place) -> None:
    place.deploy("acme-corp").ended(0)
    change(place, "STRIPE_SECRET_KEY", CANARY)
    place.deploy("acme-corp", "v1.0.1", "--force", "--reason", "test", SECUREWATCH_ACTOR="dana").ended(0)
    place.run("rollback-customer", *CUSTOMER).ended(0)

    entries = history(place, "--service-type", "backend")
    shown = place.run("env", "history", *CUSTOMER).ended(0)

    assert [(one["run_id"], one["actor"], one["seen"]) for one in entries] == [
        ("acme-corp-2", "dana", "restored"),
        ("acme-corp-2", "dana", "wrote"),
        ("acme-corp-2", "dana", "backup"),
        ("acme-corp-1", "robin", "wrote"),
        ("acme-corp-1", "robin", "backup"),
    ]
    tag = "VERSION_TAG"
    assert [one["changed"] for one in entries] == [[tag], [tag], ["STRIPE_SECRET_KEY"], entries[3]["changed"], None]
    assert tag in str(entries[3]["changed"])
    assert "written by acme-corp-1" in shown.out
    assert "frontend" in shown.out


def test_a_difference_shows_names_and_fingerprints_and_equal_values_have_equal_ones(place: Place) -> None:
    place.deploy("acme-corp").ended(0)
    change(place, "STRIPE_SECRET_KEY", CANARY)
    change(place, "NEW_KEY", CANARY)
    place.platform.admin("DELETE", f"/services/{BACKEND}/env-vars/JWT_SECRET")

    (found,) = place.run("env", "diff", *CUSTOMER, "--service-type", "backend", "-o", "json").ended(0).data
    text = place.run("env", "diff", *CUSTOMER).ended(0).out

    keys = {one["key"]: one for one in found["keys"]}
    assert sorted(keys) == ["JWT_SECRET", "NEW_KEY", "STRIPE_SECRET_KEY"]
    assert (keys["NEW_KEY"]["before"], keys["JWT_SECRET"]["after"]) == (None, None)
    assert keys["NEW_KEY"]["after"] == keys["STRIPE_SECRET_KEY"]["after"]
    assert keys["STRIPE_SECRET_KEY"]["before"] not in (None, keys["NEW_KEY"]["after"])
    for line in ("added", "removed", "changed", "3 keys changed", "nothing changed"):
        assert line in text


def test_keys_are_put_back_one_by_one_without_a_deploy_and_a_second_time_writes_nothing(place: Place) -> None:
    place.deploy("acme-corp").ended(0)
    good, number = env_of(place), newest(place, "wrote")
    change(place, "STRIPE_SECRET_KEY", "wrong")
    change(place, "JWT_SECRET", "wrong")
    change(place, "CAME_LATER", "stays")
    before = place.platform.writes()

    dry = place.run("env", "restore", *CUSTOMER, number, "--dry-run").ended(0)
    assert writes_since(place, before) == []
    ran = place.run("env", "restore", *CUSTOMER, "--service-type", "backend", number, "--yes").ended(0)
    written = writes_since(place, before)
    again = place.run("env", "restore", *CUSTOMER, number, "--yes").ended(0)

    keys = ("JWT_SECRET", "STRIPE_SECRET_KEY")
    assert written == [f"PUT /v1/services/{BACKEND}/env-vars/{key}" for key in keys]
    assert env_of(place) == good | {"CAME_LATER": "stays"}
    assert all(f"{key} (changed)" in dry.out for key in keys)
    assert "came later, and stay as they are: CAME_LATER" in dry.out
    assert "takes effect with the next deploy" in ran.err
    assert "nothing to write" in again.out
    assert writes_since(place, before) == written
    entries = place.run("audit", "list", *CUSTOMER, "--run", "acme-corp-2", "-o", "json").ended(0).data
    confirmed = [one["detail"]["key"] for one in entries if one["action"] == "effect.confirmed"]
    assert confirmed == ["backup:backend", *(f"env:backend:{key}" for key in keys)]
    assert [one["run_id"] for one in history(place, "--service-type", "backend")[:2]] == ["acme-corp-2"] * 2


def test_only_the_named_keys_are_put_back(place: Place) -> None:
    place.deploy("acme-corp").ended(0)
    good, number = env_of(place), newest(place, "wrote")
    change(place, "STRIPE_SECRET_KEY", "wrong")
    change(place, "JWT_SECRET", "wrong")

    place.run("env", "restore", *CUSTOMER, number, "--keys", "JWT_SECRET", "--yes").ended(0)

    assert env_of(place) == good | {"STRIPE_SECRET_KEY": "wrong"}
    place.refuses(2, "SW206", "env", "restore", *CUSTOMER, number, "--keys", "NO_SUCH", "--yes")
    place.refuses(2, "SW201", "env", "restore", *CUSTOMER, number, "--keys", "A,,B", "--yes")
    place.refuses(2, "SW206", "env", "restore", *CUSTOMER, number, "--service-type", "frontend", "--yes")
    place.refuses(2, "SW206", "env", "restore", "--customer", "financefirst", number, "--yes")


def test_the_url_of_the_database_and_keys_of_renders_own_are_never_put_back(place: Place) -> None:
    change(place, "RENDER_REGION", "oregon")
    place.deploy("acme-corp").ended(0)
    number = newest(place, "wrote")
    change(place, "RENDER_REGION", "elsewhere")
    place.run("env", "restore", *CUSTOMER, number, "--yes").ended(0)
    assert env_of(place)["RENDER_REGION"] == "elsewhere"
    place.refuses(1, "SW215", "env", "restore", *CUSTOMER, number, "--keys", "RENDER_REGION", "--yes")
    change(place, "DATABASE_URL", f"postgresql://acme:{CANARY}@127.0.0.1:9/other")
    change(place, "JWT_SECRET", "wrong")

    ran = place.refuses(1, "SW215", "env", "restore", *CUSTOMER, number, "--yes", "--force")
    place.refuses(1, "SW215", "env", "restore", *CUSTOMER, number, "--keys", "DATABASE_URL,JWT_SECRET", "--yes")

    assert "--keys JWT_SECRET" in ran.err
    assert CANARY not in ran.err
    place.run("env", "restore", *CUSTOMER, number, "--keys", "JWT_SECRET", "--yes").ended(0)
    assert CANARY in env_of(place)["DATABASE_URL"]


def test_off_a_terminal_it_needs_a_yes_and_beside_an_unfinished_run_it_is_a_conflict(place: Place) -> None:
    place.deploy("acme-corp").ended(0)
    change(place, "JWT_SECRET", "wrong")
    number = newest(place, "wrote")

    place.refuses(2, "SW207", "env", "restore", *CUSTOMER, number)
    place.deploy("acme-corp", "v1.0.1", "--detach", "--force", "--reason", "test").ended(0)
    place.refuses(7, "SW410", "env", "restore", *CUSTOMER, number, "--yes")

    assert env_of(place)["JWT_SECRET"] == "wrong"


def test_killed_while_it_writes_the_same_command_goes_on_and_no_other_restore_takes_its_place(place: Place) -> None:
    place.deploy("acme-corp").ended(0)
    good, number, older = env_of(place), newest(place, "wrote"), newest(place, "backup")
    change(place, "JWT_SECRET", "wrong")
    change(place, "STRIPE_SECRET_KEY", "wrong")
    restore = ("env", "restore", *CUSTOMER, number, "--yes")
    process = place.start(*restore)
    wait_until(lambda: env_of(place)["JWT_SECRET"] == good["JWT_SECRET"] or process.poll() is not None)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=RUN_SECONDS)

    if place.run("why", *CUSTOMER, "-o", "json").ended(0).data["finished_at"] is None:
        place.refuses(7, "SW410", "env", "restore", *CUSTOMER, older, "--yes")
    place.run(*restore).ended(0)

    assert env_of(place) == good


def test_no_value_is_shown_or_readable_in_a_file(place: Place) -> None:
    change(place, "STRIPE_SECRET_KEY", CANARY)
    ran: list[Ran] = [place.deploy("acme-corp").ended(0)]
    number = newest(place, "wrote")
    change(place, "STRIPE_SECRET_KEY", OTHER_CANARY)
    for words in (
        ("env", "history", *CUSTOMER),
        ("env", "diff", *CUSTOMER),
        ("env", "diff", *CUSTOMER, newest(place, "backup"), number),
        ("env", "restore", *CUSTOMER, number, "--dry-run"),
        ("env", "restore", *CUSTOMER, number, "--yes"),
        ("audit", "list", "--limit", "1000"),
        ("customer", "history", "acme-corp"),
        ("why", *CUSTOMER),
    ):
        ran.append(place.run(*words).ended(0))
        ran.append(place.run(*words, "-o", "json").ended(0))

    printed = "".join(one.out + one.err for one in ran)
    kept = b"".join(path.read_bytes() for path in files_of(place.state))
    assert env_of(place)["STRIPE_SECRET_KEY"] == CANARY
    assert "STRIPE_SECRET_KEY" in printed
    assert not [one for one in (CANARY, OTHER_CANARY) if one in printed or one.encode() in kept]


def files_of(folder: Path) -> list[Path]:
    """Every file in the folder; there are some."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    assert found
    return found
