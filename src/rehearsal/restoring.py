"""The second story of the demo: an irreversible migration, and the restore of a customer's database that leads back.

Real databases, dumps and applications; a user writes all the while. What became of each row is asked of the application
and of the platform's own record. Acts only by commands; knows no row of the product.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx2

from localrender.sample.app.records import Records
from localrender.sample.app.release import Release
from localrender.vendor import read_commit
from rehearsal.place import Stage, Unexpected, claim, stage, title
from rehearsal.proof import Write, course_of, deploys_of, running_on, writes_to

CUSTOMER, OLD, NEW = "acme-corp", "v1.1.0", "v1.3.0"
NEW_COLUMNS = ("orders.amount", "orders.amount_cents")
"""What the database has after the migrations of `NEW`, and had not before."""
ORDERS_BEFORE, ORDERS_SINCE = 12, 5
USER_SECONDS = 0.2
"""Real seconds between two orders of the user who does not stop."""
REFUSED = 1
"""The exit code of a hard refusal."""


async def play_restore() -> None:
    """Both acts, on a platform of their own. Raises Unexpected where the story went another way."""
    title(f"5  {NEW} drops a column: {CUSTOMER} can go back only with its database")
    print(
        "A platform afresh: each customer has a PostgreSQL database and an application that is a process.", flush=True
    )
    async with stage(databases=True) as place:
        story = RestoreStory(place, await _backend(place))
        await story.bring()
        await story.go_back()
        await story.prove()


async def _backend(place: Stage) -> Any:
    """The customer's backend as the platform knows it, with its `id`."""
    services = (await place.look())["services"]
    return next(
        one | {"id": key} for key, one in services.items() if (one["customer"], one["kind"]) == (CUSTOMER, "backend")
    )


@dataclass
class User:
    """Somebody who places orders whatever happens, and counts what became of them."""

    url: str
    taken: int = 0
    refused: int = 0
    unanswered: int = 0
    statuses: set[int] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def ordering(self) -> AsyncIterator[None]:
        """Orders while the block runs."""
        task = asyncio.create_task(self._order_on())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _order_on(self) -> None:
        async with httpx2.AsyncClient(trust_env=False) as client:
            while True:
                # An order that was sent is counted, also when the story ends meanwhile.
                await asyncio.shield(self._order(client))
                await asyncio.sleep(USER_SECONDS)

    async def _order(self, client: httpx2.AsyncClient) -> None:
        try:
            answer = await client.post(f"{self.url}/api/orders", json={"amount": 3, "note": "now"}, timeout=30)
            status = answer.status_code
        except httpx2.TransportError:
            status = httpx2.codes.BAD_GATEWAY
        self.statuses.add(status)
        self.taken += status == httpx2.codes.CREATED
        self.refused += status == httpx2.codes.SERVICE_UNAVAILABLE
        # The instance behind it was taken out of service meanwhile: it may have taken the order.
        self.unanswered += status == httpx2.codes.BAD_GATEWAY


