"""The demo: five customers of a platform on this machine get a good version, one gets a bad one and is taken back.

Everything is real but the clock: the program's own commands, HTTP, git, processes and databases. Exit code 0 says that
each step ended as it must.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from localrender.cli import CANNOT_START
from localrender.serve import Running, Wanted, running
from securewatch.cli.failures import as_text
from securewatch.cli.flow import How, run_plan
from securewatch.cli.session import Session
from securewatch.cli.show import status_text
from securewatch.cli.tables import show_table
from securewatch.cli.words import show_duration
from securewatch.config.settings import load_settings
from securewatch.core.errors import ExitCode, SecurewatchError
from securewatch.core.ids import ServiceID
from securewatch.deploy.model import Run
from securewatch.deps import Deps
from securewatch.operations.approve import Answer, answer_request
from securewatch.operations.audits import verify_log
from securewatch.operations.follow import FollowOptions
from securewatch.operations.history import list_customers, load_runs
from securewatch.operations.plan import DeployRequest
from securewatch.render import env_vars
from securewatch.render.budget import Priority

GOOD, BAD = "v1.1.0", "v1.2.0"
UNLUCKY = "techstart"
RATE = 60.0
"""Product seconds a real second, while something moves; idle time is jumped over."""
PROJECT = Path(__file__).resolve().parents[2]
NEXT = f"""what to try next
  .venv/bin/localrender up --fast --write-env .env      the same platform for yourself, in another terminal
  scripts/render-deploy.sh deploy-customer --version {GOOD} --customer acme-corp --dry-run
  scripts/render-deploy.sh deploy-customer --version {GOOD} --customer acme-corp
  scripts/render-deploy.sh check-health --customer acme-corp
  scripts/render-deploy.sh rollback-customer --customer acme-corp
  .venv/bin/securewatch --help                          everything else; README.md tells the rest"""


class Unexpected(Exception):
    """A step of the demo did not end as it must."""


class Stage(NamedTuple):
    """Where the demo plays: the platform, and a folder for the product's state."""

    platform: Running
    folder: Path

    def deps(self, actor: str) -> Deps:
        """The product's parts as one person's command would make them."""
        environ: Mapping[str, str] = {
            **self.platform.environment(),
            "SECUREWATCH_ACTOR": actor,
            "SECUREWATCH_DATABASE_URL": f"sqlite+aiosqlite:///{self.folder / 'state.db'}",
        }
        return Deps(load_settings({}, self.folder, environ))


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the demo; 0 where everything ended as it must, 130 after Ctrl-C or SIGTERM, which end every process too."""
    about = "Five customers of a platform on this machine get a good version; one gets a bad one and is taken back."
    argparse.ArgumentParser(prog="./dev demo", description=about).parse_args(arguments)
    try:
        asyncio.run(_play())
    except (Unexpected, *CANNOT_START) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except SecurewatchError as error:
        print(as_text(error), file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("interrupted: every process is ended, every file removed", file=sys.stderr)
        return int(ExitCode.INTERRUPTED)
    return 0


async def _play() -> None:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    print(f"robin, a release engineer, brings {GOOD} to each customer; dana is the second person who approves.")
    _say("starting a Render-compatible platform: five customers, real processes, a database for each")
    with tempfile.TemporaryDirectory(prefix="securewatch-demo-") as folder:
        async with running(Wanted(rate=RATE, config_folder=PROJECT / "config")) as platform:
            stage = Stage(platform, Path(folder))
            async with stage.deps("robin") as deps:
                slugs = {one.slug: one.policy for one in deps.fleet.customers.values()}
            for slug, policy in slugs.items():
                await _bring(stage, slug, is_enterprise=policy == "enterprise")
            await _bring_bad(stage)
            await _sum_up(stage)
    _say("every process is ended, every file removed\n")
    print(NEXT)


async def _bring(stage: Stage, slug: str, *, is_enterprise: bool) -> None:
    """One customer, as a release engineer does it; an enterprise one waits for a second person and its window."""
    if is_enterprise:
        await _deploy(stage, slug, GOOD, ExitCode.WAITING)
        _say(f"$ SECUREWATCH_ACTOR=dana securewatch approve --version {GOOD} --customer {slug} --comment 'change 4711'")
        async with stage.deps("dana") as deps:
            await answer_request(deps, Answer(slug, GOOD, granted=True, comment="change 4711"))
    await _deploy(stage, slug, GOOD, ExitCode.DONE, waits=is_enterprise)


async def _deploy(stage: Stage, slug: str, version: str, wanted: ExitCode, *, waits: bool = False) -> None:
    flag = " --wait" if waits else ""
    _say(f"$ securewatch deploy-customer --version {version} --customer {slug}{flag}")
    session = Session(None, None, is_json=False)
    how = How(is_sure=True, following=FollowOptions(waits_at_gates=waits))
    async with stage.deps("robin") as deps:
        code = await run_plan(deps, session, DeployRequest(slug, version), how)
    if code is ExitCode.INTERRUPTED:
        raise asyncio.CancelledError
    if code is not wanted:
        raise Unexpected(f"{version} for {slug} ended with exit code {int(code)}, not {int(wanted)}")


async def _bring_bad(stage: Stage) -> None:
    """A version that comes up and then fails its health checks: taken back by itself, env vars and all."""
    before = await _env(stage)
    await _deploy(stage, UNLUCKY, BAD, ExitCode.ROLLED_BACK)
    if await _env(stage) != before:
        raise Unexpected(f"the env vars of {UNLUCKY} are not what they were before {BAD}")
    _say(f"{UNLUCKY} is back at {before['VERSION_TAG']}, and all its {len(before)} env vars are as they were")


async def _env(stage: Stage) -> Mapping[str, str]:
    async with stage.deps("robin") as deps:
        service_id = ServiceID(deps.fleet.customers[UNLUCKY].backend_service_id)
        found = await env_vars.fetch_env_vars(await deps.client(), service_id, priority=Priority.CLI)
    return {one.key: one.value.get_secret_value() for one in found}


async def _sum_up(stage: Stage) -> None:
    async with stage.deps("robin") as deps:
        report = await verify_log(deps)
        rows = []
        for one in await list_customers(deps):
            runs = await load_runs(deps, one.slug)
            note = f"{runs[0].version}: {runs[0].stage.value.replace('_', ' ')}" if len(runs) > 1 else ""
            took = show_duration(_seconds(runs[-1]))
            rows.append((one.slug, one.policy, one.backend, one.frontend, status_text(one.status), took, note))
    _say("the customers now (durations in the platform's time, which runs fast)")
    show_table(("customer", "policy", "backend", "frontend", "status", f"{GOOD} took", "then"), rows)
    _say(f"the audit log verifies: {report.count} entries")


def _seconds(run: Run) -> float | None:
    """From the first deploy's send to verified."""
    sent = [one.sent_at for one in run.progress if one.sent_at is not None]
    return (run.verified_at - min(sent)).total_seconds() if run.verified_at and sent else None


def _say(text: str) -> None:
    print(f"\n{text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
