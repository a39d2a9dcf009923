"""Identifiers as Render mints them: a prefix and an xid, sortable by creation second (CLI: pkg/validate/id.go)."""

import base64
import hashlib
from datetime import datetime

XID_LENGTH = 20


class IDMint:
    """Mints ids; the same seed and the same moments give the same ids.

    Args:
        seed: what the machine part of every xid is derived from.
    """

    def __init__(self, seed: str) -> None:
        self._machine = hashlib.sha256(seed.encode()).digest()[:5]
        self._count = int.from_bytes(hashlib.sha256(seed.encode()).digest()[5:7], "big")

    def mint(self, prefix: str, at: datetime) -> str:
        """Give `prefix` (such as "dep"), a dash and 20 characters of `[0-9a-v]`; later seconds sort higher."""
        self._count = (self._count + 1) % (1 << 24)
        raw = int(at.timestamp()).to_bytes(4, "big") + self._machine + self._count.to_bytes(3, "big")
        return f"{prefix}-{base64.b32hexencode(raw).decode().rstrip('=').lower()}"


def cursor_of(row: str) -> str:
    """An opaque cursor for a row: 8 bytes of digest and the tail of its id, url-safe (the recorded form)."""
    return base64.urlsafe_b64encode(hashlib.sha256(row.encode()).digest()[:8] + row[-16:].encode()).decode().rstrip("=")
