"""Env-var templates: pure expansion of `${...}`. What stays unknown is reported, so that it is never sent anywhere."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

KNOWN_PLACEHOLDERS = ("DEPLOYMENT_VERSION", "CUSTOMER_SLUG", "RENDER_SERVICE_ID", "DEPLOYMENT_PHASE")
"""What the tool itself knows (reference: config format, placeholders); all others stand for somebody's secret."""

RELEASE_PLACEHOLDERS = ("DEPLOYMENT_VERSION", "DEPLOYMENT_PHASE")
"""A template with one of these changes with each release, so a deploy writes its key (design: behaviour, env vars)."""

_PLACEHOLDER = re.compile(r"\$\{([^{}]*)\}")


@dataclass(frozen=True)
class Expanded:
    """A template's text, or None and the names that nobody could fill in."""

    text: str | None
    unknown: tuple[str, ...] = ()


def placeholders(template: str) -> tuple[str, ...]:
    """The names in `${...}`, each once, in the order in which they first stand in the template."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(template)))


def expand(template: str, values: Mapping[str, str]) -> Expanded:
    """The template with every placeholder replaced; with one unknown there is no text at all.

    Values are put in as they are: a `${...}` inside a value is not expanded again.
    """
    unknown = tuple(name for name in placeholders(template) if name not in values)
    if unknown or "${" in _PLACEHOLDER.sub("", template):
        return Expanded(None, unknown or ("${",))
    return Expanded(_PLACEHOLDER.sub(lambda found: values[found[1]], template))


def is_release_template(template: str) -> bool:
    """Whether the template changes with each release."""
    return any(name in RELEASE_PLACEHOLDERS for name in placeholders(template))
