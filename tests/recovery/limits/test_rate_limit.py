"""So many calls in a time, and no more."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from stormproof.errors import (
    ConfigurationError,
    CostTooHigh,
    DeadlineExceeded,
    NetworkError,
    PartialOutput,
    ProviderOverloaded,
    RateLimitExceeded,
    ServiceUnavailable,
    ValidationErrors,
)
from stormproof.recovery import (
    CallRejected,
    CallWaited,
    Deadline,
    Event,
    Pipeline,
    RateLimit,
    Retry,
)
from stormproof.testing import FakeClock, Scripted, Takes


class Timed:
    """A dependency that keeps the time of every call."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._begun = clock.now()
        self.times: list[float] = []

    def __call__(self) -> None:
        self.times.append(self._clock.now() - self._begun)

    async def acall(self) -> None:
        self()


def test_after_the_burst_calls_are_spread_evenly(clock: FakeClock) -> None:
    timed = Timed(clock)
    guarded = Pipeline(RateLimit("api", permits=2, burst=3))(timed)
    for _ in range(7):
        guarded()
    assert timed.times == pytest.approx([0, 0, 0, 0.5, 1, 1.5, 2])


def test_what_is_saved_in_a_pause_is_bounded_by_the_burst(clock: FakeClock) -> None:
    timed = Timed(clock)
    guarded = Pipeline(RateLimit("api", permits=1, burst=2))(timed)
    clock.advance(1000)
    for _ in range(4):
        guarded()
    assert timed.times == pytest.approx([1000, 1000, 1001, 1002])


async def test_tasks_go_in_by_their_order(clock: FakeClock, heard: list[Event]) -> None:
    timed = Timed(clock)
    guarded = Pipeline(RateLimit("api", permits=1), name="ask")(timed.acall)
    await asyncio.gather(*(guarded() for _ in range(4)))
    assert timed.times == pytest.approx([0, 1, 2, 3])
    waited = [event.wait for event in heard if isinstance(event, CallWaited)]
    assert waited == pytest.approx([1, 2, 3])


def test_a_call_that_would_wait_too_long_is_turned_away_at_once(
    clock: FakeClock, heard: list[Event]
) -> None:
    fetch = Scripted("answer")
    guarded = Pipeline(RateLimit("api", 2, period=60, max_wait=0), name="ask")(fetch)
    guarded()
    guarded()
    clock.advance(10)
    with pytest.raises(RateLimitExceeded) as raised:
        guarded()
    error = raised.value
    assert (error.limit, error.window) == (2, 60)
    assert error.retry_after == pytest.approx(20)
    assert clock.slept == []
    assert len(fetch.calls) == 2
    assert heard == [CallRejected(pipeline="ask", strategy="api", retry_after=error.retry_after)]


def test_after_what_a_rejection_asks_for_there_is_a_permit(clock: FakeClock) -> None:
    """Each time, however the numbers are rounded."""
    limit = RateLimit("api", permits=7, period=1.3, burst=5, max_wait=0)
    guarded = Pipeline(limit)(Scripted("answer"))
    for _ in range(5):
        guarded()
    for _ in range(100):
        with pytest.raises(RateLimitExceeded) as raised:
            guarded()
        assert raised.value.retry_after is not None
        clock.advance(raised.value.retry_after)
        guarded()


def test_a_rejected_call_takes_no_permit(clock: FakeClock) -> None:
    guarded = Pipeline(RateLimit("api", permits=1, max_wait=0))(Scripted("answer"))
    guarded()
    for _ in range(100):
        with pytest.raises(RateLimitExceeded):
            guarded()
    clock.advance(1)
    assert guarded() == "answer"


def test_no_wait_outlasts_the_deadline(clock: FakeClock) -> None:
    """The call is turned away at once, so that a fallback has the time to answer."""
    limited = Pipeline(RateLimit("api", permits=1, period=5))(Scripted("answer"))
    limited()
    begun = clock.now()
    with pytest.raises(RateLimitExceeded):
        Pipeline(Deadline(3)).call(limited)
    assert clock.now() == begun
    assert Pipeline(Deadline(6)).call(limited) == "answer"


def test_a_retry_waits_for_as_long_as_the_limit_says(clock: FakeClock) -> None:
    timed = Timed(clock)
    guarded = Pipeline(Retry(), RateLimit("api", permits=1, period=4, max_wait=0))(timed)
    guarded()
    guarded()
    assert timed.times == pytest.approx([0, 4])
    assert clock.slept == pytest.approx([4])


