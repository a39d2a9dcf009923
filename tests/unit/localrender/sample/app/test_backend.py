"""The sample's backend: on whose data a flaw shows."""

import pytest

from localrender.sample.app.backend import Backend
from localrender.sample.app.release import Release, parse_release

SEARCH = Release("1.2.0", healthy_answers=1, spared=("demo",))


@pytest.mark.parametrize(("customer", "statuses"), [("demo", [200, 200, 200]), ("techstart", [200, 500, 500])])
def test_a_flaw_shows_on_customers_own_data_alone(customer: str, statuses: list[int]) -> None:
    backend = Backend(SEARCH, {"CUSTOMER_SLUG": customer}, lambda url: None)

    assert [backend.reply("/api/health").status for _ in statuses] == statuses


def test_a_release_is_what_its_text_says() -> None:
    assert parse_release(SEARCH.to_text()) == SEARCH
    assert parse_release('{"version": "1.0.0"}') == Release("1.0.0")
