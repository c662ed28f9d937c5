"""Asking somebody else when a call has failed, and asking those first who can answer."""

import asyncio
import contextvars
import gc
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from math import inf
from typing import Any

import pytest

from stormproof.errors import (
    CapacityExceeded,
    CircuitOpen,
    InternalError,
    InvalidRequest,
    NetworkError,
    RateLimitExceeded,
    ServiceUnavailable,
    StormproofError,
    ValidationErrors,
)
from stormproof.recovery import (
    CircuitBreaker,
    CircuitState,
    ConsecutiveFailures,
    Deadline,
    Event,
    FailedOver,
    Failover,
    FailoverOrder,
    Fallback,
    GiveUpReason,
    Pipeline,
    RateLimit,
    Retry,
    RetryBudget,
    RetryGaveUp,
    Target,
    TargetHealth,
)
from stormproof.recovery.sharing.operations import CircuitReport
from stormproof.recovery.sharing.store import Operation, Store
from stormproof.testing import FakeClock, Scripted, Takes

CUT = NetworkError(reason="cut")
LIMITED = RateLimitExceeded(retry_after=30)


def quick(name: str, **options: Any) -> CircuitBreaker:
    """Return a breaker that opens with the first failure."""
    return CircuitBreaker(name, opens_on=ConsecutiveFailures(1), **options)


def state_of(breaker: CircuitBreaker) -> CircuitState:
    return breaker.state


def health_of(failover: Failover, name: str) -> TargetHealth:
    return next(health for health in failover.health() if health.name == name)


class Ask:
    """A failover over three scripted targets, asked as a function, a coroutine or a stream."""

    def __init__(self, form: str, *scripts: object, **options: Any) -> None:
        self.form = form
        self.sources = [
            script if isinstance(script, Scripted) else Scripted(script) for script in scripts
        ]
        names = ("primary", "replica", "cache")
        breakers: dict[str, CircuitBreaker] = options.pop("breakers", {})
        weights: dict[str, float] = options.pop("weights", {})
        refusals: dict[str, Callable[..., Exception | None]] = options.pop("refusals", {})
        outer, inner = options.pop("outer", []), options.pop("inner", [])
        self.failover = Failover(
            *(
                Target(
                    name,
                    None if name == "primary" else self._form_of(source),
                    breaker=breakers.get(name),
                    weight=weights.get(name, 1.0),
                    refuses=refusals.get(name),
                )
                for name, source in zip(names, self.sources, strict=False)
            ),
            **options,
        )
        self.pipeline = Pipeline(*outer, self.failover, *inner, name="ask")

    def _form_of(self, source: Scripted) -> Callable[..., Any]:
        return source if self.form == "call" else getattr(source, self.form)

    async def __call__(self, *args: Any) -> Any:
        primary = self._form_of(self.sources[0])
        if self.form == "call":
            return self.pipeline.call(primary, *args)
        if self.form == "acall":
            return await self.pipeline.acall(primary, *args)
        return [item async for item in self.pipeline.stream(primary, *args)]

    def calls(self) -> list[int]:
        """Return how often each target was called."""
        return [len(source.calls) for source in self.sources]


@pytest.fixture(params=["call", "acall", "stream"])
def form(request: pytest.FixtureRequest) -> str:
    """Every rule holds for functions, coroutines and streams."""
    return str(request.param)


class Elsewhere(Store):
    """A store in which somebody else moves the circuit."""

    def __init__(self, state: CircuitState) -> None:
        super().__init__("elsewhere", timeout=1, retry_after=1)
        self.generation = 0
        self.move(state)

    def move(self, state: CircuitState) -> None:
        self.state = state
        self.generation += 1

    def execute(self, operation: Operation[Any]) -> Any:
        wait = inf if self.state is CircuitState.ISOLATED else 0.0
        return CircuitReport(self.state, False, wait, self.generation)

    async def aexecute(self, operation: Operation[Any]) -> Any:
        return self.execute(operation)


def answer(form: str, text: str) -> Any:
    return [text] if form == "stream" else text


def at_most(length: int) -> Callable[[str], Exception | None]:
    """Refuse questions that are longer."""

    def refuses(question: str) -> Exception | None:
        too_long = InvalidRequest(reason=f"longer than {length}")
        return too_long if len(question) > length else None

    return refuses


