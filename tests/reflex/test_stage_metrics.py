"""Stages as series that Prometheus reads."""

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from stormproof.recovery import publish
from stormproof.reflex import Look, StageOutcome, StagesEnded
from stormproof.reflex.stage_metrics import StageMetrics


@pytest.fixture
def registry() -> Iterator[CollectorRegistry]:
    registry = CollectorRegistry()
    metrics = StageMetrics(registry)
    yield registry
    metrics.close()


def tell(*looks: Look, model: str = "m") -> None:
    publish(StagesEnded(pipeline=model, strategy="reflex", looks=looks))


def test_what_stages_made_of_requests_is_counted(registry: CollectorRegistry) -> None:
    """By the stage and the outcome; which model was asked for makes no series."""
    tell(Look("pii", StageOutcome.CHANGED, 3e-5), Look("cache", StageOutcome.ANSWERED, 2e-6))
    tell(Look("pii", StageOutcome.CHANGED, 2.0), model="other")
    labels = {"stage": "pii", "outcome": "changed"}
    assert registry.get_sample_value("stormproof_stage_outcomes_total", labels) == 2
    at_most = {"stage": "pii", "le": "5e-05"}
    assert registry.get_sample_value("stormproof_stage_seconds_bucket", at_most) == 1
    assert registry.get_sample_value("stormproof_stage_seconds_count", {"stage": "pii"}) == 2
    assert registry.get_sample_value("stormproof_stage_seconds_sum", {"stage": "pii"}) == 2.00003
    assert b"other" not in generate_latest(registry)


@pytest.mark.parametrize("requests", [1, 255, 256, 257, 1000])
def test_none_is_lost_however_many_there_are(registry: CollectorRegistry, requests: int) -> None:
    for _ in range(requests):
        tell(Look("pii", StageOutcome.PASSED, 1e-5))
    labels = {"stage": "pii", "outcome": "passed"}
    for _ in range(2):  # who reads changes nothing
        counted = registry.get_sample_value("stormproof_stage_outcomes_total", labels)
        assert counted == requests


def test_who_is_closed_hears_nothing() -> None:
    registry = CollectorRegistry()
    StageMetrics(registry).close()
    tell(Look("pii", StageOutcome.PASSED, 1e-5))
    labels = {"stage": "pii", "outcome": "passed"}
    assert registry.get_sample_value("stormproof_stage_outcomes_total", labels) is None
