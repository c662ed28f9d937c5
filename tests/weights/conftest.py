"""A package index and a library for the tests of this floor."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stormproof.recovery.clock import reset_clock, set_clock
from stormproof.weights import ModelLibrary
from support.mirror import ImpatientClock, Mirror, forget_settings, library_of, mirroring


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    forget_settings(monkeypatch, tmp_path / "home")


@pytest.fixture(autouse=True)
def clock() -> Iterator[ImpatientClock]:
    """Nobody waits before a retry."""
    impatient = ImpatientClock()
    token = set_clock(impatient)
    yield impatient
    reset_clock(token)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with mirroring() as server:
        yield server


@pytest.fixture
def library(mirror: Mirror, tmp_path: Path) -> ModelLibrary:
    return library_of(mirror.url, tmp_path / "models")
