"""pybreaker: a breaker for sync functions."""

from collections.abc import Iterator

import pybreaker

from recovery_peers.peer import RESET, Peer
from recovery_peers.row import FAR, REJECTION, Row, boom, ok, tripped


def rows() -> Iterator[Row]:
    yield Row("breaker", "pybreaker, failures in a row", pybreaker.CircuitBreaker()(ok))
    opening = pybreaker.CircuitBreaker(fail_max=5, reset_timeout=FAR)
    yield Row(REJECTION, "pybreaker", tripped(opening(boom)))


PEER = Peer(
    name="pybreaker",
    package="pybreaker",
    thread_breaker=lambda: pybreaker.CircuitBreaker(fail_max=2, reset_timeout=RESET),
    rate_breaker=lambda: pybreaker.CircuitBreaker(fail_max=5),
)
