"""redress: policies that classify errors."""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from redress import (
    AsyncPolicy,
    AsyncRetry,
    CircuitBreaker,
    ErrorClass,
    Policy,
    Retry,
    default_classifier,
    retry,
)

from recovery_peers.peer import LIMIT, RESET, Peer
from recovery_peers.row import STACK, Row, aok, both, ok


def rows() -> Iterator[Row]:
    yield from both("retry", "redress, with a deadline", retry(max_attempts=3, deadline_s=30))
    breaking = Policy(circuit_breaker=CircuitBreaker())
    yield Row("breaker", "redress, count in a window", lambda: breaking.call(ok))
    options: dict[str, Any] = {
        "classifier": default_classifier,
        "strategy": _no_wait,
        "max_attempts": 3,
        "deadline_s": 30,
    }
    policy = Policy(retry=Retry(**options), circuit_breaker=CircuitBreaker())
    yield Row(STACK, "redress, no limit", lambda: policy.call(ok))
    apolicy = AsyncPolicy(retry=AsyncRetry(**options), circuit_breaker=CircuitBreaker())

    async def acall() -> Any:
        return await apolicy.call(aok)

    yield Row(STACK, "redress, no limit", acall, is_async=True)


def _no_wait(attempt: int, klass: object, prev_sleep_s: float | None) -> float:  # noqa: ARG001
    return 0.0


def _policy(make: Callable[..., Any]) -> Callable[[], Any]:
    def guard() -> Any:
        breaker = CircuitBreaker(
            failure_threshold=2, recovery_timeout_s=RESET, trip_on=set(ErrorClass)
        )
        policy = make(circuit_breaker=breaker)

        def decorate(fn: Any) -> Any:
            return wraps(fn)(lambda: policy.call(fn))

        return decorate

    return guard


def _again(**options: Any) -> Any:
    return retry(max_attempts=3, max_unknown_attempts=3, strategy=_no_wait, **options)


PEER = Peer(
    name="redress",
    package="redress",
    breaker=_policy(AsyncPolicy),
    thread_breaker=_policy(Policy),
    retry=_again,
    plain_retry=lambda: retry(max_attempts=3),
    deadline=lambda: _again(deadline_s=LIMIT),
)
