"""Tables for people. Cells are data, never markup; ids and times stay whole, so that they can be copied."""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

PROSE_WIDTH = 20
"""So narrow a column of words may become on a small terminal."""
_UNLIMITED = 100_000

Rows = Iterable[Sequence[str | Text]]


def make_console() -> Console:
    """Standard output. Honours NO_COLOR."""
    return Console(highlight=False, soft_wrap=False)


def show_table(
    headings: Sequence[str],
    rows: Rows,
    *,
    prose: Collection[str] = (),
    spare: Sequence[str] = (),
    times: Collection[str] = (),
) -> None:
    """Print a table without lines. Off a terminal a row is a line, however long.

    On a terminal that is too narrow the columns of `spare` are left out, the first one first, and those of `prose` are
    wrapped between words; where that is not enough it is as off a terminal. The headings of `times` say the zone.
    """
    cells = [[one if isinstance(one, Text) else Text(one) for one in row] for row in rows]
    shown = {name: f"{name} ({zone_name()})" if name in times else name for name in headings}
    console, left_out = make_console(), 0
    table, least = _table(shown, cells, prose, hidden=())
    while console.is_terminal and least > console.width and left_out < len(spare):
        left_out += 1
        table, least = _table(shown, cells, prose, hidden=spare[:left_out])
    if not console.is_terminal or least > console.width:
        print("\n".join(_lines(list(shown.values()), cells)))
        return
    console.print(table)
    if left_out:
        console.print(f"(no room for: {', '.join(spare[:left_out])})", style="dim")


def _table(
    shown: Mapping[str, str], cells: Sequence[Sequence[Text]], prose: Collection[str], *, hidden: Collection[str]
) -> tuple[Table, int]:
    """The table without the hidden columns, and the least width in which only prose is wrapped."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    kept = [number for number, name in enumerate(shown) if name not in hidden]
    for number in kept:
        name = list(shown)[number]
        texts = [shown[name], *(row[number].plain for row in cells)]
        longest, is_prose = max(cell_len(text) for text in texts), name in prose
        words = max(cell_len(word) for text in texts for word in (text.split() or [""]))
        least = max(min(PROSE_WIDTH, longest), words) if is_prose else longest
        table.add_column(shown[name], no_wrap=not is_prose, min_width=least)
    for row in cells:
        table.add_row(*(row[number] for number in kept))
    return table, Console(width=_UNLIMITED).measure(table).minimum


def zone_name() -> str:
    """Your time zone, with both its names where it has a summer time."""
    return "/".join(dict.fromkeys(time.tzname))


def _lines(headings: Sequence[str], cells: Sequence[Sequence[Text]]) -> list[str]:
    table = [list(headings), *([" ".join(one.plain.split("\n")) for one in row] for row in cells)]
    widths = [max(cell_len(one) for one in column) for column in zip(*table, strict=True)]
    padded = ([one + " " * (width - cell_len(one)) for one, width in zip(row, widths, strict=True)] for row in table)
    return ["  ".join(row).rstrip() for row in padded]
