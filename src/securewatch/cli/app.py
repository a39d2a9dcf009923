"""The program: its global flags, its commands in both grammars, and what becomes of an error."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from securewatch.cli import (
    calendar,
    customers,
    deploys,
    freezes,
    installation,
    notices,
    options,
    output,
    releases,
    rollout_outlook,
    rollouts,
    tags,
    versions,
)
from securewatch.cli.argv import hoist
from securewatch.cli.session import Session, say
from securewatch.core.errors import EXIT_CODE_MEANINGS, ExitCode, SecurewatchError, UsageError

app = typer.Typer(
    name="securewatch",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS = (
    ("deploy-customer", deploys.deploy_customer),
    ("rollback-customer", deploys.rollback_customer),
    ("update-env-vars", deploys.update_env_vars),
    ("check-health", deploys.check_health),
    ("list-deployments", deploys.list_deployments),
    ("why", deploys.why),
    ("approve", deploys.approve),
    ("reject", deploys.reject),
    ("plan-release", releases.plan_release),
    ("start-phase", rollouts.start_phase),
    ("deploy-customers", rollouts.deploy_customers),
    ("deploy-batch", rollouts.deploy_batch),
    ("check-status", rollouts.check_status),
    ("rollback-phase", rollouts.rollback_phase),
    ("list-versions", versions.list_versions),
    ("validate", versions.validate),
    ("check-policy", versions.check_policy),
    ("create-tag", tags.create_tag),
    ("calendar", calendar.calendar),
    ("send-notifications", notices.send_notifications),
    ("pin", freezes.pin),
    ("unpin", freezes.unpin),
    ("hold", freezes.hold),
    ("unhold", freezes.unhold),
    ("pause", installation.pause),
    ("resume", installation.resume),
    ("serve", installation.serve),
    ("doctor", installation.doctor),
)
ALIASES = (
    ("deploy", deploys.deploy_customer),
    ("rollback", deploys.rollback_customer),
)
"""The everyday grammar's words for the same operations (design: interface, command line)."""

for _name, _command in COMMANDS:
    app.command(_name)(_command)
for _name, _command in ALIASES:
    app.command(_name, hidden=True)(_command)
GROUPS = (
    ("release", releases.app),
    ("plan", releases.plans),
    ("rollout", rollouts.app),
    ("customer", customers.app),
    ("version", versions.app),
    ("notice", notices.app),
    ("freeze", freezes.app),
    ("config", installation.config),
    ("audit", installation.audit),
)

releases.app.command("status")(rollouts.check_status)
releases.app.command("watch")(tags.release_watch)
for _group in (rollouts.app, releases.app):
    _group.command("why")(rollout_outlook.why)
    _group.command("eta")(rollout_outlook.eta)


def _show_group(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


for _name, _group in GROUPS:
    app.add_typer(_group, name=_name, callback=_show_group, invoke_without_command=True)


@app.callback(invoke_without_command=True)
def program(
    context: typer.Context,
    api_key: Annotated[str | None, typer.Option("--api-key", help="Render API key; RENDER_API_KEY is safer.")] = None,
    config: Annotated[str | None, typer.Option("--config", metavar="DIR", help="The configuration folder.")] = None,
    format_: options.Output = "text",
    yes: Annotated[bool, typer.Option("--yes", "--confirm", "-y", help="Do not ask.")] = False,
    show_version: Annotated[bool, typer.Option("--version", help="Print the program's version.")] = False,
) -> None:
    """Bring a git tag to every customer's services on Render, safely, and prove what it did.

    securewatch deploy-customer --version v1.1.0 --customer acme-corp --dry-run

    securewatch check-health --customer acme-corp

    securewatch rollback-customer --customer acme-corp

    --api-key, --config, -o and --yes may stand anywhere on the line. `deploy` and `rollback` are short for
    `deploy-customer` and `rollback-customer`.
    """
    if format_ not in ("text", "json"):
        raise UsageError(
            "SW201", f"--output cannot be {format_!r}", why="it is none of the accepted values", fix="give text or json"
        )
    if config == "":
        raise UsageError("SW201", "--config cannot be ''", why="it is no folder", fix="name one, or leave it out")
    context.obj = session = Session(api_key, Path(config) if config else None, format_ == "json", yes)
    if api_key is not None:
        say("warning: a key on the command line shows in `ps`; RENDER_API_KEY does not")
    if show_version:
        from securewatch import __version__

        print(__version__)
    elif context.invoked_subcommand is None and api_key is not None:
        installation.check_key(session)
    elif context.invoked_subcommand is None:
        print(context.get_help())


@app.command("help")
def help_(
    topic: Annotated[list[str] | None, typer.Argument(help="exit-codes, or the words of a command.")] = None,
) -> None:
    """Show a command's help, or what the exit codes mean.

    securewatch help exit-codes

    securewatch help customer list
    """
    words = topic or []
    if words == ["exit-codes"]:
        for code, meaning in EXIT_CODE_MEANINGS.items():
            print(f"{int(code):>4}  {meaning}")
        return
    known = [*(name for name, _ in (*COMMANDS, *ALIASES, *GROUPS)), "help", "exit-codes"]
    if words and words[0] not in known:
        from difflib import get_close_matches

        near = " or ".join(get_close_matches(words[0], known))
        fix = f"did you mean {near}?" if near else "`securewatch help` lists the commands"
        raise UsageError(
            "SW201", f"there is no help on {words[0]!r}", why="it is neither a command nor a topic", fix=fix
        )
    raise typer.Exit(main([*words, "--help"]))


def main(arguments: Sequence[str] | None = None, program: Callable[..., int | None] = app) -> int:
    """Run one command line through `program`; gives the exit code. No traceback leaves it."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    with output.guarded():
        try:
            code = _run(words, program)
            sys.stdout.flush()
        except output.OutputLost as lost:
            return output.end(lost)
        return code


def _run(words: Sequence[str], program: Callable[..., int | None]) -> int:
    try:
        return int(program(hoist(words), standalone_mode=False, prog_name="securewatch") or 0)
    except SecurewatchError as error:
        return _failed(error, words)
    except typer.Abort:
        say("nothing was done")
        return int(ExitCode.INTERRUPTED)
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    except output.OutputLost:
        raise
    except Exception as error:  # noqa: BLE001 - the one place of the command line where every error ends
        return _unforeseen(error, words)


def _failed(error: SecurewatchError, words: Sequence[str]) -> int:
    from securewatch.cli.failures import show_error

    return int(show_error(error, is_json=_wants_json(words)))


def _unforeseen(error: Exception, words: Sequence[str]) -> int:
    from securewatch.cli.failures import unexpected

    usage = getattr(error, "format_message", None)
    if usage is not None:
        why = "the command line was not understood, so nothing was done"
        path = getattr(getattr(error, "ctx", None), "command_path", "securewatch")
        return _failed(UsageError("SW201", str(usage()), why=why, fix=f"{path} --help"), words)
    return _failed(unexpected(error), words)


def _wants_json(words: Sequence[str]) -> bool:
    text = " ".join(words)
    return "-o json" in text or "--output json" in text or "--output=json" in text or "-ojson" in text
