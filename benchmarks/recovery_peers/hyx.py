"""hyx: decorators for coroutine functions."""

from collections.abc import Iterator
from typing import Any

from hyx.bulkhead import bulkhead
from hyx.circuitbreaker import consecutive_breaker
from hyx.fallback import fallback
from hyx.ratelimit import tokenbucket
from hyx.retry import retry
from hyx.retry.backoffs import expo
from hyx.timeout import timeout

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
    retried,
)


def rows() -> Iterator[Row]:
    def row(group: str, guarded: Any) -> Row:
        return Row(group, "hyx", guarded, is_async=True)

    backoff = expo(min_delay_secs=0.1)
    yield row("retry", retry(on=Boom, attempts=3, backoff=backoff)(aok))
    yield row("breaker", consecutive_breaker(exceptions=Boom)(aok))
    yield row("rate limit", tokenbucket(PLENTY, 1)(aok))
    yield row("bulkhead", bulkhead(10, 20)(aok))
    yield row("fallback", fallback(_other, on=Boom)(aok))
    yield row("enforced deadline", timeout(30)(aok))
    yield row(STACK, _stack(aok))
    yield row(ENFORCED, timeout(30)(_stack(aok)))
    opening = consecutive_breaker(exceptions=Boom, failure_threshold=1, recovery_time_secs=FAR)
    yield row(REJECTION, atripped(opening(aboom)))
    yield from retried("hyx", retry(on=Boom, attempts=3, backoff=0), sync=False)


async def _other(*_: Any, **__: Any) -> int:
    return 2


def _stack(fn: Any) -> Any:
    limited = tokenbucket(PLENTY, 1)(consecutive_breaker(exceptions=Boom)(fn))
    return retry(on=Boom, attempts=3, backoff=expo(min_delay_secs=0.1))(limited)


def _again() -> Any:
    # What it calls attempts are the retries.
    return retry(on=Exception, attempts=2, backoff=0)


PEER = Peer(
    name="hyx",
    package="hyx",
    breaker=lambda: consecutive_breaker(
        failure_threshold=2, recovery_time_secs=RESET, recovery_threshold=1
    ),
    retry=_again,
    plain_retry=lambda: retry(attempts=2, backoff=0.1),
    deadline=lambda: lambda fn: timeout(LIMIT)(_again()(fn)),
)
