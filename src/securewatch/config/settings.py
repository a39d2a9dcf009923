"""The settings of one process: flags, environment, `.env`, defaults. The only reader of the environment.

What stands in the files of `config/` is the business of `load.py`; of these only `api_endpoint` is a setting too.
"""

import os
import pwd
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import SecretStr

from securewatch.config import quantity
from securewatch.config.address import DEFAULT_HOST, is_url, masked_url, parse_host
from securewatch.config.files.reading import read_raw
from securewatch.config.folder import CONFIG_FOLDER, RENDER_FILE, find_config_dir, find_config_dir_above
from securewatch.config.templates import SECRET_PREFIX, secret_variable
from securewatch.config.variables import ALL_SETTINGS, KEY_SOURCES, PREFIX, VARIABLES
from securewatch.core.address import is_loopback
from securewatch.core.errors import ConfigError

STATE_FOLDER = ".securewatch"
HTTP_TIMEOUT_SECONDS = 10.0
GRACE_SECONDS = 300.0
_SECONDS_MAX = 86_400.0
_NAME_LENGTH_MAX = 200
_URL = r"[A-Za-z][A-Za-z0-9+.-]*://\S+"
_URLS = re.compile(rf"{_URL}(?:\s*,\s+{_URL})*")
_MAIL_URL = re.compile(r"(?i:mailtos?)://(?:(?!://)\S)+")
_PROGRAM_VARIABLES = (
    *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "XDG_CONFIG_HOME", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "all_proxy"),
)


@dataclass(frozen=True)
class Settings:
    """Every setting with its final value; `origins` tells where each is from: flag, env, .env, default
    or, for `render_host`, the file with its `api_endpoint`.

    Paths are absolute. `repo` is a path or a URL. `state_dir` holds what belongs to the state database: its key file,
    locks and audit head. Secrets never show in the repr. `config_dir` may not exist where no folder was found.
    """

    render_host: str
    api_key: SecretStr | None
    workspace: str | None
    config_dir: Path
    repo: str = field(repr=False)
    database_url: str = field(repr=False)
    state_dir: Path
    clock_file: Path | None
    actor: str
    secret_key: SecretStr | None
    secret_key_file: Path | None
    secret_key_command: SecretStr | None
    secret_key_keyring: str | None
    backup_url: str = field(repr=False)
    pg_bin: Path | None
    scratch_database_url: SecretStr | None
    http_timeout_seconds: float
    grace_seconds: float
    notify_team: SecretStr | None
    notify_email: SecretStr | None
    mail_folder: Path | None
    origins: Mapping[str, str]
    secrets: Mapping[str, SecretStr] = field(default_factory=dict, repr=False)
    unknown: tuple[str, ...] = ()
    """Variables that look like ours and are none: mistyped, most likely."""

    def customer_secret(self, slug: str, key: str) -> str | None:
        """The value of `SECUREWATCH_SECRET_<SLUG>_<KEY>`, or the text of the file that `…_FILE` names; else None.

        Raises ConfigError (SW109) for a file that cannot be read and a value with a `${...}`: it must not reach Render.
        """
        name = secret_variable(slug, key)
        value = self._secret(name) or self._secret_in_file(f"{name}_FILE")
        if "${" in value:
            raise unusable(name, "a value in which no ${...} is left over")
        return value or None

    def _secret(self, name: str) -> str:
        secret = self.secrets.get(name)
        return secret.get_secret_value() if secret is not None and secret.get_secret_value().strip() else ""

    def _secret_in_file(self, name: str) -> str:
        """The file's text without the line end that editors add."""
        path = self._secret(name)
        if not path:
            return ""
        try:
            return (self.config_dir.parent / Path(path).expanduser()).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError, RuntimeError) as error:
            raise unusable(name, f"the path of a readable text file ({type(error).__name__})") from error


