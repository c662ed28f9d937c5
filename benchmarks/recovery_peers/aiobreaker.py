"""aiobreaker: pybreaker's model for asyncio."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from inspect import iscoroutinefunction
from typing import Any

import aiobreaker

from recovery_peers.peer import RESET, Peer
from recovery_peers.row import REJECTION, Row, aboom, aswallow, boom, both, swallow


def rows() -> Iterator[Row]:
    yield from both("breaker", "aiobreaker, failures in a row", aiobreaker.CircuitBreaker())
    yield Row(REJECTION, "aiobreaker", swallow(_open(boom)))
    yield Row(REJECTION, "aiobreaker", aswallow(_open(aboom)), is_async=True)


def _open(fn: Any) -> Any:
    breaker = aiobreaker.CircuitBreaker(timeout_duration=timedelta(days=1))
    breaker.open()
    return breaker(fn)


def _trap() -> Any:
    breaker = aiobreaker.CircuitBreaker(fail_max=2, timeout_duration=timedelta(seconds=RESET))
    return partial(_guard, breaker)


def _rate_trap() -> Any:
    return partial(_guard, aiobreaker.CircuitBreaker(fail_max=5))


def _guard(breaker: Any, fn: Any) -> Any:
    """Guard ``fn``; the library does not take bound methods."""
    if iscoroutinefunction(fn):

        async def awaited() -> Any:
            return await fn()

        return breaker(awaited)

    def called() -> Any:
        return fn()

    return breaker(called)


PEER = Peer(
    name="aiobreaker",
    package="aiobreaker",
    breaker=_trap,
    rate_breaker=_rate_trap,
)
