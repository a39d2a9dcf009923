"""Change the encryption key of this installation: seal everything anew, then put the new key where the old one is.

Nothing is written at Render. The order of the steps is that of docs/decisions/0017: killed between two of them, the
same command given again goes on.
"""

from dataclasses import dataclass, field
from pathlib import Path

from securewatch.config.settings import command_environment
from securewatch.config.variables import KEY_SOURCES, VARIABLES
from securewatch.core.errors import ConfigError, Refused
from securewatch.deps import Deps
from securewatch.store import audit, former
from securewatch.store.box import KEY_FILE_NAME, SecretBox, decode_key, read_key_file, replace_key_file
from securewatch.store.database import Database
from securewatch.store.key_command import output_of
from securewatch.store.rotation import rotate_key

FLAG = "--new-key-command"


@dataclass(frozen=True)
class NewKey:
    """The key that is to count from now on; `setting` is how to give it to the tool."""

    key: bytes = field(repr=False)
    setting: str


@dataclass(frozen=True)
class Rotated:
    """What was done. `from_id` and `count` are None where the new key was in force already, by an earlier try.

    `key_file` is the file beside the state database that holds the new key now, if the key is kept there.
    """

    from_id: str | None
    to_id: str
    count: int | None
    key_file: Path | None
    next_step: str


def key_in_file(path: Path) -> NewKey:
    """The new key, in a file. Raises ConfigError (SW107) where it holds none."""
    found = path.absolute()
    return NewKey(read_key_file(found), f"{VARIABLES['secret_key_file']}={found}")


def key_of_command(command: str) -> NewKey:
    """The new key, as a command prints it. Raises ConfigError: SW107 where it prints none, SW109 for one that differs.

    It is run twice: a command that makes a new key each time would leave nobody with the one that was used.
    """
    first, second = (output_of(command, source=FLAG, environ=command_environment()) for _ in range(2))
    key = decode_key(first, FLAG)
    if first != second:
        raise ConfigError(
            "SW109",
            f"{FLAG} does not print the same key each time",
            why="it was run twice, and the keys differ: nobody would have the one that is used",
            fix="keep a new key first, and name a command that prints that one",
        )
    return NewKey(key, f"{VARIABLES['secret_key_command']} to that command")


async def rotate(deps: Deps, new: NewKey) -> Rotated:
    """Put the new key in force, or go on with a try that was interrupted. All is sealed anew, or nothing.

    Raises Refused (SW216) where there is nothing to rotate or the key was in force before, Conflict (SW411) while a
    controller runs, ConfigError (SW107) where the key in force is not at hand.
    """
    database = await deps.existing_database()
    if database is None:
        fix = f"set {new.setting}; the first deploy begins with it"
        raise Refused("SW216", "there is no key to rotate", why="nothing was sealed here yet", fix=fix)
    box, lock = SecretBox(new.key), deps.lock
    lock.acquire("key rotate", since=deps.clock.now())
    try:
        from_id, count = await _seal_anew(deps, database, box)
        own = _own_file(deps)
        if own is not None:
            replace_key_file(own, new.key)
    finally:
        lock.release()
    return Rotated(from_id, box.key_id, count, own, _next_step(deps, new, own))


async def _seal_anew(deps: Deps, database: Database, new: SecretBox) -> tuple[str | None, int | None]:
    async with database.write("rotate") as tx:
        in_force = await audit.key_in_force(tx)
        if in_force == new.key_id:
            return None, None
        old = deps.box()
        old.check_key_id(in_force or old.key_id, "the audit log")
        old.check_lasting()
        if new.key_id in await former.audit_keys(tx, old):
            raise Refused(
                "SW216",
                f"the key {new.key_id} was in force before",
                why="a key that was given up once may be known to somebody",
                fix="make a new one: head -c 32 /dev/urandom | base64 > new.key",
            )
        return old.key_id, await rotate_key(tx, old, new, at=deps.clock.now(), actor=deps.settings.actor)


def _own_file(deps: Deps) -> Path | None:
    """The file beside the state database, where no setting names another source of the key."""
    is_given = any(getattr(deps.settings, name) is not None for name in KEY_SOURCES)
    return None if is_given else deps.settings.state_dir / KEY_FILE_NAME


def _next_step(deps: Deps, new: NewKey, own: Path | None) -> str:
    if own is not None:
        return f"{own} holds the new key; there is nothing to set"
    now = next(VARIABLES[name] for name in KEY_SOURCES if getattr(deps.settings, name) is not None)
    unset = "" if new.setting.startswith((f"{now}=", f"{now} ")) else f", and unset {now}"
    return f"wherever this tool runs, set {new.setting}{unset}; until then every command there says SW107"
