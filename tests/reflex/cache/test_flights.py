"""Of requests that come at once, one is asked; what becomes of it, becomes of all."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.errors import NetworkError
from stormproof.providers import Completion, Journey
from stormproof.reflex.cache import AnswerStore, CacheStage, KnownAnswers, MemoryAnswers
from stormproof.reflex.cache.flights import Flight, Flights
from stormproof.testing import FakeClock
from support.kept_answers import SECRET, House, answer, asked


class Distant:
    """A store that others are not kept waiting for."""

    def __init__(self) -> None:
        self._kept: dict[bytes, bytes] = {}

    async def find(self, key: bytes) -> bytes | None:
        await asyncio.sleep(0)
        return self._kept.get(key)

    async def keep(self, key: bytes, value: bytes, seconds: float) -> None:
        await asyncio.sleep(0)
        self._kept[key] = value

    async def aclose(self) -> None:
        return None


STORES = pytest.mark.parametrize("store", [MemoryAnswers, Distant])


def stage(
    store: Callable[[], AnswerStore | MemoryAnswers] = MemoryAnswers, **options: Any
) -> CacheStage:
    return CacheStage(KnownAnswers(store(), secret=SECRET), guard="g", **options)


async def settled() -> None:
    """Let every task go as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


def held() -> tuple[Callable[[], Awaitable[object]], asyncio.Event]:
    event = asyncio.Event()
    return event.wait, event


@STORES
@pytest.mark.parametrize("streams", [False, True])
async def test_one_asks_and_all_are_answered(
    streams: bool, store: Callable[[], AnswerStore | MemoryAnswers]
) -> None:
    house = House([stage(store)])
    during, event = held()
    leader = asyncio.create_task(house.ask(asked(stream=streams), during=during))
    await settled()
    journeys = [Journey() for _ in range(50)]
    followers = [
        asyncio.create_task(house.ask(asked(stream=index % 2 == 0), journey=journey))
        for index, journey in enumerate(journeys)
    ]
    await settled()
    event.set()
    assert await asyncio.gather(leader, *followers) == ["Hello"] * 51
    assert house.calls == 1
    assert {journey.rung for journey in journeys} == {"cache"}


async def test_who_asks_something_else_does_not_wait() -> None:
    house = House([stage()])
    during, event = held()
    leader = asyncio.create_task(house.ask(during=during))
    await settled()
    assert await house.ask(asked("Ho")) == "Hello"
    assert await house.ask(tenant="other") == "Hello"
    event.set()
    await leader


@STORES
@pytest.mark.parametrize("leaves", [False, True])
async def test_where_the_first_fails_or_leaves_the_next_asks(
    leaves: bool, store: Callable[[], AnswerStore | MemoryAnswers]
) -> None:
    """And those behind him wait for that."""
    house = House([stage(store)], NetworkError(reason="reset"), answer("Hello"))
    during, event = held()
    leader = asyncio.create_task(house.ask(during=during))
    await settled()
    followers = [asyncio.create_task(house.ask()) for _ in range(9)]
    await settled()
    if leaves:
        leader.cancel()
    event.set()
    assert await asyncio.gather(*followers) == ["Hello"] * 9
    assert house.calls == 2
    with pytest.raises(asyncio.CancelledError if leaves else NetworkError):
        await leader


async def test_who_leaves_while_he_waits_is_not_missed() -> None:
    """Also at the moment when it is his turn to ask."""
    house = House([stage()], NetworkError(reason="reset"), answer("Hello"))
    during, event = held()
    leader = asyncio.create_task(house.ask(during=during))
    await settled()
    followers = [asyncio.create_task(house.ask()) for _ in range(5)]
    await settled()
    followers[1].cancel()
    event.set()
    with pytest.raises(NetworkError):
        await leader
    followers[0].cancel()  # it has been told to ask, and has not heard of it
    said = await asyncio.gather(*followers, return_exceptions=True)
    assert said[2:] == ["Hello"] * 3
    assert house.calls == 2


async def test_nobody_waits_for_ever(clock: FakeClock) -> None:
    """A leader whose client reads slowly holds nobody up for longer than was said."""
    house = House([stage(patience=5.0)])
    during, event = held()
    leader = asyncio.create_task(house.ask(during=during))
    await settled()
    assert await house.ask() == "Hello"
    assert house.calls == 2
    event.set()
    await leader


async def test_with_no_patience_nobody_waits() -> None:
    house = House([stage(patience=0.0)])
    during, event = held()
    leader = asyncio.create_task(house.ask(during=during))
    await settled()
    assert await house.ask() == "Hello"
    event.set()
    await leader
    assert house.calls == 2


async def test_what_may_not_be_shared_leaves_everybody_to_ask_at_once() -> None:
    house = House([stage()])
    during, event = held()
    leader = asyncio.create_task(house.ask(during=during, journey=Journey(degraded=True)))
    await settled()
    followers = [asyncio.create_task(house.ask()) for _ in range(3)]
    await settled()
    event.set()
    await asyncio.gather(leader, *followers)
    assert house.calls == 4


async def test_an_answer_that_is_cut_is_shared_and_not_kept() -> None:
    """It is what the model says to this very request."""
    house = House([stage()], answer("half", "length"))
    during, event = held()
    leader = asyncio.create_task(house.ask(during=during))
    await settled()
    follower = asyncio.create_task(house.ask())
    await settled()
    event.set()
    assert {*await asyncio.gather(leader, follower)} == {"half"}
    assert house.calls == 1
    await house.ask()
    assert house.calls == 2


@STORES
async def test_an_answer_that_cannot_be_kept_is_shared_all_the_same(
    store: Callable[[], AnswerStore | MemoryAnswers],
) -> None:
    """Nobody waits for ever for one that has no form to be kept in."""
    said = answer("Hello")
    said.document["odd"] = object()
    house = House([stage(store)], said)
    during, event = held()
    leader = asyncio.create_task(house.ask(during=during))
    await settled()
    follower = asyncio.create_task(house.ask())
    await settled()
    event.set()
    assert [await leader, await follower] == ["Hello"] * 2
    assert house.calls == 1


@given(st.lists(st.tuples(st.sampled_from(["cancel", "land", "fail"]), st.integers(0, 9))))
async def test_whatever_happens_everybody_hears_once_and_nothing_is_left(
    steps: list[tuple[str, int]],
) -> None:
    """Any order of leaving, failing and answering ends with no flight, and nobody waiting."""
    flights = Flights(60.0)
    leading: list[Flight] = []
    heard: list[Completion | None] = []

    async def follow() -> None:
        landing = flights.begin(b"k") or await flights.join(b"k")
        if isinstance(landing, Flight):
            leading.append(landing)
        else:
            heard.append(landing)

    tasks = [asyncio.create_task(follow()) for _ in range(10)]
    await asyncio.sleep(0)
    for step, index in steps + [("fail", 0)] * 11:
        if step == "cancel" and tasks[index] is not tasks[0]:
            tasks[index].cancel()
        elif leading and step == "fail":
            leading.pop().hand_over()
        elif leading and step == "land":
            leading.pop().land(answer("Hello"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(leading) == len(flights) <= 1
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert len(done) == 10
    assert not flights
