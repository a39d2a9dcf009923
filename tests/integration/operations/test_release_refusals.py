"""What a rollout under way refuses: each with one error, its code, and the exit code that a command ends with."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from securewatch.core.errors import ExitCode, SecurewatchError
from securewatch.deps import Deps
from securewatch.operations.approve import Answer, answer_request
from securewatch.operations.expected import expect
from securewatch.operations.release.change import pause_rollout, retry_customer, skip_customer
from securewatch.operations.release.outlook import find_rows, load_outlook, shut_gates
from securewatch.operations.release.start import Wish, ask_for
from securewatch.store import rollouts
from tests.integration.operations.given import running_office
from tests.integration.operations.test_expected import begin, office_deps

Ask = Callable[[Deps], Awaitable[object]]
VERSION = "v1.1.0"


async def start_again(deps: Deps, *, in_days: int | None = None) -> str:
    """What is said to somebody who starts the same version."""
    said: list[str] = []
    start_at = None if in_days is None else deps.clock.now() + timedelta(days=in_days)
    await ask_for(deps, Wish(VERSION, start_at=start_at), (await expect(deps, VERSION)).plan, said.append)
    return "".join(said)


def answer(slug: str, **words: str) -> Ask:
    return lambda deps: answer_request(deps, Answer(slug, VERSION, granted=True, **words))


@pytest.mark.parametrize(
    ("ask", "actor", "code", "exit_code"),
    [
        (lambda deps: start_again(deps, in_days=9), "ann", "SW420", ExitCode.CONFLICT),
        (answer("medhealth"), "bob", "SW413", ExitCode.USAGE),
        (answer("medhealth", plan="0123abcd"), "ann", "SW413", ExitCode.CONFLICT),
        (answer("techstart"), "ann", "SW413", ExitCode.USAGE),
        (lambda deps: retry_customer(deps, VERSION, "techstart"), "ann", "SW421", ExitCode.CONFLICT),
        (lambda deps: skip_customer(deps, VERSION, "techstart", reason=" "), "ann", "SW417", ExitCode.USAGE),
        (lambda deps: pause_rollout(deps, "v1.2.0", reason=""), "ann", "SW208", ExitCode.USAGE),
        (lambda deps: load_outlook(deps, "v1.2.0"), "ann", "SW208", ExitCode.USAGE),
    ],
    ids=["another-start", "own", "stale-plan", "not-needed", "retry", "no-reason", "no-rollout", "no-status"],
)
async def test_it_is_refused_and_changes_nothing(
    tmp_path: Path, ask: Ask, actor: str, code: str, exit_code: ExitCode
) -> None:
    async with running_office(tmp_path) as office:
        await begin(await office_deps(office, tmp_path))
        deps = await office.deps(actor, SECUREWATCH_REPO=str(tmp_path / "vendor"))
        before = await (await deps.database()).changes()

        with pytest.raises(SecurewatchError) as caught:
            await ask(deps)

        assert (caught.value.code, caught.value.exit_code) == (code, exit_code)
        assert caught.value.why
        assert caught.value.fix
        assert await (await deps.database()).changes() == before


async def test_who_starts_the_same_release_joins_the_open_rollout(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        await begin(await office_deps(office, tmp_path))
        ann = await office.deps("ann", SECUREWATCH_REPO=str(tmp_path / "vendor"))

        said = await start_again(ann)

        assert said.startswith("v1.1.0-r1 is open already, begun by bob at ")
        async with (await ann.database()).read() as tx:
            assert [one.id for one in await rollouts.all_rollouts(tx)] == ["v1.1.0-r1"]


async def test_approving_twice_counts_once_and_opens_the_gate(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        await begin(await office_deps(office, tmp_path))
        ann = await office.deps("ann", SECUREWATCH_REPO=str(tmp_path / "vendor"))

        first, _ = await answer_request(ann, Answer("medhealth", VERSION, granted=True))
        again, _ = await answer_request(ann, Answer("medhealth", VERSION, granted=True))

        outlook = await load_outlook(ann, VERSION)
        (row,) = find_rows(ann, outlook, "medhealth")
        assert (first.plan_hash, first.actor) == (again.plan_hash, again.actor)
        assert "approval" not in {one.name for one in shut_gates(outlook, row, ann.clock.now())}
