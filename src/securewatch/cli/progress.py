"""How many bytes went by, for a person who watches. Knows no command."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from securewatch.cli.session import Session


@contextmanager
def byte_progress(
    session: Session, word: str, *, expected: int | None = None
) -> Iterator[Callable[[int], None] | None]:
    """A line with bytes and rate on a terminal; nothing elsewhere, where it would only fill a log.

    With the `expected` bytes it says too how long it will take; how many it comes to is known at the end alone.
    """
    if not session.is_live:
        yield None
        return
    from rich.progress import (
        DownloadColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from securewatch.cli.tables import make_console

    columns = (SpinnerColumn(), TextColumn(word), DownloadColumn(), TransferSpeedColumn(), TimeElapsedColumn())
    remaining = (TextColumn("left"), TimeRemainingColumn()) if expected else ()
    with Progress(*columns, *remaining, console=make_console(), transient=True) as bar:
        task = bar.add_task(word, total=expected)
        yield lambda count: bar.update(task, completed=count)
