"""Distinct types for identifiers, so that one is never taken for another. Checks only for safe characters."""

import re
from typing import NewType

CustomerSlug = NewType("CustomerSlug", str)
ServiceID = NewType("ServiceID", str)
DeployID = NewType("DeployID", str)
PostgresID = NewType("PostgresID", str)
OwnerID = NewType("OwnerID", str)
PlanHash = NewType("PlanHash", str)

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_ENV_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,255}")


def is_safe_id(text: str) -> bool:
    """Whether the text may stand in a URL path as an identifier (reference: config format; render-api 8.1, trap 10)."""
    return bool(_SAFE.fullmatch(text))


def is_safe_env_key(text: str) -> bool:
    """Whether the text may stand in a URL path as the name of an env var."""
    return bool(_ENV_KEY.fullmatch(text))