def test_each_attempt_takes_a_permit(clock: FakeClock) -> None:
    begun = clock.now()
    fetch = Scripted(NetworkError(reason="cut"), "answer")
    Pipeline(Retry(initial_delay=0), RateLimit("api", permits=1, period=4)).call(fetch)
    assert clock.now() - begun == pytest.approx(4)


async def test_a_call_that_is_cancelled_while_it_waits_gives_its_permit_back(
    clock: FakeClock,
) -> None:
    timed = Timed(clock)
    guarded = Pipeline(RateLimit("api", permits=1))(timed.acall)
    await guarded()
    waiting = asyncio.create_task(guarded())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    await guarded()
    assert timed.times == pytest.approx([0, 1])


async def test_an_outer_deadline_cuts_a_wait_and_keeps_the_permit(clock: FakeClock) -> None:
    """The wait was short enough when it began; then the deadline's call did something else."""
    timed = Timed(clock)
    guarded = Pipeline(RateLimit("api", permits=1))(timed.acall)
    await guarded()

    async def both() -> None:
        waiting = asyncio.create_task(guarded())
        await asyncio.sleep(0)
        clock.advance(0.9)
        await asyncio.gather(waiting, clock.asleep(5))

    with pytest.raises(DeadlineExceeded):
        await Pipeline(Deadline(2)).acall(both)
    assert timed.times == pytest.approx([0, 1])


async def test_a_stream_takes_one_permit_with_its_first_item(clock: FakeClock) -> None:
    begun = clock.now()
    guarded = Pipeline(RateLimit("api", permits=1))(Scripted(["a", "b", "c"]).stream)
    streams = [guarded(), guarded()]
    clock.advance(5)
    for stream in streams:
        assert [item async for item in stream] == ["a", "b", "c"]
    assert clock.now() - begun == pytest.approx(6)


def size(text: str) -> int:
    return len(text)


def test_a_call_takes_what_it_costs(clock: FakeClock) -> None:
    begun = clock.now()
    guarded = Pipeline(RateLimit("api", permits=2, burst=8, cost=size))(Scripted("answer"))
    times = []
    for text in ("12345", "123", "1", "", "12345678"):
        guarded(text)
        times.append(clock.now() - begun)
    assert times == pytest.approx([0, 0, 0.5, 0.5, 4.5])


async def test_the_cost_is_that_of_the_arguments_alone(clock: FakeClock) -> None:
    """However the pipeline is put to use: the function to call is not among them."""
    seen: list[Any] = []

    def cost(*args: Any, **kwargs: Any) -> int:
        seen.append((args, kwargs))
        return 0

    pipeline = Pipeline(RateLimit("api", permits=1, cost=cost))
    fetch = Scripted("answer")
    pipeline(fetch)("a", b=1)
    pipeline.call(fetch, "a", b=1)
    await pipeline.acall(fetch.acall, "a", b=1)
    assert [item async for item in pipeline.stream(fetch.stream, "a", b=1)] == ["answer"]
    assert seen == [(("a",), {"b": 1})] * 4
    assert seen == fetch.calls


async def test_a_big_call_is_not_starved_by_small_ones(clock: FakeClock) -> None:
    """It came before them, so they wait for it."""
    limit = RateLimit("api", permits=1, burst=5, max_wait=100, cost=size)
    order: list[str] = []

    async def ask(text: str) -> None:
        order.append(text)

    guarded = Pipeline(limit)(ask)
    await guarded("12345")
    await asyncio.gather(*map(guarded, ["big..", "a", "b", "c"]))
    assert order == ["12345", "big..", "a", "b", "c"]


async def test_when_a_big_call_is_cancelled_the_others_wait_no_longer_for_it(
    clock: FakeClock,
) -> None:
    limit = RateLimit("api", permits=1, burst=5, cost=size, max_wait=100)
    guarded = Pipeline(limit)(Scripted("answer").acall)
    begun = clock.now()
    await guarded("1234")
    tasks = [asyncio.create_task(guarded(text)) for text in ("big..", "1", "2")]
    await asyncio.sleep(0)
    assert limit.waiting == 3
    tasks[0].cancel()
    await asyncio.wait(tasks[:1])
    await asyncio.gather(*tasks[1:])
    assert clock.now() - begun == pytest.approx(1)


