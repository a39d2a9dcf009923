"""Settings: which source wins, what is refused, and that secrets stay inside."""

from pathlib import Path

import pytest

from securewatch.config.settings import Settings, command_environment, load_settings, program_environment
from securewatch.core.errors import ConfigError
from tests.unit.config.given import RENDER, make_files, put

LOCAL = "http://127.0.0.1:8000/v1"


def settings_of(folder: Path, environ: dict[str, str] | None = None, **flags: object) -> Settings:
    """The settings of a project in `folder`."""
    return load_settings(flags, folder, environ or {})


def code_of(folder: Path, environ: dict[str, str] | None = None, **flags: object) -> ConfigError:
    """The error of settings that are refused."""
    with pytest.raises(ConfigError) as caught:
        settings_of(folder, environ, **flags)
    return caught.value


def test_with_nothing_given_the_defaults_hold(tmp_path: Path) -> None:
    config = make_files(tmp_path)
    found = settings_of(tmp_path)

    assert (found.render_host, found.api_key, found.workspace) == ("https://api.render.com/v1", None, None)
    assert (found.config_dir, found.state_dir) == (config, tmp_path / ".securewatch")
    assert found.database_url == f"sqlite+aiosqlite:///{tmp_path}/.securewatch/state.db"
    assert (found.repo, found.clock_file) == (str(tmp_path), None)
    assert (found.http_timeout_seconds, found.grace_seconds) == (10, 300)
    assert found.actor
    assert set(found.origins.values()) == {"default", RENDER}


def test_the_state_lies_beside_the_folder_that_is_found_upwards(tmp_path: Path) -> None:
    config = make_files(tmp_path)
    (tmp_path / "deep/er").mkdir(parents=True)
    found = settings_of(tmp_path / "deep/er")

    assert (found.config_dir, found.state_dir) == (config, tmp_path / ".securewatch")
    assert found.repo == str(tmp_path / "deep/er")


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    make_files(tmp_path)
    (tmp_path / ".env").write_text("SECUREWATCH_ACTOR=file\nRENDER_WORKSPACE=tea-file\nSECUREWATCH_GRACE=20\n")
    environ = {"SECUREWATCH_ACTOR": "env", "RENDER_WORKSPACE": "tea-env"}

    found = settings_of(tmp_path, environ, actor="flag", workspace=None)

    assert (found.actor, found.workspace, found.grace_seconds) == ("flag", "tea-env", 20)
    assert [found.origins[name] for name in ("actor", "workspace", "grace_seconds")] == ["flag", "env", ".env"]


def test_the_env_file_is_taken_literally(tmp_path: Path) -> None:
    make_files(tmp_path)
    (tmp_path / ".env").write_text("# a comment\nexport SECUREWATCH_ACTOR='a ${HOME} b'\n")

    assert settings_of(tmp_path, {"HOME": "/root"}).actor == "a ${HOME} b"


def test_paths_of_the_env_file_are_relative_to_the_project_and_others_to_the_current_folder(tmp_path: Path) -> None:
    make_files(tmp_path)
    (tmp_path / "deep").mkdir()
    (tmp_path / ".env").write_text("SECUREWATCH_REPO=../vendor\n")

    found = settings_of(tmp_path / "deep", {"SECUREWATCH_SECRET_KEY_FILE": "key"})

    assert (found.repo, found.secret_key_file) == (str(tmp_path.parent / "vendor"), tmp_path / "deep/key")


def test_a_customers_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    make_files(tmp_path)
    (tmp_path / "jwt.txt").write_text("s3cr3t\n")
    found = settings_of(tmp_path, {"SECUREWATCH_SECRET_ACME_CORP_JWT_SECRET_FILE": "jwt.txt"})

    assert found.customer_secret("acme-corp", "JWT_SECRET") == "s3cr3t"


def test_a_customers_secret_in_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    make_files(tmp_path)
    found = settings_of(tmp_path, {"SECUREWATCH_SECRET_ACME_CORP_JWT_SECRET_FILE": "nowhere"})

    with pytest.raises(ConfigError) as caught:
        found.customer_secret("acme-corp", "JWT_SECRET")

    assert caught.value.code == "SW109"


def test_a_url_of_a_repository_stays_as_it_is(tmp_path: Path) -> None:
    assert settings_of(tmp_path, {"SECUREWATCH_REPO": "https://h/a.git"}).repo == "https://h/a.git"


def test_the_config_folder_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    config = make_files(tmp_path / "elsewhere")
    found = settings_of(tmp_path, {"SECUREWATCH_CONFIG_DIR": "elsewhere/config"})

    assert (found.config_dir, found.state_dir) == (config, tmp_path / "elsewhere/.securewatch")


def test_a_config_folder_that_was_named_and_is_not_there_is_refused(tmp_path: Path) -> None:
    assert code_of(tmp_path, config_dir="nowhere").code == "SW101"


def test_without_a_config_folder_the_settings_still_load(tmp_path: Path) -> None:
    assert settings_of(tmp_path).config_dir == tmp_path / "config"


