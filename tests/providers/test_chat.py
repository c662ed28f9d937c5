"""The common tongue: what a request needs, and a whole answer in pieces."""

from typing import Any

import pytest

from stormproof.providers.chat import Capability, ChatRequest, Completion, Usage, in_chunks


def request(**fields: Any) -> ChatRequest:
    messages = [{"role": "user", "content": "Hi"}]
    return ChatRequest({"model": "m", "messages": messages, **fields})


def test_several_answers_are_not_what_every_model_gives() -> None:
    assert request(n=2).needs == {Capability.CHOICES}
    assert request(n=1).needs == frozenset()


@pytest.mark.parametrize("kind", [[], {}, 7, None])
def test_a_kind_that_is_no_name_needs_nothing(kind: Any) -> None:
    """Whoever is asked may say what is wrong with it."""
    asked = request(
        messages=[{"role": "user", "content": [{"type": kind}]}], response_format={"type": kind}
    )
    assert asked.needs == frozenset()
    assert not asked.wants_json


def test_calls_in_pieces_say_which_of_the_calls_they_are() -> None:
    """In a stream a client tells them apart by that alone."""
    calls = [{"id": name, "function": {"name": name, "arguments": "{}"}} for name in "ab"]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    choice = {"message": message, "finish_reason": "tool_calls"}
    [chunk, _] = in_chunks(Completion({"choices": [choice]}, Usage()))
    assert [(call["index"], call["id"]) for call in chunk.delta["tool_calls"]] == [
        (0, "a"),
        (1, "b"),
    ]
    assert "index" not in calls[0]
