"""Comparing two states of a database."""

from securewatch.backup.model import TableDifference, TableFacts, compare_tables


def test_the_same_tables_in_another_order_do_not_differ() -> None:
    one, other = TableFacts("a", 1, "7"), TableFacts("b", 2, "8")

    assert compare_tables([one, other], [other, one]) == ()


def test_rows_contents_and_missing_tables_are_differences() -> None:
    expected = [TableFacts("fewer", 3, "7"), TableFacts("changed", 3, "7"), TableFacts("gone", 3, "7")]
    found = [TableFacts("fewer", 2, "7"), TableFacts("changed", 3, "8"), TableFacts("new", 0, "0")]

    differences = compare_tables(expected, found)

    assert [str(one) for one in differences] == [
        "changed: 3 rows, but not the same ones",
        "fewer: 2 rows, but 3 rows expected",
        "gone: no such table, but 3 rows expected",
        "new: 0 rows, but no such table expected",
    ]


def test_a_table_without_a_checksum_is_compared_by_its_rows() -> None:
    unknown = TableFacts("t", 3, None, "a row is too large to be hashed")

    assert compare_tables([unknown], [TableFacts("t", 3, "7")]) == ()
    assert compare_tables([unknown], [TableFacts("t", 4, "7")]) == (TableDifference("t", 3, 4),)
