"""The controller lock, held by this process and by a second one."""

import os
from pathlib import Path

import pytest

from securewatch.core.errors import Conflict, Refused
from securewatch.store.locks import ControllerLock
from tests.integration.store.given import NOW
from tests.integration.store.test_crash import ended, start_worker


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "controller.lock"


def test_a_lock_nobody_holds_has_no_holder_and_asking_makes_no_file(path: Path) -> None:
    lock = ControllerLock(path)

    assert lock.holder() is None
    assert not path.exists()


def test_the_holder_is_named_to_itself_and_to_others(path: Path) -> None:
    lock = ControllerLock(path)

    assert lock.try_acquire("securewatch serve", since=NOW)

    words = f"securewatch serve (pid {os.getpid()}, since 2026-11-22T08:00:00+00:00)"
    assert (lock.holder(), ControllerLock(path).holder()) == (words, words)
    assert path.stat().st_mode & 0o777 == 0o600


def test_only_one_gets_the_lock_and_a_second_try_of_the_holder_is_no_other(path: Path) -> None:
    lock, other = ControllerLock(path), ControllerLock(path)

    taken = [lock.try_acquire("one"), lock.try_acquire("one"), other.try_acquire("two")]

    assert taken == [True, True, False]


def test_a_released_lock_is_free_and_names_nobody(path: Path) -> None:
    lock, other = ControllerLock(path), ControllerLock(path)
    lock.try_acquire("one")

    lock.release()
    lock.release()

    assert other.holder() is None
    assert other.try_acquire("two")


def test_who_cannot_follow_is_told_who_holds_the_lock(path: Path) -> None:
    ControllerLock(path).acquire("securewatch serve")

    with pytest.raises(Conflict) as caught:
        ControllerLock(path).acquire("securewatch deploy")

    assert caught.value.code == "SW411"
    assert f"securewatch serve (pid {os.getpid()})" in caught.value.why


def test_a_second_process_holds_the_lock_until_it_is_killed(path: Path) -> None:
    worker = start_worker(str(path), "hold")
    assert worker.stdout is not None
    assert worker.stdout.readline() == "held\n"
    lock = ControllerLock(path)

    while_it_lives = (lock.try_acquire("me"), lock.holder())
    worker.kill()
    ended(worker)

    assert while_it_lives == (False, f"securewatch serve (pid {worker.pid}, since 2026-11-22T08:00:00+00:00)")
    assert lock.holder() is None
    assert lock.try_acquire("me")


def test_a_lock_file_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        ControllerLock(tmp_path / "missing" / "controller.lock").try_acquire("me")

    assert caught.value.code == "SW702"
