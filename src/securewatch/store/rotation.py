"""Puts another encryption key in force: everything sealed is sealed anew, in one transaction, and the log says so.

Where the key is kept outside the database is not decided here.
"""

from datetime import datetime

from securewatch.store import audit, sealed
from securewatch.store.box import SecretBox
from securewatch.store.tx import Tx


async def rotate_key(tx: Tx, old: SecretBox, new: SecretBox, *, at: datetime, actor: str) -> int:
    """Seal all anew under `new`, keep what still hangs on `old`, and note it; says how many sealed values there were.

    Raises ConfigError (SW107) where `old` is not the key in force.
    """
    count = await sealed.reseal_every(tx, old, new)
    await sealed.keep_former_key(tx, old, new, at=at)
    await audit.append_rotation(tx, old, new, at=at, actor=actor)
    return count
