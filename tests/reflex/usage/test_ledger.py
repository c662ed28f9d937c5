"""What is written down is in the book once, whoever dies when."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from stormproof.errors import DatabaseError
from stormproof.recovery import Event, subscribe
from stormproof.reflex.events import UsageLost
from stormproof.reflex.sql import By, Database, UsageTable
from stormproof.reflex.usage import UsageLedger, UsageRow
from stormproof.reflex.usage import ledger as ledgers
from stormproof.reflex.usage.row import line_of


class Book:
    """A book in memory, which can be out of reach."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.places: dict[str, int] = {}
        self.purges: list[float] = []
        self.reachable = True
        self.forgets_answers = False

    def taken(self, journal: str) -> int:
        self._reach()
        return self.places.get(journal, 0)

    def take(self, journal: str, lines: Sequence[bytes], start: int, end: int) -> None:
        self._reach()
        assert self.places.get(journal, 0) == start
        self.lines += lines
        self.places[journal] = end
        if self.forgets_answers:
            raise DatabaseError

    def forget(self, journal: str) -> None:
        self._reach()
        self.places.pop(journal, None)

    def purge(self, now: float) -> None:
        self._reach()
        self.purges.append(now)

    def _reach(self) -> None:
        if not self.reachable:
            raise DatabaseError


def row(number: int) -> UsageRow:
    return UsageRow(time=number)


def line(number: int) -> bytes:
    return line_of(row(number)).strip()


@pytest.fixture
def book() -> Book:
    return Book()


@contextmanager
def hearing() -> Iterator[list[Event]]:
    heard: list[Event] = []
    end = subscribe(heard.append)
    try:
        yield heard
    finally:
        end()


def test_rows_are_in_the_book_after_a_turn_and_once(book: Book, tmp_path: Path) -> None:
    ledger = UsageLedger(book, tmp_path)
    ledger.record(row(1))
    ledger.record(row(2))
    ledger.enter()
    ledger.enter()
    ledger.record(row(3))
    ledger.enter()
    assert book.lines == [line(1), line(2), line(3)]
    ledger.close()


def test_nothing_is_left_of_a_ledger_that_was_closed(book: Book, tmp_path: Path) -> None:
    """Neither a file nor a place."""
    ledger = UsageLedger(book, tmp_path)
    ledger.start()
    ledger.record(row(1))
    ledger.close()
    assert book.lines == [line(1)]
    assert not book.places
    assert list(tmp_path.iterdir()) == []


def test_rows_wait_while_the_book_is_out_of_reach(book: Book, tmp_path: Path) -> None:
    """Nobody who records hears of it."""
    ledger = UsageLedger(book, tmp_path)
    book.reachable = False
    ledger.record(row(1))
    with pytest.raises(DatabaseError):
        ledger.enter()
    book.reachable = True
    ledger.enter()
    assert book.lines == [line(1)]
    ledger.close()


def test_a_book_that_took_rows_and_could_not_say_so_gets_them_once(
    book: Book, tmp_path: Path
) -> None:
    """The connection broke behind the commit."""
    ledger = UsageLedger(book, tmp_path)
    ledger.record(row(1))
    book.forgets_answers = True
    with pytest.raises(DatabaseError):
        ledger.enter()
    book.forgets_answers = False
    ledger.record(row(2))
    ledger.enter()
    assert book.lines == [line(1), line(2)]
    ledger.close()


def test_what_a_closed_ledger_could_not_enter_the_next_one_does(book: Book, tmp_path: Path) -> None:
    """Before anything else."""
    ledger = UsageLedger(book, tmp_path)
    ledger.record(row(1))
    book.reachable = False
    ledger.close()
    book.reachable = True
    UsageLedger(book, tmp_path).close()
    assert book.lines == [line(1)]


def test_without_room_new_rows_are_lost_and_that_is_told(book: Book, tmp_path: Path) -> None:
    """Those that were written down stay; each loss is told once."""
    ledger = UsageLedger(book, tmp_path, most_bytes=len(line(1)) + 1)
    with hearing() as heard:
        for number in (1, 2, 3):
            ledger.record(row(number))
        ledger.enter()
        ledger.enter()
    assert [(type(event), getattr(event, "rows", 0)) for event in heard] == [(UsageLost, 2)]
    ledger.close()
    assert book.lines == [line(1)]


