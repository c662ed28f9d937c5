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
