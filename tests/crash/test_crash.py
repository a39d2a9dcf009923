"""Killed at every boundary of input and output, each in turn, and resumed: nothing twice, lost or half-done."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from securewatch.deploy.model import Stage
from tests.crash.given import SERVICES, Point, Stand, points_of, problems_of

GOOD, BAD, OLD = "v1.1.0", "v1.2.0", "v1.0.0"
POST = f"POST /services/{SERVICES[0]}/deploys"
TRIES_MAX = 3
"""How often a point is tried that is not met."""
MET_MIN = 0.95
"""The share of points that must be met again: the order of two looks side by side may differ from run to run."""


@dataclass(frozen=True)
class Scenario:
    """What is killed: one command, after the deploys of `before`; how it ends, and what must be live then."""

    what: str
    code: int
    live: str
    release: str
    before: tuple[str, ...] = ()
    fault: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How the count of its points is called."""
        return " ".join([self.what, self.release, *filter(None, [self.fault.get("kind")])])

    @property
    def more(self) -> dict[str, Any]:
        """The command's own arguments."""
        return {"version": self.release} if self.what == "deploy" else {}


DEPLOY = Scenario("deploy", 0, live=GOOD, release=GOOD)
BAD_DEPLOY = Scenario("deploy", 6, live=OLD, release=BAD)
ROLLBACK = Scenario("rollback", 0, live=OLD, release=GOOD, before=(GOOD,))


def prepare(stand: Stand, scenario: Scenario, *, is_first: bool = False) -> tuple[Path, dict[str, Any]]:
    """A folder and the seeded platform's state, with everything done that comes before the command.

    What comes before is done once, and kept until the `stand` is told to forget it.
    """
    if stand.kept is not None:
        return stand.reset(), dict(stand.kept)
    folder = stand.reset(is_first=is_first)
    seeded = stand.services()
    for version in scenario.before:
        assert stand.run(folder, "deploy", version=version)["code"] == 0, stand.words(folder)
    if scenario.before:
        stand.keep(folder, seeded)
    if scenario.fault:
        stand.fault(method="POST", path="/deploys$", **scenario.fault)
    return folder, seeded


def record(stand: Stand, scenario: Scenario, *, at_every_step: bool = False) -> list[Point]:
    """The boundaries of one whole run of the command."""
    folder, _ = prepare(stand, scenario, is_first=True)
    found = stand.run(folder, scenario.what, records=True, **scenario.more)
    assert found["code"] == scenario.code, stand.words(folder)
    return points_of(found["seen"], at_every_step=at_every_step)


def problems_after(stand: Stand, scenario: Scenario, folder: Path, seeded: Mapping[str, Any]) -> list[str]:
    """What is wrong when the command is over, at the platform and in the product's own state."""
    problems = problems_of(stand, seeded, live=scenario.live, release=scenario.release)
    if stand.run(folder, "audit")["code"] != 0:
        problems.append("the audit log does not verify, or an effect is open")
    return problems


def try_point(stand: Stand, scenario: Scenario, point: Point, *, resumes: bool, **resume: Any) -> tuple[bool, str]:
    """Kill at the point, resume, look. Gives whether the point was met, and what is wrong then."""
    folder, seeded = prepare(stand, scenario)
    ended = stand.run(folder, scenario.what, kill_at=point, **scenario.more)
    is_met = ended["is_killed"]
    if is_met and resumes and not is_over(folder):
        ended = stand.run(folder, scenario.what, **scenario.more, **resume)
    problems = problems_after(stand, scenario, folder, seeded)
    if ended["code"] not in (scenario.code, None):
        problems.append(f"exit code {ended['code']}")
    return is_met, f"{point}: {'; '.join(problems)}\n{stand.words(folder)}" if problems else ""


def is_over(folder: Path) -> bool:
    """Whether every run has ended: a kill after the last step leaves nothing to resume, and the command would begin
    anew. Which decision is the last one differs from run to run by a sample or two.
    """
    with closing(sqlite3.connect(folder / "state" / "state.db")) as database:
        stages = [Stage(stage) for (stage,) in database.execute("SELECT stage FROM run")]
    return bool(stages) and all(stage.is_terminal for stage in stages)


def try_until_met(stand: Stand, scenario: Scenario, point: Point, *, resumes: bool) -> tuple[bool, str]:
    """Try a point until it is met: a run may take a step more or less than the one that was recorded."""
    for _ in range(TRIES_MAX):
        is_met, words = try_point(stand, scenario, point, resumes=resumes)
        if is_met or words:
            break
    return is_met, words


def try_reads(stand: Stand, scenario: Scenario, points: Sequence[Point]) -> list[tuple[bool, str]]:
    """Kill at points before the command's first commit, one after another over one state, then run it to its end.

    Nothing was begun at such a point: the platform must be untouched after each, and each next try is a resumption.
    There is no state yet before the first one.
    """
    folder, seeded = prepare(stand, scenario, is_first=True)
    before = stand.services()
    found = []
    for point in points:
        is_met = stand.run(folder, scenario.what, kill_at=point, **scenario.more)["is_killed"]
        assert is_met, f"{point} was not met: {stand.words(folder)}"
        found.append((is_met, "" if stand.services() == before else f"{point}: the platform was changed"))
    ended = stand.run(folder, scenario.what, **scenario.more)
    assert ended["code"] == scenario.code, stand.words(folder)
    assert problems_after(stand, scenario, folder, seeded) == []
    return found


