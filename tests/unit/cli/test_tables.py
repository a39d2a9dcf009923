"""Tables: ids and times whole on every width, one line a row off a terminal."""

import re
import time
from collections.abc import Iterator

import pytest

from securewatch.cli.show import status_text
from securewatch.cli.tables import show_table, zone_name

ID, AT = "dep-dc2oo63bgqp77vo06np0", "2026-11-25 10:33:00"
ROW = ("acme-corp", ID, "backend: 3 failed in a row, the last: status 500", AT)
HEADINGS = ("customer", "deploy", "detail", "at")


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same zone on every machine."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int) -> list[str]:
    """The lines of the table on a terminal of that width."""
    for name, value in (("FORCE_COLOR", "1"), ("NO_COLOR", "1"), ("COLUMNS", str(columns))):
        monkeypatch.setenv(name, value)
    show_table(HEADINGS, [ROW], prose=("detail",), spare=("at",), times=("at",))
    plain = re.sub("\x1b\\[[0-9;]*m", "", capsys.readouterr().out)
    return [line.rstrip() for line in plain.splitlines()]


def test_cells_are_data_and_never_markup(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("name",), [("[red]hostile[/red]",)])

    assert "[red]hostile[/red]" in capsys.readouterr().out


def test_no_colour_leaves_the_terminal_where_nobody_wants_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def printed() -> str:
        show_table(("status",), [(status_text("failed"),)])
        return capsys.readouterr().out

    monkeypatch.setenv("FORCE_COLOR", "1")
    coloured = printed()
    monkeypatch.setenv("NO_COLOR", "1")

    assert "\x1b[31m" in coloured
    assert "\x1b[31m" not in printed()


def test_a_wide_table_is_not_broken_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("one", "two"), [("a" * 70, "b" * 70)])

    assert "a" * 70 + "  " + "b" * 70 in capsys.readouterr().out


def test_a_row_is_one_line_off_a_terminal_however_long(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("one", "two"), [("a" * 170, "b\nb"), ("a", "")])

    assert capsys.readouterr().out.splitlines() == ["one" + " " * 167 + "  two", "a" * 170 + "  b b", "a"]


def test_prose_is_wrapped_between_words_and_ids_are_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed(monkeypatch, capsys, 80)

    assert lines[0].endswith("at (UTC)")
    assert lines[1] == f"acme-corp  {ID}  backend: 3 failed in a  {AT}"
    assert len(lines) == 4


def test_a_spare_column_is_left_out_where_there_is_no_room_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed(monkeypatch, capsys, 70)

    assert ID in lines[1]
    assert AT not in " ".join(lines)
    assert lines[-1] == "(no room for: at)"


def test_lines_run_over_where_even_the_ids_have_no_room(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed(monkeypatch, capsys, 30)

    assert lines[1] == "  ".join(ROW)


def test_a_zone_with_a_summer_time_has_both_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()

    assert zone_name() == "EST/EDT"
