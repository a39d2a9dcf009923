"""What a database or a program of PostgreSQL complained of, on one line and without passwords or data. Pure.

A complaint may quote what stands in rows (`invalid input syntax for type integer: "…"`), so that is cut off; names of
tables and the like stay.
"""

import re
from collections.abc import Iterable

_LENGTH_MAX = 300
_COMPLAINT = re.compile(r"^(?:\S+: )?(?:error|fatal|panic):\s*", re.IGNORECASE)
_QUOTED = re.compile(r"""(?P<noun>\w+)?(?P<before>\W*?)(?P<mark>["'])(?P<text>[^"']*)(?P<end>["']?)""")
_NAMED = frozenset(
    [
        "relation",
        "table",
        "schema",
        "extension",
        "role",
        "user",
        "database",
        "type",
        "function",
        "column",
        "constraint",
        "index",
        "sequence",
        "view",
        "at",
        "parameter",
        "option",
        "socket",
        "host",
        "snapshot",
        "file",
    ]
)
"""The words after which a quotation is a name."""


def safe_reason(text: str, secrets: Iterable[str] = ()) -> str:
    """The line of `text` that tells the most, cut before anything that may be data, without the `secrets`."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = next((line for line in lines if _COMPLAINT.match(line)), lines[0] if lines else "it said nothing")
    for secret in secrets:
        told = told.replace(secret, "***") if secret else told
    return "".join(mark for mark in _without_data(told) if mark.isprintable())[:_LENGTH_MAX]


def _without_data(line: str) -> str:
    for found in _QUOTED.finditer(line):
        if found["noun"] not in _NAMED or found["before"] != " " or not found["end"]:
            return f"{line[: found.start('mark')].rstrip()} …"
    return line
