"""What is written down of a call."""

import asyncio

import pytest

from stormproof.errors import DatabaseError
from stormproof.providers import ChatRequest, Journey, Usage
from stormproof.reflex import Call, Caller, Ending, Passed
from stormproof.reflex.usage import UsageRow, UsageStage
from stormproof.reflex.usage.row import is_whole, line_of
from support.reflex_calls import entered

CALLER = Caller("t", "k", "u")


async def written(ending: Ending, caller: Caller = CALLER, model: str = "m") -> UsageRow:
    rows: list[UsageRow] = []
    request = ChatRequest({"model": model, "messages": [{"role": "user", "content": "secret"}]})
    outcome = await entered(UsageStage(rows.append, clock=lambda: 12.9), Call(request, caller))
    assert isinstance(outcome, Passed)
    assert outcome.companion
    outcome.companion.settle(ending)
    [row] = rows
    return row


USAGE = Usage(
    10, 7, {"cached_tokens": 4, "cache_write_tokens": 1}, {"reasoning_tokens": 3, "odd": "x"}
)
JOURNEY = Journey(asked=["a", "openai/m"], rung="openai/m", cost=0.000_001_5)


async def test_tokens_cost_and_who_answered_are_written_down() -> None:
    """Nothing of what was said."""
    row = await written(Ending(JOURNEY, USAGE, None, private=False))
    assert row == UsageRow(
        time=12,
        tenant="t",
        key="k",
        user="u",
        model="m",
        rung="openai/m",
        outcome="answered",
        attempts=2,
        prompt_tokens=10,
        cached_tokens=4,
        cache_write_tokens=1,
        completion_tokens=7,
        reasoning_tokens=3,
        cost=1500,
    )


async def test_of_a_private_call_it_is_not_said_on_whose_behalf() -> None:
    """What it took counts all the same."""
    row = await written(Ending(JOURNEY, USAGE, None, private=True))
    assert (row.user, row.prompt_tokens) == ("", 10)


async def test_but_a_pseudonym_says_nothing() -> None:
    """So what was used under it adds up."""
    caller = Caller("t", "k", "email-0123456789abcdef")
    row = await written(Ending(JOURNEY, USAGE, None, private=True), caller)
    assert row.user == caller.user


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (DatabaseError(reason="secret"), "DATABASE_ERROR"),
        (RuntimeError("secret"), "INTERNAL_ERROR"),
        (asyncio.CancelledError(), "cancelled"),
        (GeneratorExit(), "cancelled"),
    ],
)
async def test_what_failed_is_written_down_by_its_code(error: BaseException, outcome: str) -> None:
    """A code has no secrets."""
    row = await written(Ending(Journey(), None, error, private=False), Caller())
    assert row == UsageRow(time=12, model="m", outcome=outcome)


async def test_what_a_client_or_a_provider_makes_up_spoils_no_book() -> None:
    """Characters that databases do not take, and numbers beyond all reason."""
    usage = Usage(2**60, -5, {"cached_tokens": 2**60})
    ending = Ending(Journey(cost=1e30), usage, None, private=False)
    row = await written(ending, model="a\x00\ud800b" + "c" * 500)
    assert (row.prompt_tokens, row.completion_tokens, row.cached_tokens) == (10**9, 0, 10**9)
    assert row.cost == 10**15
    assert row.model == "ab" + "c" * 196
    assert is_whole(line_of(row).strip())
