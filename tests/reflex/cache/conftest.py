"""What tests of the cache share."""

from collections.abc import Iterator

import pytest

from stormproof.testing import FakeClock


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with FakeClock() as it:
        yield it
