"""The people of a rehearsal: one asks for the release, some approve, one looks after what stopped.

They know what the tool tells them (its rows) and use its operations, as commands do. What they try in vain is noted.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rehearsal.agenda import Agenda
from rehearsal.fleet import APPROVERS, REQUESTER
from rehearsal.rows import Row, Rows
from rehearsal.stage import NEW, Stage, StagedDeps
from securewatch.core.errors import SecurewatchError
from securewatch.operations.approve import Answer, answer_request
from securewatch.operations.release.change import abort_rollout, resume_rollout, retry_customer, skip_customer
from securewatch.operations.release.start import Wish, ask_for
from securewatch.operations.release_plan import make_release_plan

OPERATOR = "omar"
_ROUND = timedelta(hours=7)
"""Between two rounds that the operator and the approvers make."""
_TRIES_MAX = 2
_FAILED = ("failed", "rolled_back", "held")


@dataclass
class People:
    """Everybody who acts on the installation."""

    stage: Stage
    rows: Rows
    agenda: Agenda
    chance: random.Random
    refusals: dict[str, int] = field(default_factory=dict)
    """How often each code was said to somebody."""
    gives_up: bool = False
    """Whether the operator aborts the release when he sees it stopped."""

    async def begin(self) -> None:
        """Ask for the release, and put down when people come by."""
        deps = await self.stage.deps(REQUESTER)
        planned = await make_release_plan(deps, NEW, force=True)
        await ask_for(deps, Wish(NEW), planned.plan, lambda _: None)
        start = self.stage.clock.now()
        self.agenda.at(start + timedelta(days=self.chance.uniform(1, 21)), self._approve_round)
        self.agenda.at(start + _ROUND, self._operate_round)

    async def try_it(self, actor: str, verb: Callable[[StagedDeps], Awaitable[object]]) -> str:
        """Let somebody do something; gives the code of the refusal, empty where it was done."""
        deps = StagedDeps(self.stage, actor, self.stage.new_life())
        deps.share_fleet(self.stage)
        try:
            async with deps:
                await verb(deps)
        except SecurewatchError as error:
            self.refusals[error.code] = self.refusals.get(error.code, 0) + 1
            self.stage.note(f"{actor}: {error.code} {error.what}")
            return error.code
        finally:
            self.stage.wake()
        return ""

    async def approve(self, actor: str, slug: str, *, granted: bool = True) -> str:
        """Let somebody answer for a customer; gives the code of the refusal."""
        return await self.try_it(actor, lambda deps: answer_request(deps, Answer(slug, NEW, granted)))

    # --- rounds -------------------------------------------------------------------------------------------------------

    async def _approve_round(self) -> None:
        """Each approver answers for whom an approval is missing; now and then the wrong person tries."""
        for member in self._members("pending"):
            rules = self.stage.made.phases[member["phase"]]
            if not rules.approvals:
                continue
            given = self._given(member)
            if self.chance.random() < 0.1:
                await self.approve(REQUESTER, member["slug"])
            missing = [one for one in APPROVERS if one not in given]
            for actor in self.chance.sample(missing, min(len(missing), max(0, rules.approvals - len(given)))):
                granted = self.chance.random() > 0.05
                await self.approve(actor, member["slug"], granted=granted)
                if self.chance.random() < 0.1:
                    await self.approve(actor, member["slug"])
        self._again(self._approve_round)

    def _given(self, member: Row) -> set[str]:
        """Who has a standing answer for the customer that no run has used up."""
        sql = "SELECT actor, granted FROM approval WHERE slug = ? AND used_by IS NULL ORDER BY id"
        given: set[str] = set()
        for row in self.rows.all(sql, member["slug"]):
            given = given | {row["actor"]} if row["granted"] else set()
        return given

    async def _operate_round(self) -> None:
        """Look after failed customers, then let a halted or paused release go on."""
        rollout = self._rollout()
        if rollout["state"] in ("done", "aborted"):
            return
        failed = [one for state in _FAILED for one in self._members(state)]
        if failed and self.gives_up and rollout["state"] == "halted":
            await self.try_it(OPERATOR, lambda deps: abort_rollout(deps, NEW, reason="a bad version"))
            return
        for member in failed:
            await self._look_after(member)
        if rollout["state"] == "halted":
            await self.try_it(OPERATOR, lambda deps: resume_rollout(deps, NEW))
        self._again(self._operate_round)

    async def _look_after(self, member: Row) -> None:
        """Try again, and after some tries leave it out."""
        slug = member["slug"]
        if member["attempt"] < _TRIES_MAX and self.chance.random() < 0.7:
            await self.try_it(OPERATOR, lambda deps: retry_customer(deps, NEW, slug))
        else:
            await self.try_it(OPERATOR, lambda deps: skip_customer(deps, NEW, slug, reason="it failed"))

    def _again(self, round_: Callable[[], Awaitable[None]]) -> None:
        self.agenda.at(self.now + _ROUND, round_)

    # --- what they see ------------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """Product time."""
        return self.stage.clock.now()

    def _rollout(self) -> Row:
        return self.rows.documents("SELECT document FROM rollout ORDER BY rowid DESC LIMIT 1")[0]

    def _members(self, state: str) -> list[Row]:
        return list(self.rows.documents("SELECT document FROM member WHERE state = ? ORDER BY slug", state))
