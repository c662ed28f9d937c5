"""Keys and usage while others write too, and while the database is away."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stormproof.errors import DatabaseError, StorageRefused
from stormproof.reflex.keys import IssuedKeys, Key, digest_of
from stormproof.reflex.sql import Books, By, Database, KeyTable, UsageTable
from stormproof.reflex.usage import UsageLedger, UsageRow
from support import postgres_server
from support.postgres_server import PostgresServer

TIME = 2_000_000_000
WRITERS = 4
ROWS = 200


@pytest.fixture
def mortal() -> Iterator[PostgresServer]:
    """A server of the test's own."""
    if postgres_server.PROGRAM is None:
        pytest.skip("there is no PostgreSQL here")
    server = PostgresServer()
    server.start()
    yield server
    server.close()


def test_several_processes_enter_what_they_have_at_once(database_url: str, tmp_path: Path) -> None:
    """Into the same days, in other orders: nobody waits for ever, and nothing is missing."""

    def work(number: int) -> None:
        database = Database(database_url)
        ledger = UsageLedger(UsageTable(database), tmp_path / "journals")
        for place in range(ROWS):
            key = f"k{(place * (1, -1)[number % 2]) % 7}"
            ledger.record(UsageRow(time=TIME, key=key, prompt_tokens=place))
            if place % 20 == 0:
                ledger.enter()
        ledger.close()
        database.close()

    with ThreadPoolExecutor(WRITERS) as threads:
        for done in [threads.submit(work, number) for number in range(WRITERS)]:
            done.result()
    database = Database(database_url)
    sums = UsageTable(database).sums(By.KEY, TIME)
    assert sum(one.requests for one in sums) == WRITERS * ROWS
    assert sum(one.prompt_tokens for one in sums) == WRITERS * ROWS * (ROWS - 1) // 2
    assert sum(one.requests for one in UsageTable(database).sums(By.USER, TIME)) == WRITERS * ROWS
    database.close()


def test_a_server_that_dies_and_returns_finds_everything(
    mortal: PostgresServer, tmp_path: Path
) -> None:
    """Meanwhile keys are known, and what requests take is written down."""
    books = Books(mortal.url(), tmp_path / "journals")
    other = Database(mortal.url())
    KeyTable(other).add(Key("ci", digest_of("sp-1"), created=0.0))
    other.close()
    books.keys.look()
    mortal.stop()
    with pytest.raises(DatabaseError):
        books.keys.look()
    assert books.keys.holder(digest_of("sp-1"))
    books.ledger.record(UsageRow(time=TIME, key="ci", prompt_tokens=3))
    with pytest.raises(DatabaseError):
        books.ledger.enter()
    with pytest.raises(DatabaseError):
        Books(mortal.url(), tmp_path / "journals")
    mortal.start()
    with books:
        books.keys.look()
        books.ledger.record(UsageRow(time=TIME, key="ci", prompt_tokens=4))
    with Books(mortal.url(), tmp_path / "journals") as again:
        [total] = again.usage.sums(By.KEY, TIME)
    assert (total.requests, total.prompt_tokens) == (2, 7)


def test_while_the_file_can_only_be_read_keys_are_known_and_rows_wait(tmp_path: Path) -> None:
    """Afterwards nothing is missing."""
    database = Database(f"sqlite:///{tmp_path}/x.db")
    table, ledger = KeyTable(database), UsageLedger(UsageTable(database), tmp_path / "journals")
    table.add(Key("ci", digest_of("sp-1"), created=0.0))
    read_only(database, "ON")
    keys = IssuedKeys(table)
    assert keys.holder(digest_of("sp-1"))
    ledger.record(UsageRow(time=TIME, key="ci"))
    with pytest.raises(StorageRefused):
        ledger.enter()
    with pytest.raises(StorageRefused):
        table.revoke("ci", 1.0)
    read_only(database, "OFF")
    ledger.close()
    assert [one.requests for one in UsageTable(database).sums(By.KEY, TIME)] == [1]
    database.close()


def read_only(database: Database, state: str) -> None:
    """Have the one connection that there is do nothing but read, or anything again."""
    with database.reading() as connection:
        connection.exec_driver_sql(f"PRAGMA query_only = {state}")


def test_journals_lie_beside_the_file(tmp_path: Path) -> None:
    """With those of nobody else."""
    url = f"sqlite:///{tmp_path}/x.db"
    with Books(url) as books:
        books.ledger.record(UsageRow(time=TIME))
        assert len(list((tmp_path / "x.db.journals").glob("*.jsonl"))) == 1
