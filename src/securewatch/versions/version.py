"""Versions as tags write them (`v1.2.3`, `v1.2.3-rc.1`): parsing, order, families. Pure; knows no repository."""

import re
from dataclasses import dataclass
from functools import total_ordering

import semver

from securewatch.core.errors import UsageError

LENGTH_MAX = 128
VERSION_ACCEPTED = "a tag of the form v1.2.3, or v1.2.3-rc.1 for a release candidate"
_DESCRIBED = re.compile(r"(?P<base>.+)-(?P<count>[1-9]\d{0,8})-g(?P<commit>[0-9a-f]{4,64})", re.ASCII)
_FAMILY = re.compile(r"v(\d+)\.(?:(\d+)\.)?x", re.ASCII)


@total_ordering
@dataclass(frozen=True)
class Version:
    """One semantic version; `tag` is its name with the leading v. Ordered by precedence, then by build and name."""

    tag: str
    semantic: semver.Version

    @property
    def is_stable(self) -> bool:
        """Whether it is a release and no candidate for one."""
        return self.semantic.prerelease is None

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Version):
            return NotImplemented
        order = self.semantic.compare(other.semantic)
        return order < 0 if order else self.tag < other.tag

    def __str__(self) -> str:
        return self.tag


def find_version(text: str) -> Version | None:
    """The version that the tag's name stands for, or None where it is no version."""
    if not (text.startswith("v") and text.isascii() and len(text) <= LENGTH_MAX):
        return None
    try:
        return Version(text, semver.Version.parse(text[1:]))
    except ValueError:
        return None


@dataclass(frozen=True)
class Described:
    """A commit by its `git describe --tags` name, `v1.1.0-3-gabc1234`: so many commits after a version."""

    base: Version
    count: int
    commit: str


def find_described(text: str) -> Described | None:
    """What the name says that `git describe --tags` gives to a commit after a version; None for any other text."""
    found = _DESCRIBED.fullmatch(text)
    base = find_version(found["base"]) if found else None
    return Described(base, int(found["count"]), found["commit"]) if found and base else None


def parse_version(text: str) -> Version:
    """The version that a person asked for. Raises UsageError (SW204) where it has not the form `v1.2.3`."""
    found = find_version(text)
    if found is None:
        raise malformed(text)
    return found


def malformed(text: str, near: tuple[str, ...] = ()) -> UsageError:
    """The error of a text that is no version (SW204), with names that it may have meant."""
    meant = near or ((f"v{text}",) if find_version(f"v{text}") else ())
    fix = f"did you mean {' or '.join(meant)}?" if meant else "`securewatch list-versions` shows what there is"
    return UsageError("SW204", f"{shown(text)} is no version", why=f"accepted: {VERSION_ACCEPTED}", fix=fix)


def shown(text: str) -> str:
    """A text from outside, quoted, escaped and cut, so that it can stand in a message."""
    return ascii(text if len(text) <= LENGTH_MAX else f"{text[: LENGTH_MAX - 1]}...")


def latest_stable(versions: tuple[Version, ...]) -> Version | None:
    """The greatest stable version, or None where there is none."""
    return max((one for one in versions if one.is_stable), default=None)


def is_in_family(version: Version, family: str) -> bool:
    """Whether the version belongs to a family such as `v1.x` or `v1.2.x`; candidates belong to none."""
    found = _FAMILY.fullmatch(family)
    if found is None or not version.is_stable:
        return False
    major, minor = int(found[1]), found[2]
    return version.semantic.major == major and (minor is None or version.semantic.minor == int(minor))


def is_same_or_older(version: Version, other: Version) -> bool:
    """Whether the version does not come after the other one by precedence; builds do not count.

    Commits of the main branch come after the version that they are described by.
    """
    return _place(version) <= _place(other)


def _place(version: Version) -> tuple[semver.Version, int]:
    found = find_described(version.tag)
    return (found.base.semantic, found.count) if found else (version.semantic, 0)
