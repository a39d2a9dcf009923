"""PLACEHOLDER, to be replaced whole: the course of a command that takes a customer and its database back."""

from securewatch.cli.flow import How
from securewatch.cli.session import Session
from securewatch.core.errors import ExitCode, UsageError
from securewatch.deps import Deps
from securewatch.operations.restore import RestoreRequest


async def run_restore(_deps: Deps, _session: Session, request: RestoreRequest, _how: How) -> ExitCode:
    """Raises UsageError: a restore is not in this build yet."""
    raise UsageError(
        "SW201",
        f"{request.slug} cannot be taken back to {request.version} by this command",
        why="it is not in this build yet",
        fix=f"securewatch rollback-customer --customer {request.slug}",
    )
