"""Processes that go by what they heard last ask seldom, and still act as one."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, TypeVar
from uuid import uuid4

import pytest

from stormproof.errors import CircuitOpen, NetworkError, RateLimitExceeded, ServiceUnavailable
from stormproof.recovery import (
    CircuitBreaker,
    CircuitFollowed,
    CircuitOpened,
    CircuitState,
    ConsecutiveFailures,
    Event,
    Failover,
    FailureRate,
    Pipeline,
    Quota,
    RateLimit,
    SlowCallRate,
    Target,
    is_breakdown,
)
from stormproof.recovery.redis import RedisStore
from stormproof.recovery.sharing.store import Operation
from stormproof.testing import FakeClock, Scripted, Takes
from support.redis_server import RedisServer

R = TypeVar("R")

CUT = NetworkError(reason="cut")
BUSY = ServiceUnavailable(reason="busy", retry_after=30.0)
MEMORY = 0.2


class Process(RedisStore):
    """What one process has: it shares Redis with the others, the test's clock, and no state."""

    def __init__(self, redis: RedisServer, prefix: str, clock: FakeClock, memory: float) -> None:
        super().__init__(redis.url, prefix=prefix, timeout=5.0, memory=memory)
        self.asked: list[str] = []
        self._clock = clock

    def execute(self, operation: Operation[R]) -> R:
        self.asked.append(type(operation).__name__)
        return super().execute(operation)

    async def aexecute(self, operation: Operation[R]) -> R:
        self.asked.append(type(operation).__name__)
        return await super().aexecute(operation)

    def _time(self) -> float:
        return 1_000_000 + self._clock.now()


Start = Callable[..., Process]


@pytest.fixture
def start(redis: RedisServer, clock: FakeClock) -> Iterator[Start]:
    """Starts a process; all of them share."""
    prefix, started = uuid4().hex, list[Process]()

    def starting(memory: float = MEMORY) -> Process:
        started.append(Process(redis, prefix, clock, memory))
        return started[-1]

    yield starting
    for process in started:
        process.close()


def breaker(store: Process, **options: Any) -> CircuitBreaker:
    settings: dict[str, Any] = {"opens_on": ConsecutiveFailures(2), "failures": is_breakdown}
    return CircuitBreaker("dependency", store=store, **(settings | options))


def answer(*guards: Any) -> Any:
    return Pipeline(*guards).call(Scripted("answer"))


def fail(breaker: CircuitBreaker, error: Exception = CUT) -> None:
    with pytest.raises(type(error)):
        Pipeline(breaker).call(Scripted(error))


