"""backoff: a decorator of wait generators."""

from collections.abc import Iterator
from functools import partial

import backoff

from recovery_peers.peer import LIMIT, Peer
from recovery_peers.row import Boom, Row, both, retried

_no_wait = partial(
    backoff.on_exception,
    backoff.constant,
    max_tries=3,
    interval=0,
    jitter=None,
    logger=None,
)


def rows() -> Iterator[Row]:
    expo = backoff.on_exception(backoff.expo, Boom, max_tries=3, logger=None)
    yield from both("retry", "backoff", expo)
    yield from retried("backoff", _no_wait(Boom))


PEER = Peer(
    name="backoff",
    package="backoff",
    retry=lambda: _no_wait(Exception),
    deadline=lambda: _no_wait(Exception, max_time=LIMIT),
)
