"""Verifies a backup by restoring it into a throw-away database. A backup that was not verified does not count."""

from contextlib import aclosing

from securewatch.backup.archive import open_archive
from securewatch.backup.place import Place
from securewatch.backup.restore import Restored, Target, restore_into
from securewatch.backup.scratch import ScratchServer, open_scratch


async def verify_backup(name: str, place: Place, scratch: ScratchServer, *, customer: str) -> Restored:
    """Restore that backup of the customer into a scratch database and compare it; verified when nothing differs.

    The result's `seconds` are those of the restore alone. Raises as `restore_into` and `open_scratch` do.
    """
    async with aclosing(place.storage.read(name)) as sealed:
        header = (await open_archive(sealed, place.key, customer=customer)).header
    async with open_scratch(scratch, header) as database:
        return await restore_into(Target(database, is_scratch=True), name, place, customer=customer)
