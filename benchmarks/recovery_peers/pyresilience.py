"""pyresilience: one decorator with a configuration for each strategy."""

from collections.abc import Iterator
from typing import Any

from pyresilience import (
    CircuitBreakerConfig,
    RateLimiterConfig,
    RetryBudgetConfig,
    RetryConfig,
    TimeoutConfig,
    resilient,
)

from recovery_peers.peer import LIMIT, RESET, Peer
from recovery_peers.row import (
    ENFORCED,
    FAR,
    PLENTY,
    REJECTION,
    STACK,
    Boom,
    Row,
    aboom,
    aok,
    atripped,
    boom,
    both,
    retried,
    tripped,
)

_RETRY = RetryConfig(max_attempts=3, delay=0.1, retry_on=(Boom,))
_NO_WAIT = RetryConfig(max_attempts=3, delay=0.0, jitter=False, retry_on=(Boom,))
_AGAIN = RetryConfig(max_attempts=3, delay=0, jitter=False)
_BREAKER = CircuitBreakerConfig(sliding_window_size=100)
_LIMITER = RateLimiterConfig(max_calls=PLENTY)
_OPEN = CircuitBreakerConfig(failure_threshold=1, recovery_timeout=FAR)
_TRAP = CircuitBreakerConfig(failure_threshold=2, recovery_timeout=RESET, success_threshold=1)


def rows() -> Iterator[Row]:
    who = "pyresilience"
    yield from both("retry", who, resilient(retry=_RETRY))
    yield from both("breaker", f"{who}, rate in a window", resilient(circuit_breaker=_BREAKER))
    yield from both("rate limit", who, resilient(rate_limiter=_LIMITER))
    timed = resilient(timeout=TimeoutConfig(30))
    yield Row("enforced deadline", who, timed(aok), is_async=True)
    parts: dict[str, Any] = {
        "retry": _RETRY,
        "circuit_breaker": _BREAKER,
        "rate_limiter": _LIMITER,
    }
    yield from both(STACK, f"{who}, no deadline", resilient(**parts))
    enforced = resilient(**parts, timeout=TimeoutConfig(30, per_attempt=False))
    yield Row(ENFORCED, who, enforced(aok), is_async=True)
    yield Row(REJECTION, who, tripped(resilient(circuit_breaker=_OPEN)(boom)))
    rejected = atripped(resilient(circuit_breaker=_OPEN)(aboom))
    yield Row(REJECTION, who, rejected, is_async=True)
    yield from retried(who, resilient(retry=_NO_WAIT))


def _breaker() -> Any:
    return resilient(circuit_breaker=_TRAP)


PEER = Peer(
    name="pyresilience",
    package="pyresilience",
    breaker=_breaker,
    thread_breaker=_breaker,
    rate_breaker=lambda: resilient(
        circuit_breaker=CircuitBreakerConfig(sliding_window_size=20, failure_rate_threshold=0.4)
    ),
    retry=lambda: resilient(retry=_AGAIN),
    plain_retry=lambda: resilient(retry=RetryConfig(max_attempts=3, delay=0.1, jitter=False)),
    budgeted_retry=lambda: resilient(
        retry=_AGAIN, retry_budget=RetryBudgetConfig(max_retries=40, refill_rate=1)
    ),
    deadline=lambda: resilient(retry=_AGAIN, timeout=TimeoutConfig(LIMIT, per_attempt=False)),
)
