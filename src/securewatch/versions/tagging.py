"""Which version may be tagged next: its form, and its place after the versions that there are. Pure; makes no tag."""

from collections.abc import Collection, Sequence

from securewatch.core.errors import Conflict, UsageError
from securewatch.versions.version import Version, find_described, find_version, is_same_or_older, parse_version


def check_next(text: str, names: Collection[str]) -> Version:
    """The version that may be tagged beside the tags of those names, wherever they are.

    A patch comes after every version of its line (`v1.2.x`); the first of a new line has patch 0 and comes after every
    version of its major version, the first of a new major version is `vN.0.0` and comes after all.

    Raises UsageError (SW204) for a text that is no version, Conflict (SW209) where it is taken and UsageError (SW210)
    where it does not follow.
    """
    wanted, known = parse_version(text), _known(names)
    if find_described(text) is not None:
        raise UsageError(
            "SW204",
            f"{text} cannot be tagged",
            why="it is how `git describe` names a commit after a tag",
            fix=f"{_nexts(wanted, known)}",
        )
    taken = text if text in names else next((one.tag for one in known if _is_same(one, wanted)), None)
    if taken is not None:
        raise Conflict(
            "SW209",
            f"tag {taken} exists already",
            why="one version name must never mean two programs",
            fix=_nexts(wanted, known),
        )
    line, before = _line_of(wanted, known)
    _check_form(wanted, known, is_new_line=not line)
    newest = max(before, default=None)
    if newest is not None and is_same_or_older(wanted, newest):
        raise _misplaced(wanted, f"{newest} is newer, and a version is never tagged behind another of its line", known)
    return wanted


def _line_of(wanted: Version, known: Sequence[Version]) -> tuple[Sequence[Version], Sequence[Version]]:
    """The versions of the wanted one's own line, and those that it must come after."""
    major = [one for one in known if one.semantic.major == wanted.semantic.major]
    line = [one for one in major if one.semantic.minor == wanted.semantic.minor]
    return line, line or major or known


def _check_form(wanted: Version, known: Sequence[Version], *, is_new_line: bool) -> None:
    semantic = wanted.semantic
    if is_new_line and semantic.patch:
        text = f"the first version of v{semantic.major}.{semantic.minor}.x has patch 0"
        raise _misplaced(wanted, text, known)
    is_new_major = bool(known) and all(one.semantic.major != semantic.major for one in known)
    if is_new_major and semantic.minor:
        raise _misplaced(wanted, f"the first version of v{semantic.major}.x has minor 0", known)


def _misplaced(wanted: Version, why: str, known: Sequence[Version]) -> UsageError:
    return UsageError(
        "SW210", f"{wanted} does not follow the versions that there are", why=why, fix=_nexts(wanted, known)
    )


def _nexts(wanted: Version, known: Sequence[Version]) -> str:
    """What could be tagged next: a patch of the wanted one's line where there is one, else of the newest."""
    stable = [one for one in known if one.is_stable]
    newest = max(stable, default=None)
    if newest is None:
        return "tag v0.1.0 or v1.0.0"
    line, _ = _line_of(wanted, stable)
    patch, top = max(line, default=newest).semantic.bump_patch(), newest.semantic
    return f"next come v{patch} (patch), v{top.bump_minor()} (minor) or v{top.bump_major()} (major)"


def _known(names: Collection[str]) -> Sequence[Version]:
    return [found for name in names if (found := find_version(name)) is not None]


def _is_same(one: Version, other: Version) -> bool:
    return one.semantic.compare(other.semantic) == 0
