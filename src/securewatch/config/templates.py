"""Env-var templates: pure expansion of `${...}`. What stays unknown is reported, so that it is never sent anywhere."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

KNOWN_PLACEHOLDERS = ("DEPLOYMENT_VERSION", "CUSTOMER_SLUG", "RENDER_SERVICE_ID", "DEPLOYMENT_PHASE")
"""What the tool itself knows (reference: config format, placeholders); all others stand for somebody's secret."""

RELEASE_PLACEHOLDERS = ("DEPLOYMENT_VERSION", "DEPLOYMENT_PHASE")
"""A template with one of these changes with each release, so a deploy writes its key (design: behaviour, env vars)."""

SECRET_PREFIX = "SECUREWATCH_SECRET_"  # noqa: S105 (a prefix of names, not a secret)
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


def is_release_template(template: str) -> bool:
    """Whether the template changes with each release."""
    return any(name in RELEASE_PLACEHOLDERS for name in placeholders(template))
