"""One invocation: the global flags, the parts of this process, and how an operation is run in it."""

import sys
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from securewatch.deps import Deps

T = TypeVar("T")


@dataclass(frozen=True)
class Session:
    """The global flags of one invocation; `is_sure` says that nothing is to be asked."""

    api_key: str | None
    config: Path | None
    is_json: bool
    is_sure: bool = False

    @property
    def is_live(self) -> bool:
        """Whether a person watches, so that the screen may be redrawn and a question asked."""
        return not self.is_json and sys.stdout.isatty() and sys.stdin.isatty()

    def run(self, verb: "Callable[[Deps], Awaitable[T]]", *, needs_only_state: bool = False) -> T:
        """Run one operation with parts of its own, closed afterwards. Ctrl-C and SIGTERM raise KeyboardInterrupt.

        With `needs_only_state` no setting stops it but those of the state database.
        """
        import asyncio
        import logging

        logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(message)s")
        parts = self._parts_of_state() if needs_only_state else self._parts()

        async def work() -> T:
            _prepare_loop()
            async with parts as deps:
                found = await verb(deps)
                tell_of_key(deps)
                return found

        try:
            return asyncio.run(work())
        except (KeyboardInterrupt, asyncio.CancelledError):
            say("interrupted")
            raise KeyboardInterrupt from None

    def _parts(self, *, only: Collection[str] | None = None) -> "Deps":
        from securewatch.config.settings import load_settings
        from securewatch.config.variables import ALL_SETTINGS
        from securewatch.deps import Deps

        flags = {"api_key": self.api_key, "config_dir": self.config}
        return Deps(load_settings(flags, Path.cwd(), only=ALL_SETTINGS if only is None else only))

    def _parts_of_state(self) -> "Deps":
        """The parts with as many settings as are usable, as long as the state database can be found."""
        from securewatch.config.variables import NEED_OF_STATE
        from securewatch.core.errors import ConfigError

        *more, least = NEED_OF_STATE
        for names in more:
            try:
                return self._parts(only=names)
            except ConfigError:
                continue
        return self._parts(only=least)


def session_of(context: typer.Context) -> Session:
    """The session that the program's own flags made."""
    found = context.find_root().obj
    assert isinstance(found, Session)
    return found


def ask(question: str) -> bool:
    """Ask a person yes or no. Ctrl-C and SIGTERM end the wait at once, though it blocks the event loop: typer.Abort."""
    return _asking(lambda: typer.confirm(question))


def ask_name(question: str) -> str:
    """Ask a person to type a name; empty for none. Ends like `ask`."""
    return _asking(lambda: str(typer.prompt(question, default="", show_default=False)).strip())


def _asking(prompt: Callable[[], T]) -> T:
    """The loop must not hear of the signal too: it would cancel the command a second time, while it ends."""
    import asyncio
    import signal

    asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
    before = {one: signal.signal(one, signal.default_int_handler) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        return prompt()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _cancel_on_sigterm()


def confirm(session: Session, question: str) -> bool:
    """Ask before something that cannot be undone. Raises UsageError (SW207) off a terminal without --yes."""
    from securewatch.core.errors import UsageError

    if session.is_sure:
        return True
    if not session.is_live:
        raise UsageError("SW207", "this needs a confirmation", why="nobody can be asked here", fix="add --yes")
    if typer.confirm(question):
        return True
    say("nothing was done")
    return False


def _prepare_loop() -> None:
    """Let SIGTERM do what Ctrl-C does: cancel this command, so that it unwinds. An error of ours shows no traceback.

    Where several tasks meet one trouble at once, the command ends with the first one's error and tells it.
    """
    import asyncio
    from typing import Any

    from securewatch.core.errors import SecurewatchError

    def show_unexpected(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), SecurewatchError):
            loop.default_exception_handler(context)

    asyncio.get_running_loop().set_exception_handler(show_unexpected)
    _cancel_on_sigterm()


def _cancel_on_sigterm() -> None:
    import asyncio
    import signal
    import threading

    task = asyncio.current_task()
    if task is not None and threading.current_thread() is threading.main_thread():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def tell_of_key(deps: "Deps") -> None:
    """Say once that an encryption key was made."""
    if deps.key_file_made is not None:
        say(f"made the encryption key {deps.key_file_made}: keep a copy of it in a safe place")
        deps.key_file_made = None


def say(text: str) -> None:
    """Talk: to standard error, so that results on standard output stay clean."""
    print(text, file=sys.stderr, flush=True)
