"""Tags of the vendor's repository as values: what one says, and whether it still leads where it was planned. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime

from securewatch.core.errors import Conflict
from securewatch.versions.version import Version, find_version

TAGS = "refs/tags/"


@dataclass(frozen=True)
class Tag:
    """One tag: `commit` in full; `annotated` where it has an author of its own; `created_at` in UTC where it is known.

    `version` is None where the name is no semantic version. A repository read through a URL may not tell dates.
    """

    name: str
    commit: str
    annotated: bool
    version: Version | None
    created_at: datetime | None = None


@dataclass(frozen=True)
class NewTag:
    """An annotated tag to be made. `actor` stands in it where git knows nobody's name; `message` is plain text."""

    name: str
    commit: str
    message: str
    at: datetime
    actor: str


class TagMoved(Conflict):
    """The tag points at another commit than the one that was planned."""


def ensure_unmoved(tag: Tag, commit: str) -> None:
    """Check that the tag still points at the planned commit (S4). Raises TagMoved (SW412) with both commits."""
    if tag.commit != commit:
        raise TagMoved(
            "SW412",
            f"tag {tag.name} moved since it was planned",
            why=f"planned {commit[:7]}, the repository now says {tag.commit[:7]}",
            fix="find out who moved it; if the new commit is meant, make a new plan (it needs a new approval)",
        )


def read_tag(ref: str, commit: str, *, annotated: bool, created: str = "") -> Tag:
    """The tag that a ref is; `created` in epoch seconds where git told it."""
    name = ref.removeprefix(TAGS)
    made = datetime.fromtimestamp(int(created), UTC) if created else None
    return Tag(name, commit, annotated, find_version(name), made)
