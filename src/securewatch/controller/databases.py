"""The customers' databases for effects: finds out how to reach one and applies what a plan names. Keeps no password."""

from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from securewatch.core.errors import Refused
from securewatch.core.ids import PostgresID, ServiceID
from securewatch.deploy.effects import Guard
from securewatch.deploy.plan import DATABASE_URL
from securewatch.deploy.view import Effect
from securewatch.migration.files import FOLDER, Migration, read_migrations
from securewatch.render import env_vars, postgres
from securewatch.render.budget import Priority
from securewatch.render.client import RenderClient
from securewatch.versions.git import VendorRepository

SecretOf = Callable[[str, str], str | None]
Apply = Callable[[str, Sequence[Migration]], Awaitable[Sequence[str]]]


class CustomerDatabases:
    """Implements the databases that effects use.

    `apply` applies migrations to the database at a URL; `secret_of` gives a named secret by slug and key, where there
    is one.
    """

    def __init__(
        self, client: RenderClient, repository: VendorRepository, *, apply: Apply, secret_of: SecretOf
    ) -> None:
        self._client = client
        self._repository = repository
        self._apply = apply
        self._secret_of = secret_of

    async def migrate(self, effect: Effect, guard: Guard) -> Sequence[str]:
        """Apply the migrations that the effect names, as the planned commit has them."""
        wanted: dict[str, str] = dict(effect.args["files"])
        found = read_migrations(await self._repository.read_files(str(effect.args["commit"]), FOLDER))
        planned = tuple(one for one in found if wanted.get(one.id) == one.checksum)
        if len(planned) != len(wanted):
            raise _changed(wanted, planned)
        url = await self._url_of(effect)
        guard()
        return await self._apply(url, planned)

    async def _url_of(self, effect: Effect) -> str:
        """How to reach the database of the effect's customer from here: a named secret, else what Render says.

        Raises Refused (SW408) where the backend uses another database than the files name.
        """
        service_id, postgres_id = ServiceID(effect.service_id), PostgresID(str(effect.args["postgres_id"]))
        used = await env_vars.fetch_env_var(self._client, service_id, DATABASE_URL, priority=Priority.DEPLOY)
        known = await postgres.fetch_connection(self._client, postgres_id, priority=Priority.DEPLOY)
        internal, external = known.internal_url.get_secret_value(), known.external_url.get_secret_value()
        if used is None or _name_of(used.value.get_secret_value()) not in (_name_of(internal), _name_of(external)):
            raise Refused(
                "SW408",
                f"the backend of {effect.slug} uses another database than {postgres_id}",
                why=f"its {DATABASE_URL} names another host, or another database there, than Render does for that id",
                fix="correct database_id in the files, or the env var in Render's dashboard",
            )
        return self._secret_of(effect.slug, DATABASE_URL) or external


def _name_of(url: str) -> tuple[str, str]:
    """Which database a URL names: the first part of the host's name (Render's id inside and outside), and its own."""
    try:
        parts = urlsplit(url)
        return (f"{(parts.hostname or '').partition('.')[0]}", parts.path.strip("/"))
    except ValueError:
        return ("", "")


def _changed(wanted: dict[str, str], planned: Sequence[Migration]) -> Refused:
    missing = sorted(wanted.keys() - {one.id for one in planned})
    return Refused(
        "SW423",
        "the repository no longer has the migrations of the plan",
        why=f"other or gone: {', '.join(missing)}",
        fix="put the repository right and make a new plan",
    )
