"""Keys in memory are those of the book, as of the last look."""

from collections.abc import Sequence
from dataclasses import replace
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from stormproof.errors import Conflict, DatabaseError, KeyNotFound, Unauthorized
from stormproof.reflex.keys import IssuedKeys, Key, digest_of
from stormproof.reflex.sql import Database, KeyTable

NAMES = st.sampled_from(["a", "b", "c", "d"])


class Keys(RuleBasedStateMachine):
    """Keys are made and revoked here, and asked for there, where nobody looks but now and then."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory()
        url = f"sqlite:///{self._folder.name}/keys.db"
        self.book, self.other = Database(url), Database(url)
        self.table = KeyTable(self.book)
        self.now = 100.0
        self.issued = IssuedKeys(KeyTable(self.other), clock=lambda: self.now)
        self.kept: dict[str, Key] = {}
        self.seen: dict[str, Key] = {}

    @rule(name=NAMES, lifetime=st.none() | st.floats(1, 100))
    def make(self, name: str, lifetime: float | None) -> None:
        expires = None if lifetime is None else self.now + lifetime
        key = Key(name, digest_of(name), created=self.now, expires=expires)
        if name in self.kept:
            with pytest.raises(Conflict):
                self.table.add(key)
        else:
            self.table.add(key)
            self.kept[name] = key

    @rule(name=NAMES)
    def revoke(self, name: str) -> None:
        if name not in self.kept:
            with pytest.raises(KeyNotFound):
                self.table.revoke(name, self.now)
            return
        self.table.revoke(name, self.now)
        key = self.kept[name]
        if key.revoked is None:
            self.kept[name] = replace(key, revoked=self.now)

    @rule(seconds=st.floats(0, 60))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def look(self) -> None:
        self.issued.look()
        self.seen = dict(self.kept)

    @invariant()
    def what_was_seen_is_what_counts(self) -> None:
        for name in "abcd":
            key = self.seen.get(name)
            assert self.issued.named(name) == key
            if key and key.standing(self.now) != "active":
                with pytest.raises(Unauthorized):
                    self.issued.holder(digest_of(name))
            else:
                assert self.issued.holder(digest_of(name)) == key

    def teardown(self) -> None:
        self.book.close()
        self.other.close()
        self._folder.cleanup()


TestKeys = Keys.TestCase
TestKeys.settings = settings(max_examples=25, stateful_step_count=20)


class Book:
    """Counts how often it is read."""

    def __init__(self) -> None:
        self.changes = 0
        self.reads = 0
        self.error: Exception | None = None

    def revision(self) -> int:
        if self.error:
            raise self.error
        return self.changes

    def keys(self) -> Sequence[Key]:
        self.reads += 1
        return [Key("ci", digest_of("sp-1"), created=0.0)]


def test_keys_are_read_again_only_when_they_changed() -> None:
    book = Book()
    issued = IssuedKeys(book)
    issued.look()
    assert book.reads == 1
    book.changes += 1
    issued.look()
    assert book.reads == 2


def test_while_the_book_does_not_answer_keys_stay_as_they_were() -> None:
    """They expire all the same."""
    book = Book()
    issued = IssuedKeys(book)
    book.error = DatabaseError()
    with pytest.raises(DatabaseError):
        issued.look()
    assert issued.holder(digest_of("sp-1"))
