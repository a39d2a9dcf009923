"""The platform's first state: a workspace with the customers of a configuration folder, each with a pair of services
and a database, live at the first tag. Reads the folder's JSON itself; shares nothing with the product.
"""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from localrender.hosting import AppHost, CommitInfo
from localrender.ids import IDMint
from localrender.model import CustomDomain, Deploy, EnvVar, Kind, Owner, Postgres, Service, State, Status, Trigger

FIRST_TAG = "v1.0.0"
OWNER_ID = "tea-cspvinogph6c73ft00h0"
BYSTANDER_ID = "srv-ct6vn35j0q5s700ckga0"
BYSTANDER_IMAGE = "docker.io/library/nginx:latest"
REPO_SHOWN = "https://github.com/securewatch/securewatch"
_NAME_TEMPLATE = "securewatch-{customer-slug}-{service-type}"
_AGE = timedelta(days=30)
_PHASES = {
    "demo": "demo",
    "startup": "startup_early_access",
    "standard": "standard_rollout",
    "enterprise": "enterprise_rollout",
}
_ENV_TEMPLATES: Mapping[Kind, Mapping[str, str]] = {
    Kind.BACKEND: {"VERSION_TAG": "${DEPLOYMENT_VERSION}", "RENDER_SERVICE_ID": "${RENDER_SERVICE_ID}"},
    Kind.FRONTEND: {"VITE_VERSION_TAG": "${DEPLOYMENT_VERSION}"},
}
_XID = "0123456789abcdefghijklmnopqrstuv"


class SeedUnreadable(Exception):
    """The configuration folder cannot be read, or has no `v1.0.0` to begin from; the message says what and where."""


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer: its services' and database's ids, its domain and its policy's name."""

    slug: str
    backend_id: str
    frontend_id: str
    database_id: str
    domain: str
    policy: str


@dataclass(frozen=True, slots=True)
class World:
    """What a state is seeded from.

    Attributes:
        customers: in order.
        key: the API key that is accepted.
        seed: all random values follow from it.
        database_urls: slug to the URL of a real database; others get a URL that nobody answers.
        name_template: of service names.
        env_templates: declared env vars by kind, with `${...}` placeholders.
    """

    customers: tuple[Customer, ...]
    key: str
    seed: str = "1"
    database_urls: Mapping[str, str] = field(default_factory=dict)
    name_template: str = _NAME_TEMPLATE
    env_templates: Mapping[Kind, Mapping[str, str]] = field(default_factory=lambda: _ENV_TEMPLATES)


SEED_CUSTOMERS = tuple(
    Customer(
        slug,
        f"srv-{short}-backend-{back}",
        f"srv-{short}-frontend-{front}",
        database,
        f"{slug}.securewatch.com",
        policy,
    )
    for slug, short, back, front, database, policy in (
        ("demo", "demo", "mno345", "pqr678", "dpg-demo0000000000000000-a", "demo"),
        ("techstart", "techstart", "ghi789", "jkl012", "dpg-techstart00000000000-a", "startup"),
        ("acme-corp", "acme", "abc123", "def456", "dpg-acmecorp000000000000-a", "standard"),
        ("medhealth", "medhealth", "stu901", "vwx234", "dpg-medhealth00000000000-a", "enterprise"),
        ("financefirst", "financefirst", "yza567", "bcd890", "dpg-financefirst00000000-a", "enterprise"),
    )
)
"""The customers of an installation without a configuration folder."""


def read_world(folder: Path | None, key: str, *, extra_customers: int = 0, seed: str = "1") -> World:
    """The world of a configuration folder (`render-deployment.json`), or of the five seeded customers.

    Args:
        folder: the configuration folder; None for the five.
        key: the API key to accept.
        extra_customers: how many synthetic customers to add, named `fleet-0001` and on.
        seed: all random values follow from it.

    Raises:
        SeedUnreadable: the file is missing or malformed.
    """
    document = {} if folder is None else _read_document(folder / "render-deployment.json")
    mapping = _object(document, "customer_environment_mapping")
    customers = tuple(_customer(slug, _object(mapping, slug)) for slug in mapping) or SEED_CUSTOMERS
    declared = _object(document, "environment_variable_templates")
    templates = {kind: _texts(_object(declared, f"{kind.value}_env_vars")) for kind in Kind}
    name_template = _object(document, "render_configuration").get("service_naming_convention", _NAME_TEMPLATE)
    return World(
        customers=customers + synthetic_customers(extra_customers, seed),
        key=key,
        seed=seed,
        name_template=str(name_template),
        env_templates=templates if declared else _ENV_TEMPLATES,
    )