def try_points(
    stand: Stand,
    scenario: Scenario,
    choose: Callable[[Sequence[Point]], Sequence[Point]],
    record_property: Callable[[str, object], None],
    *,
    at_every_step: bool = False,
) -> None:
    """Try every chosen point. After the last decision the command is over: there is nothing to resume."""
    try:
        found = _try_chosen(stand, scenario, choose, at_every_step=at_every_step)
    finally:
        stand.forget()
    met = sum(is_met for is_met, _ in found)
    record_property("crash points", f"{met} of {len(found)} points: {scenario.name}")
    wrong = [words for _, words in found if words]
    assert not wrong
    assert met >= MET_MIN * len(found)


def _try_chosen(
    stand: Stand, scenario: Scenario, choose: Callable[[Sequence[Point]], Sequence[Point]], *, at_every_step: bool
) -> list[tuple[bool, str]]:
    """Of each chosen point whether it was met, and what is wrong after it."""
    points = record(stand, scenario, at_every_step=at_every_step)
    last = max(index for index, point in enumerate(points) if point[0] == "commit decide after")
    first = next(index for index, point in enumerate(points) if point[0].startswith("commit "))
    chosen = choose(points)
    found = try_reads(stand, scenario, [point for point in chosen if points.index(point) < first])
    for point in chosen:
        if (index := points.index(point)) >= first:
            found.append(try_until_met(stand, scenario, point, resumes=index < last))
    return found


def every(points: Sequence[Point]) -> Sequence[Point]:
    """Every point."""
    return points


def from_the_send(points: Sequence[Point]) -> Sequence[Point]:
    """Every point from the first deploy's request on; what comes before is the same in every deploy."""
    return points[points.index((f"{POST} before", 1)) :]


def around_doubt(points: Sequence[Point]) -> Sequence[Point]:
    """Where the first deploy is sent, in doubt, looked for, dropped or recorded."""
    words = ("POST", "commit doubt", "commit drop", "commit record")
    return [point for point in from_the_send(points) if point[0].startswith(words)]


def reads(points: Sequence[Point]) -> Sequence[Point]:
    """The reads alone, and the commits of what they showed."""
    return [point for point in points if " | " in point[0]]


def test_a_deploy_killed_anywhere_is_carried_on_and_made_once(
    stand: Stand, record_property: Callable[[str, object], None]
) -> None:
    try_points(stand, DEPLOY, every, record_property)


def test_a_deploy_whose_answer_was_lost_is_adopted_also_when_killed(
    stand: Stand, record_property: Callable[[str, object], None]
) -> None:
    scenario = Scenario("deploy", 0, live=GOOD, release=GOOD, fault={"kind": "drop_after"})
    try_points(stand, scenario, around_doubt, record_property)


def test_a_deploy_that_never_arrived_is_sent_again_also_when_killed(
    stand: Stand, record_property: Callable[[str, object], None]
) -> None:
    scenario = Scenario("deploy", 0, live=GOOD, release=GOOD, fault={"kind": "drop_before"})
    try_points(stand, scenario, around_doubt, record_property)


def test_a_deploy_accepted_without_a_word_is_adopted_also_when_killed(
    stand: Stand, record_property: Callable[[str, object], None]
) -> None:
    fault = {"kind": "empty", "status": 202, "acts": True}
    try_points(stand, Scenario("deploy", 0, live=GOOD, release=GOOD, fault=fault), around_doubt, record_property)


def test_a_bad_version_killed_anywhere_is_still_taken_back_with_its_env_vars(
    stand: Stand, record_property: Callable[[str, object], None]
) -> None:
    try_points(stand, BAD_DEPLOY, from_the_send, record_property)


def test_a_rollback_killed_anywhere_is_carried_on_and_made_once(
    stand: Stand, record_property: Callable[[str, object], None]
) -> None:
    try_points(stand, ROLLBACK, every, record_property)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", [DEPLOY, BAD_DEPLOY, ROLLBACK], ids=lambda scenario: scenario.name)
def test_a_command_killed_at_any_read_of_any_step_is_carried_on(
    stand: Stand, record_property: Callable[[str, object], None], scenario: Scenario
) -> None:
    try_points(stand, scenario, reads, record_property, at_every_step=True)


def test_without_the_look_before_the_act_the_suite_fails(stand: Stand) -> None:
    points = [(f"{POST} after", 1), (f"{POST} before", 1)]

    after, before = (try_point(stand, DEPLOY, point, resumes=True, blind=True) for point in points)

    assert after[0]
    assert f"{SERVICES[0]} has 2 deploys of ours" in after[1]
    assert before == (True, "")  # the request was never made: only here is sending again right