class TestCircuit:
    def test_one_that_is_closed_is_asked_about_once_in_a_while(
        self, start: Start, clock: FakeClock
    ) -> None:
        ours = start()
        guard = breaker(ours)
        for _ in range(100):
            answer(guard)
        assert ours.asked == ["EnterCircuit"]
        clock.advance(MEMORY)
        answer(guard)
        assert ours.asked == ["EnterCircuit"] * 2

    def test_failures_are_told_at_once_and_counted_together(
        self, start: Start, clock: FakeClock
    ) -> None:
        ours, theirs = breaker(start()), breaker(start())
        answer(ours)
        answer(theirs)
        fail(ours)
        fail(theirs)
        assert theirs.state is CircuitState.OPEN
        clock.advance(MEMORY)
        with pytest.raises(CircuitOpen):
            answer(ours)

    def test_a_success_in_between_counts_for_all(self, start: Start, clock: FakeClock) -> None:
        """Whoever had it, as soon as he asks again: failures in a row have none between them."""
        ours, theirs = breaker(start()), breaker(start())
        fail(ours)
        answer(theirs)
        clock.advance(MEMORY)
        answer(theirs)
        fail(ours)
        assert ours.state is CircuitState.CLOSED

    def test_who_has_heard_of_nothing_calls_once_more_at_most(self, start: Start) -> None:
        ours, theirs = breaker(start()), breaker(start())
        answer(theirs)
        for _ in range(2):
            fail(ours)
        fail(theirs)
        with pytest.raises(CircuitOpen):
            answer(theirs)

    def test_an_open_one_is_not_asked_about_by_every_call(
        self, start: Start, clock: FakeClock
    ) -> None:
        process = start()
        guard = breaker(process, opens_on=ConsecutiveFailures(1), open_for=10)
        fail(guard)
        process.asked.clear()
        for _ in range(100):
            with pytest.raises(CircuitOpen):
                answer(guard)
        assert process.asked == []
        clock.advance(10)
        answer(guard)
        assert guard.state is CircuitState.CLOSED

    def test_the_end_of_a_break_is_not_missed_for_what_was_heard(
        self, start: Start, clock: FakeClock
    ) -> None:
        """It falls within the memory, and lets one probe in, not everybody."""
        ours, theirs = (
            breaker(start(memory=60.0), opens_on=ConsecutiveFailures(1), open_for=10)
            for _ in range(2)
        )
        fail(ours)
        theirs.look()
        clock.advance(10)

        def probe() -> None:
            with pytest.raises(CircuitOpen):
                answer(theirs)

        Pipeline(ours).call(probe)
        assert answer(theirs) == "answer"

    async def test_while_one_asks_the_others_go_on(self, start: Start, clock: FakeClock) -> None:
        """A store that hangs holds up one call, and not all that come in that time."""
        process = start()
        guarded = Pipeline(breaker(process))(Scripted("answer").acall)
        await guarded()
        clock.advance(MEMORY)
        answers = await asyncio.gather(*(guarded() for _ in range(100)))
        assert answers == ["answer"] * 100
        await process.aclose()
        assert process.asked == ["EnterCircuit"] * 2

    def test_successes_are_told_together_and_all_of_them_count(
        self, start: Start, clock: FakeClock
    ) -> None:
        """What part of the calls fails cannot be known without them."""
        process = start()
        guard = breaker(process, opens_on=FailureRate(0.5, window=10.0, minimum_calls=4))
        for _ in range(5):
            answer(guard)
        for _ in range(4):
            fail(guard)
        assert process.asked == ["EnterCircuit", "LeaveCircuit"] * 4
        assert answer(guard) == "answer"
        for _ in range(2):
            fail(guard)
        assert guard.state is CircuitState.OPEN

    def test_those_of_long_ago_are_told_no_more(self, start: Start, clock: FakeClock) -> None:
        """They would count as of now, and hide that all calls fail."""
        guard = breaker(start(), opens_on=FailureRate(0.5, window=10.0, minimum_calls=4))
        for _ in range(50):
            answer(guard)
        clock.advance(60)
        for _ in range(4):
            fail(guard)
        assert guard.state is CircuitState.OPEN

    def test_a_slow_call_is_told_at_once(self, start: Start, clock: FakeClock) -> None:
        guard = breaker(start(), opens_on=SlowCallRate(2.0, rate=1.0, window=10.0, minimum_calls=2))
        for _ in range(2):
            Pipeline(guard).call(Scripted(Takes(3.0, "late")))
        assert guard.state is CircuitState.OPEN

    def test_what_was_heard_is_true_where_nobody_knew_the_circuit(self, start: Start) -> None:
        """To look at one that is not there yet makes it."""
        guard = breaker(start(), opens_on=ConsecutiveFailures(1))
        guard.look()
        fail(guard)
        assert guard.state is CircuitState.OPEN


def failover(store: Process, first: Scripted, second: Scripted) -> Callable[[], Any]:
    """Ask the first, or the second; each of them has a circuit that is shared."""
    circuits = [
        CircuitBreaker(name, failures=is_breakdown, store=store) for name in ("first", "second")
    ]
    targets = Target("first", breaker=circuits[0]), Target("second", second, breaker=circuits[1])
    return Pipeline(Failover(*targets))(first)


def test_what_another_process_brought_about_is_told_as_that(
    start: Start, clock: FakeClock, heard: list[Event]
) -> None:
    """Once, and not as a transition: those are counted where they are made."""
    ours, theirs = (breaker(start(), opens_on=ConsecutiveFailures(1)) for _ in range(2))
    fail(ours)
    for _ in range(2):
        theirs.look()
    followed = [event for event in heard if isinstance(event, CircuitFollowed)]
    assert [event.state for event in followed] == [CircuitState.OPEN]
    assert [type(event) for event in heard].count(CircuitOpened) == 1


