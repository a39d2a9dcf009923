"""The one error tree and the exit code of each branch; not the place for messages about a single case.

    SecurewatchError
    |- ConfigError          2   the files or the environment are wrong (all problems at once)
    |- UsageError           2   the command line is wrong
    |- NotFound             2   a customer, tag, deploy or plan that does not exist
    |- SignInNeeded         4   no API key, or Render refuses it
    |- ShutGate             5   window shut, approval missing, freeze, pause: waiting may help
    |- Refused              1   a check says no and waiting does not help
    |- RolledBack           6   it went live and was taken back
    |- Conflict             7   somebody else holds it, the plan is stale, the tag moved
    |- PartFailed           8   some customers failed
    |- NeedsHuman           9   the outcome is unknown and no further step is safe
    |- GatewayError         1   a neighbour (Render, git, a customer's site) did not do its part
    |  |- Retryable             trying again later may help
    |  `- Rejected              the same request will be rejected again
    `- InternalError        1   a promise of ours was broken: a bug

A failed deploy is a value, not an error; a broken assumption is an error. Every error carries what happened, why, how
to fix it and a stable code (`SW412`) that names a page of `docs/runbooks/`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """What the process returns; printed by `securewatch help exit-codes` (design: interface, exit codes)."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    CHANGES = 3
    SIGN_IN = 4
    WAITING = 5
    ROLLED_BACK = 6
    CONFLICT = 7
    PART_FAILED = 8
    NEEDS_HUMAN = 9
    INTERRUPTED = 130


EXIT_CODE_MEANINGS: dict[ExitCode, str] = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "failed, or a hard check refused it",
    ExitCode.USAGE: "usage, configuration, or a name that does not exist",
    ExitCode.CHANGES: "the plan has changes (with --detailed-exitcode)",
    ExitCode.SIGN_IN: "sign-in needed or refused by Render",
    ExitCode.WAITING: "waiting for an approval, a window or a delay",
    ExitCode.ROLLED_BACK: "went live and was rolled back automatically",
    ExitCode.CONFLICT: "conflict: stale plan, moved tag, or someone else holds it",
    ExitCode.PART_FAILED: "part of the customers failed",
    ExitCode.NEEDS_HUMAN: "needs a human: the outcome is unknown",
    ExitCode.INTERRUPTED: "interrupted (Ctrl-C or SIGTERM); work that had begun is resumed by the next controller",
}


class SecurewatchError(Exception):
    """Something went wrong."""

    exit_code = ExitCode.FAILED

    def __init__(self, code: str, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.why = why
        self.fix = fix


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a file: where (`customers[3].slug`), what was found and what is accepted."""

    file: str
    path: str
    found: str
    accepted: str

    def __str__(self) -> str:
        return f"{self.file}: {self.path}: found {self.found}; accepted: {self.accepted}"


class ConfigError(SecurewatchError):
    """The configuration has problems; all of them are listed at once."""

    exit_code = ExitCode.USAGE

    def __init__(self, code: str, what: str, *, why: str = "", fix: str = "", problems: Sequence[Problem] = ()) -> None:
        super().__init__(code, what, why=why, fix=fix)
        self.problems = tuple(problems)


class UsageError(SecurewatchError):
    """The command line does not make sense."""

    exit_code = ExitCode.USAGE


class NotFound(SecurewatchError):
    """There is no such thing."""

    exit_code = ExitCode.USAGE


class SignInNeeded(SecurewatchError):
    """Render does not accept the API key, or there is none."""

    exit_code = ExitCode.SIGN_IN


class ShutGate(SecurewatchError):
    """A gate is shut: a window, an approval, a freeze or a pause."""

    exit_code = ExitCode.WAITING


class Refused(SecurewatchError):
    """A check says no."""


class RolledBack(SecurewatchError):
    """The version went live and was taken back."""

    exit_code = ExitCode.ROLLED_BACK


class Conflict(SecurewatchError):
    """Somebody else holds it, or it changed since."""

    exit_code = ExitCode.CONFLICT


class PartFailed(SecurewatchError):
    """Part of the customers failed."""

    exit_code = ExitCode.PART_FAILED


class NeedsHuman(SecurewatchError):
    """The outcome is unknown; a person must look."""

    exit_code = ExitCode.NEEDS_HUMAN


class GatewayError(SecurewatchError):
    """A neighbour did not do its part."""


class Retryable(GatewayError):
    """Trying again later may help."""


class Rejected(GatewayError):
    """The same request will be rejected again."""


class InternalError(SecurewatchError):
    """A promise of ours was broken."""
