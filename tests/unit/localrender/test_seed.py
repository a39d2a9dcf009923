"""The seeded world: the five customers, their names and ids, and values that follow from the seed."""

from datetime import UTC, datetime

from localrender.model import State
from localrender.seed import Customer, World, read_world, seed_state, synthetic_customers
from tests.fakes.hosting import FakeHost

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def seeded(seed: str = "1") -> State:
    return seed_state(read_world(None, "rnd_x", seed=seed), FakeHost(), NOW)[0]


def test_the_five_customers_have_their_services_and_databases() -> None:
    state = seeded()

    assert len(state.services) == 11
    assert state.services["srv-acme-backend-abc123"].name == "securewatch-acme-corp-backend"
    assert state.services["srv-medhealth-frontend-vwx234"].customer == "medhealth"
    assert set(state.databases) >= {"dpg-demo0000000000000000-a", "dpg-financefirst00000000-a"}


def test_the_same_seed_gives_the_same_secrets_and_another_seed_others() -> None:
    first, again, other = (seeded(seed).services["srv-demo-backend-mno345"].values for seed in ("1", "1", "2"))

    assert first == again
    assert first["JWT_SECRET"] != other["JWT_SECRET"]


def test_no_two_customers_share_a_secret() -> None:
    secrets = [one.values["JWT_SECRET"] for one in seeded().services.values() if "JWT_SECRET" in one.values]

    assert len(set(secrets)) == len(secrets) == 5


def test_declared_env_vars_stand_as_of_the_first_version() -> None:
    values = seeded().services["srv-acme-backend-abc123"].values

    assert values["VERSION_TAG"] == "v1.0.0"
    assert values["RENDER_SERVICE_ID"] == "srv-acme-backend-abc123"


def test_a_real_database_is_the_one_in_the_env_vars() -> None:
    customer = Customer("one", "srv-b", "srv-f", "dpg-1-a", "one.example", "demo")
    url = "postgresql://one:s3@127.0.0.1:6000/one"

    state, _ = seed_state(World((customer,), "rnd_x", database_urls={"one": url}), FakeHost(), NOW)

    assert state.services["srv-b"].values["DATABASE_URL"] == url
    assert (state.databases["dpg-1-a"].password, state.databases["dpg-1-a"].database) == ("s3", "one")


def test_synthetic_customers_are_many_and_different() -> None:
    fleet = synthetic_customers(300)

    assert len({one.backend_id for one in fleet} | {one.frontend_id for one in fleet}) == 600
    assert {one.policy for one in fleet} == {"startup", "standard", "enterprise"}
    assert fleet == synthetic_customers(300)
