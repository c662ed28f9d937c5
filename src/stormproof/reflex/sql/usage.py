"""Usage in a database: a row for each request, and what those of a day come to.

Whole batches go there as one JSON document, which the database takes apart: a statement for each
row would ask for Python's lock each time, and the event loop would wait for it.
"""

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    JSON,
    ColumnElement,
    Insert,
    Select,
    Subquery,
    Text,
    bindparam,
    case,
    cast,
    column,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from stormproof.errors import Conflict
from stormproof.reflex.limits.subject import Scope, Subject
from stormproof.reflex.sql.database import Database
from stormproof.reflex.sql.schema import DAYS, JOURNALS, USAGE
from stormproof.reflex.usage.row import DAY, UsageRow

_KEPT_FOR: Final = 35 * DAY
"""Seconds for which rows are kept: the longest month, and days to look back at its end."""

_MOST_ROWS: Final = 10_000_000
_AT_ONCE: Final = 20_000
"""Rows that are dropped together."""

_ANSWERED: Final = "answered"


class By(StrEnum):
    """What requests are summed up by."""

    KEY = "key"
    MODEL = "model"
    USER = "user"
    TENANT = "tenant"
    DAY = "day"


class UsageSum(NamedTuple):
    """What some requests come to.

    Attributes:
        name: Whose, or of which day.
        requests: How many there were.
        failed: How many of them got no whole answer.
        prompt_tokens: Read.
        cached_tokens: Those of them that providers had kept.
        cache_write_tokens: Those of them that they kept from then on.
        completion_tokens: Written.
        reasoning_tokens: Those of them that are thoughts.
        cost: In billionths of the money of the prices.
    """

    name: str
    requests: int
    failed: int
    prompt_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    cost: int


_COUNTS: Final = UsageSum._fields[3:]
_SUMS: Final = UsageSum._fields[1:]
_FIELDS: Final = list(UsageRow.__struct_fields__)
_WHOSE: Final = [one.name for one in DAYS.primary_key]


class UsageTable:
    """The usage of all requests; a `UsageBook`, and `Spending`.

    Args:
        database: Where it is.
        most_rows: How many requests are kept one by one; days are kept for good.
    """

    def __init__(self, database: Database, *, most_rows: int = _MOST_ROWS) -> None:
        self._database = database
        self._most_rows = most_rows
        self._add_rows = _adding_rows(database.dialect)
        self._add_days = _adding_days(database.dialect)

    def taken(self, journal: str) -> int:
        """Return up to where a journal is here."""
        taken = select(JOURNALS.c.taken).where(JOURNALS.c.name == journal)
        with self._database.reading() as connection:
            return int(connection.scalar(taken) or 0)

    def take(self, journal: str, lines: Sequence[bytes], start: int, end: int) -> None:
        """Take lines of a journal, and remember up to where, both or neither.

        Raises:
            Conflict: They are here already.
        """
        rows = {"rows": (b"[%b]" % b",".join(lines)).decode()}
        here = JOURNALS.c.name == journal, JOURNALS.c.taken == start
        with self._database.writing() as connection:
            if start == 0:
                connection.execute(insert(JOURNALS).values(name=journal, taken=end))
            elif not connection.execute(update(JOURNALS).where(*here).values(taken=end)).rowcount:
                raise Conflict(reason="a journal of usage is taken from another place on")
            connection.execute(self._add_rows, rows)
            connection.execute(self._add_days, rows)

    def forget(self, journal: str) -> None:
        """Forget a journal that there is no longer."""
        with self._database.writing() as connection:
            connection.execute(delete(JOURNALS).where(JOURNALS.c.name == journal))

    def purge(self, now: float) -> None:
        """Drop rows that are too old, or too many, some at a time: others write, too. Days stay."""
        with self._database.reading() as connection:
            last = connection.scalar(select(func.max(USAGE.c.id))) or 0
        for these in (USAGE.c.time < now - _KEPT_FOR, USAGE.c.id <= last - self._most_rows):
            while self._dropped(these) == _AT_ONCE:
                pass

    def _dropped(self, these: ColumnElement[bool]) -> int:
        """Drop some rows, and return how many."""
        some = select(USAGE.c.id).where(these).limit(_AT_ONCE)
        with self._database.writing() as connection:
            return connection.execute(delete(USAGE).where(USAGE.c.id.in_(some))).rowcount

    async def spent(self, subject: Subject, since: datetime) -> int:
        """Return what a subject's calls have cost since a day began, in billionths.

        Args:
            subject: Whose; of addresses no books are kept.
            since: From when on, in UTC.
        """
        return await asyncio.to_thread(self._spent, subject, since.timestamp())

    def sums(self, by: By, since: float) -> list[UsageSum]:
        """Return what requests come to, the dearest first; days in their order.

        Args:
            by: Whose are summed up.
            since: From when on, in seconds since 1970: but for users, from the start of that day.
        """
        with self._database.reading() as connection:
            rows = connection.execute(_summing(by, since))
            return [UsageSum(_told(by, name), *map(int, sums)) for name, *sums in rows]

    def _spent(self, subject: Subject, since: float) -> int:
        if subject.scope is Scope.ADDRESS:
            return 0
        with self._database.reading() as connection:
            return int(connection.scalar(_costs(subject, since)) or 0)


