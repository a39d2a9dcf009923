"""What is new for the customers that are deployed to by themselves: versions and heads of main. Pure; looks nowhere.

Whoever looks for a customer the first time only makes a mark of what is there. Later, what is newer than the mark is
news; the mark moves on when the news has begun, so that nothing is lost while a customer is busy.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from securewatch.config.fleet import Customer, Fleet
from securewatch.config.policy import DeploymentSource
from securewatch.versions.policy import source_of
from securewatch.versions.version import Version, find_version, is_same_or_older

BY_ITSELF = "immediate_auto_deploy"
"""The deployment method that leaves a phase to the watcher (design: behaviour, before, during and after one deploy)."""


class Source(StrEnum):
    """Where news come from."""

    TAG = "tag"
    MAIN = "main"


@dataclass(frozen=True)
class Point:
    """A version's name and its commit in full."""

    version: Version
    commit: str


@dataclass(frozen=True)
class Sight:
    """What the repository shows now: the newest stable tag and the head of main, each None where there is none."""

    newest: Point | None = None
    main: Point | None = None


@dataclass(frozen=True)
class Mark:
    """How far one customer was looked after: the newest stable tag's name, and the commit of main; empty for none."""

    newest: str = ""
    main: str = ""


@dataclass(frozen=True)
class News:
    """One version that is new for some customers, with the mark that each has once it has begun."""

    source: Source
    point: Point
    marks: Mapping[str, Mark]

    @property
    def slugs(self) -> tuple[str, ...]:
        """The customers, by slug."""
        return tuple(self.marks)


def followers(fleet: Fleet) -> tuple[Customer, ...]:
    """The demo customers that the watcher deploys to: those of a phase with that method whom nothing holds."""
    found = (one for one in fleet.customers_of("demo") if fleet.phase_of(one).deployment_method == BY_ITSELF)
    return tuple(one for one in found if not one.held)


def follows_main(fleet: Fleet, customer: Customer) -> bool:
    """Whether heads of main are news for the customer; tags are for all."""
    return source_of(fleet, customer) is DeploymentSource.MAIN_BRANCH


def first_marks(fleet: Fleet, marks: Mapping[str, Mark], sight: Sight) -> Mapping[str, Mark]:
    """The marks of the customers that are looked at for the first time, or whose main branch is."""
    newest = sight.newest.version.tag if sight.newest else ""
    found = {}
    for customer in followers(fleet):
        mark = marks.get(customer.slug, Mark(newest))
        if not mark.main and sight.main is not None and follows_main(fleet, customer):
            mark = replace(mark, main=sight.main.commit)
        if mark != marks.get(customer.slug):
            found[customer.slug] = mark
    return found


def find_news(fleet: Fleet, marks: Mapping[str, Mark], sight: Sight, *, busy: Collection[str] = ()) -> tuple[News, ...]:
    """What is new for the customers that have a mark and are not busy: one version a customer, a tag before main."""
    found: dict[tuple[Source, str], News] = {}
    for customer in followers(fleet):
        mark = marks.get(customer.slug)
        if mark is None or customer.slug in busy:
            continue
        for source, point, after in _news_of(mark, sight, takes_main=follows_main(fleet, customer)):
            known = found.get((source, point.commit), News(source, point, {}))
            found[source, point.commit] = replace(known, marks={**known.marks, customer.slug: after})
            break
    return tuple(found.values())


def _news_of(mark: Mark, sight: Sight, *, takes_main: bool) -> Iterator[tuple[Source, Point, Mark]]:
    newest, main = sight.newest, sight.main
    if newest is not None and _is_newer(newest.version, mark.newest):
        is_main = main is not None and main.commit == newest.commit
        yield Source.TAG, newest, Mark(newest.version.tag, newest.commit if is_main else mark.main)
    if takes_main and main is not None and main.commit != mark.main:
        yield Source.MAIN, main, replace(mark, main=main.commit)


def _is_newer(version: Version, name: str) -> bool:
    known = find_version(name)
    return known is None or not is_same_or_older(version, known)
