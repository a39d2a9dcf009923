"""Troubles at Render and at the customers': services that change, deploys of others, versions that do not work."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from localrender.forwarder import Fault
from localrender.machine import Order
from localrender.model import Script, Service, Status, Trigger
from localrender.sample.app.release import Release
from rehearsal.fleet import KEY, Customer
from rehearsal.stage import MOVED_TO, NEW
from rehearsal.trouble.base import Scene, Trouble
from rehearsal.wires import Ask


class ForeignDeploy(Trouble):
    """Somebody deploys the old commit by hand while ours is being built."""

    def prepare(self, scene: Scene) -> None:
        """Half a minute after one of our requests."""
        scene.nth(
            "/deploys",
            scene.chance.randrange(1, 8),
            lambda ask, _: scene.later(30 / 86400, lambda: self._do(scene, ask)),
        )

    def _do(self, scene: Scene, ask: Ask) -> None:
        platform = scene.stage.platform
        service = platform.state.services[ask.path.split("/")[2]]
        commit = service.deploys[0].commit
        deploy = platform.machine.create(service, Order(Trigger.MANUAL, commit, service.values))
        scene.foreign.deploys.add(deploy.id)
        platform.poke()
        self.has_fired = True


class ForeignEnv(Trouble):
    """Somebody else changes an env var between our backup and the way back."""

    def prepare(self, scene: Scene) -> None:
        """After one of our requests."""

        def do(ask: Ask, customer: Customer) -> None:
            service = scene.stage.platform.state.services[customer.backend]
            service.env["LOG_LEVEL"].value = "debug"
            self.has_fired = True

        scene.nth("/deploys", scene.chance.randrange(1, 8), do)


class ServiceTrouble(Trouble):
    """Something happens to the backend of a customer who waits, and is put right some days later."""

    days_of_trouble = 2.0

    def prepare(self, scene: Scene) -> None:
        """In the first days."""
        scene.later(scene.chance.uniform(0.1, 3), lambda: self._begin(scene))

    def _begin(self, scene: Scene) -> None:
        services = [service for customer in scene.waiting() for service in scene.services_of(customer)]
        if services:
            service = services[0]
            self.break_it(scene, service)
            self.has_fired = True
            scene.later(self.days_of_trouble, lambda: self.mend(scene, service))

    @abstractmethod
    def break_it(self, scene: Scene, service: Service) -> None:
        """Do it."""

    def mend(self, scene: Scene, service: Service) -> None:
        """Undo it."""


class AutodeployOn(ServiceTrouble):
    """Somebody turns autodeploy on."""

    def break_it(self, scene: Scene, service: Service) -> None:
        """Turn it on."""
        service.auto_deploy = True

    def mend(self, scene: Scene, service: Service) -> None:
        """Turn it off."""
        service.auto_deploy = False


class ServiceRenamed(ServiceTrouble):
    """A service has another name for some days."""

    def break_it(self, scene: Scene, service: Service) -> None:
        """Give it another customer's name."""
        service.name = "securewatch-somebody-else-backend"

    def mend(self, scene: Scene, service: Service) -> None:
        """Give it its own."""
        service.name = f"securewatch-{service.customer}-{service.kind.value}"


class ServiceSuspended(ServiceTrouble):
    """A service is suspended for some days."""

    def break_it(self, scene: Scene, service: Service) -> None:
        """Suspend it."""
        service.suspended = True
        scene.stage.host._front(service.id).suspended = True

    def mend(self, scene: Scene, service: Service) -> None:
        """Resume it, without a deploy."""
        service.suspended = False
        scene.stage.host._front(service.id).suspended = False


class ServiceDeleted(ServiceTrouble):
    """A service is gone for good."""

    def break_it(self, scene: Scene, service: Service) -> None:
        """Delete it."""
        scene.stage.platform.machine.remove(service)


class KeyRevoked(Trouble):
    """The API key is refused for a day."""

    def prepare(self, scene: Scene) -> None:
        """In the first days."""
        scene.later(scene.chance.uniform(0.01, 9), lambda: self._revoke(scene))

    def _revoke(self, scene: Scene) -> None:
        self.has_fired = scene.is_open()
        scene.stage.platform.state.keys.clear()
        scene.later(scene.chance.uniform(0.1, 1), lambda: scene.stage.platform.state.keys.add(KEY))


