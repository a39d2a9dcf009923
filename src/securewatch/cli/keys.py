"""Commands about the encryption key."""

from pathlib import Path
from typing import Annotated

import typer

from securewatch.cli.session import session_of

app = typer.Typer(help="The encryption key: rotate.")
NewKeyFile = Annotated[
    Path | None, typer.Option("--new-key-file", metavar="FILE", help="A file with the new key: base64 of 32 bytes.")
]
NewKeyCommand = Annotated[
    str | None, typer.Option("--new-key-command", metavar="COMMAND", help="A command that prints it, as often as run.")
]


@app.command("rotate")
def key_rotate(context: typer.Context, new_key_file: NewKeyFile = None, new_key_command: NewKeyCommand = None) -> None:
    """Put another encryption key in force. All that is sealed is sealed anew, or nothing is.

    The audit log stays verifiable, and it says what to set afterwards. Interrupted, give the same command again.

    securewatch key rotate --new-key-file /etc/securewatch/new.key
    """
    from securewatch.cli.data import print_json
    from securewatch.core.errors import UsageError
    from securewatch.deps import Deps
    from securewatch.operations.keys import Rotated, key_in_file, key_of_command, rotate

    session = session_of(context)
    if (new_key_file is None) == (new_key_command is None):
        fix = "give one of --new-key-file and --new-key-command"
        raise UsageError("SW201", "say where the new key is", why="it has one source", fix=fix)

    async def work(deps: Deps) -> Rotated:
        new = key_in_file(new_key_file) if new_key_file is not None else key_of_command(new_key_command or "")
        return await rotate(deps, new)

    done = session.run(work)
    if session.is_json:
        print_json({"from": done.from_id, "to": done.to_id, "values": done.count, "next": done.next_step})
        return
    if done.count is None:
        print(f"the key {done.to_id} is in force already")
    else:
        print(f"the key {done.to_id} is in force in the place of {done.from_id}: {done.count} values were sealed anew")
        print("keep the old key as long as copies of the state database from before are kept")
    print(f"next: {done.next_step}")
