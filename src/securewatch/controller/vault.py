"""The env values of runs at rest, for effects. The only place between the encrypted store and a request to Render."""

from collections.abc import Mapping

from securewatch.core.clock import Clock
from securewatch.deploy.outcomes import Superseded
from securewatch.deploy.view import Effect, EffectKind
from securewatch.store import effects, sealed
from securewatch.store.box import SecretBox
from securewatch.store.database import Database, Tx


class StoredVault:
    """Implements the vault that effects use over sealed rows."""

    def __init__(self, database: Database, box: SecretBox, *, clock: Clock) -> None:
        self._database = database
        self._box = box
        self._clock = clock

    def fingerprint(self, value: str) -> str:
        """A keyed fingerprint, safe to show."""
        return self._box.fingerprint(value)

    async def wanted(self, effect: Effect) -> Mapping[str, str | None]:
        """The values that the run's plan writes to the effect's service."""
        return await self._open(effect, sealed.WRITE)

    async def add_wanted(self, effect: Effect, backend: str, key: str, value: str) -> None:
        """Add a value that is known only now to what the run writes to its backend, sealed.

        Raises `Superseded` where the effect moved on meanwhile.
        """
        slot = sealed.Slot(purpose=sealed.WRITE, run_id=effect.run_id, service_id=backend)
        async with self._database.write("wanted", about=()) as tx:
            known = await sealed.open_values(tx, self._box, **slot)
            await self._keep(tx, effect, {**(known or {}), key: value}, slot)

    async def backup(self, effect: Effect) -> Mapping[str, str | None]:
        """The values that the service had before the run."""
        return await self._open(effect, sealed.BACKUP)

    async def keep_backup(self, effect: Effect, values: Mapping[str, str]) -> None:
        """Encrypt and keep the service's values as they are now; the newest count, as of the run's latest attempt.

        Raises `Superseded` where the effect moved on meanwhile: then what was read may be what the run wrote itself.
        """
        async with self._database.write("backup", about=()) as tx:
            await self._keep(tx, effect, values, _slot(effect, sealed.BACKUP))

    async def keep_entry(self, effect: Effect, values: Mapping[str, str]) -> None:
        """Encrypt and keep the values as the effect left them; raises `Superseded` where it moved on meanwhile."""
        slot = _slot(effect, sealed.RESTORED if effect.kind is EffectKind.RESTORE_ENV else sealed.WROTE)
        async with self._database.write("entry", about=()) as tx:
            await self._keep(tx, effect, values, slot)

    async def _keep(self, tx: Tx, effect: Effect, values: Mapping[str, str | None], slot: sealed.Slot) -> None:
        current = await effects.load_effect(tx, effect.id)
        if current is None or not current.state.is_open or current.epoch != effect.epoch:
            raise Superseded("SW410", f"effect {effect.key} was overtaken")
        await sealed.seal_values(tx, self._box, values=dict(values), at=self._clock.now(), **slot)

    async def _open(self, effect: Effect, purpose: sealed.Purpose) -> Mapping[str, str | None]:
        async with self._database.read() as tx:
            found = await sealed.open_values(tx, self._box, **_slot(effect, purpose))
        return found or {}


def _slot(effect: Effect, purpose: sealed.Purpose) -> sealed.Slot:
    return sealed.Slot(purpose=purpose, run_id=effect.run_id, service_id=effect.service_id)
