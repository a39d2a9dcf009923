"""Where a customer's database is, as it is reached from here and by its backend. Keeps no password."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote, urlsplit

from securewatch.config.templates import secret_variable
from securewatch.core.errors import Refused
from securewatch.core.ids import PostgresID, ServiceID
from securewatch.deploy.plan import DATABASE_URL
from securewatch.render import env_vars, postgres
from securewatch.render.budget import Priority
from securewatch.render.client import RenderClient
from securewatch.store.standing import StandingDatabase

ADMIN_URL = "DATABASE_ADMIN_URL"
"""The named secret with a database's address as it is reached from here, where Render's own does not do."""
SecretOf = Callable[[str, str], str | None]


@dataclass(frozen=True)
class DatabaseOf:
    """A customer's database, by Render's ids of it and of the backend that uses it.

    `database` is its name on that instance where a restore made it; empty for the one that Render names.
    `is_recovered` says that Render recovered the instance, and the files still name the one before it.
    """

    slug: str
    service_id: ServiceID
    postgres_id: PostgresID
    database: str = ""
    is_recovered: bool = False

    def since_restore(self, standing: StandingDatabase | None) -> "DatabaseOf":
        """The database that the customer's last restore made, where the files name that one or the one before it."""
        if standing is None or self.postgres_id not in (standing.postgres_id, standing.before):
            return self
        is_recovered = self.postgres_id != standing.postgres_id
        postgres_id = PostgresID(standing.postgres_id)
        return replace(self, postgres_id=postgres_id, database=standing.database, is_recovered=is_recovered)


@dataclass(frozen=True)
class Addresses:
    """The URLs of a customer's database: from here, and as its backend has it."""

    outside: str
    used: str

    @property
    def other_owner(self) -> str:
        """The role by which the backend connects, where it is another one than the role from here; else empty."""
        ours, theirs = (unquote(urlsplit(one).username or "") for one in (self.outside, self.used))
        return theirs if theirs != ours else ""


async def find_url(client: RenderClient, wanted: DatabaseOf, secret_of: SecretOf, *, priority: Priority) -> str:
    """How to reach a customer's database from here. Raises like `find_addresses`."""
    return (await find_addresses(client, wanted, secret_of, priority=priority)).outside


async def find_addresses(
    client: RenderClient, wanted: DatabaseOf, secret_of: SecretOf, *, priority: Priority
) -> Addresses:
    """How to reach a customer's database: from here by a named secret, else as Render says.

    Raises Refused (SW408) where the backend uses another database than the files name.
    """
    variable = await env_vars.fetch_env_var(client, wanted.service_id, DATABASE_URL, priority=priority)
    used = variable.value.get_secret_value() if variable is not None else ""
    known = await postgres.fetch_connection(client, wanted.postgres_id, priority=priority)
    urls = known.internal_url.get_secret_value(), known.external_url.get_secret_value()
    internal, external = (with_database(one, wanted.database) for one in urls)
    if _name_of(used) not in (_name_of(internal), _name_of(external)):
        raise Refused(
            "SW408",
            f"the backend of {wanted.slug} uses another database than {wanted.database or wanted.postgres_id}",
            why=f"its {DATABASE_URL} names another host, or another database there, than Render does for that id",
            fix="correct database_id in the files, or the env var in Render's dashboard",
        )
    named = secret_of(wanted.slug, ADMIN_URL)
    if named is not None and wanted.database and _name_of(named)[0] == _name_of(external)[0]:
        named = with_database(named, wanted.database)
    if named is not None and (wanted.is_recovered or _is_elsewhere(named, external)):
        raise Refused(
            "SW408",
            f"{secret_variable(wanted.slug, ADMIN_URL)} names another database than {wanted.postgres_id} is",
            why="Render recovered the database into a new instance" if wanted.is_recovered else "host or name differ",
            fix="give the address of that customer's own database, or unset it, and name its id in the files",
        )
    return Addresses(named or external, used)


def with_database(url: str, name: str) -> str:
    """The same URL with another database's name; as it is where there is none."""
    return urlsplit(url)._replace(path=f"/{quote(name, safe='')}").geturl() if name else url


def like(used: str, url: str) -> str:
    """The address in `url`, with the scheme and the options of the URL that is in use."""
    ours, new = urlsplit(used), urlsplit(url)
    return new._replace(scheme=ours.scheme or new.scheme, query=ours.query or new.query).geturl()


def database_in(url: str) -> str:
    """The name of the database in a URL."""
    return _name_of(url)[1]


def _is_elsewhere(named: str, external: str) -> bool:
    """Whether a named address leads to another database than Render's: by its name, or by Render's id in its host."""
    (host, name), (other_host, other_name) = _name_of(named), _name_of(external)
    return name != other_name or (host.startswith("dpg-") and host != other_host)


def _name_of(url: str) -> tuple[str, str]:
    """Which database a URL names: the first part of the host's name (Render's id inside and outside), and its own."""
    try:
        parts = urlsplit(url)
        return (f"{(parts.hostname or '').partition('.')[0]}", parts.path.strip("/"))
    except ValueError:
        return ("", "")
