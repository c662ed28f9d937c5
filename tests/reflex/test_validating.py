"""The stage that bounds requests: all that is too much is told, and never quoted."""

from typing import Any

import pytest

from stormproof.errors import ValidationErrors
from stormproof.providers import ChatRequest, EmbeddingRequest, TextRequest
from stormproof.reflex import Call, Caller, Outcome, Passed, Rejected, Request
from stormproof.reflex.validating import ValidateStage
from support.reflex_calls import entered

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def asked(*texts: str, **more: Any) -> ChatRequest:
    messages = [{"role": "user", "content": text} for text in texts]
    return ChatRequest({"model": "m", "messages": messages, **more})


async def judged(request: Request, **bounds: Any) -> Outcome:
    return await entered(ValidateStage(**bounds), Call(request, Caller()))


async def problems(request: Request, **bounds: Any) -> list[tuple[str, str]]:
    """What is wrong: where, and of which type."""
    outcome = await judged(request, **bounds)
    assert isinstance(outcome, Rejected)
    assert isinstance(outcome.error, ValidationErrors)
    return [(problem["field"], problem["type"]) for problem in outcome.error.errors]


@pytest.mark.parametrize(
    "request_",
    [
        asked("hello"),
        TextRequest({"model": "m", "prompt": "hello"}),
        TextRequest({"model": "m", "prompt": [1, 2, 3]}),
        EmbeddingRequest({"model": "m", "input": ["hello"] * 2000}),
    ],
)
async def test_usual_requests_pass(request_: Request) -> None:
    assert await judged(request_) == Passed()


async def test_everything_that_is_too_much_is_told() -> None:
    """At once: who corrects one thing does not learn of the next by another refusal."""
    request = asked("a" * 6, "b" * 6, tools=[TOOL, TOOL, {**TOOL, "deep": [[[[]]]]}])
    bounds = {"max_messages": 1, "max_characters": 11, "max_tools": 2, "max_depth": 5}
    found = await problems(request, **bounds)
    assert found == [
        ("messages", "too_long"),
        ("tools", "too_long"),
        ("", "too_deep"),
        ("", "too_long"),
    ]


async def test_what_is_just_enough_passes() -> None:
    request = asked("a" * 6, "b" * 5, tools=[TOOL, TOOL])
    bounds = {"max_messages": 2, "max_characters": 11, "max_tools": 2, "max_depth": 5}
    assert await judged(request, **bounds) == Passed()


async def test_control_characters_are_found_where_they_are() -> None:
    """Where they are not wanted; tabs and ends of lines are none."""
    request = asked("a\tb\r\nc é 字", "red \x1b[31m secret", "null \x00")
    found = await problems(request, control_characters=False)
    assert found == [("messages.1.content", "control"), ("messages.2.content", "control")]
    assert await judged(request) == Passed()


async def test_no_text_is_in_the_error() -> None:
    outcome = await judged(asked("secret\x00"), control_characters=False, max_characters=3)
    assert isinstance(outcome, Rejected)
    assert "secret" not in f"{outcome.error}{outcome.error.details}"


async def test_an_error_is_not_longer_than_anybody_reads() -> None:
    found = await problems(asked(*["\x00"] * 500), control_characters=False)
    assert len(found) == 50
