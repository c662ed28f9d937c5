"""Failures on purpose: off unless asked, and the same ones each time."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Any

import pytest

from stormproof.errors import (
    ConnectionLost,
    DeadlineExceeded,
    NetworkError,
    PartialOutput,
    ValidationErrors,
)
from stormproof.recovery import (
    ChaosEffect,
    ChaosInjected,
    Deadline,
    Event,
    Inject,
    Pipeline,
    Retry,
    chaos,
)
from stormproof.testing import FakeClock, Scripted

Ask = Callable[[Pipeline, Scripted], Awaitable[Any]]


async def call(pipeline: Pipeline, fetch: Scripted) -> Any:
    return pipeline.call(fetch)


async def acall(pipeline: Pipeline, fetch: Scripted) -> Any:
    return await pipeline.acall(fetch.acall)


async def stream(pipeline: Pipeline, fetch: Scripted) -> Any:
    return [item async for item in pipeline.stream(fetch.stream)]


in_every_form = pytest.mark.parametrize("ask", [call, acall, stream])
in_both_forms = pytest.mark.parametrize("ask", [call, acall])


def struck(inject: Inject, calls: int) -> list[bool]:
    """Which of so many calls an injection with the outcome "struck" hits."""
    ask = Pipeline(inject)(Scripted("spared"))
    return [ask() == "struck" for _ in range(calls)]


class TestOffUnlessAsked:
    """One may stay in a pipeline for good."""

    @in_every_form
    async def test_it_does_nothing(self, ask: Ask, heard: list[Event]) -> None:
        inject = Inject("openai", fault=ConnectionLost, latency=60)
        fetch = Scripted(["answer"])
        assert await ask(Pipeline(inject), fetch) == ["answer"]
        assert heard == []

    @in_every_form
    async def test_it_is_asked_for_a_while(self, ask: Ask) -> None:
        pipeline = Pipeline(Inject("openai", fault=ConnectionLost))
        with chaos("openai"), pytest.raises(ConnectionLost):
            await ask(pipeline, Scripted(["answer"]))
        assert await ask(pipeline, Scripted(["answer"])) == ["answer"]

    def test_it_is_asked_by_name(self) -> None:
        ask = Pipeline(Inject("disk", outcome="struck"))(Scripted("spared"))
        with chaos("network", "provider"):
            assert ask() == "spared"
        with chaos("network", "disk"):
            assert ask() == "struck"
        with chaos():
            assert ask() == "struck"

    def test_it_is_off_again_whatever_happened(self) -> None:
        ask = Pipeline(Inject("disk", fault=ConnectionLost))(Scripted("answer"))
        with pytest.raises(ConnectionLost), chaos():
            ask()
        assert ask() == "answer"

    def test_it_reaches_threads_that_began_before(self) -> None:
        ask = Pipeline(Inject("disk", outcome="struck"))(Scripted("spared"))
        answers: list[str] = []
        begin = threading.Event()

        def work() -> None:
            begin.wait()
            answers.append(ask())

        thread = threading.Thread(target=work)
        thread.start()
        with chaos():
            begin.set()
            thread.join()
        assert answers == ["struck"]

    def test_where_two_overlap_the_last_to_begin_counts(self) -> None:
        ask = Pipeline(Inject("disk", outcome="struck", script=[True]))(Scripted("spared"))
        with chaos("disk"):
            assert ask() == "struck"
            with chaos("disk"):
                assert [ask(), ask()] == ["struck", "spared"]
            with chaos("network"):
                assert ask() == "spared"


class TestWhichCalls:
    """By chance or by a script, and from the beginning each time."""

    def test_a_script_says_it_call_by_call_until_it_is_over(self) -> None:
        inject = Inject("d", outcome="struck", script=[False, True, True])
        with chaos():
            assert struck(inject, 5) == [False, True, True, False, False]
        with chaos():
            assert struck(inject, 3) == [False, True, True]

    def test_calls_while_it_is_off_do_not_count(self) -> None:
        inject = Inject("d", outcome="struck", script=[True, False])
        assert struck(inject, 5) == [False] * 5
        with chaos():
            assert struck(inject, 2) == [True, False]

    def test_chance_strikes_the_same_calls_each_time(self) -> None:
        def run(**options: Any) -> list[bool]:
            with chaos():
                return struck(Inject(outcome="struck", rate=0.5, **options), 100)

        assert run(name="d") == run(name="d")
        assert run(name="d") != run(name="d", seed=1)
        assert run(name="d") != run(name="e")
        assert 30 < sum(run(name="d")) < 70

    @pytest.mark.parametrize(("rate", "hits"), [(0, 0), (1, 1000), (1.0, 1000)])
    def test_never_is_never_and_always_is_always(self, rate: float, hits: int) -> None:
        with chaos():
            assert sum(struck(Inject("d", outcome="struck", rate=rate), 1000)) == hits

    def test_threads_share_a_script(self) -> None:
        """Eight threads make 800 calls, of which the script has 100 struck."""
        ask = Pipeline(Inject("d", outcome=1, script=[True] * 100))(Scripted(0))
        barrier, totals = threading.Barrier(8), list[int]()

        def work() -> None:
            barrier.wait()
            totals.append(sum(ask() for _ in range(100)))

        threads = [threading.Thread(target=work) for _ in range(8)]
        with chaos():
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert sum(totals) == 100


class TestFault:
    """An error in place of the call."""

    @in_every_form
    async def test_the_call_is_not_made(self, ask: Ask) -> None:
        fetch = Scripted("answer")
        inject = Inject("d", fault=partial(NetworkError, reason="on purpose"))
        with chaos(), pytest.raises(NetworkError, match="on purpose"):
            await ask(Pipeline(inject), fetch)
        assert fetch.calls == []

    def test_every_fault_is_an_error_of_its_own(self) -> None:
        ask = Pipeline(Inject("d", fault=ConnectionLost))(Scripted("answer"))

        def fault() -> ConnectionLost:
            with pytest.raises(ConnectionLost) as raised:
                ask()
            return raised.value

        with chaos():
            assert fault() is not fault()

    @in_every_form
    async def test_it_is_retried_like_a_real_one(self, ask: Ask, clock: FakeClock) -> None:
        inject = Inject("d", fault=ConnectionLost, script=[True, True])
        with chaos():
            assert await ask(Pipeline(Retry(), inject), Scripted(["answer"])) == ["answer"]

    async def test_a_stream_can_break_after_some_items(self) -> None:
        inject = Inject("d", fault=ConnectionLost, after=2)
        with chaos(), pytest.raises(PartialOutput) as raised:
            await stream(Pipeline(inject), Scripted(["a", "b", "c"]))
        assert raised.value.delivered == ("a", "b")
        assert isinstance(raised.value.__cause__, ConnectionLost)

    async def test_a_stream_that_ends_sooner_is_left_alone(self, heard: list[Event]) -> None:
        inject = Inject("d", fault=ConnectionLost, after=4)
        with chaos():
            assert await stream(Pipeline(inject), Scripted(["a", "b", "c"])) == ["a", "b", "c"]
        assert heard == []

    async def test_a_cancellation_can_be_one(self) -> None:
        with chaos(), pytest.raises(asyncio.CancelledError):
            await acall(Pipeline(Inject("d", fault=asyncio.CancelledError)), Scripted("answer"))


class TestLatency:
    """A wait before the call."""

    @in_every_form
    async def test_the_call_is_made_after_it(self, ask: Ask, clock: FakeClock) -> None:
        with chaos():
            assert await ask(Pipeline(Inject("d", latency=2.5)), Scripted(["a"])) == ["a"]
        assert clock.slept == [2.5]

    async def test_a_deadline_cuts_it(self, clock: FakeClock) -> None:
        with chaos(), pytest.raises(DeadlineExceeded):
            await acall(Pipeline(Deadline(1), Inject("d", latency=60)), Scripted("answer"))

    @in_every_form
    async def test_it_goes_with_a_fault(
        self, ask: Ask, clock: FakeClock, heard: list[Event]
    ) -> None:
        with chaos(), pytest.raises(ConnectionLost):
            await ask(Pipeline(Inject("d", latency=5, fault=ConnectionLost)), Scripted("answer"))
        assert clock.slept == [5]
        effects = [event.effect for event in heard if isinstance(event, ChaosInjected)]
        assert effects == [ChaosEffect.LATENCY, ChaosEffect.FAULT]

    async def test_a_stream_can_stall_between_two_items(self, clock: FakeClock) -> None:
        begun = clock.now()
        pipeline = Pipeline(Inject("d", latency=5, after=1))
        with chaos():
            items = pipeline.stream(Scripted(["a", "b"]).stream)
            times = [round(clock.now() - begun, 3) async for _ in items]
        assert times == [0, 5]


class TestOutcome:
    """A value in place of the call."""

    @in_both_forms
    @pytest.mark.parametrize("value", ["other", None])
    async def test_the_call_is_not_made(self, ask: Ask, value: str | None) -> None:
        fetch = Scripted("answer")
        with chaos():
            assert await ask(Pipeline(Inject("d", outcome=value)), fetch) == value
        assert fetch.calls == []

    async def test_it_is_the_last_item_of_a_stream(self) -> None:
        with chaos():
            inject = Inject("d", outcome="x", after=1)
            assert await stream(Pipeline(inject), Scripted(["a", "b"])) == ["a", "x"]


class TestCorruption:
    """Something else in place of what came."""

    @in_both_forms
    async def test_a_result_is_replaced(self, ask: Ask) -> None:
        with chaos():
            pipeline = Pipeline(Inject("d", corrupt=lambda text: text[:3]))
            assert await ask(pipeline, Scripted("answer")) == "ans"

    async def test_each_item_of_a_stream_is(self, heard: list[Event]) -> None:
        with chaos():
            pipeline = Pipeline(Inject("d", corrupt=str.upper, after=1))
            assert await stream(pipeline, Scripted(["a", "b", "c"])) == ["a", "B", "C"]
        assert len(heard) == 1


class TestCut:
    """A stream that ends as though that were all."""

    async def test_what_came_is_all_there_is(self, heard: list[Event]) -> None:
        with chaos():
            pipeline = Pipeline(Inject("d", cut=True, after=1), name="ask")
            assert await stream(pipeline, Scripted(["a", "b"])) == ["a"]
        assert heard == [ChaosInjected(pipeline="ask", strategy="d", effect=ChaosEffect.CUT)]

    @in_both_forms
    async def test_nothing_happens_to_a_call(self, ask: Ask, heard: list[Event]) -> None:
        with chaos():
            assert await ask(Pipeline(Inject("d", cut=True)), Scripted("answer")) == "answer"
        assert heard == []


async def test_the_source_of_a_struck_stream_is_closed() -> None:
    """When it breaks, when it is cut, and when its consumer leaves."""
    closed: list[str] = []

    async def source(why: str) -> Any:
        try:
            for item in "abc":
                yield item
        finally:
            closed.append(why)

    with chaos():
        with pytest.raises(PartialOutput):
            async for _ in Pipeline(Inject("d", fault=ConnectionLost, after=1)).stream(
                source, "broken"
            ):
                pass
        async for _ in Pipeline(Inject("d", cut=True, after=1)).stream(source, "cut"):
            pass
        left = Pipeline(Inject("d", corrupt=str.upper)).stream(source, "left")
        async with aclosing(left) as items:
            async for _ in items:
                break
    assert closed == ["broken", "cut", "left"]


def test_every_strike_is_an_event(heard: list[Event]) -> None:
    with chaos():
        Pipeline(Inject("disk", outcome=1), name="ask").call(Scripted(2))
    assert heard == [ChaosInjected(pipeline="ask", strategy="disk", effect=ChaosEffect.OUTCOME)]


def test_it_prints_on_one_line() -> None:
    pipeline = Pipeline(
        Inject("disk", latency=2, fault=OSError, rate=0.25),
        Inject("net", cut=True, script=[True]),
        name="ask",
    )
    assert repr(pipeline) == "ask: Inject disk latency + fault 25% > Inject net cut by script"


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"name": "", "latency": 1}, "name"),
        ({}, "fault"),
        ({"fault": OSError, "outcome": 1}, "fault"),
        ({"corrupt": str, "cut": True}, "fault"),
        ({"fault": OSError()}, "fault"),
        ({"fault": int}, "fault"),
        ({"fault": NetworkError}, "fault"),  # it needs a reason
        ({"corrupt": "x"}, "corrupt"),
        ({"latency": -1, "cut": True}, "latency"),
        ({"latency": float("nan")}, "latency"),
        ({"cut": True, "after": -1}, "after"),
        ({"cut": True, "rate": 1.1}, "rate"),
        ({"cut": True, "rate": True}, "rate"),
        ({"cut": True, "script": "yes"}, "script"),
        ({"cut": True, "seed": "x"}, "seed"),
    ],
    ids=str,
)
def test_an_option_that_makes_no_sense_is_named(options: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationErrors) as raised:
        Inject(**{"name": "d", **options})
    assert [problem["field"] for problem in raised.value.errors] == [field]