def test_a_cost_that_there_never_is_is_an_error_at_once(clock: FakeClock) -> None:
    fetch = Scripted("answer")
    limit = RateLimit("api", permits=10, burst=5, cost=size)
    begun = clock.now()
    with pytest.raises(CostTooHigh) as raised:
        Pipeline(Retry(), limit).call(fetch, "123456")
    assert (raised.value.limit, raised.value.cost, raised.value.most) == ("api", 6, 5)
    assert not raised.value.retriable
    assert fetch.calls == []
    Pipeline(limit).call(fetch, "12345")
    assert clock.now() == begun


NONSENSE = [-1, float("nan"), float("inf"), True, None, "3", 1j, 10**400]


@pytest.mark.parametrize("cost", NONSENSE, ids=str)
def test_a_cost_that_is_no_amount_is_an_error(clock: FakeClock, cost: Any) -> None:
    limit = RateLimit("api", permits=1, cost=lambda: cost)
    fetch = Scripted("answer")
    with pytest.raises(ConfigurationError, match="cost"):
        Pipeline(limit).call(fetch)
    assert fetch.calls == []


def test_a_cost_function_that_raises_is_an_error_and_takes_nothing(clock: FakeClock) -> None:
    limit = RateLimit("api", permits=1, max_wait=0, cost=Scripted(KeyError("model"), 1))
    guarded = Pipeline(limit)(Scripted("answer"))
    with pytest.raises(ConfigurationError) as raised:
        guarded()
    assert raised.value.setting == "cost"
    assert isinstance(raised.value.__cause__, KeyError)
    assert guarded() == "answer"


def refusal(seconds: float) -> RateLimitExceeded:
    """What a provider's answer is translated to."""
    return RateLimitExceeded(provider="openai", retry_after=seconds)


async def test_nothing_is_let_in_before_the_time_that_a_refusal_asks_for(clock: FakeClock) -> None:
    limit = RateLimit("api", permits=2, burst=20, max_wait=100)
    times: list[float] = []
    begun = clock.now()

    async def ask() -> None:
        times.append(clock.now() - begun)
        if len(times) == 1:
            raise refusal(30)

    guarded = Pipeline(limit)(ask)
    with pytest.raises(RateLimitExceeded):
        await guarded()
    await asyncio.gather(*(guarded() for _ in range(3)))
    assert times == pytest.approx([0, 30, 30.5, 31])


async def test_a_refusal_that_broke_a_stream_of_an_inner_pipeline_is_heeded(
    clock: FakeClock,
) -> None:
    """It arrives as the cause of a ``PartialOutput``."""
    outer = Pipeline(RateLimit("api", permits=100, max_wait=10))

    @outer
    @Pipeline()
    async def answer() -> AsyncGenerator[str, None]:
        yield "well,"
        raise refusal(30)

    with pytest.raises(PartialOutput):
        async for _ in answer():
            pass
    with pytest.raises(RateLimitExceeded) as raised:
        await outer.acall(Scripted("answer").acall)
    assert raised.value.retry_after == pytest.approx(30)


async def test_a_refusal_turns_away_who_waits_and_could_not_wait_that_long(
    clock: FakeClock,
) -> None:
    """At once: its fallback has the time to answer."""
    fetch = Scripted("answer", Takes(0.5, refusal(40)))
    guarded = Pipeline(RateLimit("api", permits=1, burst=2))(fetch.acall)
    begun = clock.now()
    results = await asyncio.gather(*(guarded() for _ in range(5)), return_exceptions=True)
    assert results[0] == "answer"
    errors = [one for one in results[1:] if isinstance(one, RateLimitExceeded)]
    assert [error.provider for error in errors] == ["openai", None, None, None]
    assert errors[1].retry_after == pytest.approx(42)
    assert errors[3].retry_after == pytest.approx(40)
    assert clock.now() - begun == pytest.approx(0.5)


def test_a_retry_that_waits_as_long_as_it_is_told_is_let_in(clock: FakeClock) -> None:
    fetch = Scripted(refusal(8), "answer")
    limit = RateLimit("api", permits=2, period=60, max_wait=0)
    assert Pipeline(Retry(), limit).call(fetch) == "answer"
    assert clock.slept == [8]


