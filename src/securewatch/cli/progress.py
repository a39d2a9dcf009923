"""How many bytes went by, for a person who watches. Knows no command."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from securewatch.cli.session import Session


@contextmanager
def byte_progress(session: Session, word: str) -> Iterator[Callable[[int], None] | None]:
    """A line with bytes and rate on a terminal; nothing elsewhere, where it would only fill a log."""
    if not session.is_live:
        yield None
        return
    from rich.progress import (
        DownloadColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TransferSpeedColumn,
    )

    from securewatch.cli.tables import make_console

    columns = (SpinnerColumn(), TextColumn(word), DownloadColumn(), TransferSpeedColumn(), TimeElapsedColumn())
    with Progress(*columns, console=make_console(), transient=True) as bar:
        task = bar.add_task(word, total=None)
        yield lambda count: bar.update(task, completed=count)
