"""Lets the global flags stand anywhere on the command line. Parses nothing else."""

from collections.abc import Sequence

WITH_VALUE = ("--api-key", "--config", "--output", "-o")
"""Global flags that take a value (design: behaviour, commands: `--api-key` before the subcommand too)."""
ALONE = ("--yes", "--confirm", "-y")
"""Global flags that take none: every command takes `--yes`."""


def hoist(arguments: Sequence[str]) -> list[str]:
    """The same arguments with the global flags first, where the parser of the whole program reads them."""
    front: list[str] = []
    rest: list[str] = []
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            rest += [word, *waiting]
            break
        if word in WITH_VALUE and waiting:
            front += [word, waiting.pop(0)]
        elif word in ALONE or word.startswith(tuple(f"{flag}=" for flag in WITH_VALUE if flag.startswith("--"))):
            front.append(word)
        else:
            rest.append(word)
    return front + rest
