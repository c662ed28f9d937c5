"""Answers on disk outlast processes, and damage."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from stormproof.errors import CapacityExceeded
from stormproof.recovery import Event, subscribe
from stormproof.reflex.cache import CacheSetAside, CacheStage, KnownAnswers, SqliteAnswers
from support import cache_writer
from support.awaited import awaited
from support.kept_answers import SECRET, House, answer, asked


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteAnswers]:
    opened = SqliteAnswers(path)
    yield opened
    await opened.aclose()


async def keep_until_refused(store: SqliteAnswers) -> None:
    for number in count():
        await store.keep(b"%d" % number, b"x" * 100_000, 60)
        await asyncio.sleep(0)


def size(path: Path) -> int:
    return path.stat().st_size


def overwrite(path: Path) -> None:
    """Damage all but the first page, in place."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size(path) - 4096))


async def test_answers_outlast_the_process_that_kept_them(path: Path) -> None:
    for calls in (1, 0):
        store = SqliteAnswers(path)
        house = House([CacheStage(KnownAnswers(store, secret=SECRET), guard="g")])
        assert await house.ask() == "Hello"
        assert house.calls == calls
        await store.aclose()


def test_what_waits_is_written_when_the_loop_ends(path: Path) -> None:
    """Also where nobody closes the store."""

    async def keep() -> None:
        await SqliteAnswers(path).keep(b"a", b"1", 60)

    asyncio.run(keep())
    store = SqliteAnswers(path)
    assert asyncio.run(store.find(b"a")) == b"1"
    asyncio.run(store.aclose())


async def test_what_one_process_keeps_others_find(path: Path) -> None:
    one, other = SqliteAnswers(path), SqliteAnswers(path)
    await one.keep(b"a", b"1", 60)
    await one.aclose()
    assert await other.find(b"a") == b"1"
    await other.aclose()


async def test_what_waits_for_the_disk_is_found(store: SqliteAnswers) -> None:
    """The last of what was kept under a key."""
    for number in range(100):
        await store.keep(b"a", b"%d" % number, 60)
        assert await store.find(b"a") == b"%d" % number


async def test_only_the_owner_may_read_it(store: SqliteAnswers, path: Path) -> None:
    """The log beside it too."""
    await store.keep(b"a", b"1", 60)
    await asyncio.sleep(0)
    for file in path.parent.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file.name


async def test_a_disk_that_does_not_keep_up_is_left_alone(store: SqliteAnswers) -> None:
    """What waits for it is bounded."""
    with pytest.raises(CapacityExceeded):
        await keep_until_refused(store)


async def test_the_file_grows_no_larger_than_was_said(path: Path) -> None:
    """What is oldest goes first."""
    store = SqliteAnswers(path, max_bytes=1 << 20)
    for number in range(200):
        await store.keep(b"%d" % number, os.urandom(10_000), 60)
        if number % 10 == 9:
            await store.aclose()
            assert size(path) <= 1 << 20
            store = SqliteAnswers(path, max_bytes=1 << 20)
    assert await store.find(b"199")
    assert await store.find(b"0") is None
    await store.aclose()


async def test_what_is_over_leaves_the_file(path: Path) -> None:
    """With the next write: nobody keeps it for longer than was said."""
    now = 1000.0
    store = SqliteAnswers(path, clock=lambda: now)
    await store.keep(b"a", b"over", 60)
    await store.aclose()
    now += 61
    store = SqliteAnswers(path, clock=lambda: now)
    await store.keep(b"b", b"new", 60)
    await store.aclose()
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT value FROM answers").fetchall()
    connection.close()
    assert rows == [(b"new",)]


def writing(path: Path, first: int) -> subprocess.Popen[bytes]:
    """Start a process that keeps one answer after the other, and tells which are on disk."""
    return subprocess.Popen(
        [sys.executable, "-m", "support.cache_writer", str(path), str(first)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def killed(process: subprocess.Popen[bytes]) -> int:
    """Kill it while it writes; return the last that it told."""
    with process:
        assert process.stdout
        *_, last = [int(process.stdout.readline()) for _ in range(20)]
        process.send_signal(signal.SIGKILL)
    return last


def test_killed_processes_leave_a_whole_file(path: Path) -> None:
    """All that was on disk is there, and is what was written, by whichever of them."""
    for firsts in ((0, 10_000), (20_000, 30_000)):
        begun = [(first, writing(path, first)) for first in firsts]
        told = [range(first, killed(process) + 1) for first, process in begun]
        store = SqliteAnswers(path)
        for number in (number for numbers in told for number in numbers):
            found = asyncio.run(store.find(cache_writer.key(number)))
            assert found == cache_writer.value(number)
        asyncio.run(store.aclose())
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_what_is_no_database_is_set_aside_and_said_once(path: Path) -> None:
    path.write_bytes(b"this is no database" * 1000)
    heard: list[Event] = []
    end = subscribe(heard.append)
    try:
        for _ in range(2):
            asyncio.run(SqliteAnswers(path).aclose())
    finally:
        end()
    assert [event.name for event in heard if isinstance(event, CacheSetAside)] == [
        "answers.damaged"
    ]
    assert path.with_name("answers.damaged").read_bytes().startswith(b"this is no database")


async def until_replaced(store: SqliteAnswers) -> None:
    while True:
        try:
            await store.find(b"?")
        except Exception:  # noqa: BLE001 - while it is replaced
            await asyncio.sleep(0)
        else:
            return


async def test_damage_that_is_found_later_costs_what_was_kept_and_no_call(path: Path) -> None:
    """Also where two processes find it."""
    one = SqliteAnswers(path)
    for number in range(200):
        await one.keep(number.to_bytes(32), os.urandom(2_000), 60)
    await one.aclose()
    heard: list[Event] = []
    end = subscribe(heard.append)
    one, other = SqliteAnswers(path), SqliteAnswers(path)
    overwrite(path)
    try:
        for store in (one, other):
            known = KnownAnswers(store, secret=SECRET)
            house = House([CacheStage(known, guard="g")])
            assert await house.ask(asked("before")) == "Hello"
            await until_replaced(store)
            await store.keep(b"a", b"1", 60)
            assert await store.find(b"a") == b"1"
            await store.aclose()
    finally:
        end()
    assert len([event for event in heard if isinstance(event, CacheSetAside)]) == 1
    again = SqliteAnswers(path)
    assert await again.find(b"a") == b"1"
    await again.aclose()


async def test_a_full_disk_costs_no_call(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next that is to be kept tells that those before were not."""
    store = SqliteAnswers(path)
    known = KnownAnswers(store, secret=SECRET)
    monkeypatch.setattr(
        "stormproof.reflex.cache.answer_file.AnswerFile.write",
        lambda *_: (_ for _ in ()).throw(sqlite3.OperationalError("database or disk is full")),
    )
    await awaited(known.keep(b"a", answer("Hello"), 60))
    with pytest.raises(sqlite3.OperationalError):
        await keep_until_refused(store)
    await store.aclose()
