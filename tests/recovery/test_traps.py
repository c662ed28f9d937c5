"""Where resilience libraries were seen to fail: under load, over time, and in combination."""

import asyncio
import contextvars
import gc
import sys
import threading
import time
import traceback
from collections.abc import Callable
from itertools import permutations
from typing import Any, Literal, get_args

import pytest

from stormproof.errors import CircuitOpen, NetworkError
from stormproof.recovery import (
    AdaptiveLimit,
    Bulkhead,
    CircuitBreaker,
    CircuitState,
    ConsecutiveFailures,
    Deadline,
    Failover,
    Fallback,
    Hedge,
    IdleTimeout,
    Inject,
    PerKey,
    Pipeline,
    Quota,
    RateLimit,
    Restart,
    Resume,
    Retry,
    Strategy,
    Target,
    WorkerThreads,
    attempts,
)
from stormproof.testing import FakeClock, Scripted, Takes

CUT = NetworkError(reason="cut")


def half_open(clock: FakeClock, probes: int) -> CircuitBreaker:
    breaker = CircuitBreaker("dependency", opens_on=ConsecutiveFailures(1), probes=probes)
    with pytest.raises(NetworkError):
        Pipeline(breaker).call(Scripted(CUT))
    clock.advance(60)
    return breaker


@pytest.mark.parametrize("probes", [1, 3])
async def test_100_tasks_make_exactly_the_probes(clock: FakeClock, probes: int) -> None:
    fetch = Scripted(Takes(1, CUT))
    pipeline = Pipeline(half_open(clock, probes))
    ends = await asyncio.gather(
        *(pipeline.acall(fetch.acall) for _ in range(100)), return_exceptions=True
    )
    assert len(fetch.calls) == probes
    assert sum(isinstance(end, CircuitOpen) for end in ends) == 100 - probes


@pytest.mark.parametrize("probes", [1, 3])
def test_50_threads_make_exactly_the_probes(clock: FakeClock, probes: int) -> None:
    breaker = half_open(clock, probes)
    start = threading.Barrier(50)
    all_met = threading.Barrier(50 + 1)
    calls: list[int] = []

    def probe() -> None:
        calls.append(1)
        all_met.wait()  # a probe is out until everybody else was turned away
        raise CUT

    guarded = Pipeline(breaker)(probe)

    def run() -> None:
        start.wait()
        try:
            guarded()
        except CircuitOpen:
            all_met.wait()
        except NetworkError:
            pass

    threads = [
        threading.Thread(target=contextvars.copy_context().run, args=(run,)) for _ in range(50)
    ]
    for thread in threads:
        thread.start()
    all_met.wait()
    for thread in threads:
        thread.join()
    assert len(calls) == probes
    assert breaker.state is CircuitState.OPEN


async def test_a_late_result_of_an_old_period_is_ignored(clock: FakeClock) -> None:
    """Of two probes one fails; the other's success comes when the next period has begun."""
    breaker = half_open(clock, probes=2)
    pipeline = Pipeline(breaker)
    late = asyncio.Event()
    slow = asyncio.create_task(pipeline.acall(late.wait))
    await asyncio.sleep(0)
    with pytest.raises(NetworkError):
        pipeline.call(Scripted(CUT))
    clock.advance(60)
    held = asyncio.create_task(pipeline.acall(asyncio.Event().wait))
    await asyncio.sleep(0)
    late.set()
    await slow
    assert breaker.state is CircuitState.HALF_OPEN
    held.cancel()


async def test_a_late_failure_of_a_closed_period_does_not_open_the_next(clock: FakeClock) -> None:
    breaker = CircuitBreaker("dependency", opens_on=ConsecutiveFailures(1))
    slow = asyncio.create_task(Pipeline(breaker).acall(Scripted(Takes(90, CUT)).acall))
    await asyncio.sleep(0)
    breaker.close()  # a new period
    with pytest.raises(NetworkError):
        await slow
    assert breaker.state is CircuitState.CLOSED


async def test_a_hung_probe_gives_its_slot_back(clock: FakeClock) -> None:
    breaker = half_open(clock, probes=1)
    pipeline = Pipeline(breaker)
    hung = asyncio.create_task(pipeline.acall(asyncio.Event().wait))
    await asyncio.sleep(0)
    with pytest.raises(CircuitOpen) as raised:
        pipeline.call(Scripted("answer"))
    assert raised.value.retry_after == pytest.approx(breaker.probe_lease)
    clock.advance(breaker.probe_lease)
    assert pipeline.call(Scripted("answer")) == "answer"
    assert breaker.state is CircuitState.CLOSED
    hung.cancel()


