"""Shows an error to people and programs: what, why, how to fix, a stable code. Never a traceback."""

import json
import sys

from securewatch.core.errors import ConfigError, ExitCode, InternalError, Problem, SecurewatchError


def show_error(error: SecurewatchError, *, is_json: bool) -> ExitCode:
    """Print the error and give the exit code of its class."""
    print(as_text(error), file=sys.stderr, flush=True)
    if is_json:
        print(json.dumps(as_data(error), indent=2), flush=True)
    return error.exit_code


def as_text(error: SecurewatchError) -> str:
    """The error as lines: `error[SW412]: ...`, then why and fix; every problem of the files once."""
    problems = [str(problem) for problem in _problems(error)]
    is_why = bool(problems) and error.why.startswith(problems[0])
    why = problems if is_why else [error.why] if error.why else []
    lines = [f"error[{error.code}]: {error.what}"]
    lines += [f"{'        ' if number else '  why   '}{text}" for number, text in enumerate(why)]
    if error.fix:
        lines.append(f"  fix   {error.fix}")
    if not is_why:
        lines += [f"  - {problem}" for problem in problems if problem not in error.what]
    return "\n".join(lines)


def as_data(error: SecurewatchError) -> dict[str, object]:
    """The error as JSON data."""
    data: dict[str, object] = {"code": error.code, "what": error.what, "why": error.why, "fix": error.fix}
    problems = [
        {"file": one.file, "path": one.path, "found": one.found, "accepted": one.accepted} for one in _problems(error)
    ]
    if problems:
        data["problems"] = problems
    return {"error": data, "exit_code": int(error.exit_code)}


def unexpected(error: BaseException) -> InternalError:
    """A bug, without what it may have carried: only its kind and where it came up."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}" if trace else "unknown place"
    return InternalError(
        "SW901",
        "an unexpected error (a bug)",
        why=f"{type(error).__name__} at {where}",
        fix="nothing that was sent is lost: run the same command again, and report this line",
    )


def _problems(error: SecurewatchError) -> tuple[Problem, ...]:
    return error.problems if isinstance(error, ConfigError) else ()