def test_the_state_folder_follows_the_database(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/other/state.db?timeout=5"

    assert settings_of(tmp_path, {"SECUREWATCH_DATABASE_URL": url}).state_dir == tmp_path / "other"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("RENDER_HOST", "https://api.render.com"),
        ("RENDER_HOST", ""),
        ("RENDER_API_KEY", "two words"),
        ("RENDER_API_KEY", "caf\u00e9"),
        ("RENDER_API_KEY", "line\nbreak"),
        ("RENDER_WORKSPACE", " "),
        ("SECUREWATCH_ACTOR", "x\x07"),
        ("SECUREWATCH_ACTOR", "x" * 201),
        ("SECUREWATCH_REPO", "--upload-pack=x"),
        ("SECUREWATCH_HTTP_TIMEOUT", "0"),
        ("SECUREWATCH_HTTP_TIMEOUT", "-1"),
        ("SECUREWATCH_HTTP_TIMEOUT", "nan"),
        ("SECUREWATCH_HTTP_TIMEOUT", "1e9"),
        ("SECUREWATCH_GRACE", "soon"),
        ("SECUREWATCH_SECRET_KEY", ""),
        ("SECUREWATCH_DATABASE_URL", ""),
        ("SECUREWATCH_NOTIFY_TEAM", "TokenA/TokenB"),
        ("SECUREWATCH_NOTIFY_TEAM", "slack://a/b/c two"),
        ("SECUREWATCH_NOTIFY_EMAIL", "slack://a/b/c"),
        ("SECUREWATCH_NOTIFY_EMAIL", "mailto://u:p@h.example,mailto://u:p@h.example"),
        ("SECUREWATCH_MAIL_FOLDER", ""),
    ],
)
def test_an_unusable_value_is_refused_by_the_name_of_its_variable(tmp_path: Path, variable: str, value: str) -> None:
    error = code_of(tmp_path, {variable: value})

    assert error.code == "SW109"
    assert variable in error.what


def test_an_unusable_flag_is_named_as_a_flag(tmp_path: Path) -> None:
    assert "--api-key" in code_of(tmp_path, api_key="two words").what


@pytest.mark.parametrize(("text", "seconds"), [("5", 5), ("2.5", 2.5), ("10s", 10), ("2m", 120)])
def test_seconds_may_carry_a_unit(tmp_path: Path, text: str, seconds: float) -> None:
    assert settings_of(tmp_path, {"SECUREWATCH_GRACE": text}).grace_seconds == seconds


def test_the_ways_to_people_are_secret_and_the_mail_folder_is_a_path(tmp_path: Path) -> None:
    found = settings_of(
        tmp_path,
        {
            "SECUREWATCH_NOTIFY_TEAM": "slack://a/hunter2/c, mailto://u:hunter2@h.example?to=a@b.example,c@d.example",
            "SECUREWATCH_NOTIFY_EMAIL": "MAILTOS://u:hunter2@h.example",
            "SECUREWATCH_MAIL_FOLDER": "mail",
        },
    )

    assert "hunter2" not in repr(found)
    assert found.notify_team is not None
    assert found.mail_folder == tmp_path / "mail"


def test_a_blank_key_is_no_key(tmp_path: Path) -> None:
    assert settings_of(tmp_path, {"RENDER_API_KEY": " "}).api_key is None


def test_a_clock_file_is_refused_unless_render_is_on_this_machine(tmp_path: Path) -> None:
    clock = {"SECUREWATCH_CLOCK_FILE": "clock.json"}

    assert code_of(tmp_path, clock).code == "SW108"
    assert code_of(tmp_path, clock, render_host="https://render.example/v1").code == "SW108"
    assert settings_of(tmp_path, {**clock, "RENDER_HOST": LOCAL}).clock_file == tmp_path / "clock.json"


def test_the_files_endpoint_counts_only_where_nobody_gave_a_host(tmp_path: Path) -> None:
    make_files(tmp_path, {RENDER: put("render_configuration/api_endpoint", "https://render.example/v1/")})
    found, given = settings_of(tmp_path), settings_of(tmp_path, {"RENDER_HOST": LOCAL})

    assert (found.render_host, found.origins["render_host"]) == ("https://render.example/v1", RENDER)
    assert (given.render_host, given.origins["render_host"]) == (LOCAL, "env")


@pytest.mark.parametrize("value", [None, 7, "https://user:pass@render.example/v1"])
def test_an_unusable_endpoint_of_the_files_is_left_to_the_check_of_the_files(tmp_path: Path, value: object) -> None:
    make_files(tmp_path, {RENDER: put("render_configuration/api_endpoint", value)})

    assert settings_of(tmp_path).render_host == "https://api.render.com/v1"