class TestRefusals:
    """Who could not serve a call is passed over without one."""

    async def test_the_next_who_could_answers(self, form: str) -> None:
        refusals = {"primary": at_most(3), "replica": at_most(5)}
        scripts = (answer(form, "a"), answer(form, "b"), answer(form, "c"))
        ask = Ask(form, *scripts, refusals=refusals)
        answers = [await ask("x" * length) for length in (3, 4, 6)]
        assert answers == [answer(form, letter) for letter in "abc"]
        assert ask.calls() == [1, 1, 1]

    async def test_also_where_it_would_be_the_next(self, form: str) -> None:
        scripts = (NetworkError(reason="cut"), answer(form, "b"), answer(form, "c"))
        ask = Ask(form, *scripts, refusals={"replica": at_most(3)})
        assert await ask("long") == answer(form, "c")
        assert ask.calls() == [1, 0, 1]

    async def test_where_nobody_could_the_caller_learns_why(self, form: str) -> None:
        refusals = {name: at_most(3) for name in ("primary", "replica", "cache")}
        refusals["replica"] = at_most(2)
        ask = Ask(form, *[answer(form, "a")] * 3, refusals=refusals)
        with pytest.raises(InvalidRequest, match="longer than 3"):
            await ask("long")
        assert ask.calls() == [0, 0, 0]

    async def test_open_circuits_are_passed_over_among_those_who_could(
        self, form: str, clock: FakeClock
    ) -> None:
        """Where all of theirs are open, the caller gets the one that ends soonest."""
        breakers = {"replica": quick("replica"), "cache": quick("cache")}
        scripts = (answer(form, "a"), NetworkError(reason="b"), NetworkError(reason="c"))
        ask = Ask(form, *scripts, refusals={"primary": at_most(3)}, breakers=breakers)
        for _ in range(2):
            with pytest.raises(StormproofError):
                await ask("long")
            clock.advance(1)
        with pytest.raises(CircuitOpen) as caught:
            await ask("long")
        assert caught.value.circuit == "replica"
        assert ask.calls() == [0, 1, 1]

    def test_it_must_be_a_function(self) -> None:
        with pytest.raises(ValidationErrors, match="refuses"):
            Target("a", refuses=7)  # type: ignore[arg-type]


class TestAnswers:
    async def test_the_guarded_function_answers_while_it_can(self, form: str) -> None:
        ask = Ask(form, answer(form, "a"), answer(form, "b"))
        assert await ask("question") == answer(form, "a")
        assert ask.calls() == [1, 0]

    async def test_the_next_target_answers_with_the_same_arguments(self, form: str) -> None:
        ask = Ask(form, CUT, CUT, answer(form, "c"))
        assert await ask("question", 2) == answer(form, "c")
        assert [source.calls for source in ask.sources] == [[(("question", 2), {})]] * 3

    async def test_a_decorated_function_fails_over_too(self) -> None:
        failover = Failover(Target("primary"), Target("replica", Scripted("b")))

        @Pipeline(failover)
        async def ask(question: str) -> str:
            raise CUT

        assert await ask("question") == "b"
        assert [health.name for health in failover.health() if health.p50 is not None] == [
            "replica"
        ]

    async def test_a_sync_function_answers_for_a_coroutine(self) -> None:
        pipeline = Pipeline(Failover(Target("primary"), Target("cache", Scripted("cached"))))
        assert await pipeline.acall(Scripted(CUT).acall) == "cached"

    async def test_the_guarded_function_may_stand_anywhere(self) -> None:
        replica = Scripted("b")
        pipeline = Pipeline(Failover(Target("replica", replica), Target("primary")))
        assert pipeline.call(Scripted("a")) == "b"

    async def test_strategies_further_in_guard_the_guarded_function_alone(
        self, form: str, clock: FakeClock
    ) -> None:
        """The others bring their own pipelines."""
        ask = Ask(form, CUT, CUT, answer(form, "c"), inner=[Retry()])
        assert await ask() == answer(form, "c")
        assert ask.calls() == [3, 1, 1]

    async def test_the_ladder_of_the_seeds(self, form: str, clock: FakeClock) -> None:
        """Primary, replica, cache, a value."""
        replica_pipeline = Pipeline(Retry(attempts=2))
        replica, cache = Scripted(CUT), Scripted(InternalError(reason="nothing cached"))
        primary = Scripted(CUT)
        ladder = Pipeline(
            Fallback(value="default"),
            Deadline(30),
            Failover(
                Target("primary"),
                Target("replica", replica_pipeline(_form(replica, form))),
                Target("cache", _form(cache, form)),
            ),
            Retry(),
        )
        assert await _ask(ladder, primary, form) == answer(form, "default")
        assert [len(one.calls) for one in (primary, replica, cache)] == [3, 2, 1]


def _form(source: Scripted, form: str) -> Any:
    if form == "call":
        return source
    if form == "acall":

        async def acall(*args: Any) -> Any:
            return await source.acall(*args)

        return acall

    async def stream(*args: Any) -> AsyncGenerator[Any, None]:
        async for item in source.stream(*args):
            yield item

    return stream


async def _ask(pipeline: Pipeline, source: Scripted, form: str) -> Any:
    if form == "call":
        return pipeline.call(source)
    if form == "acall":
        return await pipeline.acall(source.acall)
    return [item async for item in pipeline.stream(source.stream)]


