"""Secrets that are planted everywhere turn up nowhere: not in a file of the state, not in what is printed."""

import base64
import json
import stat
from pathlib import Path
from typing import Any

from tests.acceptance.given import Place, Ran, wait_until

BACKEND = "srv-acme-backend-abc123"
FRONTEND = "srv-acme-frontend-def456"
CUSTOMER = ("--customer", "acme-corp")
KEY = "rnd_CanaryInTheApiKey0000000000"
IN_RENDER = "canary-in-an-env-var-at-render"
IN_DATABASE = "canary-in-the-database-password"
IN_CONFIG = "canary-in-the-configured-database-url"
IN_SECRET = "canary-in-a-customer-secret"
IN_REPO = "canary-in-the-repository-url"
IN_CHAT = "canary-in-the-url-of-a-chat"
IN_MAIL = "canary-in-the-password-of-a-mail-account"
CANARIES = (KEY, IN_RENDER, IN_DATABASE, IN_CONFIG, IN_SECRET, IN_REPO, IN_CHAT, IN_MAIL)
SECRETS = {"RENDER_API_KEY": KEY, "SECUREWATCH_SECRET_ACME_CORP_JWT_SECRET": IN_SECRET}
CHANNELS = {
    "SECUREWATCH_NOTIFY_TEAM": f"json://bot:{IN_CHAT}@127.0.0.1:9/{IN_CHAT},nonsense://{IN_CHAT}",
    "SECUREWATCH_NOTIFY_EMAIL": f"mailto://releases:{IN_MAIL}@127.0.0.1:9",
}


def plant(place: Place) -> None:
    """Put a secret wherever the product may meet one; the JWT secret is missing, so it writes ours."""
    place.platform.admin("POST", "/keys", {"key": KEY})
    for key, value in (
        ("STRIPE_SECRET_KEY", IN_RENDER),
        ("DATABASE_URL", f"postgresql://acme:{IN_DATABASE}@127.0.0.1:9/acme"),
    ):
        place.platform.admin("PUT", f"/services/{BACKEND}/env-vars/{key}", {"value": value})
    place.platform.admin("DELETE", f"/services/{BACKEND}/env-vars/JWT_SECRET")
    url = f"postgresql://acme:{IN_CONFIG}@127.0.0.1:9/acme"

    def in_render_file(document: dict[str, Any]) -> None:
        document["customer_environment_mapping"]["acme-corp"]["database_url"] = url

    def in_customers_file(document: dict[str, Any]) -> None:
        next(one for one in document["customers"] if one["slug"] == "acme-corp")["database_url"] = url

    place.edit("render-deployment.json", in_render_file)
    place.edit("customers.json", in_customers_file)


def tell_by_channels(place: Place) -> None:
    """Let notices leave the machine, as far as they get."""
    lines = (place.folder / ".env").read_text().splitlines()
    kept = [line for line in lines if not line.startswith("SECUREWATCH_MAIL_FOLDER")]
    (place.folder / ".env").write_text("\n".join(kept) + "\n")


def spellings(secret: str) -> tuple[bytes, ...]:
    """The secret as it may stand in a file: plain, in base64 at any offset, in hex."""
    plain = secret.encode()
    shifted = (base64.b64encode(b"x" * shift + plain)[8:-4] for shift in range(3))
    return plain, plain.hex().encode(), *shifted


def found_in(name: str, content: bytes) -> list[str]:
    """Where a planted secret stands in it."""
    return [f"{secret} in {name}" for secret in CANARIES for one in spellings(secret) if one in content]