class TestRest:
    def test_one_process_learns_of_it_and_all_keep_it(self, start: Start, clock: FakeClock) -> None:
        assert failover(start(), Scripted(BUSY), Scripted("second"))() == "second"
        first = Scripted("first")
        theirs = failover(start(), first, Scripted("second"))
        assert theirs() == "second"
        clock.advance(29)
        assert theirs() == "second"
        assert not first.calls
        clock.advance(1 + MEMORY)
        assert theirs() == "first"

    async def test_so_do_coroutines(self, start: Start) -> None:
        ours, theirs = start(), start()
        second = Scripted("second")
        for store, first in ((ours, Scripted(BUSY)), (theirs, Scripted("first"))):
            guards = [
                CircuitBreaker(name, failures=is_breakdown, store=store)
                for name in ("first", "second")
            ]
            targets = (
                Target("first", breaker=guards[0]),
                Target("second", second.acall, breaker=guards[1]),
            )
            assert await Pipeline(Failover(*targets)).acall(first.acall) == "second"
            await store.aclose()

    def test_an_answer_ends_it_for_all(self, start: Start, clock: FakeClock) -> None:
        """Of one that was asked nevertheless, since nobody else was left."""
        ours = failover(start(), Scripted(BUSY, "first"), Scripted(CUT))
        theirs = failover(start(), Scripted("first"), Scripted("second"))
        with pytest.raises(NetworkError):
            ours()
        assert theirs() == "second"
        clock.advance(MEMORY)
        assert ours() == "first"
        clock.advance(MEMORY)
        assert theirs() == "first"

    def test_a_circuit_that_opens_leaves_it_as_it_is(self, start: Start) -> None:
        ours = breaker(start(), opens_on=ConsecutiveFailures(1))
        ours.rest.ask(60.0)
        fail(ours)
        theirs = breaker(start())
        theirs.look()
        assert theirs.state is CircuitState.OPEN
        assert theirs.rest.left() == pytest.approx(60.0)

    def test_who_comes_over_a_limit_of_ours_asks_nobody_to_rest(self, start: Start) -> None:
        """The limit may be one pipeline's alone, and knows by itself when it lets in again."""
        limit = RateLimit("ours", 1, 60, max_wait=0)
        first, guard = Scripted("first"), CircuitBreaker("first", store=start())
        limited = Pipeline(Failover(Target("first", breaker=guard), Target("b", lambda: "b")))
        through = Pipeline(limit)(first)
        assert [limited.call(through) for _ in range(2)] == ["first", "b"]
        theirs = CircuitBreaker("first", store=start())
        theirs.look()
        assert theirs.rest.left() == 0


def let_in(limit: Any, times: int) -> int:
    """Return how many of so many calls come in."""
    count = 0
    for _ in range(times):
        try:
            answer(limit)
            count += 1
        except RateLimitExceeded:
            pass
    return count


class TestLimit:
    def test_calls_ask_only_now_and_then(self, start: Start) -> None:
        """Permits of a fifth of a second are taken at once."""
        process = start()
        limit = RateLimit("dependency", 6000, 60, max_wait=0, store=process)  # 20 of them
        assert let_in(limit, 210) == 210
        assert process.asked == ["TakePermits"] * 10

    def test_all_processes_together_get_no_more_than_there_are(self, start: Start) -> None:
        """What one has taken for later, and did not use, is less than a hundredth."""
        limits = [RateLimit("dependency", 6000, 60, max_wait=0, store=start()) for _ in range(3)]
        came_in = sum(let_in(limit, 20) for _ in range(150) for limit in limits)
        assert 6000 - 3 * 20 <= came_in <= 6000

    def test_who_was_refused_does_not_ask_again_at_once(
        self, start: Start, clock: FakeClock
    ) -> None:
        process = start()
        limit = RateLimit("dependency", 10, 60, max_wait=0, store=process)
        assert let_in(limit, 10) == 10
        process.asked.clear()
        assert let_in(limit, 100) == 0
        assert process.asked == ["TakePermits"]
        clock.advance(6)
        assert let_in(limit, 2) == 1

    def test_where_permits_are_few_each_call_asks_and_none_is_lost(self, start: Start) -> None:
        limits = [RateLimit("dependency", 60, 60, max_wait=0, store=start()) for _ in range(2)]
        assert sum(let_in(limit, 1) for _ in range(50) for limit in limits) == 60

    async def test_what_a_call_did_not_use_is_for_the_next(self, start: Start) -> None:
        """And beyond two lots it is given back."""
        process = start()
        quota = Quota(
            "dependency",
            requests=60_000,
            tokens=60_000,  # 200 in a fifth of a second
            estimate=lambda tokens: tokens,
            usage=lambda _: 0,
            max_wait=0,
            store=process,
        )
        ask = Pipeline(quota)
        await ask.acall(Scripted("answer").acall, 100)
        await ask.acall(Scripted("answer").acall, 300)
        assert process.asked == ["TakePermits"]
        await ask.acall(Scripted("answer").acall, 1000)
        await process.aclose()
        assert process.asked == ["TakePermits", "TakePermits", "ChargePermits"]

    def test_a_pause_that_the_other_side_asks_for_ends_what_was_taken(self, start: Start) -> None:
        limit = RateLimit("dependency", 6000, 60, max_wait=0, store=start())
        assert let_in(limit, 1) == 1
        limit.observe({"retry-after": "30"})
        assert let_in(limit, 5) == 0


async def test_streams_ask_as_seldom(start: Start) -> None:
    async def items() -> AsyncGenerator[int, None]:
        yield 1
        yield 2

    process = start()
    guarded = Pipeline(breaker(process))(items)
    for _ in range(5):
        assert [item async for item in guarded()] == [1, 2]
    await process.aclose()
    assert process.asked == ["EnterCircuit"]
