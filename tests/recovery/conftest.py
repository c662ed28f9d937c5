"""A clock and a bus for the tests of this floor."""

from collections.abc import Iterator

import pytest

from stormproof.recovery import Event, subscribe
from stormproof.testing import FakeClock


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    """Nobody waits, and every wait is the longest that the jitter allows."""
    with FakeClock(random=lambda: 1.0) as fake:
        yield fake


@pytest.fixture
def heard() -> Iterator[list[Event]]:
    """Every event, in order."""
    events: list[Event] = []
    unsubscribe = subscribe(events.append)
    yield events
    unsubscribe()
