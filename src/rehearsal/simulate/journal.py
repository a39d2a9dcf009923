"""What happened in a course, in order, as a chain of digests: the same course gives the same one."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any


class Journal:
    """Transitions of rollout, members and runs. Each entry names what it follows on, so that a gap shows (I10)."""

    def __init__(self) -> None:
        self.count = 0
        self.digest = hashlib.sha256(b"a rehearsal").hexdigest()
        self.gaps: list[str] = []
        self._epochs: dict[str, int] = {}

    def add(self, at: datetime, action: str, subject: str, *, epoch: int, changes: Mapping[str, Any]) -> None:
        """Add a change of `subject`, which has the given epoch after it."""
        known = self._epochs.get(subject)
        if known is not None and epoch != known + 1:
            self.gaps.append(f"I10: {subject} goes from epoch {known} to {epoch}")
        self._epochs[subject] = epoch
        entry = json.dumps([self.digest, at.isoformat(), action, subject, epoch, changes], default=str)
        self.digest = hashlib.sha256(entry.encode()).hexdigest()
        self.count += 1
