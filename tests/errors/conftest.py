"""Fixtures that go through every error there is."""

import pytest

from stormproof.errors import StormproofError
from support.error_samples import OURS, make_bare, make_whole


@pytest.fixture(params=OURS, ids=lambda cls: cls.__name__)
def error_class(request: pytest.FixtureRequest) -> type[StormproofError]:
    """Each class of the tree that has a code, the four families included."""
    cls: type[StormproofError] = request.param
    return cls


@pytest.fixture
def error(error_class: type[StormproofError]) -> StormproofError:
    """An error of each class, every field given."""
    return make_whole(error_class)


@pytest.fixture
def every_error() -> list[StormproofError]:
    """One error of each class, every field given, all at once."""
    return [make_whole(cls) for cls in OURS]


@pytest.fixture(params=OURS, ids=lambda cls: cls.__name__)
def bare_error(request: pytest.FixtureRequest) -> StormproofError:
    """An error of each class, only the required fields given."""
    cls: type[StormproofError] = request.param
    return make_bare(cls)
