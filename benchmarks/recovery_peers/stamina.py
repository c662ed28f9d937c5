"""stamina: a decorator over tenacity."""

from collections.abc import Iterator
from typing import Any

import stamina

from recovery_peers.peer import LIMIT, Peer
from recovery_peers.row import Boom, Row, both, retried

stamina.instrumentation.set_on_retry_hooks([])  # it logs each retry, where structlog is installed


def rows() -> Iterator[Row]:
    yield from both("retry", "stamina", stamina.retry(on=Boom, attempts=3, timeout=None))
    yield from retried("stamina", _no_wait(on=Boom, timeout=None))


def _no_wait(**options: Any) -> Any:
    return stamina.retry(attempts=3, wait_initial=0, wait_max=0, wait_jitter=0, **options)


PEER = Peer(
    name="stamina",
    package="stamina",
    retry=lambda: _no_wait(on=Exception),
    deadline=lambda: _no_wait(on=Exception, timeout=LIMIT),
)