def test_torn_lines_are_left_out_and_told(book: Book, tmp_path: Path) -> None:
    """When the machine itself went down, anything may be there."""
    torn = b"\n".join([line(1), b"\x00\x00", b'[1,"t"', line(2), b"[3"])
    (tmp_path / "left.jsonl").write_bytes(torn)
    with hearing() as heard:
        UsageLedger(book, tmp_path).close()
    assert book.lines == [line(1), line(2)]
    assert [getattr(event, "rows", 0) for event in heard] == [2]


def test_a_long_journal_is_followed_by_another(
    book: Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would grow for as long as the process lives."""
    monkeypatch.setattr(ledgers, "_LONG", 1)
    ledger = UsageLedger(book, tmp_path)
    seen = set[str]()
    for number in range(3):
        ledger.record(row(number))
        ledger.enter()
        seen.update(path.name for path in tmp_path.glob("*.jsonl"))
        assert len(list(tmp_path.glob("*.jsonl"))) == 1
    ledger.close()
    assert len(seen) == 3
    assert book.lines == [line(0), line(1), line(2)]


def test_what_is_too_old_is_dropped_every_hour(book: Book, tmp_path: Path) -> None:
    now = [10_000.0]
    ledger = UsageLedger(book, tmp_path, clock=lambda: now[0])
    for seconds in (0.0, 10.0, 3600.0):
        now[0] += seconds
        ledger.enter()
    ledger.close()
    assert book.purges == [10_000.0, 13_610.0]


def test_a_clock_that_is_set_back_puts_nothing_off(book: Book, tmp_path: Path) -> None:
    """Else, had it been wrong by years, nobody would look round for years."""
    now = [10_000_000.0]
    ledger = UsageLedger(book, tmp_path, clock=lambda: now[0])
    ledger.enter()
    now[0] = 10_000.0
    ledger.enter()
    ledger.close()
    assert book.purges == [10_000_000.0, 10_000.0]


class Ledgers(RuleBasedStateMachine):
    """Two processes with a folder in common; the book comes and goes, and so do they."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory()
        self.book = Book()
        self.ledgers = [self._new(), self._new()]
        self.recorded: list[bytes] = []

    def _new(self) -> UsageLedger:
        return UsageLedger(self.book, Path(self._folder.name))

    @rule(which=st.integers(0, 1))
    def record(self, which: int) -> None:
        number = len(self.recorded)
        self.ledgers[which].record(row(number))
        self.recorded.append(line(number))

    @rule(which=st.integers(0, 1))
    def enter(self, which: int) -> None:
        try:
            self.ledgers[which].enter()
        except DatabaseError:
            assert not self.book.reachable or self.book.forgets_answers

    @rule(reachable=st.booleans(), forgets_answers=st.booleans())
    def change(self, reachable: bool, forgets_answers: bool) -> None:
        self.book.reachable, self.book.forgets_answers = reachable, forgets_answers

    @rule(which=st.integers(0, 1))
    def restart(self, which: int) -> None:
        self.ledgers[which].close()
        self.book.reachable, self.book.forgets_answers = True, False
        self.ledgers[which] = self._new()

    @invariant()
    def nothing_is_there_twice(self) -> None:
        assert len(set(self.book.lines)) == len(self.book.lines)

    def teardown(self) -> None:
        self.book.reachable, self.book.forgets_answers = True, False
        for ledger in self.ledgers:
            ledger.close()
        assert sorted(self.book.lines) == sorted(self.recorded)
        self._folder.cleanup()


TestLedgers = Ledgers.TestCase
TestLedgers.settings = settings(max_examples=40, stateful_step_count=25)


@pytest.mark.parametrize("rows", [1, 3000])
def test_a_process_that_is_killed_loses_nothing_it_recorded(
    database_url: str, tmp_path: Path, rows: int
) -> None:
    """Also while rows of it are on their way into the database."""
    folder = tmp_path / "journals"
    command = [sys.executable, "-m", "support.dying_ledger", database_url, str(folder)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environ, text=True) as process:
        assert process.stdout
        told = [int(process.stdout.readline()) for _ in range(rows)][-1]
        process.kill()
        told = max([told, *map(int, process.stdout.read().split("\n")[:-1])])
    database = Database(database_url)
    table = UsageTable(database)
    UsageLedger(table, folder).close()
    [total] = table.sums(By.KEY, 0.0)
    # One more may have been recorded, and not told.
    assert total.requests in {told, told + 1}
    assert total.prompt_tokens == total.requests * (total.requests + 1) // 2
    [by_user] = table.sums(By.USER, 0.0)
    assert by_user[1:] == total[1:]
    database.close()
