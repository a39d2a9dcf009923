"""Another process on the same database, for the tests.

`append NAME COUNT` adds to the audit log and says each number once it is committed. `deploy EVENT` commits one step of
an effect after the other and is killed at that event. `hold` takes the controller lock until its standard input ends.
"""

import asyncio
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from securewatch.deploy.model import Run, Stage
from securewatch.deploy.view import EffectState
from securewatch.store import audit, effects, meta, plans, runs
from securewatch.store.box import SecretBox
from securewatch.store.database import Database, Tx
from securewatch.store.locks import ControllerLock
from tests.integration.store.given import KEY, NOW, make_plan, make_run, new_effect


def say(word: object) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def append(url: str, name: str, count: int) -> None:
    database = await Database.open(url, now=NOW)
    for number in range(count):
        async with database.write("append") as tx:
            await audit.append(tx, SecretBox(KEY), at=NOW, actor=name, action="x", detail={"n": number})
            await meta.set_meta(tx, f"last of {name}", str(number))
        say(number)
    await database.close()


async def deploy(url: str, event: str) -> None:
    def kill(told: str) -> None:
        if told == event:
            os.kill(os.getpid(), signal.SIGKILL)

    database = await Database.open(url, now=NOW, io_hook=kill)
    async with database.write("added") as tx:
        await plans.save_plan(tx, make_plan(), at=NOW, actor="ann")
        run = await runs.add_run(tx, make_run(stage=Stage.DEPLOYING))
        await _note(tx, run, "added")
    async with database.write("intended") as tx:
        run = await runs.update_run(tx, replace(run, detail="intended"), expected_epoch=run.epoch)
        (effect,) = await effects.add_effects(tx, run, [new_effect()], at=NOW)
        await _note(tx, run, "intended")
    async with database.write("sent") as tx:
        await effects.mark_sent(tx, effect, before={"ids": []}, at=NOW, generation=1)
        await _note(tx, run, "sent")
    async with database.write("confirmed") as tx:
        await effects.finish_effect(tx, effect, at=NOW, state=EffectState.CONFIRMED, result={"deploy_id": "dep-1"})
        await _note(tx, run, "confirmed")


async def _note(tx: Tx, run: Run, action: str) -> None:
    await audit.append(tx, SecretBox(KEY), at=NOW, actor="x", action=action, run_id=run.id)


def hold(path: str) -> None:
    ControllerLock(Path(path)).acquire("securewatch serve", since=NOW)
    say("held")
    sys.stdin.read()


if __name__ == "__main__":
    _, place, verb, *rest = sys.argv
    if verb == "append":
        asyncio.run(append(place, rest[0], int(rest[1])))
    elif verb == "deploy":
        asyncio.run(deploy(place, rest[0]))
    else:
        hold(place)
