"""The engine's series are those that the guide lists."""

import asyncio
import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from stormproof.engine import EngineStats
from stormproof.gateway.metrics import ServerMetrics

_GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "serving.md"


def test_the_guide_lists_every_series_of_the_engine() -> None:
    registry = CollectorRegistry()
    ServerMetrics(registry, EngineStats)
    shown = {
        metric.name + ("_total" if metric.type == "counter" else "")
        for metric in registry.collect()
        if metric.name.startswith("stormproof_engine_")
    }
    listed = re.findall(r"^\| `(stormproof_engine_\w+)`", _GUIDE.read_text("utf-8"), re.MULTILINE)
    assert sorted(shown) == sorted(listed)


def test_the_engines_numbers_are_read_at_the_moment_of_a_scrape() -> None:
    registry, now = CollectorRegistry(), {"running": 1}
    ServerMetrics(
        registry,
        lambda: EngineStats(running=now["running"], waiting_tokens=7, step_seconds=1.5),
    )
    assert registry.get_sample_value("stormproof_engine_running_requests") == 1
    now["running"] = 2
    assert registry.get_sample_value("stormproof_engine_running_requests") == 2
    assert registry.get_sample_value("stormproof_engine_waiting_tokens") == 7
    assert registry.get_sample_value("stormproof_engine_step_seconds_total") == 1.5


async def test_tasks_are_counted_where_they_are() -> None:
    """A server that leaks them shows it."""
    registry = CollectorRegistry()
    ServerMetrics(registry, None)
    before = registry.get_sample_value("stormproof_tasks")
    task = asyncio.create_task(asyncio.Event().wait())
    assert registry.get_sample_value("stormproof_tasks") == (before or 0) + 1
    task.cancel()


def test_there_are_none_elsewhere() -> None:
    registry = CollectorRegistry()
    ServerMetrics(registry, None)
    assert registry.get_sample_value("stormproof_tasks") == 0


def test_requests_are_counted_by_what_was_asked_and_answered() -> None:
    registry = CollectorRegistry()
    requests = ServerMetrics(registry, None).requests
    requests.in_flight += 1
    for status, seconds in ((200, 0.01), (200, 0.2), (503, 700.0)):
        requests.answered(route="/v1/models", method="GET", status=status, seconds=seconds)
    name, of = "stormproof_http_request_duration_seconds", {"route": "/v1/models"}
    labels = {**of, "method": "GET", "status": "200"}
    assert registry.get_sample_value("stormproof_http_requests_in_flight") == 1
    assert registry.get_sample_value("stormproof_http_requests_total", labels) == 2
    assert registry.get_sample_value(f"{name}_bucket", {**of, "le": "0.25"}) == 2
    assert registry.get_sample_value(f"{name}_count", of) == 3
    assert registry.get_sample_value(f"{name}_sum", of) == 700.21