class RestoreStory:
    """The acts, in their order. `backend` is the customer's, as the platform showed it before anything happened."""

    def __init__(self, place: Stage, backend: Any) -> None:
        self._place = place
        self._id: str = backend["id"]
        self._url: str = backend["url"]
        self._database: str = backend["live_env"]["DATABASE_URL"]
        self._user = User(self._url)
        self._before: dict[str, int] = {}
        self._mark = 0

    async def bring(self) -> None:
        """The old version with its rows; the new one with its migrations, after a backup; more rows."""
        shown = ("is verified", "backup  ", "database  ", "backing up", "migrating")
        of_both = ("--customer", CUSTOMER)
        await self._place.command("deploy-customer", "--version", OLD, *of_both, only=("is verified",))
        await self._write(ORDERS_BEFORE, setting="dark")
        self._before = await self._count()
        print(f"\n{CUSTOMER}'s users place orders; its application counts {_words(self._before)}.")
        await self._place.command("update-customer", "--version", NEW, *of_both, only=shown)
        await self._write(ORDERS_SINCE, setting="light")
        await self._send("PATCH", "/api/orders/1", amount=99)
        print(
            f"\nThe users go on: {ORDERS_SINCE} more orders, one changed, a setting changed. Then they miss the notes"
        )
        print(f"that {NEW} dropped: it was a mistake. robin wants {OLD} back:", flush=True)
        await self._place.command("rollback-customer", *of_both, code=REFUSED)

    async def go_back(self) -> None:
        """The restore, while a user goes on ordering."""
        title(f"6  {CUSTOMER} goes back to {OLD} with its database")
        print("A user goes on placing orders all the while, and notes what becomes of each.", flush=True)
        self._mark = max(one["number"] for one in await self._place.look("journal"))
        words = ("--rollback", OLD, "--customer", CUSTOMER, "--confirm-customer", CUSTOMER, "--reason", "notes lost")
        async with self._user.ordering():
            await self._place.command("update-customer", *words)

    async def prove(self) -> None:
        """The rows of then, of now and of the old database, and what the platform did in which order."""
        title("7  What was proven of the restore")
        state = await self._place.look()
        backend, user = state["services"][self._id], self._user
        serving = backend["live_env"]["DATABASE_URL"]
        old, new = await self._count_in(self._database), await self._count()
        for name, found in (("before the update", self._before), ("old database", old), ("now", new)):
            print(f"  {name:<18} {_words(found)}")
        since, after = old["orders"] - self._before["orders"] - ORDERS_SINCE, new["orders"] - self._before["orders"]
        claim(serving != self._database and serving.startswith(self._database), "the backend has no new database")
        claim(min(since, after) >= 0, "a database has fewer orders than it had")
        claim(0 <= since + after - user.taken <= user.unanswered, f"of {user.taken} orders {since + after} are left")
        claim(user.refused > 0 and user.statuses <= {201, 502, 503}, f"the user met {sorted(user.statuses)}")
        claim(new["settings"] == self._before["settings"], "the settings are not those of before")
        await self._send("GET", "/api/health/database")
        kept = (
            f"{_name(serving)} has the {self._before['orders']} orders of before {NEW}, and {after} new ones",
            f"{_name(self._database)} is kept with all {old['orders']} orders of until then, as {NEW} left it",
            f"{user.refused} orders met the maintenance page; the {user.taken} that were taken are all there, "
            f"{since} in the old database and {after} in the new one",
        )
        for line in (*kept, *self._of_platform(state, await self._place.look(f"journal?since={self._mark}"))):
            print(f"  ✔ {line}")
        await self._place.command("audit", "verify")

    def _of_platform(self, state: Any, journal: Any) -> list[str]:
        """What the platform's record says: the course, the deploys, the page, and everybody else."""
        commits = [read_commit(self._place.platform.repo, tag) for tag in (OLD, NEW)]
        old, new = (one.id if one else "" for one in commits)
        writes = writes_to(journal, self._id)
        pages = [one.at for one in writes if one.is_page]
        made = [one for one in deploys_of(state) if one.kind == "backend"]
        claim(CUSTOMER in running_on(state, old), f"{CUSTOMER} does not run {OLD}")
        claim([one.commit for one in made if one.customer == CUSTOMER] == [old, new, old], "other deploys were made")
        claim(all(one.trigger == "api" for one in made), "Render's own rollback was used")
        claim(course_of(writes) == Write.RESTORE, f"the course was {', '.join(course_of(writes))}")
        claim(not state["services"][self._id]["maintenance"], "the maintenance page is still up")
        claim({one.customer for one in deploys_of(state)} == {CUSTOMER}, "another customer was deployed")
        up = pages[1] - pages[0]
        return [
            f"both services run {OLD}, built anew from its commit; the column is back, and the schema is its own",
            f"page up, DATABASE_URL, deploy, page down, in this order; up for {up.seconds // 60} min",
            "no other customer was touched",
        ]

    # --- the customer's users -----------------------------------------------------------------------------------------

    async def _write(self, orders: int, *, setting: str) -> None:
        for number in range(orders):
            await self._send("POST", "/api/orders", amount=number + 1, note="leave it at the door")
        await self._send("PUT", "/api/settings/theme", value=setting)

    async def _count(self) -> dict[str, int]:
        """What the application counts in the database that it serves from."""
        return dict(await self._send("GET", "/api/counts"))

    async def _count_in(self, url: str) -> dict[str, int]:
        """What the application of the new version would count in that database; raises where it is not its own."""
        records = Records(Release(NEW.removeprefix("v"), columns=NEW_COLUMNS), url)
        await asyncio.to_thread(records.check)
        reply = await asyncio.to_thread(records.reply, "GET", "/api/counts", b"")
        claim(reply is not None, "the application counts nothing")
        return dict(httpx2.Response(200, content=reply.body).json()) if reply is not None else {}

    async def _send(self, method: str, path: str, **document: object) -> Any:
        async with httpx2.AsyncClient(trust_env=False) as client:
            body = document or None
            answer = await client.request(method, f"{self._url}{path}", json=body, timeout=30)
        if answer.is_error:
            raise Unexpected(f"{CUSTOMER}'s application answered {answer.status_code} to {method} {path}")
        return answer.json()


def _name(url: str) -> str:
    return url.rpartition("/")[2]


def _words(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {table}" for table, count in counts.items())
