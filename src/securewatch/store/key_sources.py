"""Where the encryption key comes from, beside a file: its variable, a command, or the system's keyring."""

import importlib
from typing import Any

from securewatch.config.settings import Settings, command_environment
from securewatch.config.variables import VARIABLES
from securewatch.store.box import unusable_key
from securewatch.store.key_command import output_of

KEYRING_EXTRA = "pip install 'securewatch-render[keyring]'"


def given_key(settings: Settings) -> tuple[str | None, str]:
    """The key's base64 and what a person set to give it; (None, …) where it stands in a file.

    The command is run, or the keyring asked. Raises ConfigError (SW107) where they give none.
    """
    if settings.secret_key_command is not None:
        source = VARIABLES["secret_key_command"]
        command = settings.secret_key_command.get_secret_value()
        return output_of(command, source=source, environ=command_environment()), source
    if settings.secret_key_keyring is not None:
        source = VARIABLES["secret_key_keyring"]
        return from_keyring(settings.secret_key_keyring, source), source
    key = settings.secret_key
    return key.get_secret_value() if key is not None else None, VARIABLES["secret_key"]


def from_keyring(entry: str, source: str) -> str:
    """The password of the keyring's entry `service/user`. Raises ConfigError (SW107) where there is none."""
    service, _, user = entry.rpartition("/")
    if not service or not user:
        raise unusable_key(source, "it names no entry", fix="write it as service/user, like securewatch/prod")
    keyring: Any
    try:
        keyring = importlib.import_module("keyring")
    except ImportError as error:
        raise unusable_key(source, "the library keyring is not installed", fix=KEYRING_EXTRA) from error
    try:
        found = keyring.get_password(service, user)
    except (keyring.errors.KeyringError, RuntimeError, OSError) as error:
        raise unusable_key(source, f"the keyring cannot be read ({type(error).__name__})") from error
    if found is None:
        raise unusable_key(source, "the keyring has no such entry", fix=f"keyring set {service} {user}")
    return str(found)
