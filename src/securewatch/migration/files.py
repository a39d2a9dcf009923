"""The migrations that releases carry in the vendor's repository, as `migrations/<tag>/*.sql`. Pure; runs none.

They are applied in the order of their versions, and within one by name. A file whose first comment says `irreversible`
takes away something that older versions use: from there the way back is a restore of the database.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from securewatch.core.errors import Refused
from securewatch.versions.version import Version, find_version

FOLDER = "migrations"
_FILE = re.compile(rf"{FOLDER}/(?P<tag>[^/]+)/(?P<name>[^/]+\.sql)")
_MARK = re.compile(r"--\s*irreversible\b", re.IGNORECASE)


@dataclass(frozen=True)
class Migration:
    """One file of SQL; `id` is its name in the ledger, `checksum` the SHA-256 of its bytes (64 hex digits)."""

    version: Version
    name: str
    sql: str = field(repr=False)

    @property
    def id(self) -> str:
        """`v1.2.0/001_orders.sql`."""
        return f"{self.version.tag}/{self.name}"

    @property
    def checksum(self) -> str:
        """The SHA-256 of its text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def is_irreversible(self) -> bool:
        """Whether its first lines, as long as they are comments, say so."""
        for line in self.sql.splitlines():
            text = line.strip()
            if text and not text.startswith("--"):
                return False
            if _MARK.match(text):
                return True
        return False


def read_migrations(files: Mapping[str, bytes]) -> tuple[Migration, ...]:
    """The migrations among the files of a commit, given by path; in the order in which they are applied.

    Raises Refused (SW423) for a folder that no version names and for a file that is no UTF-8 text: what to do with them
    is not for us to guess.
    """
    found = [_migration(match["tag"], match["name"], files[path]) for path, match in _matches(files)]
    return tuple(sorted(found, key=lambda one: (one.version, one.name)))


def missing_from(live: Sequence[Migration], wanted: Sequence[Migration]) -> tuple[Migration, ...]:
    """Those that a commit has and the live one has not, in order."""
    known = {one.id for one in live}
    return tuple(one for one in wanted if one.id not in known)


def missing_below(
    live: Sequence[Migration], wanted: Sequence[Migration], version: Version | None
) -> tuple[Migration, ...]:
    """The irreversible ones that the live commit has and the wanted one, of that version, knows nothing of.

    Files of older versions may be tidied away in newer ones: they bar nothing.
    """
    known = {one.id for one in wanted}
    unknown = (one for one in live if one.is_irreversible and one.id not in known)
    return tuple(one for one in unknown if version is None or one.version > version)


def _matches(files: Mapping[str, bytes]) -> list[tuple[str, re.Match[str]]]:
    return [(path, match) for path in files if (match := _FILE.fullmatch(path)) is not None]


def _migration(tag: str, name: str, content: bytes) -> Migration:
    version = find_version(tag)
    if version is None:
        raise _unusable(f"{FOLDER}/{tag}", "no version has that name")
    try:
        return Migration(version, name, content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _unusable(f"{FOLDER}/{tag}/{name}", "it is no UTF-8 text") from error


def _unusable(path: str, why: str) -> Refused:
    return Refused(
        "SW423", f"{path} of the vendor's repository cannot be a migration", why=why, fix="put it right and tag again"
    )
