"""What PostgreSQL complains of is told without passwords and without what stands in rows."""

import pytest

from securewatch.backup.reason import safe_reason


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            'pg_dump: error: connection to server at "10.0.0.1", port 5432 failed: FATAL:  password authentication'
            ' failed for user "acme"',
            'pg_dump: error: connection to server at "10.0.0.1", port 5432 failed: FATAL:  password authentication'
            ' failed for user "acme"',
        ),
        (
            'pg_restore: error: COPY failed for table "people": ERROR:  invalid input syntax for type integer: "4711x"',
            'pg_restore: error: COPY failed for table "people": ERROR:  invalid input syntax for type integer: …',
        ),
        (
            'pg_restore: error: could not execute query: ERROR:  extension "postgis" is not available\n'
            "DETAIL:  secret\nCommand was: CREATE EXTENSION",
            'pg_restore: error: could not execute query: ERROR:  extension "postgis" is not available',
        ),
        ("pg_dump: warning: something\npg_dump: error: no room", "pg_dump: error: no room"),
        ("ERROR: bad value: 'multi\nline'", "ERROR: bad value: …"),
        ("", "it said nothing"),
    ],
)
def test_names_are_told_and_values_are_not(said: str, told: str) -> None:
    assert safe_reason(said) == told


def test_secrets_are_left_out() -> None:
    assert safe_reason("error: hunter2 is wrong", ["hunter2", ""]) == "error: *** is wrong"


def test_control_characters_and_length_are_bounded() -> None:
    assert safe_reason("\x1b[31mred" + "x" * 1000) == "[31mred" + "x" * 293
