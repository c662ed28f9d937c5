"""Requests and tokens in a time, taken together, estimated and settled."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from stormproof.errors import (
    CircuitOpen,
    ConfigurationError,
    CostTooHigh,
    InvalidRequest,
    NetworkError,
    PartialOutput,
    RateLimitExceeded,
    ValidationErrors,
)
from stormproof.recovery import (
    CallRejected,
    CallWaited,
    Event,
    Pipeline,
    Quota,
    Retry,
    UsageUnknown,
)
from stormproof.testing import FakeClock, Scripted, Takes


def asked(tokens: int) -> int:
    """Estimate a call by what its argument says."""
    return tokens


def told(answer: object) -> int | None:
    """Read the usage of an answer that is a number."""
    return answer if isinstance(answer, int) else None


def quota(requests: int = 10, tokens: int = 1000, **options: Any) -> Quota:
    """Make a quota that turns away what it cannot let in at once."""
    given: dict[str, Any] = {"estimate": asked, "period": 10, "max_wait": 0}
    return Quota("openai", requests=requests, tokens=tokens, **given | options)


def left(limit: Quota) -> float:
    """Return how many tokens there are: as many as one call can take."""
    tried = Pipeline(limit)(Scripted(CircuitOpen(circuit="none")))  # which gives them back
    for tokens in range(limit.tokens, 0, -50):
        try:
            tried(tokens)
        except CircuitOpen:
            return tokens
        except RateLimitExceeded:
            pass
    return 0


def test_there_are_so_many_requests(clock: FakeClock) -> None:
    guarded = Pipeline(quota(requests=3))(Scripted("answer"))
    for _ in range(3):
        guarded(1)
    with pytest.raises(RateLimitExceeded) as raised:
        guarded(1)
    assert raised.value.retry_after == pytest.approx(10 / 3)


def test_there_are_so_many_tokens(clock: FakeClock) -> None:
    guarded = Pipeline(quota())(Scripted("answer"))
    guarded(700)
    with pytest.raises(RateLimitExceeded) as raised:
        guarded(400)
    assert raised.value.retry_after == pytest.approx(1)
    assert str(raised.value) == "rate limit exceeded (10 requests and 1000 tokens per 10s)"


def test_a_call_that_finds_only_one_of_the_two_takes_neither(clock: FakeClock) -> None:
    fetch = Scripted("answer")
    guarded = Pipeline(quota(requests=2))(fetch)
    guarded(950)
    for _ in range(5):
        with pytest.raises(RateLimitExceeded):
            guarded(100)
    guarded(50)
    assert len(fetch.calls) == 2


async def test_a_call_waits_for_the_later_of_the_two(clock: FakeClock, heard: list[Event]) -> None:
    times: list[float] = []
    begun = clock.now()

    async def ask(tokens: int) -> None:
        times.append(clock.now() - begun)

    guarded = Pipeline(quota(requests=2, max_wait=100), name="ask")(ask)
    for tokens in (500, 500, 100, 900, 0):
        await guarded(tokens)
    assert times == pytest.approx([0, 0, 5, 10, 15])
    waits = [event.wait for event in heard if isinstance(event, CallWaited)]
    assert waits == pytest.approx([5, 5, 5])


def test_a_call_that_is_turned_away_is_an_event(clock: FakeClock, heard: list[Event]) -> None:
    guarded = Pipeline(quota(requests=1), name="ask")(Scripted("answer"))
    guarded(1)
    with pytest.raises(RateLimitExceeded):
        guarded(1)
    assert heard == [CallRejected(pipeline="ask", strategy="openai", retry_after=10)]


class TestSettling:
    """What a call took is an estimate; what it used is told by its result."""

    async def test_what_was_not_used_is_given_back(self, clock: FakeClock) -> None:
        limit = quota(usage=told)
        Pipeline(limit).call(Scripted(100), 800)
        assert left(limit) == 900
        await Pipeline(limit).acall(Scripted(0).acall, 500)
        assert left(limit) == 900

    def test_what_was_used_beyond_is_charged(self, clock: FakeClock) -> None:
        """The tokens get into debt, which is paid before the next call."""
        limit = quota(usage=told)
        Pipeline(limit).call(Scripted(900), 300)
        assert left(limit) == 100
        Pipeline(limit).call(Scripted(500), 100)
        assert left(limit) == 0
        clock.advance(4)
        assert left(limit) == 0
        clock.advance(1)
        assert left(limit) == 100

    def test_a_request_is_never_given_back(self, clock: FakeClock) -> None:
        guarded = Pipeline(quota(requests=2, usage=told))(Scripted(0))
        guarded(10)
        guarded(10)
        with pytest.raises(RateLimitExceeded):
            guarded(10)

    async def test_who_waits_goes_as_soon_as_enough_is_given_back(self, clock: FakeClock) -> None:
        """Not when the estimates of all before it would have been over."""
        limit = quota(usage=told, max_wait=100)
        guarded = Pipeline(limit)(Scripted(Takes(2, 0)).acall)
        begun = clock.now()
        await asyncio.gather(*(guarded(1000) for _ in range(3)))
        assert clock.now() - begun == pytest.approx(6)

    async def test_a_small_call_does_not_take_what_was_given_back_for_a_big_one(
        self, clock: FakeClock
    ) -> None:
        order: list[int] = []

        async def ask(tokens: int) -> int:
            order.append(tokens)
            await clock.asleep(1)
            return 400

        guarded = Pipeline(quota(usage=told, max_wait=100))(ask)
        await asyncio.gather(*map(guarded, [1000, 900, 100, 50]))
        assert order == [1000, 900, 100, 50]

    def test_a_result_that_does_not_tell_leaves_the_estimate(self, clock: FakeClock) -> None:
        limit = quota(usage=told)
        assert Pipeline(limit).call(Scripted("answer"), 300) == "answer"
        assert left(limit) == 700

    @pytest.mark.parametrize("used", [-1, float("nan"), float("inf"), True, "9", 10**400], ids=str)
    def test_nonsense_leaves_the_estimate_and_is_an_event(
        self, clock: FakeClock, heard: list[Event], used: Any
    ) -> None:
        limit = quota(usage=lambda _: used)
        assert Pipeline(limit, name="ask").call(Scripted("answer"), 300) == "answer"
        assert left(limit) == 700
        [event] = [one for one in heard if isinstance(one, UsageUnknown)]
        assert (event.pipeline, event.strategy) == ("ask", "openai")

    async def test_a_usage_that_raises_costs_nobody_the_answer(
        self, clock: FakeClock, heard: list[Event]
    ) -> None:
        """It is asked once for each call, and not for the rest of a stream."""
        limit = quota(usage=lambda answer: answer.usage)
        assert Pipeline(limit).call(Scripted("answer"), 100) == "answer"
        assert await Pipeline(limit).acall(Scripted("answer").acall, 100) == "answer"
        items = Pipeline(limit).stream(Scripted(["a", "b", "c"]).stream, 100)
        assert [item async for item in items] == ["a", "b", "c"]
        assert left(limit) == 700
        unknown = [one for one in heard if isinstance(one, UsageUnknown)]
        assert [type(one.error) for one in unknown] == [AttributeError] * 3

    def test_no_usage_is_charged_beyond_a_whole_period(self, clock: FakeClock) -> None:
        """A wrong number must not shut the door for years."""
        limit = quota(usage=told)
        Pipeline(limit).call(Scripted(10**15), 100)
        clock.advance(10)
        assert left(limit) == 1000


class TestStreams:
    """A stream tells what it used in one of its items, most often the last."""

    async def test_the_last_item_that_tells_counts(self, clock: FakeClock) -> None:
        limit = quota(usage=told)
        items = Pipeline(limit).stream(Scripted(["a", 50, "b", 200, "c"]).stream, 800)
        assert [item async for item in items] == ["a", 50, "b", 200, "c"]
        assert left(limit) == 800

    async def test_it_is_settled_at_its_end(self, clock: FakeClock) -> None:
        limit = quota(usage=told)
        async with aclosing(Pipeline(limit).stream(Scripted([50, "b"]).stream, 800)) as items:
            await anext(items)
            assert left(limit) == 200
        assert left(limit) == 200  # left early: nobody knows what it cost

    async def test_one_that_breaks_leaves_the_estimate(self, clock: FakeClock) -> None:
        limit = quota(usage=told)
        broken = Scripted([50, RateLimitExceeded(provider="openai")])
        with pytest.raises(PartialOutput):
            async for _ in Pipeline(limit).stream(broken.stream, 800):
                pass
        assert left(limit) == 200

    async def test_one_that_is_refused_before_it_begins_gives_it_back(
        self, clock: FakeClock
    ) -> None:
        limit = quota(usage=told)
        refused = Scripted([RateLimitExceeded(provider="openai")])
        with pytest.raises(RateLimitExceeded):
            async for _ in Pipeline(limit).stream(refused.stream, 800):
                pass
        assert left(limit) == 1000


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (RateLimitExceeded(provider="openai"), 0),
        (CircuitOpen(circuit="openai"), 0),
        (InvalidRequest(reason="no such parameter"), 0),
        (NetworkError(reason="cut"), 800),
        (TimeoutError(), 800),
        (KeyError("x"), 800),
        (ExceptionGroup("both", [RateLimitExceeded()]), 800),
        (KeyboardInterrupt(), 800),
    ],
    ids=repr,
)
def test_a_failed_call_keeps_its_tokens_unless_no_work_was_done(
    clock: FakeClock, error: BaseException, kept: int
) -> None:
    limit = quota(usage=told)
    with pytest.raises(type(error)):
        Pipeline(limit).call(Scripted(error), 800)
    assert left(limit) == 1000 - kept


async def test_a_call_that_is_cancelled_keeps_its_estimate(clock: FakeClock) -> None:
    """The provider may have answered, and counted."""
    limit = quota(usage=told)
    task = asyncio.create_task(Pipeline(limit).acall(Scripted(Takes(5, 0)).acall, 800))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert left(limit) == 200


async def test_a_call_that_is_cancelled_while_it_waits_takes_nothing(clock: FakeClock) -> None:
    limit = quota(max_wait=100)
    guarded = Pipeline(limit)(Scripted("answer").acall)
    await guarded(1000)
    task = asyncio.create_task(guarded(500))
    await asyncio.sleep(0)
    assert limit.waiting == 1
    task.cancel()
    await asyncio.wait([task])
    begun = clock.now()
    await guarded(100)
    assert clock.now() - begun == pytest.approx(1)


def test_after_a_refusal_a_retry_is_let_in_when_it_was_told_to_come(clock: FakeClock) -> None:
    refusal = RateLimitExceeded(provider="openai", retry_after=7)
    fetch = Scripted(refusal, "answer")
    limit = quota()
    assert Pipeline(Retry(), limit).call(fetch, 1000) == "answer"
    assert clock.slept == [7]
    with pytest.raises(RateLimitExceeded):
        Pipeline(limit).call(fetch, 0)


class TestHeaders:
    """What a server says about its limits makes ours emptier, and never fuller."""

    def test_what_is_left_of_both_is_taken_over(self, clock: FakeClock) -> None:
        limit = quota()
        limit.observe(
            {"x-ratelimit-remaining-requests": "2", "x-ratelimit-remaining-tokens": "300"}
        )
        guarded = Pipeline(limit)(Scripted("answer"))
        with pytest.raises(RateLimitExceeded):
            guarded(301)
        guarded(100)
        guarded(100)
        with pytest.raises(RateLimitExceeded):
            guarded(100)

    def test_more_than_we_have_left_changes_nothing(self, clock: FakeClock) -> None:
        limit = quota()
        Pipeline(limit).call(Scripted("answer"), 900)
        limit.observe({"anthropic-ratelimit-tokens-remaining": "1000"})
        assert left(limit) == 100

    def test_nothing_is_let_in_before_an_exhausted_window_is_over(self, clock: FakeClock) -> None:
        limit = quota()
        limit.observe({"ratelimit-remaining": "0", "ratelimit-reset": "30"})
        guarded = Pipeline(limit)(Scripted("answer"))
        clock.advance(29.5)
        with pytest.raises(RateLimitExceeded) as raised:
            guarded(1)
        assert raised.value.retry_after == pytest.approx(0.5)
        clock.advance(0.5)
        guarded(1)

    @pytest.mark.parametrize("jump", [-3e7, 3e7])
    def test_a_jump_of_the_wall_clock_costs_a_minute_at_most(
        self, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, jump: float
    ) -> None:
        """And nothing at all where the response has a Date."""
        monkeypatch.setattr("time.time", lambda: 1.8e9 + jump)
        limit = quota()
        limit.observe({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1800000005"})
        clock.advance(60)
        assert Pipeline(limit).call(Scripted("answer"), 1) == "answer"

    def test_nonsense_is_ignored(self, clock: FakeClock) -> None:
        limit = quota()
        limit.observe({"x-ratelimit-remaining-requests": "-5", "retry-after": "never"})
        limit.observe({})
        assert left(limit) == 1000


def test_threads_and_loops_wait_in_one_line() -> None:
    """A task of another event loop gives back what threads wait for, on the real clock."""
    limit = quota(usage=told, max_wait=1000)
    begun, finish = threading.Event(), threading.Event()

    async def hold(tokens: int) -> int:
        begun.set()
        await asyncio.to_thread(finish.wait)
        return 0

    def run_loop() -> None:
        asyncio.run(Pipeline(limit).acall(hold, 1000))

    results: list[object] = []
    waiter = Pipeline(limit)(Scripted("answer"))
    threads = [threading.Thread(target=run_loop)]
    threads += [threading.Thread(target=lambda: results.append(waiter(300))) for _ in range(3)]
    threads[0].start()
    assert begun.wait(60)
    for thread in threads[1:]:
        thread.start()
    while limit.waiting < 3:
        finish.wait(0.001)
    finish.set()
    for thread in threads:
        thread.join()
    assert results == ["answer"] * 3


def test_50_threads_at_once_take_exactly_what_there_is(clock: FakeClock) -> None:
    start = threading.Barrier(50)
    fetch = Scripted("answer")
    guarded = Pipeline(quota(requests=40, tokens=1000))(fetch)
    rejected: list[RateLimitExceeded] = []

    def run() -> None:
        start.wait()
        try:
            guarded(100)
        except RateLimitExceeded as error:
            rejected.append(error)

    threads = [
        threading.Thread(target=contextvars.copy_context().run, args=(run,)) for _ in range(50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(fetch.calls), len(rejected)) == (10, 40)


def test_more_than_a_period_has_is_an_error_at_once(clock: FakeClock) -> None:
    fetch = Scripted("answer")
    with pytest.raises(CostTooHigh):
        Pipeline(quota()).call(fetch, 1001)
    assert fetch.calls == []


def test_an_estimate_that_raises_is_an_error(clock: FakeClock) -> None:
    with pytest.raises(ConfigurationError, match="estimate"):
        Pipeline(quota()).call(Scripted("answer"))


async def test_the_estimate_gets_the_arguments_of_a_method(clock: FakeClock) -> None:
    seen: list[object] = []

    def estimate(client: object, text: str) -> int:
        seen.extend((client, text))
        return len(text)

    class Client:
        @Pipeline(quota(estimate=estimate))
        async def ask(self, text: str) -> AsyncGenerator[str, None]:
            yield text

    client = Client()
    assert [item async for item in client.ask("why?")] == ["why?"]
    assert seen == [client, "why?"]


def test_it_prints_in_one_line() -> None:
    limit = Quota("openai", requests=500, tokens=200_000, estimate=asked)
    assert str(limit) == "Quota openai 500 requests, 200000 tokens per 60s"


@pytest.mark.parametrize(
    "options",
    [
        {"name": ""},
        {"requests": 0},
        {"tokens": 0},
        {"tokens": 1.5},
        {"tokens": 10**10},
        {"estimate": 500},
        {"usage": 500},
        {"period": 0},
        {"max_wait": -1},
    ],
    ids=repr,
)
def test_options_are_checked(options: dict[str, Any]) -> None:
    given: dict[str, Any] = {"name": "openai", "requests": 1, "tokens": 1, "estimate": asked}
    with pytest.raises(ValidationErrors):
        Quota(**given | options)
