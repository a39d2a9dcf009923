"""The demo: 52 days of a release in about a minute, and a bad release that stops early and is taken back.

The program's own commands, HTTP, git and customers' applications on this machine; only the clock runs fast. At the end
the platform is asked what happened. Exit code 0 says that every claim of the story came true.
"""

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import textwrap
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from localrender.cli import CANNOT_START
from localrender.vendor import read_commit
from rehearsal.place import Stage, Unexpected, claim, stage, title
from rehearsal.proof import Deploy, deploys_of, more_than_once, off_calendar, running_on, window_of
from rehearsal.restoring import play_restore
from securewatch.cli.failures import as_text
from securewatch.cli.rollout_flow import WATCH_SECONDS, RolloutLines, RolloutRegion
from securewatch.core.errors import ExitCode, SecurewatchError
from securewatch.deps import Deps
from securewatch.operations.follow import pause_real_seconds
from securewatch.operations.release.status import ReleaseStatus, load_release_status
from securewatch.rollout.model import MemberState, RolloutState

GOOD, BAD = "v1.1.0", "v1.2.0"
BUSY, BUSY_DAYS = "medhealth", 41
"""The customer that asks for no changes until that day: the calendar is used to its last weeks."""
NEEDS_APPROVAL = "SW402"
UNLUCKY = "brightlabs"
"""One of the first two startup customers."""
LETTER_TRIES = 20
LIMIT_SECONDS = 600.0
"""Real seconds after which the demo gives up, on a machine however busy."""
NEXT = f"""what to try next
  .venv/bin/localrender up --fast --write-env .env      the same platform for yourself, in another terminal
  scripts/minor-release-manager.sh plan-release --version {GOOD}
  scripts/render-deploy.sh deploy-customer --version {GOOD} --customer acme-corp
  scripts/render-deploy.sh check-health --customer acme-corp
  scripts/render-deploy.sh rollback-customer --customer acme-corp
  .venv/bin/securewatch --help                          everything else; README.md tells the rest"""
Until = Callable[[ReleaseStatus], bool]


