"""Facts about the whole installation: which Render and clock it belongs to, and whether everything is paused."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from securewatch.core.errors import Conflict
from securewatch.store.codec import dump_mapping, from_text, safe_text, to_text
from securewatch.store.tables import meta
from securewatch.store.tx import Prepared, Tx

_GET = Prepared(sa.select(meta.c.value).where(meta.c.key == sa.bindparam("p_key")))
_BINDING = Prepared(
    sa.select(meta.c.key, meta.c.value).where(
        sa.or_(meta.c.key == "host", meta.c.key == "owner", meta.c.key == "clock")
    )
)
_INSERT = sqlite.insert(meta)
_SET = Prepared(
    _INSERT.on_conflict_do_update(index_elements=["key"], set_={"value": _INSERT.excluded.value}), ("key", "value")
)
_PAUSE = "pause"
_CLOCKS = {True: "a clock file", False: "the machine's clock"}


@dataclass(frozen=True)
class Pause:
    """The kill switch while it is on: who turned it on, when and why."""

    actor: str
    at: datetime
    reason: str


async def get_meta(tx: Tx, key: str) -> str | None:
    """One fact, None where it was never set."""
    found = await tx.first(_GET, {"p_key": key})
    return None if found is None else str(found[0])


async def set_meta(tx: Tx, key: str, value: str) -> None:
    """Set one fact."""
    await tx.change(_SET, {"key": key, "value": safe_text(value)})


async def bind_installation(tx: Tx, *, host: str, owner: str | None, clock_file: bool) -> None:
    """Record at the first use which Render and kind of clock this state belongs to, and check it at every later one.

    `owner` may be None while it is not known. Raises Conflict (SW414) where the process differs (design: behaviour,
    state, clock, pause).
    """
    for key, value in (await check_installation(tx, host=host, owner=owner, clock_file=clock_file)).items():
        await set_meta(tx, key, value)


async def check_installation(tx: Tx, *, host: str, owner: str | None, clock_file: bool) -> Mapping[str, str]:
    """Like `bind_installation`, for who only looks: gives what would be recorded."""
    found = {row[0]: row[1] for row in await tx.rows(_BINDING)}
    missing = {}
    for key, value in (("host", host), ("owner", owner), ("clock", _CLOCKS[clock_file])):
        if value is None or found.get(key) == value:
            continue
        if key in found:
            raise another_installation(key, found[key], value)
        missing[key] = value
    return missing


def another_installation(key: str, recorded: str, ours: str) -> Conflict:
    """The error of a process that is not of this installation (SW414)."""
    return Conflict(
        "SW414",
        "the state database belongs to another Render or clock",
        why=f"its {key} is {recorded}, and this process has {ours}",
        fix="use the settings of that installation, or another SECUREWATCH_DATABASE_URL",
    )


async def is_paused(tx: Tx) -> bool:
    """Whether the kill switch is on: then nothing is written anywhere."""
    return await pause_of(tx) is not None


async def pause_of(tx: Tx) -> Pause | None:
    """Who turned the kill switch on, or None while it is off."""
    value = await get_meta(tx, _PAUSE)
    if not value:
        return None
    raw = json.loads(value)
    return Pause(raw["actor"], from_text(raw["at"]), raw["reason"])


async def set_paused(tx: Tx, paused: bool, *, actor: str, at: datetime, reason: str = "") -> None:
    """Turn the kill switch on or off; turning it on again keeps the first one's words."""
    if paused and await is_paused(tx):
        return
    value = dump_mapping({"actor": actor, "at": to_text(at), "reason": reason}) if paused else ""
    await set_meta(tx, _PAUSE, value)
