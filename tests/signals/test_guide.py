"""The guide tells the truth: its example runs, and its table has every series."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.core import Metric

from stormproof.recovery.events import bus
from stormproof.signals import Metrics
from stormproof.signals.tally import MOST_LABEL_SETS

GUIDE = (Path(__file__).parents[2] / "docs/guides/signals.md").read_text("utf-8")
[EXAMPLE] = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)


def test_the_example_runs(
    written: Callable[[], str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus, "listeners", bus.listeners)  # it never ends its subscription
    exec(compile(EXAMPLE, "guide", "exec"), {"__name__": "guide"})  # noqa: S102 - our own
    out, err = capsys.readouterr()
    assert 'stormproof_fallbacks_used_total{pipeline="answering",strategy="fallback"} 1.0' in out
    assert '"request_id": "req_1"' in err


def test_the_table_has_every_series(metrics: Metrics) -> None:
    told = set(re.findall(r"^\| `(stormproof_\w+)` \|", GUIDE, re.MULTILINE))
    assert told == {_shown_name(family) for family in metrics.collect()}


def _shown_name(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def test_the_guide_knows_the_limit() -> None:
    assert f"keeps {MOST_LABEL_SETS} combinations" in GUIDE
