"""Which line of stages a request passes."""

from typing import Any

from stormproof.providers import Kept
from stormproof.reflex import Caller, Reflex
from stormproof.reflex.settings import LineBuilder, Lines, ReflexTables
from stormproof.reflex.settings.tables import StageTables

NOBODY = Caller()
BOB = Caller(key="bob")


def lines(**tables: Any) -> tuple[Lines, dict[Reflex, StageTables]]:
    """Those that tables describe, and what each was made of."""
    made: dict[Reflex, StageTables] = {}

    def build(tables: StageTables) -> Reflex:
        line = Reflex()
        made[line] = tables
        return line

    return Lines(ReflexTables.model_validate(tables), build), made


def messages(count: int, **more: Any) -> dict[str, Any]:
    return {"validate": {"max_messages": count, **more}}


def test_all_pass_one_line_where_nothing_is_special() -> None:
    found, made = lines(**messages(3))
    assert found.of("gpt", NOBODY) is found.of("claude", BOB)
    assert len(made) == 1


def test_a_model_has_its_own_and_a_key_comes_before_it() -> None:
    """Field by field: what neither says is as for all."""
    found, made = lines(
        **messages(3, max_tools=3, max_depth=30),
        models={"gpt": messages(4, max_tools=4)},
        keys={"bob": messages(5)},
    )

    def bounds(model: str, caller: Caller) -> tuple[int, int, int]:
        checks = made[found.of(model, caller)].checks
        return checks.max_messages, checks.max_tools, checks.max_depth

    assert bounds("claude", NOBODY) == (3, 3, 30)
    assert bounds("gpt", NOBODY) == (4, 4, 30)
    assert bounds("claude", BOB) == (5, 3, 30)
    assert bounds("gpt", BOB) == (5, 4, 30)


def test_a_stage_can_be_left_out_for_some() -> None:
    found, made = lines(keys={"bob": {"validate": {"enabled": False}}})
    assert not made[found.of("gpt", BOB)].checks.enabled
    assert made[found.of("gpt", NOBODY)].checks.enabled


def test_a_line_is_made_once() -> None:
    found, made = lines(models={"gpt": {}}, keys={"bob": {}})
    assert found.of("gpt", BOB) is found.of("gpt", BOB)
    assert len(made) == 4


def test_stages_that_differ_in_nothing_are_one() -> None:
    """So what they know is known once, also when the file is read again."""
    kept = Kept()
    tables = ReflexTables.model_validate({**messages(3), "models": {"gpt": messages(3)}})
    found = LineBuilder(kept, {}).lines(tables)
    [one], [other] = (found.of(name, NOBODY).stages for name in ("gpt", "claude"))
    [again] = LineBuilder(kept, {}).lines(tables).of("gpt", NOBODY).stages
    assert one is other is again
