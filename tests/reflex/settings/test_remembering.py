"""Where a model has a rung for old answers, those are kept."""

from typing import Any

from stormproof.providers import Journey, Kept, ModelsFile
from stormproof.reflex import Caller
from stormproof.reflex.settings import LineBuilder, ReflexTables, remembering
from support.kept_answers import House, answer

MODELS = ModelsFile.model_validate(
    {
        "models": {
            "m": {
                "rungs": [{"provider": "openai", "model": "gpt"}, {"cached": True, "max_age": 60.0}]
            },
            "other": {"rungs": [{"provider": "openai", "model": "gpt"}]},
        }
    }
)


def house(tables: dict[str, Any], model: str = "m") -> House:
    remembered = remembering(ReflexTables.model_validate(tables), MODELS)
    line = LineBuilder(Kept(), {}).lines(remembered).of(model, Caller())
    return House([*line.stages])


async def test_they_are_remembered_and_no_model_is_spared_a_call() -> None:
    """Of the same tenant alone."""
    one, mine, theirs = house({}), Journey(), Journey()
    await one.ask()
    await one.ask(journey=mine)
    await one.ask(journey=theirs, tenant="other")
    assert one.calls == 3
    assert mine.remembered == answer("Hello")
    assert theirs.remembered is None


async def test_a_model_without_such_a_rung_has_none() -> None:
    one, journey = house({}, "other"), Journey()
    for _ in range(2):
        await one.ask(journey=journey)
    assert journey.remembered is None


async def test_a_cache_that_is_there_remembers_them() -> None:
    one = house({"cache": {}})
    for _ in range(2):
        await one.ask()
    assert one.calls == 1
