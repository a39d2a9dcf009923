"""PLACEHOLDER, to be replaced whole: what a person asks for who takes a customer and its database back."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RestoreRequest:
    """Which customer goes back to which version, and how its database does.

    `confirmed` is the slug that was given as a confirmation.
    """

    slug: str
    version: str
    reason: str = ""
    backup: str = ""
    at: str = ""
    restores_always: bool = False
    takes_backup: bool = True
    confirmed: str = ""
