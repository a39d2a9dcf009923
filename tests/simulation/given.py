"""What the simulation suite shares: the reproducing line, and engines that are broken on purpose."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rehearsal.play import Course, Outcome, play
from rehearsal.trouble import menu
from rehearsal.trouble.base import Trouble

ROOT = Path(__file__).resolve().parents[2]


def commit() -> str:
    """The commit that is checked out, as far as .git says it without git."""
    head = (ROOT / ".git" / "HEAD").read_text(encoding="utf-8").strip()
    ref = ROOT / ".git" / head.removeprefix("ref: ")
    return (ref.read_text(encoding="utf-8").strip() if ref.is_file() else head)[:12]


def play_seed(seed: int, customers: int) -> Outcome:
    """Play a seed with the troubles that it picks."""
    return play(Course(seed, customers, tuple(menu.pick(seed))))


def play_trouble(kind: type[Trouble], *, seed: int = 1, customers: int = 6) -> Outcome:
    """Play one trouble alone."""
    return play(Course(seed, customers, (kind(),)))


def reproduce(outcome: Outcome, seed: int, customers: int) -> str:
    """The one line that plays the same again, with what went wrong."""
    what = "; ".join([*outcome.violations[:3], *(f"{one} never came" for one in outcome.never_fired)])
    return f"./dev test tests/simulation --seed {seed} --customers {customers}    # at {commit()}: {what}"


@contextmanager
def broken(*changes: tuple[Any, str, Any]) -> Iterator[None]:
    """The engine with some of its functions exchanged, as (module, name, replacement), until the block ends."""
    kept = [(module, name, getattr(module, name)) for module, name, _ in changes]
    for module, name, replacement in changes:
        setattr(module, name, replacement)
    try:
        yield
    finally:
        for module, name, function in kept:
            setattr(module, name, function)


def found_invariants(outcome: Outcome) -> set[str]:
    """The invariants of which the witness says that they were broken."""
    return {one.split(" ", 1)[0] for one in outcome.violations}


Broken = Callable[..., Any]
