"""Sending what is due by hand: who gets what, what it comes to, and what is warned of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from securewatch.core.errors import ShutGate, UsageError
from securewatch.deps import Deps
from securewatch.operations.expected import expect
from securewatch.operations.notices import (
    channel_warnings,
    draft_notices,
    has_failed,
    list_notices,
    resend_notices,
    send_notices,
)
from securewatch.operations.pause import set_pause
from securewatch.store import audit
from securewatch.store.outbox import NoticeState
from tests.integration.notify.given import running_chat
from tests.integration.operations.given import Office, running_office
from tests.integration.versions.repository import make_repository
from tests.unit.config.given import RELEASES, Change, put

AHEAD = "minor_release_policies/standard/notification_advance"


@asynccontextmanager
async def office(
    folder: Path, changes: dict[str, Change] | None = None, **environ: str | None
) -> AsyncIterator[tuple[Office, Deps]]:
    """An office with a vendor's repository, whose notices go to a mail folder unless told otherwise."""
    async with running_office(folder, changes) as found:
        vendor = make_repository(folder / "vendor")
        vendor.commit("v1.1.0")
        vendor.tag("v1.1.0")
        mail = {"SECUREWATCH_REPO": str(vendor.path), "SECUREWATCH_MAIL_FOLDER": str(folder / "mail"), **environ}
        yield found, await found.deps(**mail)


async def test_what_is_due_for_a_phase_is_sent_and_listed_once(tmp_path: Path) -> None:
    async with office(tmp_path, {RELEASES: put(AHEAD, "10_days")}) as (_, deps):
        release = await expect(deps, "v1.1.0")
        drafts = await draft_notices(deps, release, "standard")
        first = await send_notices(deps, drafts)
        again = await send_notices(deps, await draft_notices(deps, release, "standard"))

        assert [(one.notice.slug, one.notice.recipient, one.state) for one in first] == [
            ("acme-corp", "customer", NoticeState.SENT),
            ("acme-corp", "team", NoticeState.SENT),
        ]
        assert again == first == await list_notices(deps, version="v1.1.0", customer="ACME Corporation")
        assert await list_notices(deps, version=None, customer="demo") == []
        assert len(list((tmp_path / "mail").iterdir())) == 2


async def test_a_dry_run_gives_the_texts_and_makes_no_state(tmp_path: Path) -> None:
    async with office(tmp_path) as (_, deps):
        drafts = await draft_notices(deps, await expect(deps, "v1.1.0"), None)

        assert [one.to for one in drafts.due] == ["ops@techstart.example by mail folder", "the team by mail folder"]
        assert all("v1.1.0" in one.letter.body for one in (*drafts.due, *drafts.later))
        assert await deps.existing_database() is None
        assert not (tmp_path / "mail").exists()


async def test_each_customer_is_expected_inside_its_window(tmp_path: Path) -> None:
    async with office(tmp_path) as (_, deps):
        release = await expect(deps, "v1.1.0")

        window = deps.fleet.customers["medhealth"].window
        slot: Any = release.slots["medhealth"]
        assert isinstance(slot, datetime)
        assert slot > release.plan.phase("enterprise").begins(deps.clock.now())
        assert window.start_text is not None


async def test_a_version_must_be_named_while_no_rollout_is_open(tmp_path: Path) -> None:
    async with office(tmp_path) as (_, deps):
        with pytest.raises(UsageError, match="which version"):
            await expect(deps, None)


async def test_nothing_is_put_while_everything_is_paused(tmp_path: Path) -> None:
    async with office(tmp_path) as (_, deps):
        drafts = await draft_notices(deps, await expect(deps, "v1.1.0"), None)
        await set_pause(deps, paused=True)

        with pytest.raises(ShutGate):
            await send_notices(deps, drafts)

        assert await list_notices(deps, version=None, customer=None) == []


async def test_what_is_refused_has_failed_and_what_has_no_way_has_not(tmp_path: Path) -> None:
    async with running_chat() as chat:
        chat.status = 500
        environ = {"SECUREWATCH_MAIL_FOLDER": None, "SECUREWATCH_NOTIFY_TEAM": chat.url()}
        async with office(tmp_path, **environ) as (_, deps):
            entries = await send_notices(deps, await draft_notices(deps, await expect(deps, "v1.1.0"), "startup"))

    assert {one.notice.recipient: (one.state, has_failed(one)) for one in entries} == {
        "customer": (NoticeState.NOT_CONFIGURED, False),
        "team": (NoticeState.WAITING, True),
    }


async def test_what_failed_is_sent_again_by_a_person_and_what_arrived_is_not(tmp_path: Path) -> None:
    async with running_chat() as chat:
        chat.status = 500
        environ = {"SECUREWATCH_MAIL_FOLDER": None, "SECUREWATCH_NOTIFY_TEAM": chat.url()}
        async with office(tmp_path, **environ) as (found, deps):
            await send_notices(deps, await draft_notices(deps, await expect(deps, "v1.1.0"), "startup"))
            chat.status = 200
            mail = await found.deps(
                SECUREWATCH_NOTIFY_TEAM=chat.url(), SECUREWATCH_NOTIFY_EMAIL=None, SECUREWATCH_MAIL_FOLDER=None
            )
            again = await resend_notices(mail, version="v1.1.0", customer="techstart")
            nothing = await resend_notices(mail, version="v1.1.0", customer="demo")
            async with (await mail.database()).read() as tx:
                lines = [one.detail for one in await audit.entries(tx) if one.action == "notice.waiting"]

    assert {one.notice.recipient: one.state for one in again} == {
        "customer": NoticeState.NOT_CONFIGURED,
        "team": NoticeState.SENT,
    }
    assert nothing == ()
    assert [one["recipients"] for one in lines if one.get("again")] == [["customer"], ["team"]]


async def test_a_required_channel_and_an_unknown_word_are_warned_of(tmp_path: Path) -> None:
    template = put("communication_templates/advance_notification/content", "{version} {downtime}")
    async with office(tmp_path, {RELEASES: template}, SECUREWATCH_MAIL_FOLDER=None) as (_, deps):
        assert [one.split()[0] for one in channel_warnings(deps)] == [
            "slack_webhook",
            "email_alerts",
            "communication_templates:",
        ]
