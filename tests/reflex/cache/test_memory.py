"""Answers in memory: the least recently used go first."""

from stormproof.reflex.cache import MemoryAnswers


def test_the_least_recently_used_goes_first() -> None:
    store = MemoryAnswers(max_bytes=2_000)
    for key in (b"a", b"b"):
        store.keep(key, b"x" * 400, 60)
    assert store.find(b"a")
    store.keep(b"c", b"x" * 400, 60)
    assert [store.find(key) is not None for key in (b"a", b"b", b"c")] == [True, False, True]


def test_what_is_larger_than_the_room_drives_nothing_out() -> None:
    store = MemoryAnswers(max_bytes=2_000)
    store.keep(b"a", b"x", 60)
    store.keep(b"b", b"x" * 2_000, 60)
    assert store.find(b"a")
    assert store.find(b"b") is None
