"""A log of its own for each test, and series of their own."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry, generate_latest

from stormproof.signals import Metrics


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """Reads what was written to standard error; everybody's logging is restored afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("stormproof")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield lambda: capsys.readouterr().err
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    structlog.reset_defaults()


@pytest.fixture
def lines(written: Callable[[], str]) -> Callable[[], list[dict[str, Any]]]:
    """Reads what was logged, each line as the JSON object that it must be."""
    return lambda: [json.loads(line) for line in written().splitlines()]


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    with closing(Metrics(CollectorRegistry())) as it:
        yield it


@pytest.fixture
def series(metrics: Metrics) -> Callable[[], list[str]]:
    """Reads the samples as Prometheus would, each with its value."""

    def read() -> list[str]:
        text = generate_latest(metrics.registry).decode()
        return [line for line in text.splitlines() if not line.startswith("#")]

    return read
