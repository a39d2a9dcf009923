"""Env-var templates: pure expansion of `${...}`. What stays unknown is reported, so that it is never sent anywhere."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from securewatch.core.errors import ConfigError

KNOWN_PLACEHOLDERS = ("DEPLOYMENT_VERSION", "CUSTOMER_SLUG", "RENDER_SERVICE_ID", "DEPLOYMENT_PHASE")
"""What the tool itself knows (reference: config format, placeholders); all others stand for somebody's secret."""

RELEASE_PLACEHOLDERS = ("DEPLOYMENT_VERSION", "DEPLOYMENT_PHASE")
"""A template with one of these changes with each release, so a deploy writes its key (design: behaviour, env vars)."""

SECRET_PREFIX = "SECUREWATCH_SECRET_"  # noqa: S105 (a prefix of names, not a secret)
SecretOf = Callable[[str], str | None]
"""The customer's secret for the key of an env var, if somebody gave it."""

_PLACEHOLDER = re.compile(r"\$\{([^{}]*)\}")


@dataclass(frozen=True)
class Expanded:
    """A template's text, or None and the names that nobody could fill in."""

    text: str | None
    unknown: tuple[str, ...] = ()


def secret_variable(slug: str, key: str) -> str:
    """The environment variable that holds a customer's secret for a key (design: behaviour, env vars)."""
    return SECRET_PREFIX + f"{slug}_{key}".upper().replace("-", "_")


def placeholders(template: str) -> tuple[str, ...]:
    """The names in `${...}`, each once, in the order in which they first stand in the template."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(template)))


def expand(template: str, values: Mapping[str, str]) -> Expanded:
    """The template with every placeholder replaced; with one unknown there is no text at all.

    A `${` that is left over, also one that a value brings with it, counts as unknown: the text never has one.
    """
    unknown = tuple(name for name in placeholders(template) if name not in values)
    if unknown:
        return Expanded(None, unknown)
    text = _PLACEHOLDER.sub(lambda found: values[found[1]], template)
    return Expanded(None, ("${",)) if "${" in text else Expanded(text)


def fill_in(key: str, template: str, values: Mapping[str, str], *, slug: str, secret: SecretOf) -> str:
    """The value of an env var: its template filled in, else the customer's secret for the key.

    Raises ConfigError (SW106) where a placeholder is unknown and nobody gave the secret.
    """
    expanded = expand(template, values)
    text = secret(key) if expanded.text is None else expanded.text
    if text is None or "${" in text:
        names = ", ".join(f"${{{name}}}" for name in expanded.unknown if name != "${") or "a closing brace"
        raise ConfigError(
            "SW106",
            f"{slug}: {key} cannot be filled in",
            why=f"its template needs {names}, which this tool does not have",
            fix=f"set it in Render's dashboard, or give {secret_variable(slug, key)}",
        )
    return text


def is_release_template(template: str) -> bool:
    """Whether the template changes with each release."""
    return any(name in RELEASE_PLACEHOLDERS for name in placeholders(template))
