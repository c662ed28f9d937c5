"""The guide tells the truth: its examples run, and its tables are those of the code."""

import dataclasses
import re
from pathlib import Path

import pytest

from stormproof.recovery import (
    Bulkhead,
    CircuitBreaker,
    Deadline,
    Event,
    Fallback,
    RateLimit,
    Retry,
    Strategy,
)

GUIDE = (Path(__file__).parents[2] / "docs/guides/recovery.md").read_text("utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_runs(example: str) -> None:
    names: dict[str, object] = {"__name__": "guide"}
    exec(compile(example, "guide", "exec"), names)  # noqa: S102 - our own documentation
    for name, found in names.items():
        if name.startswith("test_") and callable(found):
            found()


@pytest.mark.parametrize(
    "strategy", [Retry, Deadline, CircuitBreaker, Bulkhead, RateLimit, Fallback]
)
def test_a_table_of_options_has_the_defaults_of_the_code(strategy: type[Strategy]) -> None:
    section = GUIDE.split(f"\n## {strategy.__name__}\n")[1].split("\n## ")[0]
    told = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", section, re.MULTILINE))
    assert told == {field.name: _default(field) for field in _options(strategy)}


def _options(strategy: type[Strategy]) -> list["dataclasses.Field[object]"]:
    assert dataclasses.is_dataclass(strategy)
    return [field for field in dataclasses.fields(strategy) if field.init]


def _default(field: "dataclasses.Field[object]") -> str:
    if field.default_factory is not dataclasses.MISSING:
        return f"`{field.default_factory()!r}`"
    if field.default is dataclasses.MISSING:
        return "required"
    return "nothing" if type(field.default) is object else f"`{field.default!r}`"


def test_the_table_of_events_has_every_event() -> None:
    told = dict(re.findall(r"^\| `([A-Z]\w+)` \| ([A-Z]+) \|", GUIDE, re.MULTILINE))
    assert told == {kind.__name__: kind.severity.name for kind in Event.__subclasses__()}