def synthetic_customers(count: int, seed: str = "1") -> tuple[Customer, ...]:
    """Customers `fleet-0001` and on, of the three paying policies; the same for the same seed."""
    return tuple(_synthetic(number, seed) for number in range(1, count + 1))


def seed_state(world: World, host: AppHost, now: datetime) -> tuple[State, IDMint]:
    """The state at the start, every service live at `v1.0.0` for thirty days, and the mint that made its ids.

    The same world and moment give the same state. Artifacts are missing: whoever builds puts them in.

    Raises:
        SeedUnreadable: the vendor's repository has no tag `v1.0.0`.
    """
    first = host.resolve(FIRST_TAG)
    if first is None:
        raise SeedUnreadable(f"the vendor's repository has no tag {FIRST_TAG}")
    mint = IDMint(world.seed)
    state = State(keys={world.key})
    state.owners[OWNER_ID] = Owner(OWNER_ID, "SecureWatch", "platform@securewatch.example")
    made = now - _AGE
    for customer in world.customers:
        made += timedelta(seconds=7, microseconds=1371)
        database = _database(world, customer, made)
        state.databases[customer.database_id] = database
        for kind, service_id in ((Kind.BACKEND, customer.backend_id), (Kind.FRONTEND, customer.frontend_id)):
            service = _service(world, customer, (kind, service_id), made)
            service.url = host.url(service_id)
            _fill_env(service, world, customer, database, mint)
            service.deploys.append(_first_deploy(service, first, mint))
            state.services[service_id] = service
        domain = CustomDomain(mint.mint("cdm", made), customer.domain, made, verified=True)
        state.services[customer.frontend_id].domains.append(domain)
    bystander = _bystander(made, mint)
    state.services[bystander.id] = bystander
    return state, mint


def _service(world: World, customer: Customer, what: tuple[Kind, str], made: datetime) -> Service:
    kind, service_id = what
    name = world.name_template.replace("{customer-slug}", customer.slug).replace("{service-type}", kind.value)
    return Service(service_id, name, kind, OWNER_ID, made, made, customer.slug, url="", repo=REPO_SHOWN)


def _bystander(made: datetime, mint: IDMint) -> Service:
    """A service of the workspace that is no customer's and runs an image, so its deploys have no commit (recorded)."""
    service = Service(
        BYSTANDER_ID, "status-page", Kind.BACKEND, OWNER_ID, made, made, "", "https://status-page.onrender.com"
    )
    service.image = BYSTANDER_IMAGE
    service.env["PORT"] = EnvVar("10000", mint.mint("env", made))
    deploy = _first_deploy(service, None, mint)
    deploy.image = BYSTANDER_IMAGE
    service.deploys.append(deploy)
    return service


def _first_deploy(service: Service, commit: CommitInfo | None, mint: IDMint) -> Deploy:
    made = service.created_at
    live = made + timedelta(seconds=55, microseconds=240_517)
    return Deploy(
        mint.mint("dep", made),
        service.id,
        Trigger.NEW_COMMIT,
        commit,
        service.values,
        made,
        live,
        status=Status.LIVE,
        started_at=made,
        finished_at=live,
        live_at=live,
        build_id=mint.mint("bld", made),
    )


def _database(world: World, customer: Customer, made: datetime) -> Postgres:
    chance = _chance(f"{world.seed}:{customer.slug}:database")
    name = customer.slug.replace("-", "_")
    url = world.database_urls.get(customer.slug)
    if url is None:
        url = f"postgresql://{name}_user:{_secret(chance, 32)}@127.0.0.1:5432/{name}"
    user, _, password = url.removeprefix("postgresql://").rpartition("@")[0].partition(":")
    shown = f"securewatch-{customer.slug}-db"
    return Postgres(customer.database_id, shown, url.rsplit("/", 1)[-1], user, password, url, OWNER_ID, made)


def _fill_env(service: Service, world: World, customer: Customer, database: Postgres, mint: IDMint) -> None:
    chance = _chance(f"{world.seed}:{service.id}")
    values = _backend_env(customer, database, chance) if service.kind is Kind.BACKEND else _frontend_env(customer)
    known = {
        "${DEPLOYMENT_VERSION}": FIRST_TAG,
        "${CUSTOMER_SLUG}": customer.slug,
        "${RENDER_SERVICE_ID}": service.id,
        "${DEPLOYMENT_PHASE}": _PHASES.get(customer.policy, customer.policy),
    }
    for key, template in world.env_templates.get(service.kind, {}).items():
        for placeholder, value in known.items():
            template = template.replace(placeholder, value)
        if "${" not in template:
            values[key] = template
        elif key not in values:
            values[key] = _secret(chance, 40)
    service.env = {key: EnvVar(value, mint.mint("env", service.created_at)) for key, value in values.items()}


