"""Keys in a database."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Update, func, insert, select, update

from stormproof.errors import Conflict, KeyNotFound
from stormproof.reflex.keys.key import Key, KeyScope
from stormproof.reflex.limits.limit_settings import LimitSettings
from stormproof.reflex.sql.database import Database
from stormproof.reflex.sql.schema import DAYS, KEYS, STATE


class KeyTable:
    """All keys that were ever made; a `KeyBook`.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def revision(self) -> int:
        """Return a number that is another one after every change."""
        with self._database.reading() as connection:
            return int(connection.scalar(select(STATE.c.revision)) or 0)

    def keys(self) -> Sequence[Key]:
        """Return all keys, in the order in which they were made."""
        with self._database.reading() as connection:
            rows = connection.execute(select(KEYS).order_by(KEYS.c.created, KEYS.c.name))
            return [_key(row) for row in rows]

    def last_used(self) -> dict[str, float]:
        """Return when each key was used last, of those that ever were."""
        used = select(DAYS.c.key, func.max(DAYS.c.last)).group_by(DAYS.c.key)
        with self._database.reading() as connection:
            return {name: time for name, time in connection.execute(used) if name}

    def add(self, key: Key) -> None:
        """Keep a key.

        Raises:
            Conflict: There is one of that name, good or not: its usage is kept by it.
        """
        with self._database.writing() as connection:
            if connection.scalar(select(KEYS.c.name).where(KEYS.c.name == key.name)):
                raise Conflict(reason=f"there is a key {key.name!r}, or was one")
            connection.execute(insert(KEYS).values(**_columns(key)))
            connection.execute(_changed())

    def revoke(self, name: str, now: float) -> None:
        """Put an end to a key; one that has ended stays as it is.

        Raises:
            KeyNotFound: There is none.
        """
        with self._database.writing() as connection:
            found = connection.execute(select(KEYS.c.revoked).where(KEYS.c.name == name)).first()
            if found is None:
                raise KeyNotFound(name=name[:64])
            if found.revoked is None:
                connection.execute(update(KEYS).where(KEYS.c.name == name).values(revoked=now))
                connection.execute(_changed())


def _changed() -> Update:
    return update(STATE).values(revision=STATE.c.revision + 1)


def _columns(key: Key) -> dict[str, Any]:
    limits = dataclasses.asdict(key.limits) if key.limits else {}
    return {
        "name": key.name,
        "tenant": key.tenant,
        "digest": key.digest,
        "models": json.dumps(key.models),
        "scopes": json.dumps(sorted(key.scopes)),
        "limits": json.dumps({name: limit for name, limit in limits.items() if limit is not None}),
        "created": key.created,
        "expires": key.expires,
        "revoked": key.revoked,
    }


def _key(row: Row[Any]) -> Key:
    limits = json.loads(row.limits)
    return Key(
        name=row.name,
        tenant=row.tenant,
        digest=bytes(row.digest),
        models=tuple(json.loads(row.models)),
        scopes=frozenset(map(KeyScope, json.loads(row.scopes))),
        limits=LimitSettings(**limits) if limits else None,
        created=row.created,
        expires=row.expires,
        revoked=row.revoked,
    )
