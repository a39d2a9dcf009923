"""What hangs on the keys of before a rotation and is needed still: to verify old audit entries, compare old
fingerprints and open old archives. Kept sealed under the key in force; the keys that sealed values are not kept.
"""

from collections.abc import Mapping

from securewatch.store import sealed
from securewatch.store.box import SecretBox, fingerprint_under
from securewatch.store.tx import Tx


async def audit_keys(tx: Tx, box: SecretBox) -> Mapping[str, bytes]:
    """The keys of the audit log's MACs by the id of the key on which each hangs, the one in force among them.

    Raises ConfigError (SW107) where the box is not the key in force.
    """
    return {**await _kept(tx, box, "audit"), box.key_id: box.audit_key()}


async def archive_keys(tx: Tx, box: SecretBox) -> Mapping[str, bytes]:
    """The keys of backup archives by the key id that stands in each archive. Raises like `audit_keys`."""
    return {**await _kept(tx, box, "archive"), box.key_id: box.archive_key()}


async def fingerprints(tx: Tx, box: SecretBox, text: str) -> tuple[str, ...]:
    """The text's fingerprints, first under the key in force: one of before a rotation is equal to one of the others.

    Raises like `audit_keys`.
    """
    former = (await _kept(tx, box, "fingerprint")).values()
    return box.fingerprint(text), *(fingerprint_under(key, text) for key in former)


async def _kept(tx: Tx, box: SecretBox, purpose: str) -> Mapping[str, bytes]:
    found = await sealed.open_former_keys(tx, box)
    return {key_id: bytes.fromhex(values[purpose] or "") for key_id, values in found.items()}
