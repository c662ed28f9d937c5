"""A clock for the tests of this floor."""

from collections.abc import Iterator

import pytest

from stormproof.testing import FakeClock


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with FakeClock() as fake:
        yield fake
