"""Looking through texts."""

import threading
from collections.abc import Sequence

from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.search import Search
from support.planted import Planted

ALICE = "alice@example.com"


async def test_what_was_looked_through_before_is_not_again() -> None:
    """A conversation costs what is new of it."""
    detector = Planted({ALICE: Kind.EMAIL})
    search, old = Search(detector), "x" * 5000 + ALICE
    first = await search.through([old])
    seen = detector.characters
    assert await search.through([old, "new"]) == [*first, []]
    assert detector.characters == seen + len("new")


async def test_nothing_of_a_text_is_remembered() -> None:
    """But of what kind something is, and where."""
    search = Search(Planted({ALICE: Kind.EMAIL}))
    await search.through(["x" * 5000 + ALICE])
    remembered = repr(vars(vars(search)["_seen"]))
    assert "email" in remembered
    assert ALICE not in remembered
    assert "x" * 100 not in remembered


async def test_texts_that_come_again_together_are_known_together() -> None:
    """However short they are; but only those, in that order."""
    detector = Planted({ALICE: Kind.EMAIL})
    search, texts = Search(detector), ["a", ALICE, "b"]
    first = await search.together(texts)
    seen = detector.characters
    assert await search.together(texts) == first
    assert detector.characters == seen
    assert len(await search.together([f"a{ALICE}", "b"])) == 2
    assert [len(found) for found in await search.together([ALICE, "a", "b"])] == [1, 0, 0]
    assert await search.together([]) == ()


async def test_long_texts_and_names_stop_nobody() -> None:
    """They are looked through on a thread."""
    threads: list[str] = []

    class Slow:
        def find(self, text: str) -> Sequence[Finding]:
            threads.append(threading.current_thread().name)
            return []

    await Search(Slow()).through(["x" * 100_000])
    await Search(Planted({}), Slow()).through(["Alice"])
    assert [name.startswith("stormproof-pii") for name in threads] == [True, True]


async def test_the_oldest_text_is_forgotten_first() -> None:
    """Thousands are remembered, and no more."""
    detector = Planted({})
    search, texts = Search(detector), [f"{n:0300}" for n in range(8193)]
    await search.through(texts[:10])
    for text in texts:
        await search.through([text])
    seen = detector.characters
    await search.through(texts[2:])
    assert detector.characters == seen
    await search.through(texts[:1])
    assert detector.characters == seen + 300
