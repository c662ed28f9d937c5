"""purgatory: breakers from a factory."""

from collections.abc import Iterator

from purgatory import AsyncCircuitBreakerFactory, SyncCircuitBreakerFactory

from recovery_peers.peer import RESET, Peer
from recovery_peers.row import Row, aok, ok

# Its rejections are left out: each is dearer than the one before (see the traps).


def rows() -> Iterator[Row]:
    who = "purgatory, failures in a row"
    yield Row("breaker", who, SyncCircuitBreakerFactory()("c")(ok))
    yield Row("breaker", who, AsyncCircuitBreakerFactory()("c")(aok), is_async=True)


PEER = Peer(
    name="purgatory",
    package="purgatory",
    breaker=lambda: AsyncCircuitBreakerFactory(default_threshold=2, default_ttl=RESET)("a"),
    thread_breaker=lambda: SyncCircuitBreakerFactory(default_threshold=2, default_ttl=RESET)("s"),
    rate_breaker=lambda: SyncCircuitBreakerFactory(default_threshold=5)("r"),
)
