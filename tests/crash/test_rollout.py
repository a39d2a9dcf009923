"""A rollout over 20 customers, its controller killed at every kind of boundary and at random, ends as without kills."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.crash.given import THREADED, Stand, commit_of, problems_of_service, standing

VERSION = "v1.1.0"
CUSTOMERS = 20
SEED = 3
RANDOM_KILLS = 12
RANDOM_BOUNDARIES = 500
KILLS_MAX = 3000
READS = ("owners", *(f"services/*{part}" for part in ("", "/custom-domains", "/deploys", "/env-vars")))
KEYS = ("VERSION_TAG", "VITE_VERSION_TAG")
COMMITS = (
    *("announce", "backup", "begin", "claim", "claim notices", "decide", "drop", "look", "observe", "rates", "record"),
    *("record notices", "rollout", "sent"),
)
KINDS = frozenset(
    f"{name} {side}"
    for side in ("before", "after")
    for name in (
        *(f"GET /{path}" for path in READS),
        *(f"GET /services/*/env-vars/{key}" for key in ("DATABASE_URL", *KEYS)),
        *(f"PUT /services/*/env-vars/{key}" for key in KEYS),
        "POST /services/*/deploys",
        *(f"commit {label}" for label in COMMITS),
    )
)
"""The kinds of boundaries of every rollout that is killed, as the io hook names them without ids: each must be met."""


def make_fleet(config: Path) -> None:
    """More customers like techstart and acme-corp, and watches of an hour: most of a release is waiting."""
    customers, render = _read(config / "customers.json"), _read(config / "render-deployment.json")
    mapping = render["customer_environment_mapping"]
    like = {one["slug"]: one for one in customers["customers"]}
    for number in range(CUSTOMERS - len(like)):
        model, slug = ("techstart", "acme-corp")[number % 2], f"fleet-{number:02}"
        ids = {kind: f"srv-fleet{number:02}-{kind}-aaa{number:03}" for kind in ("backend", "frontend")}
        customers["customers"].append({**like[model], "slug": slug, "name": slug, "render_services": ids})
        mapping[slug] = {
            **mapping[model],
            "backend_service_id": ids["backend"],
            "frontend_service_id": ids["frontend"],
            "database_id": f"dpg-fleet{number:02}000000000000-a",
            "custom_domain": f"{slug}.securewatch.app",
        }
    for phase in render["deployment_phases"].values():
        phase["monitoring_duration"] = "1_hours"
    sparse = {"probe": {"dense_interval": "1_hours", "sparse_interval": "1_hours"}}
    for name, document in (("customers", customers), ("render-deployment", render), ("securewatch", sparse)):
        (config / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def fleet() -> Iterator[Stand]:
    """A platform with 20 customers, and a zygote; here a kill may also hit statements on their way through threads."""
    with standing(make_fleet, driver=THREADED) as found:
        yield found


def begin(stand: Stand) -> tuple[Path, dict[str, Any]]:
    """A rollout that is asked for and approved by another person, and the platform before it."""
    folder = stand.reset()
    seeded = stand.services()
    begun = stand.run(folder, "rollout", version=VERSION, is_detached=True)
    assert begun["code"] in (0, 5), stand.words(folder)
    dana = {"SECUREWATCH_ACTOR": "dana"}
    slugs = ["medhealth", "financefirst"]
    assert stand.run(folder, "approve", version=VERSION, slugs=slugs, more_environ=dana)["code"] == 0
    return folder, seeded


def carry_out(stand: Stand, folder: Path, **kills: Any) -> dict[str, Any]:
    """Follow the rollout until it is verified everywhere, or killed."""
    return stand.run(folder, "rollout", version=VERSION, is_detached=False, **kills)


def problems_after(stand: Stand, folder: Path, seeded: dict[str, Any]) -> list[str]:
    """What is wrong at the platform and in the product's state when every customer must have the version."""
    commit, now = commit_of(stand, VERSION), stand.services()
    pairs = [one for one in now if "-backend-" in one or "-frontend-" in one]
    problems = [f"{len(pairs)} services"] if len(pairs) != 2 * CUSTOMERS else []
    for service_id in pairs:
        key = "VERSION_TAG" if "-backend-" in service_id else "VITE_VERSION_TAG"
        wanted = {**seeded[service_id]["env"], key: VERSION}
        found = problems_of_service(now[service_id], wanted, live=commit, release=commit)
        problems += [f"{service_id} {one}" for one in found]
    if stand.run(folder, "audit")["code"] != 0:
        problems.append("the audit log does not verify, or an effect is open")
    return problems


def members(stand: Stand, folder: Path) -> list[str]:
    """Every customer with its status."""
    found: list[str] = stand.run(folder, "members", version=VERSION, records=True)["seen"]
    return found


def kill_all_the_way(stand: Stand, folder: Path, *, by_service: bool, kills_at_random: int) -> tuple[set[str], int]:
    """Carry it out, killed at each new kind and at random moments. Gives the kinds, and the number of kills."""
    chance = random.Random(SEED)
    known: set[str] = set()
    for kills in range(KILLS_MAX):
        more = {"kill_after": chance.randint(1, RANDOM_BOUNDARIES)} if kills_at_random else {}
        found = carry_out(stand, folder, known=sorted(known), by_service=by_service, **more)
        if not found["is_killed"]:
            assert found["code"] == 0, stand.words(folder)
            return known, kills
        (kind,) = found["seen"]
        kills_at_random -= bool(more) and kind in known
        known.add(kind)
    raise AssertionError(f"killed {KILLS_MAX} times and not at its end")


def test_a_rollout_killed_at_every_kind_of_boundary_and_at_random_ends_as_without_kills(
    fleet: Stand, record_property: Callable[[str, object], None]
) -> None:
    folder, seeded = begin(fleet)
    assert carry_out(fleet, folder)["code"] == 0, fleet.words(folder)
    assert problems_after(fleet, folder, seeded) == []
    without = members(fleet, folder)
    folder, seeded = begin(fleet)

    known, kills = kill_all_the_way(fleet, folder, by_service=False, kills_at_random=RANDOM_KILLS)

    record_property("crash points", f"{len(known)} kinds of boundaries, {kills} kills: rollout {VERSION}")
    assert problems_after(fleet, folder, seeded) == []
    assert members(fleet, folder) == without
    assert len(without) == CUSTOMERS
    assert known >= KINDS, sorted(KINDS - known)


@pytest.mark.slow
def test_a_rollout_killed_at_every_boundary_of_every_service_ends_as_without_kills(
    fleet: Stand, record_property: Callable[[str, object], None]
) -> None:
    folder, seeded = begin(fleet)

    known, kills = kill_all_the_way(fleet, folder, by_service=True, kills_at_random=10 * RANDOM_KILLS)

    record_property("crash points", f"{len(known)} boundaries, {kills} kills: rollout {VERSION}")
    assert problems_after(fleet, folder, seeded) == []
