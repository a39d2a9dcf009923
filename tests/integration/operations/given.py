"""An installation over the local platform: configuration, state and parts of a process for each person who acts."""

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from localrender.app import create_app
from localrender.serve import serving
from securewatch.config.settings import load_settings
from securewatch.deploy.model import Run, RunKind
from securewatch.deploy.plan import Planning, Target, expected_services, plan_deploy, plan_env, with_fingerprints
from securewatch.deps import Deps
from securewatch.operations.plan import BOTH, DeployRequest, Planned, fetch_all
from securewatch.store import runs
from tests.fakes.hosting import make_commit
from tests.fakes.rig import KEY, Rig, running_rig
from tests.integration.controller.given import RigClock
from tests.unit.config.given import Change, make_files

NEW = make_commit(1).id
SECRET_KEY = base64.b64encode(bytes(range(32))).decode()


@dataclass
class Office:
    """Who works with the installation: `deps` gives the parts of one person's process."""

    rig: Rig
    origin: str
    folder: Path
    stack: AsyncExitStack

    async def deps(self, actor: str = "bob", **environ: str | None) -> Deps:
        """The parts of a process of that actor; the keywords are further variables, None for one that is not set."""
        variables = {
            "RENDER_HOST": f"{self.origin}/v1",
            "RENDER_API_KEY": KEY,
            "SECUREWATCH_CONFIG_DIR": str(self.folder / "config"),
            "SECUREWATCH_REPO": str(self.folder),
            "SECUREWATCH_ACTOR": actor,
            "SECUREWATCH_SECRET_KEY": SECRET_KEY,
            **environ,
        }
        settings = load_settings({}, self.folder, {name: one for name, one in variables.items() if one is not None})
        return await self.stack.enter_async_context(Deps(settings, clock=RigClock(self.rig)))


@asynccontextmanager
async def running_office(folder: Path, changes: Mapping[str, Change] | None = None) -> AsyncIterator[Office]:
    """An office with the example's configuration, changed file by file."""
    make_files(folder, changes)
    async with running_rig() as rig, serving(create_app(rig.platform)) as origin, AsyncExitStack() as stack:
        yield Office(rig, origin, folder, stack)


async def planned(deps: Deps, slug: str = "acme-corp", **changes: Any) -> Planned:
    """A plan of v1.1.0, without the checks that need a git repository."""
    customer = deps.fleet.find_customer(slug)
    facts = await fetch_all(deps, expected_services(deps.fleet, customer, changes.pop("kinds", BOTH)))
    known = {
        "DEPLOYMENT_VERSION": "v1.1.0",
        "DEPLOYMENT_PHASE": deps.fleet.phase_of(customer).name,
        "CUSTOMER_SLUG": slug,
    }
    templates = {"backend": deps.fleet.templates.backend, "frontend": deps.fleet.templates.frontend}
    env = {
        one.kind: with_fingerprints(
            plan_env(
                templates[str(one.kind)], one, {**known, "RENDER_SERVICE_ID": one.service_id}, _nobody, write_all=False
            ),
            one,
            deps.box().fingerprint,
        )
        for one in facts
    }
    target = Target(**{"kind": RunKind.DEPLOY, "version": "v1.1.0", "commit": NEW, **changes.pop("target", {})})
    plan = plan_deploy(Planning(deps.fleet, customer, facts[0].owner_id), target, facts=facts, env=env)
    values = {one.service_id: env[one.kind].values for one in facts}
    made = Planned(DeployRequest(slug, target.version), customer, plan, (), False, "v1.0.0", values, {})
    return replace(made, **changes)


async def move(deps: Deps, run: Run, **changes: Any) -> Run:
    """Move a run as a controller does."""
    database = await deps.database()
    async with database.write("move") as tx:
        stored = await runs.load_run(tx, run.id)
        assert stored is not None
        return await runs.update_run(tx, replace(stored, **changes), expected_epoch=stored.epoch)


def _nobody(key: str) -> str | None:
    return None
