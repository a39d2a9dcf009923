"""What goes wrong in a rehearsal: one small class a trouble, each of which says whether it came about."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from localrender.faults import Fault, FaultKind
from localrender.machine import Order
from localrender.model import EnvVar, Script, Service, Status, Trigger
from rehearsal.agenda import Agenda
from rehearsal.people import People
from rehearsal.rows import Rows
from rehearsal.stage import Stage
from rehearsal.wires import Life
from rehearsal.witness import Foreign


@dataclass
class Scene:
    """What a trouble may lay hands on."""

    stage: Stage
    agenda: Agenda
    people: People
    rows: Rows
    foreign: Foreign
    chance: random.Random
    life: Life = field(default_factory=Life)

    @property
    def now(self) -> datetime:
        """Product time."""
        return self.stage.clock.now()

    def later(self, days: float, action: Callable[[], object]) -> None:
        """Put an action down, so many days after the start."""
        self.agenda.at(self.stage.made.start + timedelta(days=days), action)  # type: ignore[arg-type]


class Trouble:
    """One thing that goes wrong."""

    has_fired = False
    is_late = False

    @property
    def name(self) -> str:
        """What it is called."""
        return type(self).__name__

    async def prepare(self, scene: Scene) -> None:
        """Put down when it comes."""
        raise NotImplementedError
