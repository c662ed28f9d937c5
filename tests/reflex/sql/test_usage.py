"""Usage in both kinds of databases."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from stormproof.errors import Conflict
from stormproof.reflex.limits.subject import ALL, of_address, of_key, of_model, of_user
from stormproof.reflex.sql import By, Database, UsageSum, UsageTable, usage
from stormproof.reflex.sql.schema import DAYS, JOURNALS, USAGE
from stormproof.reflex.usage.row import DAY, UsageRow, line_of


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


def lines(*rows: UsageRow) -> Sequence[bytes]:
    return [line_of(row).strip() for row in rows]


def row(time: int = 10 * DAY, **fields: object) -> UsageRow:
    usual = {"tenant": "t", "key": "k", "user": "u", "model": "m", "outcome": "answered"}
    return UsageRow(time=time, **{**usual, **fields})  # type: ignore[arg-type]


def count(database: Database, table: object) -> int:
    with database.reading() as connection:
        return int(connection.scalar(select(func.count()).select_from(table)) or 0)  # type: ignore[arg-type]


FULL = UsageRow(
    time=10 * DAY + 5,
    tenant="t",
    key="k",
    user='a "quoted" name, ünïcode 🌩',
    model="m",
    rung="openai/m",
    outcome="answered",
    attempts=2,
    prompt_tokens=1_000_000_000,
    cached_tokens=5,
    cache_write_tokens=6,
    completion_tokens=7,
    reasoning_tokens=3,
    cost=10**15,
)


def test_a_row_comes_back_as_it_was(database: Database) -> None:
    """Every column, up to the largest numbers."""
    UsageTable(database).take("j", lines(FULL), 0, 1)
    with database.reading() as connection:
        [found] = connection.execute(select(USAGE))
    assert tuple(found)[1:] == tuple(getattr(FULL, name) for name in FULL.__struct_fields__)


def test_days_are_the_sums_of_their_rows(database: Database) -> None:
    """Of several batches, by key, model and tenant, exactly."""
    table = UsageTable(database)
    first = [row(prompt_tokens=3, cost=1), row(completion_tokens=4, outcome="TIMEOUT_ERROR")]
    table.take("j", lines(*first, row(DAY * 11, prompt_tokens=9)), 0, 1)
    table.take("j", lines(row(prompt_tokens=5, cost=2), row(key="other")), 1, 2)
    since = 10.0 * DAY
    assert table.sums(By.KEY, since) == [
        UsageSum("k", 4, 1, 17, 0, 0, 4, 0, 3),
        UsageSum("other", 1, 0, 0, 0, 0, 0, 0, 0),
    ]
    days = [(one.name, one.requests) for one in table.sums(By.DAY, since)]
    assert days == [("1970-01-11", 4), ("1970-01-12", 1)]
    assert [one.requests for one in table.sums(By.MODEL, since + DAY)] == [1]
    assert [one.name for one in table.sums(By.TENANT, since)] == ["t"]


def test_users_are_summed_up_too(database: Database) -> None:
    table = UsageTable(database)
    table.take("j", lines(row(cost=1), row(cost=2), row(user="", outcome="X", cost=9)), 0, 1)
    found = [(one.name, one.requests, one.failed, one.cost) for one in table.sums(By.USER, 0.0)]
    assert found == [("", 1, 1, 9), ("u", 2, 0, 3)]


def test_lines_are_taken_once(database: Database) -> None:
    """Whoever brings them again is told, and nothing is added."""
    table = UsageTable(database)
    table.take("j", lines(row()), 0, 7)
    table.take("j", lines(row()), 7, 9)
    assert table.taken("j") == 9
    for start in (0, 7):
        with pytest.raises(Conflict):
            table.take("j", lines(row()), start, 9)
    assert count(database, USAGE) == 2
    table.forget("j")
    assert count(database, JOURNALS) == 0


def test_old_rows_go_and_days_stay(database: Database) -> None:
    table = UsageTable(database)
    table.take("j", lines(row(10 * DAY), row(60 * DAY)), 0, 1)
    table.purge(61 * DAY)
    assert (count(database, USAGE), count(database, DAYS)) == (1, 2)


def test_too_many_rows_go_the_oldest_first(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "_AT_ONCE", 2)
    table = UsageTable(database, most_rows=2)
    table.take("j", lines(*(row(60 * DAY + second) for second in range(5))), 0, 1)
    table.purge(60 * DAY)
    with database.reading() as connection:
        left = connection.scalars(select(USAGE.c.time).order_by(USAGE.c.time)).all()
    assert left == [60 * DAY + 3, 60 * DAY + 4]


async def test_spent_is_what_a_subject_has_cost_since_a_day_began(database: Database) -> None:
    """Those of other tenants are others; of addresses nothing is known."""
    table = UsageTable(database)
    now = datetime(1970, 1, 11, tzinfo=UTC)
    rows = [
        row(cost=1),
        row(cost=20, model="n", user="v"),
        row(cost=300, tenant="x"),
        row(cost=4000, time=9 * DAY),
        row(cost=50_000, key="l"),
    ]
    table.take("j", lines(*rows), 0, 1)
    assert await table.spent(of_key("t", "k"), now) == 21
    assert await table.spent(of_user("t", "u"), now) == 50_001
    assert await table.spent(of_model("m"), now) == 50_301
    assert await table.spent(ALL, now) == 50_321
    assert await table.spent(of_address("127.0.0.1"), now) == 0
    assert await table.spent(of_key("t", "nobody"), now) == 0


def test_a_text_is_never_a_statement(database: Database, tmp_path: Path) -> None:
    """Whatever a client calls itself."""
    hostile = "'); DROP TABLE stormproof_usage; --"
    table = UsageTable(database)
    table.take("j", lines(row(user=hostile, model=hostile)), 0, 1)
    [found] = table.sums(By.USER, 0.0)
    assert found.name == hostile
