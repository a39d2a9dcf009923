"""Answers to an approval request: whose counts, for which plan, and that nobody approves their own request."""

from dataclasses import replace
from pathlib import Path

import pytest

from securewatch.core.errors import Conflict, NotFound, UsageError
from securewatch.deploy.model import Run, Stage
from securewatch.deps import Deps
from securewatch.operations.approve import Answer, answer_request
from securewatch.operations.start import start_run
from securewatch.store import approvals, audit
from tests.integration.operations.given import Office, move, planned, running_office

YES = Answer("financefirst", "v1.1.0", granted=True, comment="fine by me")


async def asked(office: Office, slug: str = "financefirst") -> tuple[Deps, Run]:
    """Bob has asked for the deploy of a customer."""
    deps = await office.deps("bob")
    run = await start_run(deps, await planned(deps, slug))
    assert run is not None
    return deps, run


async def test_an_approval_is_bound_to_the_plan_and_expires(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        _, run = await asked(office)
        alice = await office.deps("alice")

        given, for_run = await answer_request(alice, YES)

        async with (await alice.database()).read() as tx:
            kept = await approvals.approvals_of(tx, run.plan_hash, "financefirst")
            actions = [one.action for one in await audit.entries(tx)]
        assert kept == [given]
        assert (given.plan_hash, given.actor, given.granted, given.used_by) == (run.plan_hash, "alice", True, None)
        assert given.expires_at > given.at
        assert (for_run.run_id, for_run.requested_by) == (run.id, "bob")
        assert actions[-1] == "approval.granted"


async def test_nobody_approves_their_own_request(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        bob, _ = await asked(office)

        with pytest.raises(UsageError) as caught:
            await answer_request(bob, YES)

        assert caught.value.code == "SW413"


async def test_a_customer_that_needs_no_approval_is_told_so(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        await asked(office, "demo")

        with pytest.raises(UsageError) as caught:
            await answer_request(await office.deps("alice"), Answer("demo", "v1.1.0", granted=True))

        assert caught.value.code == "SW413"


@pytest.mark.parametrize(
    "answer",
    [
        Answer("financefirst", "v1.2.0", granted=True),
        Answer("medhealth", "v1.1.0", granted=True),
    ],
    ids=["version", "customer"],
)
async def test_an_answer_to_what_nobody_asked_for_is_refused(tmp_path: Path, answer: Answer) -> None:
    async with running_office(tmp_path) as office:
        await asked(office)

        with pytest.raises(NotFound) as caught:
            await answer_request(await office.deps("alice"), answer)

        assert caught.value.code == "SW206"


@pytest.mark.parametrize("granted", [True, False])
async def test_an_answer_to_a_stale_plan_is_a_conflict_that_names_the_open_one(tmp_path: Path, granted: bool) -> None:
    async with running_office(tmp_path) as office:
        _, run = await asked(office)
        alice = await office.deps("alice")

        with pytest.raises(Conflict) as caught:
            await answer_request(alice, replace(YES, granted=granted, plan="0123456789"))

        assert caught.value.code == "SW413"
        assert run.plan_hash[:8] in caught.value.fix
        async with (await alice.database()).read() as tx:
            assert await approvals.approvals_of(tx, run.plan_hash, "financefirst") == []


async def test_a_run_that_went_ahead_takes_no_more_answers(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        bob, run = await asked(office)
        await move(bob, run, stage=Stage.DEPLOYING)

        with pytest.raises(NotFound):
            await answer_request(await office.deps("alice"), YES)
