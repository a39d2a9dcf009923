"""What `config show` lists: values, origins, and no secret."""

from pathlib import Path

from securewatch.config.effective import MASK, effective_values
from securewatch.config.settings import load_settings
from tests.unit.config.given import RENDER, both, drop, make_fleet, put

TRIGGERS = "rollback_procedures.automatic_triggers"


def test_every_value_has_its_origin(tmp_path: Path) -> None:
    fleet = make_fleet(tmp_path, {RENDER: drop("rollback_procedures/automatic_triggers/error_rate_threshold")})
    settings = load_settings({"actor": "ann"}, tmp_path, {"SECUREWATCH_GRACE": "60"})

    rows = {name: (value, origin) for name, value, origin in effective_values(fleet, settings)}

    assert rows["actor"] == ("ann", "flag")
    assert rows["grace_seconds"] == ("60", "env (SECUREWATCH_GRACE)")
    assert rows["http_timeout_seconds"] == ("10", "default (SECUREWATCH_HTTP_TIMEOUT)")
    assert rows[f"{TRIGGERS}.error_rate_threshold"] == ("5%", "default")
    assert rows[f"{TRIGGERS}.health_check_failures"] == ("3", RENDER)
    assert rows["customers.acme-corp.database_url"] == ("${ACME_CORP_DATABASE_URL}", RENDER)
    assert rows["deployment_phases.startup_early_access.batch_configuration.batch_size"] == ("50%", RENDER)


def test_the_files_endpoint_is_shown_where_it_is_in_force(tmp_path: Path) -> None:
    fleet = make_fleet(tmp_path, {RENDER: put("render_configuration/api_endpoint", "https://render.example/v1")})

    rows = effective_values(fleet, load_settings({}, tmp_path, {}))

    assert ("render_host", "https://render.example/v1", RENDER) in rows


def test_secrets_are_masked(tmp_path: Path) -> None:
    canary = "hunter2-canary"
    url = f"postgres://u:{canary}@h/d"
    fleet = make_fleet(
        tmp_path,
        {
            RENDER: both(
                put("customer_environment_mapping/demo/database_url", url),
                put("customer_environment_mapping/acme-corp/database_url", f"postgres://u:{canary}@${{HOST}}/d"),
            )
        },
    )
    environ = {
        "RENDER_API_KEY": canary,
        "SECUREWATCH_SECRET_KEY": canary,
        "SECUREWATCH_DATABASE_URL": f"postgresql://u:{canary}@h/d",
        "SECUREWATCH_REPO": f"https://u:{canary}@h/a.git",
        "SECUREWATCH_SECRET_DEMO_X": canary,
        "SECUREWATCH_NOTIFY_TEAM": f"slack://{canary}/b/c",
        "SECUREWATCH_NOTIFY_EMAIL": f"mailto://u:{canary}@h.example",
    }

    rows = effective_values(fleet, load_settings({}, tmp_path, environ))

    assert canary not in str(rows)
    assert ("api_key", MASK, "env (RENDER_API_KEY)") in rows
    assert ("notify_team", MASK, "env (SECUREWATCH_NOTIFY_TEAM)") in rows
    assert ("SECUREWATCH_SECRET_DEMO_X", MASK, "env or .env") in rows
