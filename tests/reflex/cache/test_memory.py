"""Answers in memory: the least recently used go first."""

from stormproof.reflex.cache import MemoryAnswers


async def test_the_least_recently_used_goes_first() -> None:
    store = MemoryAnswers(max_bytes=2_000)
    for key in (b"a", b"b"):
        await store.keep(key, b"x" * 400, 60)
    assert await store.find(b"a")
    await store.keep(b"c", b"x" * 400, 60)
    assert [await store.find(key) is not None for key in (b"a", b"b", b"c")] == [True, False, True]


async def test_what_is_larger_than_the_room_drives_nothing_out() -> None:
    store = MemoryAnswers(max_bytes=2_000)
    await store.keep(b"a", b"x", 60)
    await store.keep(b"b", b"x" * 2_000, 60)
    assert await store.find(b"a")
    assert await store.find(b"b") is None
