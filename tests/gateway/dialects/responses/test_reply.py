"""Answers in the common tongue as responses, whole and in events."""

import json
from typing import Any

import msgspec
import pytest

from stormproof.errors import InternalError, ParsingError
from stormproof.gateway.dialects.responses.reply import ResponsesReply
from stormproof.providers.chat import Chunk, Completion, Document, Usage, in_chunks

TOLD: Document = {"rung": "r", "attempts": 1, "degraded": False}
USAGE = Usage(9, 5, {"cached_tokens": 4, "cache_write_tokens": None}, {"reasoning_tokens": 2})
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}


def reply() -> ResponsesReply:
    return ResponsesReply(msgspec.json.encode({"model": "m", "input": "Hi"}))


def answer(reason: str = "stop", **message: Any) -> Completion:
    said = {"role": "assistant", "content": None, **message}
    return Completion({"choices": [{"index": 0, "message": said, "finish_reason": reason}]}, USAGE)


def whole(completion: Completion) -> Document:
    document: Document = json.loads(reply().whole(completion, TOLD))
    return document


def streamed(completion: Completion) -> list[Document]:
    """Tell it as a stream; return the events."""
    first, *others = in_chunks(completion)
    telling = reply()
    events = telling.opening(first, TOLD)
    events += b"".join([telling.piece(chunk) for chunk in others]) + telling.ending(USAGE, TOLD)
    lines = events.decode().splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]


def unnamed(response: Document) -> Document:
    """Return a response without what is made up for each."""
    items = [
        {name: value for name, value in item.items() if name != "id"} for item in response["output"]
    ]
    return {**response, "output": items, "id": "", "created_at": 0}


@pytest.mark.parametrize(
    "completion",
    [
        answer(content="Yes."),
        answer(content="Yes.", reasoning_content="Hm."),
        answer(reasoning="Hm.", tool_calls=[CALL, {**CALL, "id": "c2"}], reason="tool_calls"),
        answer(refusal="No."),
        answer(content="Ye", reason="length"),
        answer(content="Ye", reason="content_filter"),
        answer(content="Ye", tool_calls=[CALL], reason="length"),
    ],
)
def test_a_stream_comes_to_what_a_whole_answer_is(completion: Completion) -> None:
    """Item by item, each of which was told when it ended."""
    events = streamed(completion)
    last = events[-1]["response"]
    assert unnamed(last) == unnamed(whole(completion))
    assert events[-1]["type"] == f"response.{last['status']}"
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done == last["output"]


def test_what_is_thought_said_and_called_are_items() -> None:
    response = whole(answer(content="Yes.", reasoning_content="Hm.", tool_calls=[CALL]))
    thought, said, call = response["output"]
    assert thought["type"] == "reasoning"
    assert thought["content"] == [{"type": "reasoning_text", "text": "Hm."}]
    assert said["content"][0]["text"] == "Yes."
    assert (call["call_id"], call["name"], call["arguments"]) == ("c1", "f", '{"a": 1}')
    assert {item["status"] for item in response["output"]} == {"completed"}
    assert response["usage"] == {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 14,
    }


@pytest.mark.parametrize(
    ("reason", "told"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_what_was_cut_is_not_complete(reason: str, told: str) -> None:
    """Nor is its last item."""
    response = whole(answer(reason, content="Ye", tool_calls=[CALL, CALL]))
    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": told})
    assert [item["status"] for item in response["output"]] == [
        "completed",
        "completed",
        "incomplete",
    ]


def test_a_call_without_an_id_gets_one() -> None:
    """The result has to name it."""
    [call] = whole(answer(tool_calls=[{"function": {"name": "f", "arguments": "{}"}}]))["output"]
    assert call["call_id"].startswith("call_")


def test_a_call_of_nothing_is_an_error() -> None:
    with pytest.raises(ParsingError):
        whole(answer(tool_calls=[{"id": "c", "function": {"arguments": "{}"}}]))


def test_a_stream_without_an_end_is_an_error() -> None:
    """It is not said to be complete."""
    telling = reply()
    telling.opening(Chunk(delta={"content": "Yes."}), TOLD)
    with pytest.raises(InternalError):
        telling.ending(Usage(), TOLD)
