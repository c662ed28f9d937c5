"""circuitbreaker: a breaker as a decorator."""

from collections.abc import Iterator
from typing import Any

from circuitbreaker import CircuitBreaker

from recovery_peers.peer import Peer
from recovery_peers.row import FAR, REJECTION, Row, aboom, atripped, boom, both, tripped


def rows() -> Iterator[Row]:
    closed = CircuitBreaker(failure_threshold=5)
    yield from both("breaker", "circuitbreaker, failures in a row", closed.decorate)
    yield Row(REJECTION, "circuitbreaker", tripped(_opening().decorate(boom)))
    yield Row(REJECTION, "circuitbreaker", atripped(_opening().decorate(aboom)), is_async=True)


def _opening() -> Any:
    return CircuitBreaker(failure_threshold=1, recovery_timeout=FAR)


def _trap() -> Any:
    return CircuitBreaker(failure_threshold=2, recovery_timeout=1).decorate


PEER = Peer(
    name="circuitbreaker",
    package="circuitbreaker",
    breaker=_trap,
    thread_breaker=_trap,
    reset=1.0,
    rate_breaker=lambda: CircuitBreaker(failure_threshold=5).decorate,
)