def load_settings(
    flags: Mapping[str, object],
    cwd: Path,
    environ: Mapping[str, str] | None = None,
    *,
    only: Collection[str] = ALL_SETTINGS,
) -> Settings:
    """The settings from the flags (by the settings' names; None: not given), the environment, `.env` and the defaults.

    `environ` is by default the process's. `.env` is read beside the configuration folder that was named, else in the
    project folder that `cwd` lies in, else in `cwd`; it never overrides the environment. Settings not in `only` have
    their defaults, whatever was given.

    Raises ConfigError: SW101 for a configuration folder that was named and is not there, SW109 for an unusable value
    (never shown where it may be secret), SW108 for a clock file beside a Render that is not on this machine.
    """
    values = _Values(flags, cwd, os.environ if environ is None else environ, only)
    render_host, host_origin = _host(values)
    clock_file = values.path("clock_file")
    if clock_file is not None and not is_loopback(urlsplit(render_host).hostname or ""):
        raise _clock_refused(render_host)
    _refuse_two_keys(values)
    database_url = values.text("database_url") or f"sqlite+aiosqlite:///{values.state_dir / 'state.db'}"
    state_dir = _state_dir(database_url, cwd) or values.state_dir
    return Settings(
        render_host=render_host,
        api_key=_api_key(values),
        workspace=_name(values, "workspace"),
        config_dir=values.config_dir,
        repo=_repository(values),
        database_url=database_url,
        state_dir=state_dir,
        clock_file=clock_file,
        actor=_name(values, "actor") or _system_user(),
        secret_key=_secret(values.text("secret_key")),
        secret_key_file=values.path("secret_key_file"),
        secret_key_command=_secret(values.text("secret_key_command")),
        secret_key_keyring=_name(values, "secret_key_keyring"),
        backup_url=values.text("backup_url") or str(state_dir / "backups"),
        pg_bin=values.path("pg_bin"),
        scratch_database_url=_secret(values.text("scratch_database_url")),
        http_timeout_seconds=_seconds(values, "http_timeout_seconds", HTTP_TIMEOUT_SECONDS),
        grace_seconds=_seconds(values, "grace_seconds", GRACE_SECONDS),
        notify_team=_notify_urls(values, "notify_team", _URLS, "apprise URLs with commas between them"),
        notify_email=_notify_urls(values, "notify_email", _MAIL_URL, "one apprise URL, mailto:// or mailtos://"),
        mail_folder=values.path("mail_folder"),
        origins={
            **{name: values.origin(name) for name in VARIABLES},
            "render_host": host_origin,
            "state_dir": values.origin("database_url"),
        },
        secrets=values.secrets(),
        unknown=values.unknown(),
    )


def program_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """What programs that we start may see of the environment (by default the process's): no key and no secret of ours.

    Variables that redirect git (`GIT_DIR` and the like, set inside git's hooks) stay out too.
    """
    source = os.environ if environ is None else environ
    return {name: source[name] for name in _PROGRAM_VARIABLES if name in source}


def command_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """What the command that prints the encryption key may see: everything but our own settings and Render's."""
    source = os.environ if environ is None else environ
    return {name: value for name, value in source.items() if not name.startswith((PREFIX, "RENDER_"))}


def unusable(name: str, accepted: str) -> ConfigError:
    """The error of a setting whose value cannot be used (SW109); it never shows the value."""
    return ConfigError(
        "SW109",
        f"{name} has an unusable value",
        why=f"accepted: {accepted}",
        fix="correct it, or leave it out for its default; `securewatch config show` lists what is in force",
    )


class _Values:
    """The given values by setting, and where each is from. A blank one is refused; a blank key is none."""

    def __init__(
        self, flags: Mapping[str, object], cwd: Path, environ: Mapping[str, str], only: Collection[str]
    ) -> None:
        self._only = only
        self._flags = {name: str(value) for name, value in flags.items() if value is not None}
        self._environ, self._cwd, self._dotenv = environ, cwd, dict[str, str]()
        named, above = self._named_config_dir(), find_config_dir_above(cwd)
        found = named or above
        self._dotenv_folder = _dotenv_folder(*(one.parent for one in (named, above) if one), cwd.absolute())
        self._dotenv = _read_dotenv(self._dotenv_folder / ".env")
        self.config_dir = self._named_config_dir() or found or cwd.absolute() / CONFIG_FOLDER
        self.state_dir = self.config_dir.parent / STATE_FOLDER

    def origin(self, name: str) -> str:
        """Where the value of a setting is from: flag, env, .env or default."""
        if name not in self._only:
            return "default"
        sources = (("flag", self._flags, name), ("env", self._environ, VARIABLES[name]))
        for label, source, key in (*sources, (".env", self._dotenv, VARIABLES[name])):
            if key in source:
                return label
        return "default"

    def text(self, name: str) -> str | None:
        """The value of a setting without outer blanks, or None where nobody gave one. Raises ConfigError (SW109)."""
        sources = {"flag": self._flags, "env": self._environ, ".env": self._dotenv}
        origin = self.origin(name)
        if origin == "default":
            return None
        key = name if origin == "flag" else VARIABLES[name]
        value = sources[origin][key].strip()
        if value or name == "api_key":
            return value or None
        raise unusable(self.label(name), "a value that is not blank")

    def label(self, name: str) -> str:
        """How a person knows the setting: by its flag or its variable."""
        return f"--{name.replace('_', '-')}" if self.origin(name) == "flag" else VARIABLES[name]

    def path(self, name: str) -> Path | None:
        """The value as an absolute path: from `.env` it is relative to that file's folder, else to the current one."""
        text = self.text(name)
        return None if text is None else self.absolute(name, text)

    def absolute(self, name: str, text: str) -> Path:
        """The text as an absolute path, from the folder to which values of its origin are relative."""
        base = self._dotenv_folder if self.origin(name) == ".env" else self._cwd.absolute()
        try:
            return Path(os.path.normpath(base / Path(text).expanduser()))
        except (RuntimeError, ValueError) as error:
            raise unusable(self.label(name), "a path") from error

    def secrets(self) -> dict[str, SecretStr]:
        """The customers' secrets by variable."""
        merged = {**self._dotenv, **self._environ}
        ours = VARIABLES.values()
        return {
            name: SecretStr(value)
            for name, value in merged.items()
            if name.startswith(SECRET_PREFIX) and name not in ours
        }

    def unknown(self) -> tuple[str, ...]:
        """The variables with our prefix that no setting reads."""
        names = {one for one in (*self._dotenv, *self._environ) if one.startswith(PREFIX)}
        return tuple(sorted(names.difference(VARIABLES.values(), self.secrets())))

    def _named_config_dir(self) -> Path | None:
        named = self.path("config_dir") if self.origin("config_dir") != "default" else None
        return None if named is None else find_config_dir(self._cwd, named)