def _costs(subject: Subject, since: float) -> Select[Any]:
    """Return what asks for a subject's costs."""
    if subject.scope is Scope.USER:
        own = USAGE.c.tenant == subject.tenant, USAGE.c.user == subject.name
        return select(func.sum(USAGE.c.cost)).where(USAGE.c.time >= since, *own)
    costs = select(func.sum(DAYS.c.cost)).where(DAYS.c.day >= int(since // DAY))
    if subject.scope is Scope.KEY:
        return costs.where(DAYS.c.tenant == subject.tenant, DAYS.c.key == subject.name)
    return costs.where(DAYS.c.model == subject.name) if subject.scope is Scope.MODEL else costs


def _summing(by: By, since: float) -> Select[Any]:
    """Return what asks for sums; users' are those of rows, since a day may have too many."""
    if by is By.USER:
        failed = case((USAGE.c.outcome == _ANSWERED, 0), else_=1)
        counts = func.count(), func.sum(failed), *(func.sum(USAGE.c[name]) for name in _COUNTS)
        sums = select(USAGE.c.user, *counts).where(USAGE.c.time >= since).group_by(USAGE.c.user)
        return sums.order_by(func.sum(USAGE.c.cost).desc(), USAGE.c.user)
    named = DAYS.c[by]
    sums = select(named, *(func.sum(DAYS.c[name]) for name in _SUMS))
    sums = sums.where(DAYS.c.day >= int(since // DAY)).group_by(named)
    return sums.order_by(*([] if by is By.DAY else [func.sum(DAYS.c.cost).desc()]), named)


def _told(by: By, name: Any) -> str:
    return str(date(1970, 1, 1) + timedelta(days=name)) if by is By.DAY else name


def _batch(dialect: str) -> Subquery:
    """Return the rows of a JSON document of arrays, with their names and types."""
    given = bindparam("rows", type_=Text)
    if dialect == "sqlite":
        elements = func.json_each(given)
    else:
        elements = func.json_array_elements(cast(given, JSON))
    each = elements.table_valued(column("value", JSON)).c.value
    fields = [
        cast(each[place].as_string(), USAGE.c[name].type).label(name)
        for place, name in enumerate(_FIELDS)
    ]
    return select(*fields).subquery()


def _adding_rows(dialect: str) -> Insert:
    return insert(USAGE).from_select(_FIELDS, select(_batch(dialect)))


def _adding_days(dialect: str) -> Insert:
    """Return what adds a batch to its days, in one order: else two could wait for each other."""
    batch = _batch(dialect)
    row = select((batch.c.time // DAY).label("day"), batch).subquery().c
    whose = [row[name] for name in _WHOSE]
    failed = func.sum(case((row.outcome == _ANSWERED, 0), else_=1))
    counts = func.max(row.time), func.count(), failed, *(func.sum(row[name]) for name in _COUNTS)
    sums = select(*whose, *counts).group_by(*whose).order_by(*whose)
    into = sqlite.insert(DAYS) if dialect == "sqlite" else postgresql.insert(DAYS)
    adding = into.from_select([one.name for one in DAYS.c], sums)
    new = adding.excluded
    last = case((new.last > DAYS.c.last, new.last), else_=DAYS.c.last)
    added = {name: DAYS.c[name] + new[name] for name in _SUMS}
    return adding.on_conflict_do_update(index_elements=_WHOSE, set_={"last": last, **added})
