"""Keys in both kinds of databases."""

from collections.abc import Iterator

import pytest

from stormproof.errors import Conflict, KeyNotFound
from stormproof.reflex.keys import Key, KeyScope, digest_of
from stormproof.reflex.limits.limit_settings import LimitSettings
from stormproof.reflex.sql import Database, KeyTable, UsageTable
from stormproof.reflex.usage.row import UsageRow, line_of


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def table(database: Database) -> KeyTable:
    return KeyTable(database)


KEY = Key(
    "ci",
    digest_of("sp-secret"),
    created=1.5,
    tenant="ours",
    models=("gpt-*", "local"),
    scopes=frozenset({KeyScope.CHAT}),
    limits=LimitSettings(requests_per_minute=3, money_per_day=0.5),
    expires=99.0,
)


def test_a_key_comes_back_as_it_was(table: KeyTable) -> None:
    plain = Key("plain", digest_of("sp-2"), created=2.0)
    table.add(KEY)
    table.add(plain)
    assert table.keys() == [KEY, plain]


def test_a_key_is_not_in_the_database(table: KeyTable, database: Database) -> None:
    """Only by what it is known."""
    table.add(KEY)
    with database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM stormproof_keys").all()
    assert "sp-secret" not in repr(rows)


def test_there_are_no_two_of_a_name_ever(table: KeyTable) -> None:
    """What the first one used is kept by it."""
    table.add(KEY)
    table.revoke("ci", 5.0)
    with pytest.raises(Conflict):
        table.add(Key("ci", digest_of("sp-3"), created=9.0))


def test_a_key_is_revoked_once(table: KeyTable) -> None:
    """The first time counts."""
    table.add(KEY)
    table.revoke("ci", 5.0)
    revision = table.revision()
    table.revoke("ci", 6.0)
    assert table.keys()[0].revoked == 5.0
    assert table.revision() == revision
    with pytest.raises(KeyNotFound):
        table.revoke("nobody", 5.0)


def test_every_change_is_seen_by_the_revision(table: KeyTable) -> None:
    seen = [table.revision()]
    table.add(KEY)
    seen.append(table.revision())
    table.revoke("ci", 5.0)
    seen.append(table.revision())
    assert len(set(seen)) == 3


def test_when_a_key_was_used_is_what_its_usage_says(table: KeyTable, database: Database) -> None:
    table.add(KEY)
    assert table.last_used() == {}
    lines = [line_of(UsageRow(time=time, key="ci")) for time in (200_000, 300_000, 100)]
    UsageTable(database).take("j", [line.strip() for line in lines], 0, 1)
    assert table.last_used() == {"ci": 300_000}