def test_no_lock_is_held_during_a_call() -> None:
    """Ten calls are out at once: the barrier would break if each waited for the one before."""
    barrier = threading.Barrier(10)
    guarded = Pipeline(CircuitBreaker("dependency"))(lambda: barrier.wait(timeout=30))
    threads = [threading.Thread(target=guarded) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not barrier.broken


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_jump_of_the_wall_clock_changes_nothing(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    breaker = half_open(clock, probes=1)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + hours * 3600)
    assert Pipeline(breaker).call(Scripted("answer")) == "answer"
    with pytest.raises(NetworkError):
        Pipeline(breaker).call(Scripted(CUT))
    monkeypatch.setattr(time, "time", lambda: real() - hours * 3600)
    clock.advance(59)
    with pytest.raises(CircuitOpen) as raised:
        Pipeline(breaker).call(Scripted("answer"))
    assert raised.value.retry_after == pytest.approx(1)


def test_100_000_rejections_leave_nothing_behind() -> None:
    """Every rejection is an error of its own, with the frames of its own call and no more."""
    breaker = CircuitBreaker("dependency")
    breaker.isolate()
    guarded = Pipeline(breaker)(Scripted("answer"))

    def reject() -> int:
        try:
            guarded()
        except CircuitOpen as error:
            return sum(1 for _ in traceback.walk_tb(error.__traceback__))
        return 0

    depths = {reject() for _ in range(100)}
    gc.collect()
    before = sys.getallocatedblocks()
    depths |= {reject() for _ in range(100_000)}
    gc.collect()
    assert len(depths) == 1
    assert sys.getallocatedblocks() - before < 1_000


STRATEGIES: dict[str, Callable[[], Strategy]] = {
    "retry": lambda: Retry(attempts=2),
    "deadline": lambda: Deadline(10),
    "breaker": lambda: CircuitBreaker("dependency", opens_on=ConsecutiveFailures(2)),
    "fallback": lambda: Fallback(value="sorry"),
}


@pytest.mark.parametrize(("outer", "inner"), list(permutations(STRATEGIES, 2)))
async def test_every_pair_of_strategies_composes_in_both_orders(
    clock: FakeClock, outer: str, inner: str
) -> None:
    """Success passes through; a lasting failure meets the outer strategy with the inner's end."""

    def pipeline() -> Pipeline:
        return Pipeline(STRATEGIES[outer](), STRATEGIES[inner]())

    assert pipeline().call(Scripted("answer")) == "answer"
    assert await pipeline().acall(Scripted("answer").acall) == "answer"
    assert [item async for item in pipeline().stream(Scripted(["a", "b"]).stream)] == ["a", "b"]

    calls = 1 if "retry" not in {outer, inner} or (outer, inner) == ("retry", "fallback") else 2
    for form in ("call", "acall", "stream"):
        fetch = Scripted(CUT) if form != "stream" else Scripted([CUT])
        end = await _end_of(pipeline(), fetch, form)
        assert len(fetch.calls) == calls
        if "fallback" in {outer, inner}:
            assert end == "sorry"
        else:
            assert end is CUT
            assert len(attempts(CUT)) == (2 if "retry" in {outer, inner} else len(attempts(CUT)))


Form = Literal["call", "acall", "stream"]

EVERY_STRATEGY: dict[str, Callable[[Form], Strategy]] = {
    "adaptive limit": lambda _: AdaptiveLimit("dependency"),
    "breaker": lambda _: CircuitBreaker("dependency"),
    "bulkhead": lambda _: Bulkhead("dependency", limit=1),
    "deadline": lambda _: Deadline(10),
    "failover": lambda form: Failover(Target("first"), Target("second", _function(form, CUT))),
    "fallback": lambda _: Fallback(value="sorry"),
    "hedge": lambda _: Hedge(delay=1.0, threads=WorkerThreads(2)),
    "idle timeout": lambda _: IdleTimeout(10),
    "inject": lambda _: Inject("dependency", fault=OSError),
    "per key": lambda _: PerKey(lambda *_: "key", CircuitBreaker),
    "quota": lambda _: Quota("dependency", requests=9, tokens=9, estimate=lambda *_: 1),
    "rate limit": lambda _: RateLimit("dependency", permits=9),
    "restart": lambda _: Restart(),
    "resume": lambda _: Resume(),
    "retry": lambda _: Retry(attempts=2),
}


@pytest.mark.parametrize("form", get_args(Form))
@pytest.mark.parametrize(("outer", "inner"), list(permutations(EVERY_STRATEGY, 2)))
async def test_any_two_strategies_let_an_answer_through_and_a_failure_come_out(
    clock: FakeClock, outer: str, inner: str, form: Form
) -> None:
    """Whatever stands around it, an answer is the answer, and an error stays what it was."""

    def pipeline() -> Pipeline:
        return Pipeline(EVERY_STRATEGY[outer](form), EVERY_STRATEGY[inner](form))

    answer = _script(form, "answer")
    assert await _end_of(pipeline(), answer, form) == "answer"
    assert len(answer.calls) == 1
    end = await _end_of(pipeline(), _script(form, CUT), form)
    assert end == "sorry" if "fallback" in {outer, inner} else end is CUT


def _script(form: Form, step: object) -> Scripted:
    return Scripted([step] if form == "stream" else step)


def _function(form: Form, step: object) -> Callable[..., Any]:
    script = _script(form, step)
    forms: dict[Form, Callable[..., Any]]
    forms = {"call": script, "acall": script.acall, "stream": script.stream}
    return forms[form]


async def _end_of(pipeline: Pipeline, fetch: Scripted, form: str) -> object:
    try:
        if form == "call":
            return pipeline.call(fetch)
        if form == "acall":
            return await pipeline.acall(fetch.acall)
        return await anext(pipeline.stream(fetch.stream))
    except NetworkError as error:
        return error


def test_a_breaker_inside_a_retry_counts_attempts_and_outside_counts_calls(
    clock: FakeClock,
) -> None:
    inside = CircuitBreaker("inside", opens_on=ConsecutiveFailures(3))
    with pytest.raises(NetworkError):
        Pipeline(Retry(), inside).call(Scripted(CUT))
    assert inside.state is CircuitState.OPEN
    outside = CircuitBreaker("outside", opens_on=ConsecutiveFailures(3))
    with pytest.raises(NetworkError):
        Pipeline(outside, Retry()).call(Scripted(CUT))
    assert outside.state is CircuitState.CLOSED
