"""The words of the command line, each with its sentence and the place of its code, which is imported when it is called.

Help and completion read this table alone, so that a command's start does not pay for all others. A test compares each
sentence with what the command says of itself.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from functools import cache
from importlib import import_module
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

COMMANDS = {
    "deploy-customer": ("deploys:deploy_customer", "Bring a version to one customer and prove it."),
    "rollback-customer": ("deploys:rollback_customer", "Take a customer back."),
    "update-customer": ("update:update_customer", "Update a customer, its database backed up first."),
    "update-env-vars": ("deploys:update_env_vars", "Write a version's env vars; nothing is deployed."),
    "check-health": ("deploys:check_health", "Ask a customer's services how they are."),
    "list-deployments": ("deploys:list_deployments", "List a customer's latest deploys at Render."),
    "why": ("deploys:why", "Tell what a customer waits for, and until when."),
    "approve": ("deploys:approve", "Approve a waiting deploy."),
    "reject": ("deploys:reject", "Say no to a waiting deploy."),
    "plan-release": ("releases:plan_release", "Plan a version for all customers."),
    "start-phase": ("rollouts:start_phase", "Open one phase of a release."),
    "deploy-customers": ("rollouts:deploy_customers", "Bring a version to some."),
    "deploy-batch": ("rollouts:deploy_batch", "Bring a version to one batch of a phase."),
    "check-status": ("rollouts:check_status", "Show where a release is."),
    "rollback-phase": ("rollouts:rollback_phase", "Take a phase back."),
    "list-versions": ("versions:list_versions", "List the vendor's tags, the newest version first."),
    "validate": ("versions:validate", "Check a version: well-formed, tagged, not moved."),
    "check-policy": ("versions:check_policy", "Ask the policies whether they allow a version."),
    "create-tag": ("tags:create_tag", "Tag a new version of the vendor's product."),
    "calendar": ("calendar:calendar", "Write the release calendar as an .ics file."),
    "send-notifications": ("notices:send_notifications", "Tell customers and the team what is due."),
    "pin": ("freezes:pin", "Keep a customer at its version until a day."),
    "unpin": ("freezes:unpin", "End a customer's pin."),
    "hold": ("freezes:hold", "Hold a customer."),
    "unhold": ("freezes:unhold", "End a customer's hold."),
    "pause": ("installation:pause", "Stop every write in every process; looks go on."),
    "resume": ("installation:resume", "Let the writes go on."),
    "serve": ("installation:serve", "Run the controller until it is told to stop."),
    "doctor": ("installation:doctor", "Look for what is wrong here."),
    "help": ("app:help_", "Show a command's help, or what the exit codes mean."),
    "release": ("releases:app", "A release over all customers: plan, rehearse."),
    "plan": ("releases:plans", "Plans of releases: compare them."),
    "rollout": ("rollouts:app", "A release over all customers: start, status, pause."),
    "customer": ("customers:app", "The customers: list, show, history, export."),
    "version": ("versions:app", "The vendor's versions: list, validate, create."),
    "notice": ("notices:app", "What customers and the team were told: list, resend."),
    "freeze": ("freezes:app", "Times in which nothing starts: add, rm, list."),
    "backup": ("backups:app", "Database backups: make, try, prune, restore them."),
    "env": ("envs:app", "Env vars as they were: history, diff, restore."),
    "key": ("keys:app", "The encryption key: rotate."),
    "config": ("installation:config", "The configuration: check, show, schema."),
    "audit": ("installation:audit", "The audit log: list, verify."),
}
ALIASES = {"deploy": "deploy-customer", "rollback": "rollback-customer"}
"""The everyday grammar's words for the same operations, which no list shows (design: interface, command line)."""


class Program(TyperGroup):
    """The whole program: it knows every word of the table and loads what a command line calls."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = cast("MutableMapping[str, Any]", _Loading())

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of the commands. None is loaded for it."""
        width = formatter.width - 6 - max(map(len, COMMANDS))
        rows = [(name, TyperCommand(name, help=said).get_short_help_str(width)) for name, (_, said) in COMMANDS.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class _Loading(Mapping[str, Any]):
    """The commands by their words, each loaded when it is asked for."""

    def __getitem__(self, name: str) -> Any:
        return _load(name)

    def __iter__(self) -> Iterator[str]:
        return iter((*COMMANDS, *ALIASES))

    def __len__(self) -> int:
        return len(COMMANDS) + len(ALIASES)

    def __contains__(self, name: object) -> bool:
        return name in COMMANDS or name in ALIASES


@cache
def _load(name: str) -> Any:
    place, _ = COMMANDS[ALIASES.get(name, name)]
    module, _, attribute = place.partition(":")
    found = getattr(import_module(f"securewatch.cli.{module}"), attribute)
    home = typer.Typer(rich_markup_mode=None, add_completion=False)
    if isinstance(found, typer.Typer):
        home.add_typer(found, name=name, callback=_show_group, invoke_without_command=True)
    else:
        home.command(name, hidden=name in ALIASES)(found)
    return typer.main.get_group(home).commands[name]


def _show_group(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())
