"""What a person reads of a freeze, a pin and a hold just set, and of their list."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from securewatch.cli.freezes import freeze_lines, show_rows
from securewatch.operations.freeze import FreezeRow
from securewatch.rollout.freezes import FreezeKind, StandingFreeze
from tests.factories import NOW
from tests.golden.conftest import Golden

LONDON = ZoneInfo("Europe/London")
CHRISTMAS = StandingFreeze(
    FreezeKind.FREEZE,
    "christmas",
    datetime(2026, 12, 20, tzinfo=LONDON),
    datetime(2027, 1, 4, tzinfo=LONDON),
    actor="robin",
    at=NOW,
    every="FREQ=YEARLY",
    timezone="Europe/London",
    policies=("enterprise",),
    customers=("acme-corp",),
)
PIN = StandingFreeze(
    FreezeKind.PIN, "acme-corp", NOW, NOW + timedelta(days=9), "robin", NOW, customers=("acme-corp",), reason="audit"
)
HOLD = replace(PIN, kind=FreezeKind.HOLD, end=None, reason="they report failed log-ins")
ROWS = (
    FreezeRow(
        replace(CHRISTMAS, name="of the files", policies=(), customers=(), every=""), NOW, "over", NOW, NOW, False
    ),
    FreezeRow(CHRISTMAS, NOW, "waits", CHRISTMAS.start, CHRISTMAS.end),
    FreezeRow(PIN, NOW, "holds", PIN.start, PIN.end),
    FreezeRow(HOLD, NOW, "holds", HOLD.start, None),
)


def test_a_freeze_that_is_to_come(golden: Golden) -> None:
    golden("freeze-set", "\n".join(freeze_lines(ROWS[1], "securewatch freeze rm christmas")))


def test_a_pin_and_a_hold(golden: Golden) -> None:
    golden("pin-set", "\n".join(freeze_lines(ROWS[2], "securewatch unpin acme-corp")))
    golden("hold-set", "\n".join(freeze_lines(ROWS[3], "securewatch unhold acme-corp")))


def test_the_list(golden: Golden, capsys: pytest.CaptureFixture[str]) -> None:
    show_rows(ROWS)

    golden("freeze-list", capsys.readouterr().out)
