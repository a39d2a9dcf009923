"""The mission's ways back with the database, by the real program: nothing that was written is lost without a word."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.acceptance.given import Place, Platform, platform

pytestmark = pytest.mark.xdist_group("acceptance_restore")

ACME, BACKEND = "acme-corp", "srv-acme-backend-abc123"
ENTERPRISE, ITS_BACKEND = "financefirst", "srv-finance-backend-yza567"
RESTORE = ("--rollback", "v1.1.0", "--customer", ACME)
SCRIPT = "update-customer.sh"


@pytest.fixture(scope="module")
def render(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform whose applications use real databases, with the release v1.3.0, of which 003 is irreversible."""
    with platform(tmp_path_factory.mktemp("platform"), "--apps", "process", "--migrations") as found:
        yield found


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, render: Platform) -> "Story":
    """One customer's history, told once: v1.1.0, rows, v1.3.0 with a backup before it, and rows of its own."""
    place = Place.make(tmp_path_factory.mktemp("story"), render)
    place.deploy(ACME, "v1.1.0").ended(0)
    told = Story(place)
    for _ in range(5):
        assert told.write()
    place.run("--version", "v1.3.0", "--customer", ACME, script=SCRIPT).ended(0)
    for _ in range(4):
        assert told.write()
    told.ask("UPDATE orders SET amount = amount + 1, updated_at = clock_timestamp() WHERE id = 1 RETURNING id")
    told.ask("DELETE FROM customers_events WHERE id = (SELECT min(id) FROM customers_events) RETURNING id")
    return told


