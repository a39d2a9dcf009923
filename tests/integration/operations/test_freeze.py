"""Setting and ending freezes, pins and holds: what is kept and noted, and what is refused."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from securewatch.cli.show import card_lines
from securewatch.core.errors import Conflict, NotFound, UsageError
from securewatch.deps import Deps
from securewatch.operations.explain import explain
from securewatch.operations.freeze import (
    FreezeRequest,
    add_freeze,
    end_freeze,
    hold,
    list_freezes,
    pin,
    release,
)
from securewatch.operations.history import list_customers, show_customer
from securewatch.operations.start import start_run
from securewatch.rollout.freezes import FreezeKind
from securewatch.store import audit
from tests.integration.operations.given import Office, planned, running_office
from tests.unit.config.given import make_files

DAY = timedelta(days=1)


def request(deps: Deps, **changes: object) -> FreezeRequest:
    now = deps.clock.now()
    return replace(FreezeRequest("christmas", now + DAY, now + 3 * DAY), **changes)


async def entries(office: Office) -> list[tuple[str, str | None, str]]:
    """Action, customer and actor of each line of the audit log."""
    deps = await office.deps()
    async with (await deps.database()).read() as tx:
        return [(one.action, one.slug, one.actor) for one in await audit.entries(tx)]


async def names(deps: Deps) -> list[tuple[str, str]]:
    return [(row.freeze.name, row.state) for row in await list_freezes(deps)]


async def test_a_freeze_is_set_listed_and_ended(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps("dana")

        row = await add_freeze(
            deps, request(deps, customers=("Acme Corporation", "acme-corp"), every="weekly", reason="rest")
        )
        listed = await names(deps)
        await end_freeze(await office.deps("kim"), "christmas")

        assert (row.freeze.customers, row.freeze.every, row.freeze.actor) == (("acme-corp",), "FREQ=WEEKLY", "dana")
        assert (row.state, row.begins, row.until) == ("waits", row.freeze.start, row.freeze.end)
        assert listed == [("christmas", "waits")]
        assert await names(deps) == []
        assert await entries(office) == [("freeze.set", "acme-corp", "dana"), ("freeze.ended", "acme-corp", "kim")]


async def test_a_second_pin_takes_the_place_of_the_first(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        now = deps.clock.now()
        await pin(deps, "acme-corp", until=now + DAY)

        row = await pin(deps, "Acme Corporation", until=now + 2 * DAY)

        (listed,) = await list_freezes(deps)
        assert (listed, row.state, row.until) == (row, "holds", now + 2 * DAY)
        assert [action for action, *_ in await entries(office)] == ["pin.set", "pin.ended", "pin.set"]


async def test_holding_a_held_customer_keeps_the_first_words(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        first = await hold(await office.deps("dana"), "acme-corp", reason="log-ins fail")

        again = await hold(await office.deps("kim"), "acme-corp", reason="me too")
        ended = await release(await office.deps("kim"), FreezeKind.HOLD, "Acme Corporation")

        assert again.freeze == first.freeze == ended
        assert await entries(office) == [("hold.set", "acme-corp", "dana"), ("hold.ended", "acme-corp", "kim")]


async def test_why_says_what_a_run_waits_for(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        assert await start_run(deps, await planned(deps)) is not None
        await hold(deps, "acme-corp", reason="log-ins fail")

        status = await explain(deps, "acme-corp")

        assert status.status == "waiting"
        assert status.waiting_on is not None
        assert "the end of the hold that bob set (log-ins fail)" in status.waiting_on.what


async def test_a_freeze_of_the_files_is_listed_and_neither_ended_nor_named_twice(tmp_path: Path) -> None:
    stands = {"name": "audit", "start": "2000-01-01T00:00:00Z", "end": "2100-01-01T00:00:00Z"}
    async with running_office(tmp_path) as office:
        make_files(tmp_path, own={"freezes": [stands]})
        deps = await office.deps()

        with pytest.raises(NotFound) as ending:
            await end_freeze(deps, "audit")
        with pytest.raises(Conflict) as adding:
            await add_freeze(deps, request(deps, name="audit"))

        assert await names(deps) == [("audit", "holds")]
        assert "securewatch.json" in ending.value.fix
        assert adding.value.code == "SW212"


async def test_a_name_is_free_again_once_its_freeze_is_ended(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        await add_freeze(deps, request(deps))
        with pytest.raises(Conflict, match="already"):
            await add_freeze(deps, request(deps))
        await end_freeze(deps, "christmas")

        assert (await add_freeze(deps, request(deps))).state == "waits"


Asking = Callable[[Deps, datetime], Awaitable[object]]


@pytest.mark.parametrize(
    "ask",
    [
        lambda deps, now: add_freeze(deps, request(deps, end=now)),
        lambda deps, now: add_freeze(deps, request(deps, start=now - 2 * DAY, end=now)),
        lambda deps, now: add_freeze(deps, request(deps, start=now.replace(tzinfo=None))),
        lambda deps, now: add_freeze(deps, request(deps, timezone="Mars/Olympus")),
        lambda deps, now: add_freeze(deps, request(deps, every="FREQ=SOMETIMES")),
        lambda deps, now: add_freeze(deps, request(deps, every="FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")),
        lambda deps, now: add_freeze(deps, request(deps, policies=("gold",))),
        lambda deps, now: add_freeze(deps, request(deps, name=" ")),
        lambda deps, now: pin(deps, "acme-corp", until=now),
    ],
)
async def test_what_means_nothing_is_refused_and_leaves_nothing(tmp_path: Path, ask: Asking) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()

        with pytest.raises(UsageError) as refused:
            await ask(deps, deps.clock.now())

        assert (refused.value.code, bool(refused.value.why), bool(refused.value.fix)) == ("SW201", True, True)
        assert await deps.existing_database() is None


@pytest.mark.parametrize(
    "ask",
    [
        lambda deps, now: add_freeze(deps, request(deps, customers=("acme-crop",))),
        lambda deps, now: hold(deps, "acme-crop"),
        lambda deps, now: pin(deps, "acme-crop", until=now + DAY),
        lambda deps, now: release(deps, FreezeKind.PIN, "acme-corp"),
        lambda deps, now: end_freeze(deps, "christmas"),
    ],
)
async def test_who_or_what_does_not_exist_is_said(tmp_path: Path, ask: Asking) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()

        with pytest.raises(NotFound) as refused:
            await ask(deps, deps.clock.now())

        assert refused.value.code in {"SW202", "SW206"}
        assert refused.value.fix


async def test_the_customers_list_and_card_show_pins_and_holds(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        until = deps.clock.now() + 9 * DAY
        await pin(deps, "acme-corp", until=until, reason="their audit")
        await hold(deps, "acme-corp")
        await add_freeze(deps, request(deps))

        rows = {one.slug: one.standing for one in await list_customers(deps)}
        card = await show_customer(deps, "acme-corp")

        assert [(one.kind, one.actor, one.reason) for one in rows["acme-corp"]] == [
            ("pin", "bob", "their audit"),
            ("hold", "bob", ""),
        ]
        assert rows["demo"] == ()
        assert "\n".join(card_lines(card, deps.clock.now())).count("  set by us  ") == 2
