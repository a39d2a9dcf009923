"""Databases by their addresses: compared as far as texts tell, and shown without passwords."""

import pytest

from securewatch.backup.connection import DatabaseAddress, is_among
from securewatch.core.errors import ConfigError

URL = "postgresql://acme:p%40ss@db.example.com/shop?sslmode=require"


def test_an_address_shows_host_port_and_name_alone() -> None:
    address = DatabaseAddress(URL)

    assert (address.shown, address.password) == ("db.example.com:5432/shop", "p@ss")
    assert repr(address) == "DatabaseAddress('db.example.com:5432/shop')"


def test_programs_are_told_all_but_the_password() -> None:
    assert DatabaseAddress(URL).variables == {
        "PGHOST": "db.example.com",
        "PGUSER": "acme",
        "PGDATABASE": "shop",
        "PGSSLMODE": "require",
    }


def test_a_text_that_is_no_address_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        DatabaseAddress("mysql://root:hunter2@h/db")

    assert caught.value.code == "SW109"
    assert "hunter2" not in f"{caught.value} {caught.value.why} {caught.value.fix}"


def test_a_neighbour_keeps_server_and_password() -> None:
    found = DatabaseAddress(URL).beside("other")

    assert (found.shown, found.password) == ("db.example.com:5432/other", "p@ss")
    assert found.variables["PGSSLMODE"] == "require"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("postgresql://a:1@h/db", "postgresql://b:2@H:5432/db?sslmode=require", True),
        ("postgresql://a@h/db", "postgresql://a@h/db2", False),
        ("postgresql://a@h/db", "postgresql://a@h:5433/db", False),
        ("postgresql://a@h/db", "postgresql://a@h2/db", False),
        ("postgresql://a@localhost/db", "postgresql://a@127.0.0.1/db", True),
        ("postgresql://a@dpg-1-a/db", "postgresql://a@dpg-1-a.oregon-postgres.render.com/db", True),
        ("postgresql://a@dpg-1-a/db", "postgresql://a@dpg-2-a/db", False),
        ("postgresql://a@h1,h2/db", "postgresql://a@h2:5432/db", True),
        ("postgresql://a@h/", "host=h dbname=a", True),
    ],
)
def test_two_addresses_lead_to_one_database_by_host_port_and_name(one: str, other: str, same: bool) -> None:
    assert is_among(DatabaseAddress(one), [DatabaseAddress(other)]) is same
