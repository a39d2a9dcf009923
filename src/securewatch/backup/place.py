"""What every work on backups needs of the installation, in one value. Decides nothing."""

from dataclasses import dataclass
from pathlib import Path

from securewatch.backup.model import ArchiveKey
from securewatch.backup.storage import Storage
from securewatch.core.clock import Clock


@dataclass(frozen=True)
class Place:
    """Where archives are kept, the key that seals them, and the folder of PostgreSQL's programs where one is named."""

    storage: Storage
    key: ArchiveKey
    clock: Clock
    pg_bin: Path | None = None