@pytest.mark.parametrize(("period", "longest"), [(1.0, 60), (600.0, 600)])
def test_a_refusal_stops_everything_for_a_minute_or_a_period_at_most(
    clock: FakeClock, period: float, longest: float
) -> None:
    """Then one call asks again; a refusal for a day might be a mistake."""
    limit = RateLimit("api", permits=10, period=period, max_wait=0)
    guarded = Pipeline(limit)(Scripted(refusal(86_400), "answer"))
    with pytest.raises(RateLimitExceeded):
        guarded()
    clock.advance(longest - 0.1)
    with pytest.raises(RateLimitExceeded):
        guarded()
    clock.advance(0.1)
    assert guarded() == "answer"


@pytest.mark.parametrize(
    "error",
    [
        ServiceUnavailable(reason="starting", retry_after=30),
        ProviderOverloaded(provider="openai", retry_after=30),
        refusal(0),
        RateLimitExceeded(provider="openai"),
        KeyError("x"),
        StopIteration(),
    ],
    ids=repr,
)
def test_other_errors_stop_nothing(clock: FakeClock, error: Exception) -> None:
    guarded = Pipeline(RateLimit("api", permits=2, max_wait=0))(Scripted(error, "answer"))
    with pytest.raises(type(error)):
        guarded()
    assert guarded() == "answer"


def test_the_rejection_by_a_limit_inside_stops_nothing(clock: FakeClock) -> None:
    """It is about one call: the next one may be of another user, or cheaper."""
    outer, inner = RateLimit("all", permits=9), RateLimit("user", 1, period=60, max_wait=0)
    mine, theirs = Pipeline(outer, inner)(Scripted("mine")), Pipeline(outer)(Scripted("theirs"))
    begun = clock.now()
    mine()
    with pytest.raises(RateLimitExceeded):
        mine()
    assert theirs() == "theirs"
    assert clock.now() == begun


def test_what_the_server_has_left_is_all_there_is(clock: FakeClock) -> None:
    """Somebody else uses the same key."""
    limit = RateLimit("api", permits=10, period=60)
    timed = Timed(clock)
    limit.observe({"x-ratelimit-remaining-requests": "2"})
    for _ in range(4):
        Pipeline(limit)(timed)()
    assert timed.times == pytest.approx([0, 0, 6, 12])


def test_a_server_that_has_more_left_than_we_changes_nothing(clock: FakeClock) -> None:
    limit = RateLimit("api", permits=1, max_wait=0)
    guarded = Pipeline(limit)(Scripted("answer"))
    guarded()
    limit.observe({"x-ratelimit-remaining-requests": "999999", "ratelimit": '"a";r=50;t=1'})
    with pytest.raises(RateLimitExceeded):
        guarded()


def test_what_the_server_has_left_is_not_what_a_call_costs(clock: FakeClock) -> None:
    """The units are the user's own; when to come again holds in any."""
    limit = RateLimit("api", permits=100, max_wait=0, cost=size)
    guarded = Pipeline(limit)(Scripted("answer"))
    limit.observe({"x-ratelimit-remaining-requests": "1"})
    assert guarded("12345") == "answer"
    limit.observe({"retry-after": "3"})
    with pytest.raises(RateLimitExceeded):
        guarded("1")


def test_50_threads_at_once_get_exactly_the_permits(clock: FakeClock) -> None:
    start = threading.Barrier(50)
    fetch = Scripted("answer")
    guarded = Pipeline(RateLimit("api", permits=7, max_wait=0))(fetch)
    rejected: list[RateLimitExceeded] = []

    def run() -> None:
        start.wait()
        try:
            guarded()
        except RateLimitExceeded as error:
            rejected.append(error)

    threads = [
        threading.Thread(target=contextvars.copy_context().run, args=(run,)) for _ in range(50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(fetch.calls), len(rejected)) == (7, 43)


def test_it_prints_in_one_line() -> None:
    assert str(RateLimit("api", 500, period=60)) == "RateLimit api 500 per 60s"


@pytest.mark.parametrize(
    "options",
    [
        {"name": "", "permits": 1},
        {"name": "api", "permits": 0},
        {"name": "api", "permits": 1.5},
        {"name": "api", "permits": 1, "period": 0},
        {"name": "api", "permits": 1, "period": float("nan")},
        {"name": "api", "permits": 1, "period": 10**400},
        {"name": "api", "permits": 1, "burst": 0},
        {"name": "api", "permits": 1, "max_wait": -1},
        {"name": "api", "permits": 1, "cost": 5},
    ],
    ids=repr,
)
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationErrors):
        RateLimit(**options)
