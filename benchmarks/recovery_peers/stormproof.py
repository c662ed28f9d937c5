"""Stormproof itself."""

from collections.abc import Iterator

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
    ok,
    retried,
    tripped,
)
from stormproof.errors import NetworkError
from stormproof.recovery import (
    AdaptiveLimit,
    Bulkhead,
    CircuitBreaker,
    ConsecutiveFailures,
    Deadline,
    Failover,
    FailureRate,
    Fallback,
    Hedge,
    Pipeline,
    Quota,
    RateLimit,
    Retry,
    RetryBudget,
    SlowCallRate,
    Target,
)


def _stack(seconds: float) -> Pipeline:
    return Pipeline(
        Deadline(seconds),
        Retry(),
        RateLimit("d", permits=PLENTY),
        CircuitBreaker("d", opens_on=FailureRate()),
    )


def _tokens(answer: int) -> int:
    return answer


def _open() -> Pipeline:
    return Pipeline(CircuitBreaker("d", opens_on=ConsecutiveFailures(1), open_for=FAR))


def rows() -> Iterator[Row]:
    yield from both("retry", "stormproof", Pipeline(Retry()))
    yield from both("retry", "stormproof, with a budget", Pipeline(Retry(budget=RetryBudget())))
    in_a_row = Pipeline(CircuitBreaker("d"))
    yield from both("breaker", "stormproof, failures in a row", in_a_row)
    slow = Pipeline(CircuitBreaker("d", opens_on=SlowCallRate(slower_than=1.0)))
    yield from both("breaker", "stormproof, slow calls in a window", slow)
    at_a_rate = Pipeline(CircuitBreaker("d", opens_on=FailureRate()))
    yield from both("breaker", "stormproof, rate in a window", at_a_rate)
    yield from both("rate limit", "stormproof", Pipeline(RateLimit("d", permits=PLENTY)))
    quota = Quota("d", requests=PLENTY, tokens=PLENTY, estimate=lambda: 1, usage=_tokens)
    yield from both("requests and tokens, settled", "stormproof", Pipeline(quota))
    yield from both("bulkhead", "stormproof", Pipeline(Bulkhead("d", limit=10)))
    adaptive = Pipeline(AdaptiveLimit("d"))
    yield from both("adaptive limit", "stormproof", adaptive)
    over = Pipeline(Failover(Target("a"), Target("b", ok)))
    yield Row("failover, the first target answers", "stormproof", over(ok))
    aover = Pipeline(Failover(Target("a"), Target("b", aok)))
    yield Row("failover, the first target answers", "stormproof", aover(aok), is_async=True)
    yield from both("fallback", "stormproof", Pipeline(Fallback(value=0)))
    hedged = Pipeline(Hedge(delay=1.0))
    yield Row("hedge, the first call answers", "stormproof", hedged(aok), is_async=True)
    yield Row("enforced deadline", "stormproof", Pipeline(Deadline(30))(aok), is_async=True)
    yield Row(STACK, "stormproof", _stack(30)(ok))
    yield Row(ENFORCED, "stormproof", _stack(30)(aok), is_async=True)
    yield Row(REJECTION, "stormproof", tripped(_open()(boom)))
    yield Row(REJECTION, "stormproof", atripped(_open()(aboom)), is_async=True)
    own = Pipeline(Retry(initial_delay=0))
    yield from retried("stormproof, its own error", own, lambda: NetworkError(reason="cut"))
    foreign = Pipeline(Retry(initial_delay=0, retry_on=Boom))
    yield from retried("stormproof, a foreign error", foreign)


def nested_rows() -> Iterator[Row]:
    """Calls inside an outer deadline that ends sooner: theirs is checked, and sets no timer."""
    yield Row(STACK, "stormproof", _stack(FAR)(aok), is_async=True)


def _breaker() -> Pipeline:
    return Pipeline(
        CircuitBreaker("d", opens_on=ConsecutiveFailures(2), open_for=RESET, probe_lease=0.5)
    )


def _rate_breaker() -> Pipeline:
    return Pipeline(CircuitBreaker("d", opens_on=FailureRate(0.4, minimum_calls=20)))


_again = Retry(initial_delay=0, retry_on=Exception)

PEER = Peer(
    name="stormproof",
    package="stormproof",
    breaker=_breaker,
    thread_breaker=_breaker,
    rate_breaker=_rate_breaker,
    retry=lambda: Pipeline(_again),
    plain_retry=lambda: Pipeline(Retry()),
    budgeted_retry=lambda: Pipeline(
        Retry(initial_delay=0, retry_on=Exception, budget=RetryBudget())
    ),
    deadline=lambda: Pipeline(Deadline(LIMIT), _again),
)