class TestWhichErrors:
    async def test_a_client_error_is_for_the_client(self, form: str) -> None:
        """Another target would refuse the same request, or worse, accept it."""
        wrong = InvalidRequest(reason="x")
        ask = Ask(form, wrong, answer(form, "b"))
        with pytest.raises(InvalidRequest) as raised:
            await ask()
        assert raised.value is wrong
        assert not hasattr(wrong, "__notes__")
        assert ask.calls() == [1, 0]

    async def test_that_of_a_later_target_ends_the_call_too(self, form: str) -> None:
        ask = Ask(form, CUT, InvalidRequest(reason="x"), answer(form, "c"))
        with pytest.raises(InvalidRequest) as raised:
            await ask()
        assert raised.value.__notes__ == [
            "ask, target primary: NetworkError: network error: cut",
            "ask, target replica: InvalidRequest: invalid request: x",
        ]
        assert ask.calls() == [1, 1, 0]

    async def test_which_ones_can_be_said(self, form: str) -> None:
        ask = Ask(form, KeyError(), answer(form, "b"), on=KeyError)
        assert await ask() == answer(form, "b")
        ask = Ask(form, CUT, answer(form, "b"), on=KeyError)
        with pytest.raises(NetworkError):
            await ask()

    @pytest.mark.parametrize("error", [KeyboardInterrupt(), StopAsyncIteration()], ids=repr)
    def test_control_flow_is_no_failure(self, error: BaseException) -> None:
        ask = Ask("call", error, "b", on=Exception)
        with pytest.raises(type(error)):
            ask.pipeline.call(ask.sources[0])
        assert ask.calls() == [1, 0]

    async def test_cancellation_is_no_outcome(self, clock: FakeClock) -> None:
        """No failover, no failure, no latency."""
        breaker = quick("primary")
        ask = Ask("acall", Takes(60), "b", breakers={"primary": breaker})
        task = asyncio.create_task(ask())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ask.calls() == [1, 0]
        assert state_of(breaker) is CircuitState.CLOSED
        assert health_of(ask.failover, "primary").p50 is None


