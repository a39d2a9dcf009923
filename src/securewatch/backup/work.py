"""The work on backups behind one value, so that who needs it imports nothing before it is used. Keeps no rows."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from securewatch.backup.beside import Beside, restore_beside
from securewatch.backup.connection import DatabaseAddress
from securewatch.backup.facts import fetch_grantees
from securewatch.backup.losses import TableLoss, estimate_losses, estimate_losses_since
from securewatch.backup.model import ArchiveKey, NewDatabase
from securewatch.backup.place import Place
from securewatch.backup.restore import Restored, read_facts_of
from securewatch.backup.scratch import ScratchServer
from securewatch.backup.storage import Stored
from securewatch.backup.take import Taken, Wanted, take_backup
from securewatch.backup.verify import verify_backup

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Backups:
    """Takes, tries and deletes backups at one place. `scratch` is where they are tried, None for a server of our own.

    Databases are named by their URLs, which hold passwords; none is shown.
    """

    place: Place
    scratch: DatabaseAddress | None = None

    @property
    def shown_place(self) -> str:
        """Where archives are kept, without a password."""
        return self.place.storage.shown

    async def take(self, customer: str, *, version: str, url: str, progress: Progress | None = None) -> Taken:
        """Take a backup of the database at `url`. Raises as `take_backup` does."""
        return await take_backup(Wanted(customer, version, DatabaseAddress(url)), self.place, progress=progress)

    async def verify(
        self, name: str, *, customer: str, key: tuple[str, bytes], customers: Collection[str] = ()
    ) -> Restored:
        """Try a backup in a scratch database, which must be none of the `customers`'; `key` is its id and its bytes.

        Raises as `verify_backup` does.
        """
        server = ScratchServer(self.scratch, tuple(DatabaseAddress(one) for one in customers))
        return await verify_backup(name, replace(self.place, key=ArchiveKey(*key)), server, customer=customer)

    async def losses(self, name: str, *, customer: str, key: tuple[str, bytes], url: str) -> tuple[TableLoss, ...]:
        """What a restore of a backup would lose of the database at `url` now. Raises as `estimate_losses` does, and
        Refused (SW606), NotFound (SW206) for the archive.
        """
        place = replace(self.place, key=ArchiveKey(*key))
        header, trailer = await read_facts_of(name, place, customer=customer)
        return await estimate_losses(DatabaseAddress(url), header, trailer)

    async def losses_since(self, url: str, at: datetime) -> tuple[TableLoss, ...]:
        """What was written to the database at `url` since `at`. Raises as `estimate_losses` does."""
        return await estimate_losses_since(DatabaseAddress(url), self.place.clock.now() - at)

    async def grantees(self, url: str) -> tuple[str, ...]:
        """The roles whose rights in the database at `url` no backup has. Raises Retryable (SW609)."""
        return await fetch_grantees(DatabaseAddress(url))

    async def restore_beside(
        self, name: str, *, customer: str, key: tuple[str, bytes], url: str, new: NewDatabase
    ) -> Beside:
        """Restore a backup into a new database beside the one at `url`. Raises as `restore_beside` does."""
        place = replace(self.place, key=ArchiveKey(*key))
        return await restore_beside(DatabaseAddress(url), new, name, place, customer=customer)

    async def delete(self, name: str) -> None:
        """Delete an archive; one that is gone already is no error."""
        await self.place.storage.delete(name)

    async def find(self, customer: str) -> Sequence[Stored]:
        """The archives of a customer that are there."""
        return await self.place.storage.find(customer)

    async def remove_leftovers(self, customer: str, *, begun_before: datetime) -> Sequence[str]:
        """Delete what interrupted backups of a customer left; gives the names."""
        return await self.place.storage.remove_leftovers(customer, begun_before=begun_before)