@dataclass(frozen=True)
class Cast:
    """The customers by slug, as customers.json has them, and the commits of both versions."""

    customers: dict[str, Any]
    good: str
    bad: str

    @property
    def policies(self) -> dict[str, str]:
        """The policy of each customer."""
        return {slug: str(one["deployment_policy"]) for slug, one in self.customers.items()}

    def of(self, *policies: str) -> frozenset[str]:
        """The customers of some policies."""
        return frozenset(slug for slug, policy in self.policies.items() if policy in policies)


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the demo; 0 where everything ended as it must, 130 after Ctrl-C or SIGTERM, which end every process too."""
    about = f"52 days in about a minute: {GOOD} comes to eight customers; {BAD} is bad, stops early and is taken back."
    parser = argparse.ArgumentParser(prog="./dev demo", description=about)
    parser.add_argument(
        "--full", action="store_true", help="then one customer goes back with its database; a minute more"
    )
    is_full: bool = parser.parse_args(arguments).full
    try:
        asyncio.run(_play(is_full=is_full))
    except TimeoutError:
        print(f"demo: not done after {LIMIT_SECONDS:.0f} seconds; this machine is too busy", file=sys.stderr)
    except (Unexpected, *CANNOT_START) as error:
        print(f"demo: {error}", file=sys.stderr)
    except SecurewatchError as error:
        print(as_text(error), file=sys.stderr)
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("interrupted: every process is ended, every file removed", file=sys.stderr)
        return int(ExitCode.INTERRUPTED)
    else:
        return int(ExitCode.DONE)
    return int(ExitCode.FAILED)


async def _play(*, is_full: bool) -> None:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    print("robin, a release engineer, brings a version to eight customers; dana is the second person who approves.")
    print("Starting a Render-compatible platform and the customers' applications on this machine.", flush=True)
    async with asyncio.timeout(LIMIT_SECONDS):
        async with stage() as place, place.serving() as server:
            story = Story(place, server, _cast(place))
            await story.plan()
            await story.bring()
            await story.bring_bad()
            await story.prove()
        if is_full:
            await play_restore()
    print(f"\nevery process is ended, every file removed\n\n{NEXT}")


def _cast(place: Stage) -> Cast:
    listed = json.loads((place.folder / "config" / "customers.json").read_text(encoding="utf-8"))["customers"]
    commits = [read_commit(place.platform.repo, tag) for tag in (GOOD, BAD)]
    good, bad = (one.id if one else "" for one in commits)
    return Cast({one["slug"]: one for one in listed}, good, bad)


class Story:
    """The acts, in their order. `server` is `securewatch serve`, which carries all that goes on."""

    def __init__(self, place: Stage, server: asyncio.subprocess.Process, cast: Cast) -> None:
        self._place = place
        self._server = server
        self._cast = cast
        self._day_zero: dict[str, datetime] = {}

    async def plan(self) -> None:
        """What the release will be, before anything is written."""
        title(f"1  The plan: who gets {GOOD}, and when")
        await self._place.command("plan-release", "--version", GOOD)

    async def bring(self) -> None:
        """The whole calendar, from day 0 to the last enterprise customer and the end of its watch."""
        title(f"2  52 days: {GOOD} comes to everybody")
        await self._start(GOOD)
        free = self._day_zero[GOOD] + timedelta(days=BUSY_DAYS)
        await self._place.command("pin", BUSY, "--until", f"{free:%Y-%m-%d}", "--reason", "their audit")
        await self._follow(GOOD, lambda status: status.rollout.state.is_over)
        await self._place.command("check-status", "--version", GOOD)
        await self._place.command("customer", "list")

    async def bring_bad(self) -> None:
        """The bad one: healthy for demo, unhealthy where customers have data of their own."""
        title(f"3  {BAD} is bad: it stops in the startup phase and is taken back")
        await self._start(BAD)
        await self._follow(BAD, _is_halted)
        await self._place.command("check-status", "--version", BAD)
        print(f"\nThe startup customers went back by themselves; robin takes {BAD} from demo too, so nobody keeps it.")
        back = ("--version", BAD, "--phase", "demo", "--reason", "bad search", "--yes")
        await self._place.command("rollback-phase", *back)
        path = await self._letter_to(UNLUCKY)
        letter = message_from_bytes(path.read_bytes(), policy=policy.default)
        print(f"\nIn the mail folder, {path.name}:\n  To: {letter['To']}\n  Subject: {letter['Subject']}\n")
        print(textwrap.indent(letter.get_content().rstrip(), "  "))

    async def prove(self) -> None:
        """The claims, from what the platform itself has on record, the mail folder and the audit log."""
        title("4  What was proven")
        state, cast = await self._place.look(), self._cast
        made = deploys_of(state)
        claim(running_on(state, cast.good) == cast.customers.keys(), f"not everybody runs {GOOD} at the end")
        had = sorted({one.customer for one in made if one.commit == cast.bad})
        for line in (*self._of_good(state, made), *self._of_bad(made, had), await self._of_letters(had)):
            print(f"  ✔ {line}")
        await self._place.command("audit", "verify")

    # --- acting -------------------------------------------------------------------------------------------------------

    async def _start(self, version: str) -> None:
        await self._place.command("rollout", "start", "--version", version, "--yes", "--detach", shows=False)
        async with self._place.deps("robin") as deps:
            self._day_zero[version] = (await load_release_status(deps, version)).rollout.day_zero

    async def _follow(self, version: str, until: Until) -> None:
        """Show the rollout as `rollout status --watch` does, with dana beside it, until it is where it must be."""
        print(f"\n$ securewatch rollout status --watch --version {version}", flush=True)
        async with self._place.deps("robin") as deps:
            with contextlib.ExitStack() as screens:
                shown: list[Any] = [screens.enter_context(RolloutLines(deps.clock))]
                if sys.stdout.isatty():
                    shown.append(screens.enter_context(RolloutRegion(deps.clock)))
                status = await self._look(deps, version, shown)
                while not until(status):
                    await self._approve(status)
                    await pause_real_seconds(WATCH_SECONDS)
                    status = await self._look(deps, version, shown)

    async def _look(self, deps: Deps, version: str, screens: Sequence[Any]) -> ReleaseStatus:
        status = await load_release_status(deps, version)
        for screen in screens:
            screen(status, None)
        if self._server.returncode is not None:
            log = (self._place.folder / "serve.log").read_text(encoding="utf-8").splitlines()
            raise Unexpected(f"`securewatch serve` ended: {log[-1] if log else 'no word'}")
        if version == GOOD and status.rollout.state is RolloutState.HALTED:
            raise Unexpected(f"the rollout of {GOOD} halted: {status.rollout.detail}")
        return status

    async def _approve(self, status: ReleaseStatus) -> None:
        """Let dana approve who waits for a person alone."""
        for one in status.members:
            if one.waiting_on is not None and one.waiting_on.person and one.waiting_on.code == NEEDS_APPROVAL:
                words = ("--version", status.rollout.version, "--customer", one.slug, "--comment", "change 4711")
                await self._place.command("approve", *words, actor="dana")

    # --- proving ------------------------------------------------------------------------------------------------------

    def _of_good(self, state: Any, made: Sequence[Deploy]) -> list[str]:
        cast, started = self._cast, [one for one in made if one.commit == self._cast.good and one.trigger == "api"]
        windows = {slug: window_of(cast.customers[slug]) for slug in cast.of("enterprise")}
        astray = off_calendar(started, cast.policies, windows, self._day_zero[GOOD])
        claim({one.customer for one in started} == cast.customers.keys(), f"not everybody got {GOOD}")
        claim(not more_than_once(made), f"deployed twice: {', '.join(more_than_once(made))}")
        claim(not astray, "; ".join(astray))
        last = max(one.created_at for one in started) - self._day_zero[GOOD]
        in_windows = sum(one.customer in windows for one in started)
        there = len(running_on(state, cast.good))
        return [
            f"{there} of {len(cast.customers)} customers run {GOOD}; nobody was deployed twice",
            f"the last of them began on day {last.days}; {len(started)} starts, 0 outside the days of their phase",
            f"{in_windows} starts of enterprise customers, 0 outside their maintenance windows",
        ]

    def _of_bad(self, made: Sequence[Deploy], had: Collection[str]) -> list[str]:
        back = [one for one in made if one.trigger == "rollback"]
        spared = self._cast.of("standard", "enterprise")
        claim(UNLUCKY in had and not spared & set(had), f"{BAD} came to {', '.join(had) or 'nobody'}")
        claim({one.customer for one in back} == set(had), f"{BAD} was not taken back everywhere")
        return [
            f"{len(had)} customers ever had {BAD} ({', '.join(had)}) and are back: {len(back)} rollbacks of services",
            f"{len(spared)} standard and enterprise customers never had it",
        ]

    async def _of_letters(self, had: Collection[str]) -> str:
        for slug in had:
            await self._letter_to(slug)
        count = len([*self._place.platform.mail_folder.glob("*-customer.eml")])
        return f"{count} letters to customers; all {len(had)} who had {BAD} were told that it was taken back"

    async def _letter_to(self, customer: str) -> Path:
        """What a customer was told when a version was taken back; the letter may still be on its way."""
        for _ in range(LETTER_TRIES):
            for path in self._place.platform.mail_folder.glob(f"*-back-{customer}-*-customer.eml"):
                return path
            await pause_real_seconds(WATCH_SECONDS)
        raise Unexpected(f"{customer} was not told that {BAD} was taken back")


def _is_halted(status: ReleaseStatus) -> bool:
    """Whether the rollout has halted and everybody who failed is back."""
    is_halted = status.rollout.state is RolloutState.HALTED
    return is_halted and all(one.member.state is not MemberState.RUNNING for one in status.members)


if __name__ == "__main__":
    sys.exit(main())
