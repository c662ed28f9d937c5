"""nopanic: decorators and ``compose``."""

from collections.abc import Iterator
from typing import Any

import nopanic as n

from recovery_peers.peer import LIMIT, RESET, Peer
from recovery_peers.row import (
    ENFORCED,
    PLENTY,
    REJECTION,
    STACK,
    Boom,
    Row,
    aok,
    aswallow,
    both,
    ok,
    retried,
    swallow,
)


def rows() -> Iterator[Row]:
    retry = n.retry(attempts=3, on=Boom)
    yield from both("retry", "nopanic", retry)
    with_budget = n.retry(attempts=3, on=Boom, budget=n.RetryBudget())
    yield from both("retry", "nopanic, with a budget", with_budget)
    yield from both("breaker", "nopanic, rate in a window", n.circuit_breaker())
    yield from both("rate limit", "nopanic", n.rate_limit(PLENTY))
    yield from both("bulkhead", "nopanic", n.bulkhead(10))
    yield from both("fallback", "nopanic", n.fallback(0))
    yield Row("hedge, the first call answers", "nopanic", n.hedge(delay=1.0)(aok), is_async=True)
    yield Row("enforced deadline", "nopanic", n.timeout(30)(aok), is_async=True)
    parts = (n.rate_limit(PLENTY), retry, n.circuit_breaker())
    yield from both(STACK, "nopanic", n.compose(n.deadline(30), *parts))
    yield Row(ENFORCED, "nopanic", n.compose(n.timeout(30), *parts)(aok), is_async=True)
    yield Row(REJECTION, "nopanic", swallow(_open(ok)))
    yield Row(REJECTION, "nopanic", aswallow(_open(aok)), is_async=True)
    yield from retried("nopanic", n.retry(attempts=3, on=Boom, backoff=0.0))


def _open(fn: Any) -> Any:
    breaker = n.circuit_breaker()
    breaker.force_open()
    return breaker(fn)


def _breaker() -> Any:
    return n.circuit_breaker(min_calls=2, reset_timeout=RESET)


def _deadline() -> Any:
    return n.compose(n.timeout(LIMIT), n.retry(attempts=3, backoff=0.0))


PEER = Peer(
    name="nopanic",
    package="nopanic",
    breaker=_breaker,
    thread_breaker=_breaker,
    rate_breaker=lambda: n.circuit_breaker(failure_threshold=0.4, min_calls=20),
    retry=lambda: n.retry(attempts=3, backoff=0.0),
    plain_retry=lambda: n.retry(attempts=3),
    budgeted_retry=lambda: n.retry(
        attempts=3, backoff=0.0, budget=n.RetryBudget(0.2, min_retries_per_sec=0.0)
    ),
    deadline=_deadline,
)
