"""What every trouble of a rehearsal is: something that goes wrong, and that says whether it came about."""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from localrender.model import Service
from localrender.sample.app.release import Release
from rehearsal.agenda import Action, Agenda
from rehearsal.fleet import Customer
from rehearsal.people import People
from rehearsal.rows import Rows
from rehearsal.stage import Stage
from rehearsal.wires import Ask, Life
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
    on_birth: list[Callable[[Life], None]] = field(default_factory=list)
    """Told of each new process that is the controller."""

    @property
    def now(self) -> datetime:
        """Product time."""
        return self.stage.clock.now()

    def later(self, days: float, action: Action) -> None:
        """Put an action down, so many days from now."""
        self.agenda.at(self.now + timedelta(days=days), action)

    def services_of(self, customer: Customer) -> list[Service]:
        """A customer's services at the platform, as far as they are there."""
        state = self.stage.platform.state
        return [state.services[one] for one in customer.services if one in state.services]

    def waiting(self) -> list[Customer]:
        """The customers to whom the release has not begun to come."""
        rows = self.rows.all("SELECT slug FROM member WHERE state = 'pending' ORDER BY slug")
        return [self.stage.made.customers[row["slug"]] for row in rows]

    def is_open(self) -> bool:
        """Whether the release may still start something."""
        return bool(self.rows.all("SELECT 1 FROM rollout WHERE state NOT IN ('done', 'aborted')"))

    def nth(self, first: str, count: int, action: Callable[[Ask, Customer], None], *, method: str = "POST") -> None:
        """Act after the `count`-th write whose path ends so."""
        left = [count]
        owners = self.stage.made.by_service()

        def listen(ask: Ask) -> None:
            if ask.method == method and first in ask.path:
                left[0] -= 1
                if left[0] == 0:
                    action(ask, owners[ask.path.split("/")[2]])

        self.stage.listeners.append(listen)


class Trouble(ABC):
    """One thing that goes wrong. `releases` are the flaws that it puts into a version."""

    releases: ClassVar[Mapping[str, Release]] = {}

    def __init__(self) -> None:
        self.has_fired = False

    @property
    def name(self) -> str:
        """What it is called."""
        return type(self).__name__

    @abstractmethod
    def prepare(self, scene: Scene) -> None:
        """Put down when it comes."""
