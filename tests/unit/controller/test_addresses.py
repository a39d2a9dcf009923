"""Where a customer's database is: which URL leads to which, and what a restore changes about it."""

import pytest

from securewatch.controller.addresses import Addresses, DatabaseOf, database_in, like, with_database
from securewatch.core.ids import PostgresID, ServiceID
from securewatch.store.standing import StandingDatabase

URL = "postgresql+asyncpg://app:p%40ss@dpg-1-a.oregon.example:5432/acme?sslmode=require"


def test_another_database_is_named_in_the_path_and_nothing_else_changes() -> None:
    assert with_database(URL, "acme_r3") == URL.replace("/acme?", "/acme_r3?")
    assert with_database(URL, "") == URL
    assert database_in(with_database(URL, "a b")) == "a%20b"


def test_a_new_address_keeps_scheme_and_options_of_the_one_in_use() -> None:
    assert like(URL, "postgresql://new:secret@dpg-2-a/acme") == (
        "postgresql+asyncpg://new:secret@dpg-2-a/acme?sslmode=require"
    )
    assert like("postgres://a@b/c", "postgresql://d@e/f?x=1") == "postgres://d@e/f?x=1"


@pytest.mark.parametrize(("used", "owner"), [("postgresql://app@h/a", "app"), ("postgresql://admin@h/a", "")])
def test_what_is_restored_belongs_to_the_role_of_the_backend(used: str, owner: str) -> None:
    assert Addresses("postgresql://admin@h/a", used).other_owner == owner


def test_since_a_restore_the_customer_uses_what_it_made() -> None:
    wanted = DatabaseOf("acme", ServiceID("srv-1"), PostgresID("dpg-1"))
    beside = wanted.since_restore(StandingDatabase("dpg-1", "acme_r3", before="dpg-1"))
    recovered = wanted.since_restore(StandingDatabase("dpg-2", "acme", before="dpg-1"))

    assert wanted.since_restore(None) == wanted
    assert (beside.postgres_id, beside.database, beside.is_recovered) == ("dpg-1", "acme_r3", False)
    assert (recovered.postgres_id, recovered.database, recovered.is_recovered) == ("dpg-2", "acme", True)
    assert wanted.since_restore(StandingDatabase("dpg-9", "other", before="dpg-8")) == wanted