def _backend_env(customer: Customer, database: Postgres, chance: random.Random) -> dict[str, str]:
    secrets = ("JWT_SECRET", "SESSION_SECRET", "ENCRYPTION_KEY", "SMTP_PASSWORD", "STRIPE_SECRET_KEY", "WEBHOOK_SECRET")
    keys = ("SENTRY_AUTH_TOKEN", "TWILIO_AUTH_TOKEN", "S3_SECRET_ACCESS_KEY", "OIDC_CLIENT_SECRET", "AUDIT_SIGNING_KEY")
    return {
        "DATABASE_URL": database.url,
        **{key: _secret(chance, 48) for key in secrets + keys},
        "CUSTOMER_ID": f"cust_{chance.getrandbits(48):012x}",
        "CUSTOMER_SLUG": customer.slug,
        "SMTP_HOST": "smtp.securewatch.example",
        "SMTP_PORT": "587",
        "SMTP_USER": f"{customer.slug}@securewatch.example",
        "S3_BUCKET": f"securewatch-{customer.slug}",
        "S3_ACCESS_KEY_ID": _secret(chance, 20),
        "OIDC_CLIENT_ID": _secret(chance, 24),
        "SENTRY_ENVIRONMENT": "production",
        "LOG_LEVEL": chance.choice(("info", "warning")),
        "MAX_CONNECTIONS": str(chance.randrange(10, 100)),
        "WORKER_COUNT": str(chance.randrange(1, 8)),
        "RETENTION_DAYS": str(chance.randrange(30, 400)),
        "FEATURE_ALERT_RULES": "enabled",
        "FEATURE_EXPORTS": chance.choice(("enabled", "disabled")),
        "TZ": "UTC",
        "LOCAL_NOTE": 'line one\nline two = "quoted" ${NOT_OURS} ünïcode',
    }


def _frontend_env(customer: Customer) -> dict[str, str]:
    return {
        "VITE_API_URL": f"https://api.{customer.domain}",
        "VITE_CUSTOMER_SLUG": customer.slug,
        "VITE_ENVIRONMENT": "production",
        "VITE_SUPPORT_EMAIL": f"support@{customer.domain}",
    }


def _chance(seed: str) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the same seed shall give the same values; nothing here is secret


def _secret(chance: random.Random, length: int) -> str:
    return "".join(chance.choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=length))


def _synthetic(number: int, seed: str) -> Customer:
    chance = _chance(f"{seed}:fleet:{number}")
    backend, frontend, database = ("".join(chance.choices(_XID, k=20)) for _ in range(3))
    slug = f"fleet-{number:04d}"
    policy = chance.choices(("startup", "standard", "enterprise"), (3, 5, 2))[0]
    return Customer(slug, f"srv-{backend}", f"srv-{frontend}", f"dpg-{database}-a", f"{slug}.securewatch.com", policy)


def _customer(slug: str, entry: Mapping[str, object]) -> Customer:
    try:
        backend, frontend = str(entry["backend_service_id"]), str(entry["frontend_service_id"])
    except KeyError as error:
        raise SeedUnreadable(f"customer_environment_mapping.{slug} has no {error.args[0]}") from error
    known = next((one for one in SEED_CUSTOMERS if one.slug == slug), None)
    made_up = _synthetic(0, slug).database_id if known is None else known.database_id
    return Customer(
        slug,
        backend,
        frontend,
        str(entry.get("database_id", made_up)),
        str(entry.get("custom_domain", f"{slug}.securewatch.com")),
        str(entry.get("deployment_policy", "standard")),
    )


def _read_document(path: Path) -> dict[str, object]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SeedUnreadable(f"{path} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise SeedUnreadable(f"{path} holds no JSON object")
    return document


def _object(parent: Mapping[str, object], key: str) -> dict[str, object]:
    value = parent.get(key, {})
    if not isinstance(value, dict):
        raise SeedUnreadable(f"{key} must be an object")
    return value


def _texts(entries: Mapping[str, object]) -> dict[str, str]:
    return {key: str(value) for key, value in entries.items()}