def test_the_env_file_may_name_the_config_folder(tmp_path: Path) -> None:
    make_files(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    config = make_files(tmp_path / "elsewhere")
    (tmp_path / ".env").write_text("SECUREWATCH_CONFIG_DIR=elsewhere/config\n")

    found = settings_of(tmp_path)

    assert (found.config_dir, found.state_dir) == (config, tmp_path / "elsewhere/.securewatch")
    assert found.origins["config_dir"] == ".env"


def test_a_customers_secret_is_found_by_slug_and_key(tmp_path: Path) -> None:
    make_files(tmp_path)
    (tmp_path / ".env").write_text("SECUREWATCH_SECRET_ACME_CORP_JWT_SECRET=file\nSECUREWATCH_SECRET_DEMO_X=file\n")
    found = settings_of(tmp_path, {"SECUREWATCH_SECRET_ACME_CORP_JWT_SECRET": "env", "SECUREWATCH_SECRET_DEMO_Y": " "})

    assert found.customer_secret("acme-corp", "JWT_SECRET") == "env"
    assert found.customer_secret("demo", "X") == "file"
    assert found.customer_secret("demo", "Y") is None
    assert found.customer_secret("demo", "Z") is None


def test_our_own_key_is_no_customers_secret(tmp_path: Path) -> None:
    found = settings_of(tmp_path, {"SECUREWATCH_SECRET_KEY_FILE": "key"})

    assert found.customer_secret("key", "file") is None


def test_a_customers_secret_with_a_placeholder_is_refused(tmp_path: Path) -> None:
    found = settings_of(tmp_path, {"SECUREWATCH_SECRET_DEMO_X": "hunter2${Y}"})

    with pytest.raises(ConfigError) as caught:
        found.customer_secret("demo", "X")

    assert caught.value.code == "SW109"
    assert "hunter2" not in f"{caught.value}{caught.value.why}"


def test_no_secret_shows_in_the_repr(tmp_path: Path) -> None:
    environ = {
        "RENDER_API_KEY": "hunter2-canary",
        "SECUREWATCH_SECRET_KEY": "hunter2-canary",
        "SECUREWATCH_SECRET_DEMO_X": "hunter2-canary",
        "SECUREWATCH_DATABASE_URL": "postgresql://u:hunter2-canary@h/d",
        "SECUREWATCH_REPO": "https://u:hunter2-canary@h/a.git",
    }

    assert "hunter2-canary" not in repr(settings_of(tmp_path, environ))


def test_programs_see_none_of_our_variables() -> None:
    environ = {"PATH": "/bin", "HOME": "/root", "RENDER_API_KEY": "k", "GIT_DIR": "/x", "SECUREWATCH_SECRET_KEY": "k"}

    assert program_environment(environ) == {"PATH": "/bin", "HOME": "/root"}


def test_the_env_file_of_the_current_project_stands_in_where_the_named_folder_has_none(tmp_path: Path) -> None:
    make_files(tmp_path)
    (tmp_path / "deep").mkdir()
    (tmp_path / "elsewhere").mkdir()
    named = make_files(tmp_path / "elsewhere")
    (tmp_path / ".env").write_text("SECUREWATCH_ACTOR=here\n")

    found = settings_of(tmp_path / "deep", config_dir=named)

    assert (found.config_dir, found.actor) == (named, "here")


def test_the_env_file_beside_the_named_folder_comes_first(tmp_path: Path) -> None:
    make_files(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    named = make_files(tmp_path / "elsewhere")
    (tmp_path / ".env").write_text("SECUREWATCH_ACTOR=here\n")
    (tmp_path / "elsewhere/.env").write_text("SECUREWATCH_ACTOR=there\n")

    assert settings_of(tmp_path, config_dir=named).actor == "there"


def test_variables_that_look_like_ours_and_are_none_are_known_as_such(tmp_path: Path) -> None:
    make_files(tmp_path)
    (tmp_path / ".env").write_text("SECUREWATCH_REPOSITORY=vendor\n")

    found = settings_of(
        tmp_path, {"SECUREWATCH_ACTR": "ann", "SECUREWATCH_SECRET_DEMO_X": "x", "SECUREWATCH_GRACE": "60", "HOME": "/"}
    )

    assert found.unknown == ("SECUREWATCH_ACTR", "SECUREWATCH_REPOSITORY")


@pytest.mark.parametrize("other", ["_FILE", "_COMMAND", "_KEYRING"])
def test_two_sources_of_the_encryption_key_are_refused_and_named(tmp_path: Path, other: str) -> None:
    make_files(tmp_path)
    (tmp_path / ".env").write_text(f"SECUREWATCH_SECRET_KEY{other}=one/two\n")

    error = code_of(tmp_path, {"SECUREWATCH_SECRET_KEY": "canary"})

    assert error.code == "SW109"
    assert error.what == f"SECUREWATCH_SECRET_KEY and SECUREWATCH_SECRET_KEY{other} are set"


def test_a_command_that_prints_the_key_is_a_secret_itself(tmp_path: Path) -> None:
    make_files(tmp_path)

    found = settings_of(tmp_path, {"SECUREWATCH_SECRET_KEY_COMMAND": "vault read --token=canary"})

    assert "canary" not in repr(found)
    assert found.secret_key_command is not None


def test_the_command_sees_the_environment_without_what_is_ours_or_renders() -> None:
    environ = {"HOME": "/root", "VAULT_TOKEN": "t", "SECUREWATCH_SECRET_KEY_COMMAND": "c", "RENDER_API_KEY": "k"}

    assert command_environment(environ) == {"HOME": "/root", "VAULT_TOKEN": "t"}