class TestWhenAllFail:
    async def test_the_first_error_reaches_the_caller(self, form: str) -> None:
        """It is that of the one who was meant to answer."""
        errors = [NetworkError(reason=name) for name in "abc"]
        with pytest.raises(NetworkError) as raised:
            await Ask(form, *errors)()
        assert raised.value is errors[0]

    @pytest.mark.parametrize(
        ("errors", "best"),
        [
            ([InternalError(reason="bug"), CUT, LIMITED], 1),
            ([LIMITED, RateLimitExceeded(retry_after=9), RateLimitExceeded(retry_after=10)], 1),
            ([TypeError(), InternalError(reason="bug"), ConnectionResetError()], 2),
            ([TypeError(), InternalError(reason="bug"), ValueError()], 0),
        ],
        ids=["retriable", "soonest", "translated", "first"],
    )
    async def test_the_one_after_which_another_call_makes_sense_soonest(
        self, form: str, clock: FakeClock, errors: list[Exception], best: int
    ) -> None:
        with pytest.raises(type(errors[best])) as raised:
            await Ask(form, *errors)()
        assert raised.value is errors[best]

    async def test_retries_around_it_and_inside_do_not_multiply(
        self, form: str, clock: FakeClock
    ) -> None:
        ask = Ask(form, CUT, CUT, outer=[Retry()], inner=[Retry()])
        with pytest.raises(NetworkError):
            await ask()
        assert ask.calls() == [3, 1]

    async def test_notes_tell_what_became_of_every_target(self, form: str) -> None:
        """Secrets are blanked out."""
        leak = ServiceUnavailable(reason="bad key sk-proj-abcdefghijklmnopqrstuvwxyz0123456789")
        closed = CircuitBreaker("cache")
        closed.isolate()
        first = NetworkError(reason="cut")
        with pytest.raises(NetworkError) as raised:
            await Ask(form, first, leak, "never", breakers={"cache": closed})()
        told = raised.value.__notes__
        assert told[0] == "ask, target primary: NetworkError: network error: cut"
        assert told[1].startswith("ask, target replica: ServiceUnavailable: ")
        assert "abcdefgh" not in told[1]
        assert told[2:] == ["ask, target cache: not asked, its circuit is open"]

    def test_causes_are_kept(self) -> None:
        cause, context = ValueError("cause"), KeyError("context")

        def with_cause() -> None:
            raise NetworkError(reason="primary") from cause

        def with_context() -> None:
            try:
                raise context
            except KeyError:
                raise TypeError("replica")  # noqa: B904 - the context is what is tested

        for guarded, other in ((with_cause, with_context), (with_context, Scripted(TypeError()))):
            with pytest.raises((NetworkError, TypeError)) as raised:
                Pipeline(Failover(Target("a"), Target("b", other))).call(guarded)
            kept = raised.value.__cause__ or raised.value.__context__
            assert kept is (cause if guarded is with_cause else context)

    def test_the_notes_of_a_failover_further_in_are_kept(self) -> None:
        cut = NetworkError(reason="cut")
        inner = Pipeline(Failover(Target("a"), Target("b", Scripted(CUT))), name="inner")
        outer = Pipeline(Failover(Target("c"), Target("d", Scripted(CUT))), name="outer")
        with pytest.raises(NetworkError) as raised:
            outer.call(inner(Scripted(cut)))
        assert raised.value is cut
        assert [note.split(":")[0] for note in cut.__notes__] == [
            "inner, target a",
            "inner, target b",
            "outer, target c",
            "outer, target d",
        ]

    def test_notes_on_an_error_used_again_do_not_grow(self) -> None:
        same = NetworkError(reason="one object")
        same.add_note("somebody else's")
        ask = Ask("call", same, same)
        for _ in range(3):
            with pytest.raises(NetworkError):
                ask.pipeline.call(ask.sources[0])
        assert len(same.__notes__) == 3

    async def test_a_failed_call_leaves_no_garbage(self, form: str) -> None:
        """Errors are freed with the call: their tracebacks and its frame form no cycle."""
        freed: list[int] = []

        class Cut(ConnectionError):
            def __del__(self) -> None:
                freed.append(1)

        class Cuts(Scripted):
            def _next(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
                raise Cut

        for last, count in ((Cuts("x"), 3), (Scripted(answer(form, "c")), 2)):
            freed.clear()
            ask = Ask(form, Cuts("x"), Cuts("x"), last)
            gc.collect()
            gc.disable()
            try:
                with suppress(Cut):
                    await ask()
                assert len(freed) == count
            finally:
                gc.enable()


class TestHealth:
    async def test_an_open_circuit_is_passed_over(
        self, form: str, clock: FakeClock, heard: list[Event]
    ) -> None:
        """Without a rejection: nothing was turned away."""
        primary = Scripted(CUT, CUT, answer(form, "a"))
        ask = Ask(form, primary, answer(form, "b"), breakers={"primary": quick("primary")})
        for _ in range(3):
            assert await ask() == answer(form, "b")
        assert ask.calls() == [1, 3]
        assert [type(event).__name__ for event in heard] == ["CircuitOpened", "FailedOver"]

    async def test_a_target_whose_break_is_over_is_probed(
        self, form: str, clock: FakeClock
    ) -> None:
        primary = Scripted(CUT, answer(form, "a"))
        ask = Ask(form, primary, answer(form, "b"), breakers={"primary": quick("primary")})
        assert await ask() == answer(form, "b")
        clock.advance(60)
        assert await ask() == answer(form, "a")
        assert health_of(ask.failover, "primary").state is CircuitState.CLOSED

    async def test_where_every_circuit_is_open_the_caller_gets_the_one_that_ends_soonest(
        self, form: str, clock: FakeClock
    ) -> None:
        breakers = {
            "primary": quick("primary", open_for=60),
            "replica": quick("replica", open_for=20),
            "cache": quick("cache", open_for=40),
        }
        ask = Ask(form, CUT, CUT, CUT, breakers=breakers)
        with pytest.raises(NetworkError):
            await ask()
        clock.advance(5)
        with pytest.raises(CircuitOpen) as raised:
            await ask()
        assert raised.value.circuit == "replica"
        assert raised.value.retry_after == pytest.approx(15)
        assert not hasattr(raised.value, "__notes__")
        assert ask.calls() == [1, 1, 1]

    async def test_a_race_for_a_probe_that_is_lost_is_no_call(
        self, form: str, clock: FakeClock
    ) -> None:
        """Between the look at a circuit and the call somebody else begins the probe."""
        breaker, budget = quick("primary"), RetryBudget(0, floor=0.1, window=10)
        with pytest.raises(NetworkError):
            Pipeline(breaker).call(Scripted(CUT))
        clock.advance(60)

        def draw() -> float:
            if breaker.retry_after == 0:
                breaker.gate().enter("somebody else")
            return 0.0

        ask = Ask(
            form,
            answer(form, "a"),
            answer(form, "b"),
            breakers={"primary": breaker},
            budget=budget,
            order=FailoverOrder.WEIGHTED,
        )
        with FakeClock(random=draw) as later:
            later.advance(60)
            assert await ask() == answer(form, "b")
            assert ask.calls() == [0, 1]
            assert budget.balance == pytest.approx(1)

    async def test_a_target_that_asked_for_a_rest_goes_last_until_it_is_over(
        self, form: str, clock: FakeClock
    ) -> None:
        primary = Scripted(LIMITED, answer(form, "a"))
        ask = Ask(form, primary, answer(form, "b"))
        assert await ask() == answer(form, "b")
        clock.advance(29)
        assert await ask() == answer(form, "b")
        assert health_of(ask.failover, "primary").retry_after == pytest.approx(1)
        clock.advance(1)
        assert await ask() == answer(form, "a")
        assert ask.calls() == [2, 2]

    async def test_targets_that_rest_are_asked_when_nobody_else_is_left(
        self, form: str, clock: FakeClock
    ) -> None:
        """The shortest rest first; one who answers is healthy again."""
        ask = Ask(
            form,
            LIMITED,
            Scripted(RateLimitExceeded(retry_after=10), answer(form, "b")),
            CUT,
        )
        with pytest.raises(NetworkError):
            await ask()
        assert await ask() == answer(form, "b")
        assert ask.calls() == [1, 2, 2]
        assert health_of(ask.failover, "replica").retry_after == 0
        assert health_of(ask.failover, "primary").retry_after == pytest.approx(30)

    @pytest.mark.parametrize("nonsense", [float("nan"), -1.0, 0.0])
    def test_a_rest_that_makes_no_sense_is_none(self, nonsense: float) -> None:
        ask = Ask("call", RateLimitExceeded(retry_after=nonsense), "b")
        assert ask.pipeline.call(ask.sources[0]) == "b"
        assert health_of(ask.failover, "primary").retry_after == 0

    def test_a_rest_is_a_day_at_most(self, clock: FakeClock) -> None:
        ask = Ask("call", RateLimitExceeded(retry_after=1e9), "b")
        ask.pipeline.call(ask.sources[0])
        assert health_of(ask.failover, "primary").retry_after == pytest.approx(86_400)

    async def test_an_answer_to_a_call_from_before_is_not_the_end_of_a_rest(
        self, clock: FakeClock
    ) -> None:
        """At the limit of a provider some calls are still answered, and others refused."""
        primary = Scripted(Takes(2, "a"), Takes(1, LIMITED))
        ask = Ask("acall", primary, "b")
        assert list(await asyncio.gather(ask(), ask())) == ["a", "b"]
        assert health_of(ask.failover, "primary").retry_after == pytest.approx(29)

    def test_to_be_busy_opens_no_circuit(self, clock: FakeClock) -> None:
        """It is not to be broken; a breaker of one's own may see it otherwise."""
        ask = Ask("call", LIMITED, CapacityExceeded(resource="places", limit=8))
        for _ in range(10):
            with pytest.raises(CapacityExceeded):
                ask.pipeline.call(ask.sources[0])
        assert {health.state for health in ask.failover.health()} == {CircuitState.CLOSED}
        ask = Ask("call", InvalidRequest(reason="x"), CUT)
        for _ in range(10):
            with pytest.raises(InvalidRequest):
                ask.pipeline.call(ask.sources[0])
        assert health_of(ask.failover, "primary").state is CircuitState.CLOSED
        ask = Ask("call", CUT, CUT)
        for _ in range(5):
            with pytest.raises(NetworkError):
                ask.pipeline.call(ask.sources[0])
        assert {health.state for health in ask.failover.health()} == {CircuitState.OPEN}

    def test_a_breaker_further_in_makes_its_target_rest(self, clock: FakeClock) -> None:
        """Its rejection says how long."""
        inner = quick("database")
        ask = Ask("call", CUT, "b", inner=[Retry(attempts=1), inner])
        for _ in range(3):
            assert ask.pipeline.call(ask.sources[0]) == "b"
        assert ask.calls() == [1, 3]
        assert health_of(ask.failover, "primary").state is CircuitState.CLOSED
        assert health_of(ask.failover, "primary").retry_after == pytest.approx(60)

    async def test_what_is_too_much_for_one_target_goes_to_the_next(
        self, form: str, clock: FakeClock
    ) -> None:
        limit = RateLimit("primary", permits=1, period=10, max_wait=0)
        ask = Ask(form, answer(form, "a"), answer(form, "b"), inner=[Retry(), limit])
        assert [await ask() for _ in range(4)] == [answer(form, one) for one in "abbb"]
        clock.advance(10)
        assert await ask() == answer(form, "a")
        assert clock.slept == []

    def test_a_breaker_can_be_shared_with_other_pipelines(self, clock: FakeClock) -> None:
        shared = quick("openai")
        with pytest.raises(NetworkError):
            Pipeline(shared).call(Scripted(CUT))
        ask = Ask("call", "a", "b", breakers={"primary": shared})
        assert ask.pipeline.call(ask.sources[0]) == "b"

    async def test_a_circuit_isolated_for_all_processes_is_asked_whether_it_still_is(
        self, form: str
    ) -> None:
        """Only a call learns that it was closed elsewhere."""
        elsewhere = Elsewhere(CircuitState.ISOLATED)
        shared = CircuitBreaker("primary", store=elsewhere)
        ask = Ask(form, answer(form, "a"), answer(form, "b"), breakers={"primary": shared})
        for _ in range(2):
            assert await ask() == answer(form, "b")
            assert health_of(ask.failover, "primary").retry_after is None
        elsewhere.move(CircuitState.CLOSED)
        assert await ask() == answer(form, "a")
        assert health_of(ask.failover, "primary").retry_after == 0
        assert ask.calls() == [1, 2]

    async def test_latencies_are_those_of_answers(self, form: str, clock: FakeClock) -> None:
        """A failure may be quick; a stream has answered with its first item."""
        slow = [Takes(2, "a"), Takes(9, "b")] if form == "stream" else Takes(2, "a")
        ask = Ask(form, Scripted(Takes(1, CUT), *[slow] * 20), Takes(3, "b"))
        for _ in range(20):
            await ask()
        primary = health_of(ask.failover, "primary")
        assert primary.p50 == pytest.approx(2)
        assert primary.p95 is None
        await ask()
        assert health_of(ask.failover, "primary").p95 == pytest.approx(2)
        assert health_of(ask.failover, "replica").p50 == pytest.approx(3)

    def test_it_is_told_in_listed_order(self) -> None:
        isolated = CircuitBreaker("b")
        isolated.isolate()
        failover = Failover(Target("a"), Target("b", len, breaker=isolated))
        nothing: dict[str, None] = {"p50": None, "p95": None}
        assert failover.health() == (
            TargetHealth(name="a", state=CircuitState.CLOSED, retry_after=0, **nothing),
            TargetHealth(name="b", state=CircuitState.ISOLATED, retry_after=None, **nothing),
        )


class TestOrder:
    async def test_weighted_draws_without_replacement(self, form: str) -> None:
        draws = iter([0.74, 0.49, 0.5])  # of 4: in the second's part; of 2: in the first's; of 1
        weights = {"primary": 1.0, "replica": 2.0, "cache": 1.0}
        cut = NetworkError(reason="cut")
        ask = Ask(form, cut, cut, cut, weights=weights, order=FailoverOrder.WEIGHTED)
        with FakeClock(random=lambda: next(draws)), pytest.raises(NetworkError) as raised:
            await ask()
        order = [note.split()[2] for note in raised.value.__notes__]
        assert order == ["replica:", "primary:", "cache:"]

    def test_a_target_without_weight_is_the_last_resort(self) -> None:
        weights = {"primary": 0.0, "replica": 3.0, "cache": 0.0}
        ask = Ask("call", "a", CUT, "c", weights=weights, order=FailoverOrder.WEIGHTED)
        with FakeClock(random=lambda: 0.0):
            assert ask.pipeline.call(ask.sources[0]) == "a"
        assert ask.calls() == [1, 1, 0]

    def test_draws_follow_the_weights(self, clock: FakeClock) -> None:
        ask = Ask(
            "call",
            "a",
            "b",
            weights={"primary": 3.0, "replica": 1.0},
            order=FailoverOrder.WEIGHTED,
        )
        with FakeClock():
            for _ in range(1000):
                ask.pipeline.call(ask.sources[0])
        assert ask.calls()[0] == pytest.approx(750, abs=50)

    async def test_fastest_asks_the_least_median_after_trying_each(
        self, form: str, clock: FakeClock
    ) -> None:
        def takes(seconds: float) -> Any:
            return [Takes(seconds, "x")] if form == "stream" else Takes(seconds, "x")

        ask = Ask(form, takes(3), takes(1), takes(2), order=FailoverOrder.FASTEST)
        story = []
        for _ in range(5):
            await ask()
            story.append(ask.calls())
        assert story == [[1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 2, 1], [1, 3, 1]]

    def test_fastest_leaves_the_last_resort_to_the_last_however_fast_it_is(
        self, clock: FakeClock
    ) -> None:
        weights = {"replica": 0.0, "cache": 0.0}
        ask = Ask("call", Takes(3), "b", "c", weights=weights, order=FailoverOrder.FASTEST)
        for _ in range(3):
            ask.pipeline.call(ask.sources[0])
        assert ask.calls() == [3, 0, 0]

    @pytest.mark.parametrize(("draw", "calls"), [(0.019, [1, 3]), (0.02, [3, 1])])
    def test_one_call_in_fifty_goes_to_any_so_that_a_faster_one_is_noticed(
        self, draw: float, calls: list[int]
    ) -> None:
        draws = iter([1.0, 1.0, draw, 1.0])
        replica = Scripted(Takes(2), Takes(0))
        ask = Ask("call", Takes(1), replica, order=FailoverOrder.FASTEST)
        with FakeClock(random=lambda: next(draws)):
            for _ in range(4):
                ask.pipeline.call(ask.sources[0])
        assert ask.calls() == calls


class TestBounds:
    async def test_no_target_is_begun_when_no_time_is_left(self, clock: FakeClock) -> None:
        ask = Ask("call", Takes(2, CUT), "b", outer=[Deadline(1)])
        with pytest.raises(NetworkError) as raised:
            await ask()
        assert ask.calls() == [1, 0]
        assert raised.value.__notes__[-1] == "ask, target replica: not asked, no time is left"

    async def test_what_is_left_of_the_deadline_holds_for_the_next(self, clock: FakeClock) -> None:
        ask = Ask("acall", Takes(2, CUT), Takes(2, "b"), outer=[Deadline(3)])
        with pytest.raises(TimeoutError):
            await ask()
        assert ask.calls() == [1, 1]

    async def test_a_budget_bounds_the_further_targets(self, form: str, clock: FakeClock) -> None:
        budget = RetryBudget(0, floor=0.2, window=10)  # two, and one in five seconds
        ask = Ask(form, CUT, answer(form, "b"), budget=budget)
        assert await ask() == await ask() == answer(form, "b")
        with pytest.raises(NetworkError) as raised:
            await ask()
        assert ask.calls() == [3, 2]
        assert raised.value.__notes__[-1] == "ask, target replica: not asked, the budget is spent"

    async def test_the_first_target_is_free_whichever_it_is(
        self, form: str, clock: FakeClock
    ) -> None:
        budget = RetryBudget(0, floor=0.1, window=10)
        closed = CircuitBreaker("primary")
        closed.isolate()
        ask = Ask(form, CUT, answer(form, "b"), budget=budget, breakers={"primary": closed})
        assert await ask() == answer(form, "b")
        assert budget.balance == pytest.approx(1)

    async def test_every_success_earns(self, form: str, clock: FakeClock) -> None:
        budget = RetryBudget(0.2, floor=0, window=10)
        ask = Ask(form, answer(form, "a"), answer(form, "b"), budget=budget)
        await ask()
        assert budget.balance == pytest.approx(0.2)

    def test_retries_and_failovers_share_a_budget(self, clock: FakeClock) -> None:
        budget = RetryBudget()
        ask = Ask("call", CUT, CUT, CUT, budget=budget, inner=[Retry(budget=budget)])
        for _ in range(200):
            with pytest.raises(StormproofError):
                ask.pipeline.call(ask.sources[0])
        assert sum(ask.calls()) <= 240


class TestStreams:
    async def test_after_the_first_item_a_failure_is_passed_on(self, clock: FakeClock) -> None:
        breaker = quick("primary", open_for=20)
        ask = Ask("stream", ["a", LIMITED], ["b"], breakers={"primary": breaker})
        items = ask.pipeline.stream(ask.sources[0].stream)
        assert await anext(items) == "a"
        assert state_of(breaker) is CircuitState.CLOSED
        with pytest.raises(StormproofError) as raised:
            await anext(items)
        assert LIMITED in {raised.value, raised.value.__cause__}
        assert ask.calls() == [1, 0]
        assert state_of(breaker) is CircuitState.OPEN  # it counts at its end
        assert health_of(ask.failover, "primary").retry_after == pytest.approx(30)  # it asked

    async def test_an_empty_stream_is_an_answer(self) -> None:
        assert await Ask("stream", [], ["b"])() == []

    async def test_a_stream_closed_by_its_consumer_closes_its_source(
        self, clock: FakeClock
    ) -> None:
        closed: list[str] = []

        async def source() -> AsyncGenerator[str, None]:
            try:
                yield "a"
                yield "b"
            finally:
                await asyncio.sleep(0)
                closed.append("source")

        breaker = quick("primary")
        failover = Failover(
            Target("primary", breaker=breaker), Target("replica", Scripted(["b"]).stream)
        )
        async with aclosing(Pipeline(failover).stream(source)) as items:
            assert await anext(items) == "a"
        assert closed == ["source"]
        assert state_of(breaker) is CircuitState.CLOSED

    async def test_the_source_that_failed_is_closed_before_the_next_is_asked(self) -> None:
        story: list[str] = []

        async def primary() -> AsyncGenerator[str, None]:
            try:
                raise CUT
                yield "never"
            finally:
                story.append("closed")

        async def replica() -> AsyncGenerator[str, None]:
            story.append("asked")
            yield "b"

        pipeline = Pipeline(Failover(Target("primary"), Target("replica", replica)))
        assert [item async for item in pipeline.stream(primary)] == ["b"]
        assert story == ["closed", "asked"]


class TestHandingOver:
    """A wait that an error asks for is handed over, not slept, while somebody else could answer."""

    async def test_a_retry_inside_gives_up_at_once(
        self, form: str, clock: FakeClock, heard: list[Event]
    ) -> None:
        limited = RateLimitExceeded(retry_after=5)
        ask = Ask(form, limited, answer(form, "b"), inner=[Retry()])
        assert await ask() == answer(form, "b")
        assert (clock.slept, ask.calls()) == ([], [1, 1])
        gave_up, failed_over = heard[-2:]
        assert isinstance(gave_up, RetryGaveUp)
        assert gave_up.reason is GiveUpReason.HANDED_OVER
        assert failed_over == FailedOver(
            pipeline="ask", strategy="failover", target="primary", to="replica", error=limited
        )

    async def test_so_does_one_in_the_pipeline_of_another_target(
        self, form: str, clock: FakeClock
    ) -> None:
        replica = Scripted(RateLimitExceeded(retry_after=5))
        failover = Failover(
            Target("primary"),
            Target("replica", Pipeline(Retry())(_form(replica, form))),
            Target("cache", _form(Scripted(answer(form, "c")), form)),
        )
        assert await _ask(Pipeline(failover), Scripted(CUT), form) == answer(form, "c")
        assert (clock.slept, len(replica.calls)) == ([], 1)

    async def test_the_last_target_has_nobody_to_hand_over_to(
        self, form: str, clock: FakeClock
    ) -> None:
        replica = Scripted(RateLimitExceeded(retry_after=5), answer(form, "b"))
        failover = Failover(
            Target("primary"), Target("replica", Pipeline(Retry())(_form(replica, form)))
        )
        assert await _ask(Pipeline(failover), Scripted(CUT), form) == answer(form, "b")
        assert clock.slept == [5]

    async def test_nobody_healthy_is_nobody(self, form: str, clock: FakeClock) -> None:
        closed = CircuitBreaker("replica")
        closed.isolate()
        primary = Scripted(RateLimitExceeded(retry_after=5), answer(form, "a"))
        ask = Ask(form, primary, CUT, inner=[Retry()], breakers={"replica": closed})
        assert await ask() == answer(form, "a")
        assert clock.slept == [5]

    async def test_a_spent_budget_hands_nothing_over(self, form: str, clock: FakeClock) -> None:
        primary = Scripted(RateLimitExceeded(retry_after=5), answer(form, "a"))
        ask = Ask(form, primary, CUT, inner=[Retry()], budget=RetryBudget(0, floor=0))
        assert await ask() == answer(form, "a")
        assert clock.slept == [5]

    async def test_an_error_that_does_not_fail_over_is_waited_for(
        self, form: str, clock: FakeClock
    ) -> None:
        primary = Scripted(RateLimitExceeded(retry_after=5), answer(form, "a"))
        ask = Ask(form, primary, CUT, inner=[Retry()], on=NetworkError)
        assert await ask() == answer(form, "a")
        assert clock.slept == [5]

    async def test_a_wait_no_longer_than_the_retry_would_wait_anyway_is_waited(
        self, form: str, clock: FakeClock
    ) -> None:
        primary = Scripted(RateLimitExceeded(retry_after=0.1), CUT, answer(form, "a"))
        ask = Ask(form, primary, CUT, inner=[Retry(initial_delay=0.1)])
        assert await ask() == answer(form, "a")
        assert clock.slept == [0.1, 0.1]

    def test_a_failover_further_out_takes_over_when_none_is_left_further_in(
        self, clock: FakeClock
    ) -> None:
        retried = Scripted(RateLimitExceeded(retry_after=5))
        inner = Pipeline(
            Failover(Target("a"), Target("b", Pipeline(Retry())(retried))), name="inner"
        )(Scripted(CUT))
        outer = Pipeline(Failover(Target("inner"), Target("outer", Scripted("c"))))
        assert outer.call(inner) == "c"
        assert (clock.slept, len(retried.calls)) == ([], 1)

    async def test_nothing_is_on_offer_once_the_call_is_over(
        self, form: str, clock: FakeClock
    ) -> None:
        ask = Ask(form, answer(form, "a"), answer(form, "b"))
        await ask()
        assert (
            Pipeline(Retry()).call(Scripted(RateLimitExceeded(retry_after=5), "later")) == "later"
        )
        assert clock.slept == [5]

    async def test_nothing_is_on_offer_to_a_task_that_outlives_the_call(
        self, clock: FakeClock
    ) -> None:
        busy = RateLimitExceeded(limit=1, window=1, retry_after=5.0)
        record = Pipeline(Retry())(Scripted(busy, "recorded").acall)

        async def ask() -> "asyncio.Task[Any]":
            return asyncio.create_task(record())

        failover = Failover(Target("one"), Target("other", Scripted("b").acall))
        assert await (await Pipeline(failover).acall(ask)) == "recorded"

    async def test_nothing_is_on_offer_between_the_items_of_a_stream(
        self, clock: FakeClock
    ) -> None:
        """The body of a generator runs in the context of its consumer."""
        ask = Ask("stream", ["a", "b"], ["c"])
        async with aclosing(ask.pipeline.stream(ask.sources[0].stream)) as items:
            await anext(items)
            limited = Scripted(RateLimitExceeded(retry_after=5), "later")
            assert Pipeline(Retry()).call(limited) == "later"
        assert clock.slept == [5]


def test_fifty_threads_make_one_probe_and_the_others_are_answered_by_the_next(
    clock: FakeClock,
) -> None:
    """A race for the probe that is lost is no failed call, and costs nothing of the budget."""
    breaker, budget = quick("primary"), RetryBudget(0, floor=0.1, window=10)
    with pytest.raises(NetworkError):
        Pipeline(breaker).call(Scripted(CUT))
    clock.advance(60)
    start, all_called = threading.Barrier(50), threading.Barrier(50)
    answers: list[str] = []

    def primary() -> str:
        all_called.wait()  # the probe is out until everybody else is with the replica
        return "a"

    def replica() -> str:
        all_called.wait()
        return "b"

    failover = Failover(
        Target("primary", breaker=breaker), Target("replica", replica), budget=budget
    )
    guarded = Pipeline(failover)(primary)

    def run() -> None:
        start.wait()
        answers.append(guarded())

    threads = [
        threading.Thread(target=contextvars.copy_context().run, args=(run,)) for _ in range(50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["a"] + ["b"] * 49
    assert budget.balance == pytest.approx(1)


def test_using_another_target_is_an_event(heard: list[Event]) -> None:
    ask = Ask("call", CUT, CUT, "c", name="spread")
    ask.pipeline.call(ask.sources[0])
    common: Any = {"pipeline": "ask", "strategy": "spread", "error": CUT}
    assert heard == [
        FailedOver(target="primary", to="replica", **common),
        FailedOver(target="replica", to="cache", **common),
    ]


def test_it_prints_as_one_phrase() -> None:
    targets = Target("a"), Target("b", len)
    assert str(Failover(*targets)) == "Failover a, b"
    assert str(Failover(*targets, order=FailoverOrder.FASTEST)) == "Failover fastest a, b"


@pytest.mark.parametrize(
    "targets",
    [
        (),
        (Target("a"), Target("a", len)),
        (Target("a"), Target("b")),
        (Target("a", len), Target("b", len)),
        (Target("a"), len),
        (Target("a"), *(Target(str(number), len) for number in range(64))),
    ],
    ids=["none", "namesakes", "two guarded", "none guarded", "no target", "many"],
)
def test_targets_that_make_no_ladder_are_refused(targets: tuple[Any, ...]) -> None:
    with pytest.raises(ValidationErrors) as raised:
        Failover(*targets)
    assert {problem["field"] for problem in raised.value.errors} == {"targets"}


def test_all_wrong_options_are_named_together() -> None:
    with pytest.raises(ValidationErrors) as raised:
        Failover(
            order="listed",  # type: ignore[arg-type]
            budget=5,  # type: ignore[arg-type]
            on=int,  # type: ignore[arg-type]
        )
    found = [problem["field"] for problem in raised.value.errors]
    assert found == ["targets", "targets", "order", "budget", "on"]
    with pytest.raises(ValidationErrors) as raised:
        Target("", 5, weight=-1, breaker=5)  # type: ignore[arg-type]
    found = [problem["field"] for problem in raised.value.errors]
    assert found == ["name", "call", "weight", "breaker"]
