"""Builds request paths from identifiers, and only from those that are safe in one. Knows no resource."""

from securewatch.core.ids import is_safe_env_key, is_safe_id
from securewatch.render.errors import RequestRejected


def path_to(*parts: str) -> str:
    """`/services/srv-1/deploys` from its parts.

    Raises RequestRejected (SW306, status None) for a part that is no identifier: a client that does not check asks for
    another resource (reference: render-api 8.1, trap 10).
    """
    for part in parts:
        if not is_safe_id(part):
            raise _refusal(part, "identifiers are letters, digits, - and _")
    return "/" + "/".join(parts)


def path_to_env_var(service_id: str, key: str) -> str:
    """The path of one env var. Raises RequestRejected like `path_to`."""
    if not is_safe_env_key(key):
        raise _refusal(key, "names of env vars are letters, digits, _, - and .")
    return f"{path_to('services', service_id, 'env-vars')}/{key}"


def _refusal(part: str, why: str) -> RequestRejected:
    what = f"{part[:60]!r} cannot stand in a path; nothing was sent"
    return RequestRejected(what, status=None, why=why, fix="correct it in the configuration")
