"""What tests of this floor share."""

from collections.abc import Iterator

import pytest

from stormproof.testing import FakeClock


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    """A clock that the test moves; sleepers wake as it reaches them."""
    with FakeClock() as clock:
        yield clock
