"""What a type checker must know of the recovery floor. It is checked, not run.

Every ``type: ignore`` stands for a mistake that must be found: an unneeded one is an error itself.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from typing import Any, assert_type

from stormproof.recovery import (
    AIMD,
    AdaptiveLimit,
    Attempt,
    Batch,
    Bulkhead,
    CircuitBreaker,
    CircuitState,
    ConsecutiveFailures,
    Deadline,
    Event,
    Failover,
    FailoverOrder,
    FailureRate,
    Fallback,
    GrowingBreak,
    Hedge,
    IdleTimeout,
    Inject,
    ItemFailure,
    LastCalls,
    LatencyQuantile,
    PerKey,
    Pipeline,
    Priority,
    Quota,
    RateLimit,
    Restart,
    Retry,
    RetryBudget,
    RetryGaveUp,
    SlowCallRate,
    Target,
    TargetHealth,
    WorkerThreads,
    agather,
    attempts,
    current_priority,
    gather,
    prioritized,
    remaining,
    subscribe,
)

pipeline = Pipeline(Fallback(value=""), Deadline(30), Retry(), CircuitBreaker("d"), name="ask")


# A decorated function keeps its type, whatever its kind.


@pipeline
def sync(question: str, *, top: int = 1) -> list[str]:
    return [question] * top


@pipeline
async def coroutine(question: str) -> int:
    return len(question)


@pipeline
async def stream(question: str) -> AsyncGenerator[bytes, None]:
    yield question.encode()


@pipeline
async def iterator(question: str) -> AsyncIterator[bytes]:
    yield question.encode()


class Client:
    @pipeline
    async def ask(self, question: str) -> str:
        return question


assert_type(sync("q", top=2), list[str])
assert_type(stream("q"), AsyncGenerator[bytes, None])
assert_type(iterator("q"), AsyncIterator[bytes])
method: Callable[[str], Coroutine[Any, Any, str]] = Client().ask
sync(1)  # type: ignore[arg-type]
sync("q", bottom=1)  # type: ignore[call-arg]
sync()  # type: ignore[call-arg]


async def awaited() -> None:
    assert_type(await coroutine("q"), int)
    assert_type(await Client().ask("q"), str)
    await coroutine(1)  # type: ignore[arg-type]
    async for item in stream("q"):
        assert_type(item, bytes)


# So do calls through a pipeline.


def plain(question: str, top: int = 1) -> list[str]:
    return [question] * top


async def ask(question: str) -> int:
    return len(question)


async def tokens(question: str) -> AsyncIterator[bytes]:
    yield question.encode()


async def through() -> None:
    assert_type(pipeline.call(plain, "q", top=2), list[str])
    assert_type(await pipeline.acall(ask, "q"), int)
    assert_type(pipeline.stream(tokens, "q"), AsyncGenerator[bytes, None])
    pipeline.call(plain, 1)  # type: ignore[arg-type]
    pipeline.call(plain)  # type: ignore[call-arg]
    await pipeline.acall(ask, question=1)  # type: ignore[arg-type]
    await pipeline.acall(plain, "q")  # type: ignore[arg-type]
    pipeline.stream(ask, "q")  # type: ignore[arg-type]


# Options are checked, and cannot be changed.


def model_of(_question: str, *, model: str) -> str:
    return model


Retry(attempts=5, retry_on=(KeyError, ValueError))
Retry(retry_on=lambda error: bool(error.args))
Retry(5)  # type: ignore[call-arg]
Retry(retries=5)  # type: ignore[call-arg]
Retry(retry_on=KeyboardInterrupt)  # type: ignore[arg-type]
Retry().attempts = 5  # type: ignore[misc]
Fallback(plain)
CircuitBreaker("d", opens_on=FailureRate(0.5))
CircuitBreaker("d", opens_on=ConsecutiveFailures(3))
CircuitBreaker("d", opens_on=3)  # type: ignore[arg-type]
CircuitBreaker("d", opens_on=(FailureRate(window=LastCalls(100)), SlowCallRate(slower_than=2)))
CircuitBreaker("d", opens_on=["failures"])  # type: ignore[list-item]
CircuitBreaker("d", open_for=GrowingBreak(first=5))
assert_type(CircuitBreaker("d").state, CircuitState)
per_model = PerKey(model_of, CircuitBreaker, most=50)
assert_type(per_model.strategies["gpt"].state, CircuitState)
PerKey(model_of, plain)  # type: ignore[type-var]
failover = Failover(Target("a"), Target("b", plain, weight=2), order=FailoverOrder.FASTEST)
assert_type(failover.health(), tuple[TargetHealth, ...])
Failover(Target("a"), plain)  # type: ignore[arg-type]
Failover(Target("a"), order="fastest")  # type: ignore[arg-type]
Target("a", plain, 2)  # type: ignore[call-arg]
failover.order = FailoverOrder.LISTED  # type: ignore[misc]
assert_type(Bulkhead("d", limit=8, queue=16).waiting, int)
Bulkhead("d")  # type: ignore[call-arg]
RateLimit("d", permits=500, period=60, burst=20, max_wait=0)
RateLimit("d", permits=0.5)  # type: ignore[arg-type]
assert_type(Deadline.from_header("100"), Deadline | None)
assert_type(Deadline.to_header(), str | None)
assert_type(remaining(), float | None)
assert_type(attempts(ValueError()), tuple[Attempt, ...])


Retry(retry_on_result=lambda result: result is None)
Retry(retry_on_result="none")  # type: ignore[arg-type]
files = WorkerThreads(8, name="files")
assert_type(files.pinned, int)
Deadline(2.0, threads=files)
Deadline(2.0, threads=8)  # type: ignore[arg-type]
Hedge(delay=0.5, extra=2, budget=RetryBudget(), threads=files)
Hedge(delay=LatencyQuantile(quantile=0.95, minimum_calls=20))
Hedge(delay="p95")  # type: ignore[arg-type]
assert_type(AdaptiveLimit("gpu", algorithm=AIMD(latency=2.0)).limit, int)
AdaptiveLimit("gpu", algorithm="aimd")  # type: ignore[arg-type]
with prioritized(Priority.HIGH):
    assert_type(current_priority(), Priority)
prioritized(3)  # type: ignore[arg-type]
RateLimit("d", permits=500, cost=len).observe({"retry-after": "1"})
Quota("d", requests=500, tokens=200_000, estimate=len, usage=len)
Quota("d", requests=500)  # type: ignore[call-arg]
IdleTimeout(10, first=30)
Restart(times=2)
Inject("d", fault=ConnectionError, rate=0.1, seed=7)
Inject("d", rate="often")  # type: ignore[arg-type]


# A batch knows what went in and what came out.


def length(text: str) -> int:
    return len(text)


async def batches() -> None:
    assert_type(gather(pipeline, length, ["a"], concurrency=2), Batch[str, int])
    batch = await agather(pipeline, coroutine, ["a"], concurrency=2)
    assert_type(batch, Batch[str, int])
    assert_type([one.result for one in batch.successes], list[int])
    assert_type(batch.failures, tuple[ItemFailure[str], ...])
    gather(pipeline, length, [1], concurrency=2)  # type: ignore[arg-type]
    gather(pipeline, length, ["a"])  # type: ignore[call-arg]


Retry(budget=RetryBudget(0.1, floor=1))
Retry(budget=0.2)  # type: ignore[arg-type]


# Listeners get events.


def listener(event: Event) -> None:
    if isinstance(event, RetryGaveUp):
        assert_type(event.attempts, int)


assert_type(subscribe(listener), Callable[[], None])
subscribe(lambda: None)  # type: ignore[misc, arg-type]
