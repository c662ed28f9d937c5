"""The tables, the same in every database.

Times are seconds since 1970, days are days since then (UTC), money is in billionths.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

VERSION: Final = 1
"""Of the schema; a program works with one alone."""

METADATA: Final = MetaData()

_Large: Final = BigInteger().with_variant(Integer(), "sqlite")
"""Integers of SQLite have 64 bits; only those of that name count up by themselves."""

STATE: Final = Table(
    "stormproof_state",
    METADATA,
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("revision", _Large, nullable=False),
)
"""One row: the version, and a number that grows whenever keys change."""

KEYS: Final = Table(
    "stormproof_keys",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("models", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("limits", Text, nullable=False),
    Column("created", Double, nullable=False),
    Column("expires", Double),
    Column("revoked", Double),
)

USAGE: Final = Table(
    "stormproof_usage",
    METADATA,
    Column("id", _Large, primary_key=True),
    Column("time", _Large, nullable=False, index=True),
    Column("tenant", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("rung", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("prompt_tokens", _Large, nullable=False),
    Column("cached_tokens", _Large, nullable=False),
    Column("cache_write_tokens", _Large, nullable=False),
    Column("completion_tokens", _Large, nullable=False),
    Column("reasoning_tokens", _Large, nullable=False),
    Column("cost", _Large, nullable=False),
    Index("stormproof_usage_of_users", "user", "time"),
)
"""A row for each request, with the columns of `UsageRow` in its order."""

DAYS: Final = Table(
    "stormproof_usage_days",
    METADATA,
    Column("day", Integer, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("last", _Large, nullable=False),
    Column("requests", _Large, nullable=False),
    Column("failed", _Large, nullable=False),
    Column("prompt_tokens", _Large, nullable=False),
    Column("cached_tokens", _Large, nullable=False),
    Column("cache_write_tokens", _Large, nullable=False),
    Column("completion_tokens", _Large, nullable=False),
    Column("reasoning_tokens", _Large, nullable=False),
    Column("cost", _Large, nullable=False),
    PrimaryKeyConstraint("day", "tenant", "key", "model"),
)
"""What the requests of a day come to; kept when their rows are not."""

JOURNALS: Final = Table(
    "stormproof_journals",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("taken", _Large, nullable=False),
)
"""Up to where each journal is in the tables above."""
