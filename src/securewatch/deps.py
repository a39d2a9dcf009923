"""The composition root: settings in, everything that a verb may need out, each opened when first asked for."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from securewatch.config.load import load_fleet
from securewatch.config.settings import Settings
from securewatch.core.clock import Clock, FileClock, RealClock
from securewatch.core.errors import ConfigError, SecurewatchError, SignInNeeded
from securewatch.store.box import SecretBox, load_or_create_box
from securewatch.store.locks import ControllerLock

if TYPE_CHECKING:
    from securewatch.backup.work import Backups
    from securewatch.config.fleet import Customer, Fleet
    from securewatch.deploy.ports import Migrated
    from securewatch.health.probe import Prober
    from securewatch.migration.files import Migration
    from securewatch.notify.channels import Channels
    from securewatch.notify.sending import Sender
    from securewatch.render.budget import RateBudget
    from securewatch.render.client import RenderClient
    from securewatch.store.database import Database
    from securewatch.versions.git import VendorRepository

IOHook = Callable[[str], None]
"""Told of each request and commit just before and after it: `POST /services/x/deploys before`, `commit sent after`."""


class Deps:
    """One process's parts. Nothing is opened, made or sent before a verb asks for it; `async with` closes what was."""

    def __init__(self, settings: Settings, *, clock: Clock | None = None, io_hook: IOHook | None = None) -> None:
        self.settings = settings
        self.clock: Clock = clock or _clock_of(settings)
        self.key_file_made: Path | None = None
        self._io_hook = io_hook
        self._open = AsyncExitStack()
        self._fleet: Fleet | None = None
        self._database: Database | None = None
        self._box: SecretBox | None = None
        self._client: RenderClient | None = None
        self._budget: RateBudget | None = None
        self._prober: Prober | None = None
        self._repository: VendorRepository | None = None
        self._sender: Sender | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def config_dir(self) -> Path:
        """The configuration folder. Raises ConfigError (SW101) where there is none."""
        if not self.settings.config_dir.is_dir():
            raise ConfigError(
                "SW101",
                "the configuration folder was not found",
                why="no folder `config` with render-deployment.json from here upwards",
                fix="go to your project's folder, or name it: --config DIR or SECUREWATCH_CONFIG_DIR",
            )
        return self.settings.config_dir

    @property
    def fleet(self) -> "Fleet":
        """The configuration. Raises ConfigError with all problems at once."""
        if self._fleet is None:
            self._fleet = load_fleet(self.config_dir)
        return self._fleet

    def admit(self, customers: "Mapping[str, Customer]") -> None:
        """Know these customers too, who came into the files meanwhile; what was read before stays as it is."""
        self._fleet = replace(self.fleet, customers={**customers, **self.fleet.customers})

    @property
    def repository(self) -> "VendorRepository":
        """The vendor's git repository."""
        if self._repository is None:
            from securewatch.versions.git import VendorRepository

            self._repository = VendorRepository(self.settings.repo, self.settings.state_dir / "repo")
        return self._repository

    @property
    def lock(self) -> ControllerLock:
        """The controller lock of this installation."""
        return ControllerLock(self.settings.state_dir / "controller.lock")

    @property
    def channels(self) -> "Channels":
        """The ways to people."""
        from securewatch.notify.channels import Channels

        return Channels.of(self.settings)

    @property
    def sender(self) -> "Sender":
        """Brings notices to people: into the mail folder where there is one, else by apprise."""
        if self._sender is None:
            from securewatch.notify.mail_folder import MailFolder

            self._sender = MailFolder()
            if self.settings.mail_folder is None:
                from securewatch.notify.apprise_sender import AppriseSender

                self._sender = AppriseSender()
        return self._sender

    @property
    def messenger_lock(self) -> ControllerLock:
        """The lock of the one process that delivers notices."""
        return ControllerLock(self.settings.state_dir / "messenger.lock")

    async def prober(self) -> "Prober":
        """Looks at customers' sites."""
        if self._prober is None:
            from securewatch.health.probe import Prober

            prober = Prober(clock=self.clock, timeout_seconds=self.fleet.extra.probe.timeout_seconds)
            self._prober = await self._open.enter_async_context(prober)
        return self._prober

    async def apply_migrations(self, url: str, migrations: "Sequence[Migration]") -> "Migrated":
        """Apply migrations to the database at a URL. Raises ConfigError (SW110) without what the extra brings."""
        from securewatch.backup.programs import check_driver

        check_driver()
        from securewatch.deploy.ports import Migrated
        from securewatch.migration.apply import apply_migrations

        found = await apply_migrations(url, migrations)
        return Migrated(found.ids, found.error)

    def backups(self, *, create: bool = False) -> "Backups":
        """The work on backups of customers' databases; with `create` new ones may be sealed.

        Raises ConfigError: SW110 without what the extra brings, SW109 for an unusable place or scratch server.
        """
        from securewatch.backup.programs import check_driver

        check_driver()
        from securewatch.backup.connection import DatabaseAddress
        from securewatch.backup.model import ArchiveKey
        from securewatch.backup.place import Place
        from securewatch.backup.storage import Storage
        from securewatch.backup.work import Backups

        settings, box = self.settings, self.box(create=create)
        key = ArchiveKey(box.key_id, box.archive_key())
        scratch = settings.scratch_database_url
        return Backups(
            Place(Storage(settings.backup_url), key, self.clock, settings.pg_bin),
            DatabaseAddress(scratch.get_secret_value()) if scratch is not None else None,
        )

    @property
    def budget(self) -> "RateBudget":
        """What may be sent to Render, and when."""
        if self._budget is None:
            from securewatch.render.budget import RateBudget

            self._budget = RateBudget(self.clock)
        return self._budget

    async def client(self) -> "RenderClient":
        """Render. Raises SignInNeeded (SW301) without an API key."""
        if self._client is None:
            from securewatch.render.client import ClientOptions, RenderClient

            if self.settings.api_key is None:
                raise SignInNeeded(
                    "SW301",
                    "there is no Render API key",
                    why="neither RENDER_API_KEY nor --api-key is set",
                    fix="export RENDER_API_KEY=… (Render dashboard: Account Settings, API Keys)",
                )
            client = RenderClient(
                self.settings.render_host,
                self.settings.api_key,
                clock=self.clock,
                budget=self.budget,
                options=ClientOptions(timeout_seconds=self.settings.http_timeout_seconds, io_hook=self._io_hook),
            )
            self._client = await self._open.enter_async_context(client)
            await self.share_rates()
        return self._client

    async def share_rates(self) -> None:
        """Leave others what this process spent of the rate windows and take in what they spent, where there is a state.

        What cannot be shared stops nobody: Render's own answers correct the budget.
        """
        from securewatch.store import rates

        with suppress(SecurewatchError):
            database = await self.existing_database()
            if database is not None:
                async with database.write("rates", about=()) as tx:
                    await rates.save_spent(tx, self.budget.snapshot())
                    self.budget.restore(await rates.load_spent(tx))

    def box(self, *, create: bool = False) -> SecretBox:
        """The encryption. Without `create` nothing is made: where there is no key yet, it can look but not store."""
        if self._box is None or (create and self._box.is_ephemeral):
            key_b64, source = self._given_key()
            self._box, made = load_or_create_box(
                key_b64=key_b64,
                source=source,
                key_file=self.settings.secret_key_file,
                state_dir=self.settings.state_dir,
                create=create,
            )
            self.key_file_made = made or self.key_file_made
        return self._box

    def _given_key(self) -> tuple[str | None, str]:
        from securewatch.store.key_sources import given_key

        return given_key(self.settings)

    async def database(self) -> "Database":
        """The state database, made where there is none."""
        if self._database is None:
            from securewatch.store.database import Database

            self._database = await Database.open(
                self.settings.database_url, now=self.clock.now(), io_hook=self._io_hook
            )
            self._open.push_async_callback(self._database.close)
        return self._database

    async def existing_database(self) -> "Database | None":
        """The state database, or None where there is none yet."""
        if self._database is None:
            from securewatch.store.database import Database

            self._database = await Database.open_existing(
                self.settings.database_url, now=self.clock.now(), io_hook=self._io_hook
            )
            if self._database is not None:
                self._open.push_async_callback(self._database.close)
        return self._database

    async def close(self) -> None:
        """Close what was opened."""
        try:
            if self._client is not None:
                await self.share_rates()
        finally:
            self._client = None
            await self._open.aclose()


def _clock_of(settings: Settings) -> Clock:
    return FileClock(settings.clock_file) if settings.clock_file is not None else RealClock()