class TagMoved(Trouble):
    """The tag is forced to another commit, and put back a day later."""

    day: ClassVar[tuple[float, float]] = (0.01, 9)
    days_moved: ClassVar[tuple[float, float]] = (0.5, 2)

    def prepare(self, scene: Scene) -> None:
        """In the first days."""
        scene.later(scene.chance.uniform(*self.day), lambda: self._move(scene))

    def _move(self, scene: Scene) -> None:
        self.has_fired = scene.is_open()
        repository = scene.stage.repository
        commit = scene.stage.host.snapshot.tags[NEW]
        repository.move(NEW, MOVED_TO)
        scene.later(scene.chance.uniform(*self.days_moved), lambda: repository.move(NEW, commit))


class ScriptedDeploy(Trouble):
    """The next deploys of a customer's backend end otherwise than they should."""

    scripts: ClassVar[tuple[Script, ...]] = ()

    def prepare(self, scene: Scene) -> None:
        """For one of the customers, from the start on."""
        customer = scene.chance.choice([*scene.stage.made.customers.values()])
        scene.stage.platform.state.services[customer.backend].scripts += self.scripts
        scene.nth(f"/{customer.backend}/deploys", 1, lambda ask, _: setattr(self, "has_fired", True))


class BuildFails(ScriptedDeploy):
    """The env vars are written, and the build fails."""

    scripts = (Script(ends=Status.BUILD_FAILED),)


class UpdateFails(ScriptedDeploy):
    """The new instance does not come up."""

    scripts = (Script(ends=Status.UPDATE_FAILED),)


class DeployHangs(ScriptedDeploy):
    """A deploy that never ends until it is cancelled."""

    scripts = (Script(hangs=True),)


class DeployIsSlow(ScriptedDeploy):
    """A deploy that takes longer than the time-out."""

    scripts = (Script(seconds=1500.0),)


class BadVersion(Trouble):
    """The version does not work anywhere, and the operator gives up on it."""

    def prepare(self, scene: Scene) -> None:
        """From the start on."""
        scene.people.gives_up = True
        scene.nth("/deploys", 1, lambda ask, _: setattr(self, "has_fired", True))


class BadAtOnce(BadVersion):
    """It answers 500 as soon as it serves."""

    releases: ClassVar[Mapping[str, Release]] = {NEW: Release("1.1.0", healthy_answers=1)}


class BadAfterAWhile(BadVersion):
    """It is well through the verification, and fails in the watch."""

    releases: ClassVar[Mapping[str, Release]] = {NEW: Release("1.1.0", healthy_answers=23)}


class BadStart(BadVersion):
    """It does not start."""

    releases: ClassVar[Mapping[str, Release]] = {NEW: Release("1.1.0", starts=False)}


class BadBuild(BadVersion):
    """It does not build."""

    releases: ClassVar[Mapping[str, Release]] = {NEW: Release("1.1.0", builds=False)}


class BadInOnePhase(Trouble):
    """It fails its health checks at one policy's customers alone, until it is taken back."""

    phase = "startup"

    def prepare(self, scene: Scene) -> None:
        """Whenever one of them gets it, the first two times."""
        self._left = 2
        owners = scene.stage.made.by_service()

        def listen(ask: Ask) -> None:
            parts = ask.path.split("/")
            customer = owners.get(parts[2])
            if ask.method != "POST" or customer is None or customer.policy != self.phase:
                return
            if parts[-1] == "deploys" and parts[2] == customer.backend and self._left > 0:
                self._left -= 1
                scene.later(100 / 86400, lambda: self._sick(scene, customer, status=500))
            elif parts[-1] == "rollback":
                self._sick(scene, customer, status=None)

        scene.stage.listeners.append(listen)

    def _sick(self, scene: Scene, customer: Customer, *, status: int | None) -> None:
        front = scene.stage.host._front(customer.backend)
        front.misbehave(None if status is None else Fault(status=status))
        self.has_fired = self.has_fired or status is None


class BadAtEnterprise(BadInOnePhase):
    """The same at enterprise customers."""

    phase = "enterprise"


class RollbackFails(BadInOnePhase):
    """The version fails and the way back fails too."""

    def prepare(self, scene: Scene) -> None:
        """The first rollback's deploy does not come up."""
        super().prepare(scene)
        for customer in scene.stage.made.customers.values():
            if customer.policy == self.phase:
                scene.stage.platform.state.services[customer.backend].scripts += [
                    Script(),
                    Script(ends=Status.UPDATE_FAILED),
                ]


class ArtifactGone(BadInOnePhase):
    """The version fails, and what the old one was built into is kept no more."""

    def prepare(self, scene: Scene) -> None:
        """From the start on."""
        super().prepare(scene)
        scene.stage.platform.options.retention = 1
