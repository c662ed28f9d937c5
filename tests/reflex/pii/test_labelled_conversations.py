"""Conversations of texts as people write them, with what is really found in them."""

import json
import random
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from stormproof.providers import ChatRequest, Chunk, Completion, Journey, Usage
from stormproof.providers.collector import Collector
from stormproof.reflex import Caller, OnFailure, PiiStage, Reflex, Step
from stormproof.reflex.passages import passages
from stormproof.reflex.pii.detector import Detector
from support.labelled_texts import labelled_texts

DETECTOR = Detector()
LINE = Reflex([Step(PiiStage(DETECTOR), OnFailure.CLOSED)])
TEXTS = [one.text for one in labelled_texts(300, seed=20)]
CONVERSATIONS = [TEXTS[first : first + 10] for first in range(0, len(TEXTS), 10)]


def conversation(texts: Sequence[str]) -> ChatRequest:
    """Return texts of a user, each of them also as the argument and the result of a tool."""
    messages: list[dict[str, Any]] = []
    for text in texts:
        function = {"name": "f", "arguments": json.dumps({"text": text})}
        call = {"id": "c", "type": "function", "function": function}
        messages += [
            {"role": "user", "content": text},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": json.dumps([text])},
        ]
    return ChatRequest({"model": "m", "messages": messages})


async def pieces(texts: Sequence[str], seed: int) -> AsyncGenerator[Chunk, None]:
    chance = random.Random(seed)
    for index, text in enumerate(texts):
        start = 0
        while start < len(text):
            end = start + chance.randint(1, 12)
            yield Chunk(index, {"content": text[start:end]})
            start = end
        yield Chunk(index, finish_reason="stop")


@pytest.mark.parametrize("texts", CONVERSATIONS)
async def test_nothing_that_is_found_is_sent_and_all_of_it_comes_back(texts: list[str]) -> None:
    """Exactly; what tools are asked and give stays JSON."""
    async with LINE.admitted(conversation(texts), Caller(), Journey()) as admission:
        sent = [one.text for one in passages(admission.request)]
        asked = sent[::3]
        choices = [{"message": {"content": text}, "finish_reason": "stop"} for text in asked]
        whole = admission.whole(Completion({"choices": choices}, Usage()))
        collector = Collector()
        async for chunk in admission.stream(pieces(asked, seed=len(sent))):
            collector.add(chunk)
    values = {text[one.start : one.end] for text in texts for one in DETECTOR.find(text)}
    assert not [value for value in values for text in sent if value in text]
    assert [json.loads(text) for text in sent[2::3]] == [
        [json.loads(text)["text"]] for text in sent[1::3]
    ]
    streamed = collector.completion()
    assert streamed
    for answer in (whole, streamed):
        assert [choice["message"]["content"] for choice in answer.choices] == texts
