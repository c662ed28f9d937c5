"""tenacity: a decorator of stop, wait and retry objects."""

from collections.abc import Iterator

import tenacity as t

from recovery_peers.peer import LIMIT, Peer
from recovery_peers.row import Row, both, retried

_STOP = t.stop_after_attempt(3)


def rows() -> Iterator[Row]:
    wait = t.wait_exponential(multiplier=0.1, max=5)
    yield from both("retry", "tenacity", t.retry(stop=_STOP, wait=wait, reraise=True))
    yield from retried("tenacity", t.retry(stop=_STOP, wait=t.wait_none(), reraise=True))


PEER = Peer(
    name="tenacity",
    package="tenacity",
    retry=lambda: t.retry(stop=_STOP, reraise=True),
    plain_retry=lambda: t.retry(stop=_STOP, wait=t.wait_fixed(0.1)),
    deadline=lambda: t.retry(stop=_STOP | t.stop_after_delay(LIMIT), reraise=True),
)
