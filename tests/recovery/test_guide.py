"""The guide tells the truth: its examples run, and its tables are those of the code."""

import asyncio
import dataclasses
import inspect
import re
from pathlib import Path

import pytest

from stormproof import recovery
from stormproof.recovery import Event, Strategy

PAGES = {
    path.stem: path.read_text("utf-8")
    for path in (Path(__file__).parents[2] / "docs/guides/recovery").glob("*.md")
}
EXAMPLES = [
    pytest.param(example, id=f"{name}-{number}")
    for name, text in sorted(PAGES.items())
    for number, example in enumerate(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
]
STRATEGIES = [
    one
    for one in vars(recovery).values()
    if isinstance(one, type) and issubclass(one, Strategy) and one is not Strategy
]
EVENTS = {  # other floors publish theirs on the same bus
    kind.__name__: kind
    for kind in Event.__subclasses__()
    if kind.__module__.startswith("stormproof.recovery.")
}


def test_every_public_strategy_is_looked_at() -> None:
    assert recovery.Retry in STRATEGIES


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs(example: str) -> None:
    names: dict[str, object] = {"__name__": "guide"}
    exec(compile(example, "guide", "exec"), names)  # noqa: S102 - our own documentation
    for name, found in names.items():
        if name.startswith("test_") and callable(found):
            result = found()
            if inspect.iscoroutine(result):
                asyncio.run(result)


@pytest.mark.parametrize("strategy", STRATEGIES)
class TestThePageOfAStrategy:
    """docs/guides/recovery has one for each, all of one shape."""

    def test_has_every_section(self, strategy: type[Strategy]) -> None:
        page = _page(strategy)
        sections = [line[3:] for line in page.splitlines() if line.startswith("## ")]
        shape = ["Options", "What it does", "Events", "Patterns", "Anti-patterns"]
        assert [one for one in sections if one in shape] == shape
        assert page.startswith(f"# {strategy.__name__}\n")

    def test_has_the_options_and_defaults_of_the_code(self, strategy: type[Strategy]) -> None:
        told = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", _section(strategy, "Options"), re.M))
        assert told == {field.name: _default(field) for field in _options(strategy)}

    def test_names_events_that_there_are(self, strategy: type[Strategy]) -> None:
        told = re.findall(r"`([A-Z]\w+)`", _section(strategy, "Events"))
        assert set(told) <= EVENTS.keys()

    def test_is_found_from_the_overview(self, strategy: type[Strategy]) -> None:
        assert f"({_file_name(strategy)}.md)" in PAGES["index"]


def _page(strategy: type[Strategy]) -> str:
    return PAGES[_file_name(strategy)]


def _file_name(strategy: type[Strategy]) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", strategy.__name__).lower()


def _section(strategy: type[Strategy], title: str) -> str:
    return _page(strategy).split(f"\n## {title}\n")[1].split("\n## ")[0]


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
    told = dict(re.findall(r"^\| `([A-Z]\w+)` \| ([A-Z]+) \|", PAGES["events"], re.MULTILINE))
    assert told == {name: kind.severity.name for name, kind in EVENTS.items()}
