"""What a restore calls its new database, which addresses can be switched, and what of a loss is told."""

from dataclasses import replace

import pytest

from securewatch.backup.losses import TableLoss
from securewatch.controller.databases import check_switch, loss_words, name_beside
from securewatch.core.errors import Refused
from securewatch.deploy.view import Effect, EffectKind
from tests.factories import make_effect


def restore(key: str = "restore-database:backend", generation: int = 5) -> Effect:
    return replace(make_effect(key, EffectKind.RESTORE_DATABASE), generation=generation)


def test_the_new_database_is_called_after_its_run_and_attempt() -> None:
    assert name_beside("acme", restore(), is_ours=False) == "acme_r5"
    assert name_beside("acme_r3", restore(), is_ours=True) == "acme_r5"
    assert name_beside("shop_r2", restore(), is_ours=False) == "shop_r2_r5"
    assert name_beside("acme_r3_2", restore("restore-database:backend#2"), is_ours=True) == "acme_r5_2"


def test_a_long_name_is_cut_to_what_postgresql_takes() -> None:
    assert len(name_beside("ä" * 40, restore(generation=12), is_ours=False).encode()) <= 63


@pytest.mark.parametrize("options", ["dbname=acme", "host=/run", "service=x"])
def test_an_address_whose_options_name_the_database_is_not_switched(options: str) -> None:
    with pytest.raises(Refused, match="cannot be switched"):
        check_switch(f"postgresql://app@h/acme?sslmode=require&{options}")
    check_switch("postgresql://app@h/acme?sslmode=require")


def test_a_loss_is_told_in_words() -> None:
    assert loss_words(TableLoss("public.o", 5, 7, added=3, changed=0, removed=1)) == "3 added, 1 removed"
    assert loss_words(TableLoss("public.o", 5, 7, None, None, None, unknown="no times")) == "not known: no times"