def found_in_files(folder: Path) -> list[str]:
    """Every planted secret in every file of the state."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [hit for path in files for hit in found_in(path.name, path.read_bytes())]


def test_no_secret_is_kept_or_shown_whatever_happens(place: Place) -> None:
    plant(place)
    assert all(found_in("", one) for secret in CANARIES for one in spellings(secret)), "the search itself works"
    ran: list[Ran] = []
    hits: list[str] = []

    def run(*words: str, **env: str) -> Ran:
        found = place.run(*words, **(SECRETS | env))
        ran.append(found)
        hits.extend(found_in_files(place.state) if place.state.exists() else [])
        return found

    run("deploy-customer", "--version", "v1.1.0", *CUSTOMER, "--dry-run").ended(0)
    place.platform.admin("POST", f"/services/{BACKEND}/scripts", {"seconds": 120})
    with place.running("deploy-customer", "--version", "v1.1.0", *CUSTOMER, **SECRETS) as process:
        wait_until(lambda: bool(place.platform.service(BACKEND)["running_deploy"]), seconds=60)
        assert (place.state / "state.db-wal").is_file(), "the log of the database is what is to be looked at"
        hits += found_in_files(place.state)
        out, err = process.communicate(timeout=60)
    ran.append(Ran(("deploy",), process.returncode, out, err).ended(0))
    run("deploy-customer", "--version", "v1.2.0", *CUSTOMER, "-o", "json").ended(6)
    place.platform.admin("POST", f"/services/{BACKEND}/scripts", {"ends": "build_failed"})
    run("deploy-customer", "--version", "v1.0.1", *CUSTOMER, "--force").ended(1)
    run("rollback-customer", *CUSTOMER).ended(0)
    run("update-env-vars", "--version", "v1.1.0", *CUSTOMER, "--all", "-o", "json").ended(0)
    run("update-env-vars", "--version", "v1.1.0", *CUSTOMER, "--all", "--dry-run", "-o", "json").ended(0)
    words: tuple[str, ...]
    for words in (("config", "show"), ("audit", "list", "--limit", "1000"), ("why", *CUSTOMER)):
        run(*words).ended(0)
        run(*words, "-o", "json").ended(0)
    for words in (
        ("config", "check"),
        ("customer", "show", "acme-corp", "-o", "json"),
        ("customer", "history", "acme-corp", "-o", "json"),
        ("check-health", *CUSTOMER, "-o", "json"),
        ("list-deployments", *CUSTOMER, "-o", "json"),
        ("doctor",),
    ):
        run(*words).ended(0)
    run("--api-key", KEY).ended(0)
    place.platform.admin("DELETE", f"/keys/{KEY}")
    run("deploy-customer", "--version", "v1.1.0", *CUSTOMER).ended(4)
    away = {"RENDER_HOST": "http://127.0.0.1:9/v1"}
    run("deploy-customer", "--version", "v1.1.0", *CUSTOMER, **away).ended(7)
    fresh = {"SECUREWATCH_DATABASE_URL": f"sqlite+aiosqlite:///{place.folder}/fresh/state.db"}
    run("deploy-customer", "--version", "v1.1.0", *CUSTOMER, **away, **fresh).ended(1)
    tell_by_channels(place)
    run("send-notifications", "--version", "v1.1.0", "--phase", "startup", **CHANNELS).ended(8)
    for words in (("notice", "list"), ("doctor",), ("config", "show"), ("audit", "list")):
        run(*words, "-o", "json", **CHANNELS)
    run("list-versions", SECUREWATCH_REPO=f"http://vendor:{IN_REPO}@127.0.0.1:9/vendor.git").ended(1)
    elsewhere = {"SECUREWATCH_DATABASE_URL": f"postgresql://sw:{IN_DATABASE}@127.0.0.1:9/sw"}
    run("config", "show", **elsewhere).ended(0)
    run("customer", "list", **elsewhere)

    for one in ran:
        hits += found_in(f"the output of {' '.join(one.words[:3])}", (one.out + one.err).encode())
        assert "Traceback" not in one.out + one.err
        assert "SW901" not in one.err, one.err
    assert hits == []
    assert place.platform.service(BACKEND)["env"]["JWT_SECRET"] == IN_SECRET, (
        "it was written to Render, where it belongs"
    )
    assert place.platform.service(BACKEND)["env"]["STRIPE_SECRET_KEY"] == IN_RENDER


def test_the_encryption_key_and_the_state_are_readable_by_their_owner_alone(place: Place) -> None:
    ran = place.run("deploy-customer", "--version", "v1.1.0", *CUSTOMER, "--detach").ended(0)

    made = place.state / "secret.key"
    assert str(made) in ran.err
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.state.stat().st_mode) == 0o700
    for path in place.state.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path.name
    key = made.read_text(encoding="ascii").strip()
    assert len(base64.b64decode(key)) == 32
    assert key not in ran.out + ran.err + json.dumps(place.run("config", "show", "-o", "json").ended(0).data)


def test_a_key_that_is_given_leaves_no_key_file(place: Place) -> None:
    key = base64.b64encode(bytes(range(32))).decode()
    place.run("deploy-customer", "--version", "v1.1.0", *CUSTOMER, "--detach", SECUREWATCH_SECRET_KEY=key).ended(0)

    assert not (place.state / "secret.key").exists()
    files = [path.read_bytes() for path in place.state.iterdir()]
    assert not any(key.encode() in content or bytes(range(32)) in content for content in files)
