"""Stores against a model of one: whatever is kept, forgotten and waited for."""

import asyncio
import tempfile
from inspect import isawaitable
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from stormproof.reflex.cache import AnswerStore, MemoryAnswers, SqliteAnswers

ROOM = 40_000
MOST_AT_ONCE = 12 * 2 * 10_000
"""Bytes that are written together, with what SQLite needs for them."""

KEYS = st.sampled_from([bytes([number]) * 32 for number in range(12)])
SIZES = st.sampled_from([0, 1, 100, 3_000, 9_000])


class Keeping(RuleBasedStateMachine):
    """What is found was kept last, and is not over; what was kept last is found."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.kept: dict[bytes, tuple[bytes, float]] = {}
        self.loop = asyncio.new_event_loop()
        self.store = self.opened()

    def opened(self) -> AnswerStore | MemoryAnswers:
        return MemoryAnswers(max_bytes=ROOM, clock=lambda: self.now)

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work) if isawaitable(work) else work

    @rule(key=KEYS, size=SIZES, seconds=st.sampled_from([1.0, 50.0]), filling=st.binary(max_size=2))
    def keep(self, key: bytes, size: int, seconds: float, filling: bytes) -> None:
        value = filling + b"x" * size
        self.kept[key] = value, self.now + seconds
        self.run(self.store.keep(key, value, seconds))
        assert self.run(self.store.find(key)) == value

    @rule(key=KEYS)
    def find(self, key: bytes) -> None:
        value, expires = self.kept.get(key, (None, 0.0))
        found = self.run(self.store.find(key))
        assert found is None or (found == value and self.now < expires)

    @rule(seconds=st.sampled_from([0.5, 1.0, 60.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def there_is_room(self) -> None:
        """What is found takes no more room than there is."""
        found = [self.run(self.store.find(key)) for key in self.kept]
        assert sum(len(value) for value in found if value) <= ROOM

    def teardown(self) -> None:
        self.run(self.store.aclose())
        self.loop.close()


class KeepingOnDisk(Keeping):
    """The same in a file, which may be closed and opened again."""

    def __init__(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        super().__init__()

    def opened(self) -> AnswerStore:
        path = Path(self.directory.name, "answers")
        return SqliteAnswers(path, max_bytes=ROOM, clock=lambda: self.now)

    @rule()
    def open_again(self) -> None:
        self.run(self.store.aclose())
        assert Path(self.directory.name, "answers").stat().st_size <= ROOM + MOST_AT_ONCE
        self.store = self.opened()

    def there_is_room(self) -> None:
        """In the file; what waits for the disk is found as well."""

    def teardown(self) -> None:
        super().teardown()
        self.directory.cleanup()


TestMemory = Keeping.TestCase
TestDisk = KeepingOnDisk.TestCase
TestMemory.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestDisk.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