class Story:
    """A customer with rows: who writes, and what each of its databases holds."""

    def __init__(self, place: Place, backend: str = BACKEND) -> None:
        self.place, self.backend = place, backend
        self.accepted: list[int] = []
        self.refused = 0

    @property
    def url(self) -> str:
        """The address that the backend has now."""
        return str(self.place.platform.service(self.backend)["env"]["DATABASE_URL"])

    def write(self) -> bool:
        """Post one order; whether the site took it."""
        url = f"{self.place.platform.service(self.backend)['url']}/api/orders"
        request = urllib.request.Request(url, b'{"amount": 7}', {"Content-Type": "application/json"}, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                self.accepted.append(json.loads(answer.read())["id"])
        except (urllib.error.URLError, OSError):
            self.refused += 1
            return False
        return True

    def ask(self, statement: str, database: str = "") -> list[tuple[object, ...]]:
        """What the database answers: the one in use, or another one beside it."""
        url = urlsplit(self.url)._replace(path=f"/{database}").geturl() if database else self.url
        with psycopg.connect(url, autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()

    def count(self, database: str = "") -> int:
        """How many orders there are."""
        ((found,),) = self.ask("SELECT count(*)::int FROM orders", database)
        assert isinstance(found, int)
        return found

    def writing(self) -> "Writer":
        """Somebody who posts orders all the time."""
        return Writer(self)


class Writer:
    """Posts orders until the block ends; `during` are those that the site took."""

    def __init__(self, story: Story) -> None:
        self._story, self._before = story, len(story.accepted)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._is_over.wait(0.05):
            self._story.write()

    def __enter__(self) -> "Writer":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._is_over.set()
        self._thread.join()

    @property
    def during(self) -> int:
        """How many orders the site took."""
        return len(self._story.accepted) - self._before


def test_a_restore_needs_the_customers_name_and_a_verified_backup_of_the_version(story: Story) -> None:
    place = story.place
    place.refuses(2, "SW207", "update-customer", *RESTORE)
    place.refuses(2, "SW207", "update-customer", *RESTORE, "--confirm-customer", "globex")
    place.refuses(1, "SW612", "update-customer", "--rollback", "v1.0.0", "--customer", ACME, "--confirm-customer", ACME)
    refused = place.refuses(1, "SW425", "rollback-customer", "--customer", ACME)

    assert "update-customer --rollback v1.1.0 --customer acme-corp" in refused.err


def test_the_estimate_of_what_would_be_lost_is_the_truth(story: Story) -> None:
    dry = story.place.run(*RESTORE, "--dry-run", "-o", "json", script=SCRIPT).ended(0).data
    text = story.place.run(*RESTORE, "--dry-run", script=SCRIPT).ended(0).out

    lost = {one["table"]: (one["added"], one["changed"], one["removed"]) for one in dry["would_be_lost"]}
    assert lost["public.orders"] == (4, 1, 0)
    assert lost["public.customers_events"] == (4, 0, 1)
    assert all(one["first_write"] <= one["last_write"] for one in dry["would_be_lost"] if one["first_write"])
    assert "irreversible since v1.1.0" in text
    assert "4 added, 1 changed, 0 removed" in text
    assert dry["backup"] in text


def test_the_database_rollback_of_the_mission_with_writes_going_on(story: Story) -> None:
    place, before = story.place, story.count()
    with story.writing() as writer:
        ran = place.run(*RESTORE, "--confirm-customer", ACME, script=SCRIPT).ended(0)

    (old,) = [one.split(" on ")[0] for one in ran.out.split("kept, with all that was written since: ")[1:2]]
    new = urlsplit(story.url).path.strip("/")
    env = place.platform.service(BACKEND)["env"]
    assert story.refused > 0
    assert story.count(old) + story.count(new) == before + writer.during + 5
    assert old != new
    assert new in ran.out
    assert env["VERSION_TAG"] == "v1.1.0"
    assert not place.platform.service(BACKEND)["maintenance"]
    assert str(urlsplit(story.url).password) not in ran.out + ran.err
    assert story.write()
    actions = [
        one["action"]
        for one in place.run("audit", "list", "--customer", ACME, "--limit", "500", "-o", "json").ended(0).data
    ]
    assert {"restore.requested", "run.closing", "run.restoring", "run.opening", "run.done"} <= set(actions)
    assert story.ask("SELECT count(*)::int FROM information_schema.columns WHERE column_name = 'note'") == [(1,)]


def test_code_alone_does_not_go_back_past_a_restore_and_backups_are_of_the_new_database(story: Story) -> None:
    place = story.place
    place.refuses(1, "SW426", "rollback-customer", "--customer", ACME)
    card = place.run("customer", "show", ACME).ended(0).out
    made = place.run("backup", "create", "--customer", ACME, "-o", "json").ended(0).data

    assert "way back   none: its database was restored to that of v1.1.0" in card
    assert made["is_verified"]
    assert made["version"] == "v1.1.0"


def test_the_full_service_restoration_of_the_mission_with_writes_going_on(story: Story) -> None:
    place, before, url = story.place, story.count(), story.url
    with story.writing() as writer:
        words = ("deploy-customer", "--version", "v1.0.0", "--customer", ACME, "--force")
        place.run(*words, script="render-deploy.sh").ended(0)

    assert story.url == url
    assert story.count() == before + writer.during
    assert place.platform.service(BACKEND)["env"]["VERSION_TAG"] == "v1.0.0"


def test_a_build_that_fails_leaves_the_old_database_serving(story: Story) -> None:
    place, before, url = story.place, story.count(), story.url
    place.platform.admin("POST", f"/services/{BACKEND}/scripts", {"ends": "build_failed"})

    words = ("--rollback", "v1.1.0", "--customer", ACME, "--confirm-customer", ACME, "--restore-database")
    place.run(*words, script=SCRIPT).ended(1)

    assert story.url == url
    assert not place.platform.service(BACKEND)["maintenance"]
    assert story.count() == before
    assert story.write()


def test_a_damaged_backup_leaves_the_old_database_serving(story: Story) -> None:
    place, before, url = story.place, story.count(), story.url
    dry = place.run(*RESTORE, "--restore-database", "--dry-run", "-o", "json", script=SCRIPT).ended(0).data
    (archive,) = place.state.rglob(dry["backup"].rpartition("/")[2])
    content = archive.read_bytes()
    archive.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    try:
        refused = place.refuses(1, "SW606", *RESTORE, "--restore-database", "--confirm-customer", ACME, script=SCRIPT)
    finally:
        archive.write_bytes(content)

    assert "damaged" in refused.err
    assert (story.url, story.count()) == (url, before)


def test_a_second_person_is_asked_where_the_policy_says_so(
    tmp_path_factory: pytest.TempPathFactory, render: Platform
) -> None:
    place = Place.make(tmp_path_factory.mktemp("enterprise"), render)
    words = ("--rollback", "v1.0.0", "--customer", ENTERPRISE, "--restore-database", "--confirm-customer", ENTERPRISE)
    place.run("backup", "create", "--customer", ENTERPRISE).ended(0)

    waits = place.run(*words, script=SCRIPT).ended(5)
    place.run("approve", "--version", "v1.0.0", "--customer", ENTERPRISE).ended(2)
    place.run("approve", "--version", "v1.0.0", "--customer", ENTERPRISE, SECUREWATCH_ACTOR="dana").ended(0)
    began = time.monotonic()
    done = place.run(*words, script=SCRIPT).ended(0)

    assert "approval" in waits.out
    assert "is under way: it is carried on" in done.err
    assert time.monotonic() - began < 120
