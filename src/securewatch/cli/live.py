"""What is seen while a run is followed: one live region on a terminal, one line a change elsewhere."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from types import TracebackType
from typing import Self

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from securewatch.cli.show import status_text, waiting_line
from securewatch.cli.tables import make_console
from securewatch.cli.words import show_duration, show_status
from securewatch.controller.commit import WAY_BACK
from securewatch.core.clock import Clock
from securewatch.core.errors import SecurewatchError
from securewatch.deploy.model import ServiceKind, Stage
from securewatch.operations.status import CustomerStatus

HEARTBEAT_SECONDS = 30.0
"""Real seconds after which a quiet log says that it is alive."""
STEPS = (
    Stage.QUEUED,
    Stage.PREFLIGHT,
    Stage.BACKING_UP,
    Stage.CLOSING,
    Stage.RESTORING,
    Stage.MIGRATING,
    Stage.SETTING_ENV,
    Stage.DEPLOYING,
    Stage.OPENING,
    Stage.SETTLING,
    Stage.VERIFYING,
)


class Silent(AbstractContextManager["Silent"]):
    """Nobody watches: JSON is printed at the end."""

    def __exit__(self, *_exc: object) -> None:
        return None

    def __call__(self, *_seen: object) -> None:
        """Say nothing."""


class PlainLines:
    """One line a change, to standard output, with the product's time in front."""

    def __init__(self, clock: Clock, *, name: str = "") -> None:
        self._clock = clock
        self._name = f"{name}  " if name else ""
        self._seen: dict[str, str] = {}
        self._said_at = clock.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        return None

    def __call__(self, status: CustomerStatus, trouble: SecurewatchError | None) -> None:
        """Print what changed since the last time."""
        now = self._clock.now()
        self.tell_changes(status, trouble, now)
        if self._clock.monotonic() - self._said_at > HEARTBEAT_SECONDS:
            known = f"; {self._seen['trouble']}" if trouble is not None else ""
            self._print(f"still {status.run.stage.value.replace('_', ' ')}{known}", now)

    def tell_changes(self, status: CustomerStatus, trouble: SecurewatchError | None, now: datetime) -> None:
        """Print what changed, and nothing where nothing did."""
        for one in status.services:
            self._say(str(one.kind), f"{one.kind:<10} {_stage_only(one.stage)}", now, one.deploy_id)
        waiting = status.waiting_on
        if waiting is not None and (waiting.until is None or waiting.until > now):
            self._say("waiting", waiting_line(status, now), now, key=waiting.what)
        if trouble is not None:
            self._say("trouble", f"trouble: {trouble.code} {trouble.what}; tried again", now)

    def tell_status(self, status: CustomerStatus, now: datetime) -> None:
        """Print how the run stands, where that changed."""
        about = f"  {status.detail}" if status.detail else ""
        self._say("status", f"{show_status(status.status)}  {status.kind} {status.version}{about}", now)

    def _say(self, topic: str, text: str, now: datetime, deploy_id: str | None = None, *, key: str = "") -> None:
        if self._seen.get(topic) == (key or text):
            return
        self._seen[topic] = key or text
        self._print(f"{text}{f'  {deploy_id}' if deploy_id else ''}", now)

    def _print(self, text: str, now: datetime) -> None:
        self._said_at = self._clock.monotonic()
        print(f"{now:%H:%M:%S}  {self._name}{text}", flush=True)


class FleetLines:
    """The plain lines of a controller: of every customer, with its slug in front and how its run stands."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: dict[str, PlainLines] = {}

    def __call__(self, status: CustomerStatus, trouble: SecurewatchError | None) -> None:
        """Print what changed since the last time."""
        lines = self._lines.setdefault(status.run.id, PlainLines(self._clock, name=status.slug))
        lines.tell_changes(status, trouble, self._clock.now())
        lines.tell_status(status, self._clock.now())


class LiveRegion:
    """A table with a row per service and a progress bar, redrawn in place."""

    def __init__(self, clock: Clock, usual: dict[ServiceKind, float]) -> None:
        self._clock = clock
        self._usual = usual
        self._live = Live(console=make_console(), refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, status: CustomerStatus, trouble: SecurewatchError | None) -> None:
        """Draw the state."""
        self._live.update(draw(status, trouble, self._clock.now(), self._usual))


def draw(
    status: CustomerStatus, trouble: SecurewatchError | None, now: datetime, usual: Mapping[ServiceKind, float]
) -> Group:
    """The region: a row for each service, the bar, and below it whole lines with what it waits for."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("service", "status", "stage", "elapsed", "usual", "deploy"):
        table.add_column(heading, no_wrap=heading == "deploy")
    for one in status.services:
        row = (show_duration(one.seconds) or "-", show_duration(usual.get(one.kind)) or "-", one.deploy_id or "")
        table.add_row(one.kind.value, status_text(one.status), Text(one.stage), *row)
    bar = Table.grid()  # a bar alone does not end its line
    colour = "yellow" if trouble is not None or status.run.stage in WAY_BACK else "green"
    completed = progress_of(status)
    bar.add_row(ProgressBar(1.0, completed, 60, complete_style=colour, finished_style=colour))
    parts: list[Table | Text] = [Text(f"{status.slug}  {status.version}", style="bold"), table, bar]
    waiting = waiting_line(status, now)
    if waiting:
        parts.append(Text(waiting, style="yellow", overflow="fold"))
    if trouble is not None:
        parts.append(Text(f"trouble: {trouble.code} {trouble.what}; tried again", style="red", overflow="fold"))
    return Group(*parts)


def progress_of(status: CustomerStatus) -> float:
    """How far the run is towards verified, from 0 to 1; the way back counts as far as it came."""
    run = status.run
    if run.verified_at is not None or run.stage.is_terminal:
        return 1.0
    total = len(status.services) * 3 + 4
    done = float(min(STEPS.index(run.stage), 4)) if run.stage in STEPS else 4.0
    for progress in run.progress:
        done += (progress.deploy_id is not None) + (progress.live_at is not None) + (progress.verified_at is not None)
    return min(done / total, 1.0)


def _stage_only(stage: str) -> str:
    """The stage without its running count of samples, so that plain lines do not repeat."""
    return " ".join(word for word in stage.split(" ") if "/" not in word)
