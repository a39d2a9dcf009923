"""The command `localrender`: `up` starts the platform and says how to point SecureWatch at it."""

import argparse
import asyncio
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from localrender.clock import ClockFileUnreadable
from localrender.database import DatabaseFailed
from localrender.hosting import BuildFailed, StartFailed
from localrender.model import Options, Policy
from localrender.seed import SeedUnreadable
from localrender.serve import Running, Wanted, serve
from localrender.settings import Settings, read_settings
from localrender.vendor import GitFailed

FAST_RATE = 60.0
PORT_MAX = 65_535
CANNOT_START = (SeedUnreadable, ClockFileUnreadable, DatabaseFailed, GitFailed, BuildFailed, StartFailed, OSError)
_EXAMPLES = """examples:
  localrender up                                   real time, the customers of ./config or five of its own
  localrender up --fast --write-env .env           a minute a second; the product reads .env
  localrender up --fast 600 --apps inprocess --no-database --customers 300
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 after a clean end, 1 when the platform cannot start, 2 for a wrong flag."""
    flags = _parser().parse_args(arguments)
    wanted = wanted_of(flags, read_settings())
    try:
        asyncio.run(serve(wanted, lambda running: _announce(running, flags.write_env)))
    except CANNOT_START as error:
        sys.stderr.write(f"localrender: {error}\n")
        return 1
    return 0


def wanted_of(flags: argparse.Namespace, settings: Settings) -> Wanted:
    """What the flags ask for, with the environment's clock file and configuration folder where they say nothing."""
    config = flags.config or settings.config_folder or Path("config")
    return Wanted(
        port=flags.port,
        key=flags.key,
        rate=flags.fast,
        clock_file=flags.clock_file or settings.clock_file,
        config_folder=config.resolve() if flags.config or config.is_dir() else None,
        extra_customers=flags.customers,
        processes=flags.apps == "process",
        databases=not flags.no_database,
        data=flags.data,
        migrations=flags.migrations,
        options=Options(policy=Policy(flags.policy), latency=flags.latency),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="localrender", description="A Render-compatible platform on this machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser(
        "up",
        help="start the platform and serve until Ctrl-C",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    up.add_argument("--port", type=_port, default=0, help="port on 127.0.0.1 (default: a free one)")
    up.add_argument("--key", help="the API key to accept (default: a new one)")
    up.add_argument(
        "--fast",
        type=_rate,
        nargs="?",
        const=FAST_RATE,
        metavar="RATE",
        help="product seconds a second (60 if not said)",
    )
    up.add_argument(
        "--clock-file", type=Path, metavar="PATH", help="shared clock file to write (with --fast) or follow"
    )
    up.add_argument("--write-env", type=Path, metavar="FILE", help="write what the product needs as a .env file")
    up.add_argument("--config", type=Path, metavar="DIR", help="configuration folder of the customers to serve")
    up.add_argument("--customers", type=_count, default=0, metavar="N", help="synthetic customers to add")
    up.add_argument("--apps", choices=("process", "inprocess"), default="process", help="how applications run")
    up.add_argument("--no-database", action="store_true", help="no database server; URLs lead nowhere")
    up.add_argument("--migrations", action="store_true", help="a release v1.3.0 with migrations in the repository")
    up.add_argument("--data", type=Path, metavar="DIR", help="keep data here (default: a temporary folder)")
    up.add_argument("--policy", choices=("wait", "override"), default="wait", help="of overlapping deploys")
    up.add_argument("--latency", action="store_true", help="answer as slowly as Render does")
    return parser


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number: give product seconds a second, like 60") from None
    if rate <= 0:
        raise argparse.ArgumentTypeError("time must run forward: use a rate above 0")
    return rate


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= PORT_MAX:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to {PORT_MAX}")
    return port


def _count(text: str) -> int:
    count = int(text)
    if count < 0:
        raise argparse.ArgumentTypeError("a count is not negative")
    return count


def _announce(running: Running, env_file: Path | None) -> None:
    environment = running.environment()
    lines = [
        f"Render is at {running.base_url}",
        f"the admin API is at {running.base_url.removesuffix('/v1')}/admin",
        "",
    ]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    lines += ["", "Point SecureWatch at it with these lines in another terminal."]
    if env_file is not None:
        _write_env(env_file, environment)
        lines.append(f"They are also in {env_file}, the key among them (readable by you alone).")
    lines.append("Ctrl-C ends it and every application.")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _write_env(path: Path, environment: dict[str, str]) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={value}\n" for name, value in environment.items()), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
