"""Whether a deploy backs the database up: by the policy, and by what a person asks for."""

import pytest

from securewatch.config.fleet import Customer
from securewatch.core.errors import Refused
from securewatch.operations.migrations import BackupTerms, no_database

CUSTOMER = Customer("acme-corp", "ACME Corporation", "standard", "standard_rollout", "srv-1", "srv-2")


@pytest.mark.parametrize(
    ("is_required", "asked", "is_taken"),
    [
        (False, None, False),
        (True, None, True),
        (False, True, True),
        (True, True, True),
        (False, False, False),
    ],
)
def test_a_backup_is_taken_where_the_policy_or_the_person_asks_for_one(
    is_required: bool, asked: bool | None, is_taken: bool
) -> None:
    terms = BackupTerms(is_required, asked)

    terms.refuse_waived(CUSTOMER)

    assert terms.is_taken == is_taken


def test_a_backup_that_the_policy_asks_for_cannot_be_left_out() -> None:
    terms = BackupTerms(is_required=True, asked=False)

    with pytest.raises(Refused) as caught:
        terms.refuse_waived(CUSTOMER)

    assert caught.value.code == "SW427"
    assert terms.is_taken


@pytest.mark.parametrize(("is_required", "is_named"), [(True, False), (False, True)])
def test_who_has_no_database_may_go_without_a_backup_unless_the_policy_asks_for_it(
    is_required: bool, is_named: bool
) -> None:
    error = no_database(CUSTOMER, is_required=is_required)

    assert error.code == "SW611"
    assert ("--no-backup" in error.fix) == is_named