def _dotenv_folder(*folders: Path) -> Path:
    """The first of the folders with a `.env`, else the first of all."""
    return next((one for one in folders if (one / ".env").is_file()), folders[0])


def _read_dotenv(path: Path) -> dict[str, str]:
    """The variables of the file, taken literally; none where there is no file."""
    if not path.is_file():
        return {}
    try:
        found = dotenv_values(path, interpolate=False, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise unusable(str(path), f"a readable file of NAME=value lines ({type(error).__name__})") from error
    return {name: value for name, value in found.items() if value is not None}


def _host(values: _Values) -> tuple[str, str]:
    """Render's base URL and its origin; where nobody gave one, the files' `api_endpoint` comes before the default."""
    text = values.text("render_host")
    if text is None:
        endpoint = _endpoint_in(values.config_dir)
        return (endpoint, RENDER_FILE) if endpoint else (DEFAULT_HOST, "default")
    try:
        return parse_host(text), values.origin("render_host")
    except ValueError as error:
        raise unusable(values.label("render_host"), str(error)) from error


def _endpoint_in(config_dir: Path) -> str | None:
    """The files' `api_endpoint`; None where it is absent, or unusable (`load_fleet` tells that with all else)."""
    data = read_raw(config_dir, RENDER_FILE, is_required=False).data or {}
    part = data.get("render_configuration")
    text = part.get("api_endpoint") if isinstance(part, dict) else None
    try:
        return parse_host(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _api_key(values: _Values) -> SecretStr | None:
    text = values.text("api_key")
    if text is not None and not (text.isascii() and text.isprintable() and " " not in text):
        raise unusable(values.label("api_key"), "a key of printable ASCII characters, without blanks")
    return _secret(text)


def _secret(text: str | None) -> SecretStr | None:
    return None if text is None else SecretStr(text)


def _refuse_two_keys(values: _Values) -> None:
    """Raise ConfigError (SW109) where the encryption key has two sources: nobody could tell which one is meant."""
    given = [VARIABLES[name] for name in KEY_SOURCES if values.origin(name) != "default"]
    if len(given) > 1:
        why = "the encryption key has one source, and each of them names one"
        raise ConfigError("SW109", f"{' and '.join(given)} are set", why=why, fix="keep one and unset the others")


def _notify_urls(values: _Values, name: str, accepted: re.Pattern[str], words: str) -> SecretStr | None:
    """URLs that may hold a password or a token: never shown."""
    text = values.text(name)
    if text is not None and not accepted.fullmatch(text):
        raise unusable(values.label(name), words)
    return _secret(text)


def _name(values: _Values, name: str) -> str | None:
    text = values.text(name)
    if text is not None and (not text.isprintable() or len(text) > _NAME_LENGTH_MAX):
        raise unusable(values.label(name), f"a printable text of at most {_NAME_LENGTH_MAX} characters")
    return text


def _repository(values: _Values) -> str:
    text = values.text("repo") or "."
    if text.startswith("-"):
        raise unusable(values.label("repo"), "a path or a URL of a git repository")
    return text if is_url(text) else str(values.absolute("repo", text))


def _seconds(values: _Values, name: str, default: float) -> float:
    """A number of seconds above 0, plain or with a unit as people type it (`10`, `10s`, `5m`)."""
    text = values.text(name)
    if text is None:
        return default
    try:
        seconds = float(text) if text[-1].isdigit() else quantity.parse_short_duration(text).total_seconds()
    except ValueError:
        seconds = 0.0
    if not (isfinite(seconds) and 0 < seconds <= _SECONDS_MAX):
        raise unusable(values.label(name), f"seconds above 0 and at most {_SECONDS_MAX:g}, such as 10, 10s or 5m")
    return seconds


def _state_dir(database_url: str, cwd: Path) -> Path | None:
    """The folder of the database's file; None where it is no file."""
    scheme, _, rest = database_url.partition(":///")
    if not scheme.startswith("sqlite") or not rest:
        return None
    return Path(os.path.normpath(cwd.absolute() / rest.partition("?")[0])).parent


def _system_user() -> str:
    """The operating system's name of who runs this, taken on trust (design: interface, who is acting)."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"


def _clock_refused(render_host: str) -> ConfigError:
    return ConfigError(
        "SW108",
        "a clock file is for rehearsals only",
        why=f"{VARIABLES['clock_file']} is set and Render is {masked_url(render_host)}, which is not on this machine",
        fix=f"unset {VARIABLES['clock_file']}, or set RENDER_HOST to the local platform",
    )
