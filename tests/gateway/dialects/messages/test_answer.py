"""What Anthropic's models answer reaches a client of the Messages API as they said it."""

import json
from typing import Any

import anthropic
import httpx2
import msgspec
import pytest

from stormproof.errors import InternalError, ParsingError
from stormproof.gateway.dialects.messages.reply import MessagesReply
from stormproof.providers.anthropic.answer import chat_document, usage_of
from stormproof.providers.anthropic.stream import AnswerReader
from stormproof.providers.chat import Chunk, Completion, Document, Usage
from support import anthropic_wire as wire

TOLD: Document = {"rung": "r", "attempts": 1, "degraded": False}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
REDACTED = {"type": "redacted_thinking", "data": "eHg="}
TEXT = {"type": "text", "text": "Yes."}
CALL = {"type": "tool_use", "id": "toolu_f", "name": "f", "input": {"a": [1]}}
COUNTED = {
    "input_tokens": 3,
    "output_tokens": 9,
    "cache_read_input_tokens": 5,
    "cache_creation_input_tokens": 7,
    "output_tokens_details": {"thinking_tokens": 2},
}


def reply() -> MessagesReply:
    asked = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    return MessagesReply(msgspec.json.encode(asked))


def whole(document: Document) -> Document:
    """Send a model's answer through the common tongue."""
    common = chat_document(document)
    usage = usage_of(document["usage"]) or Usage()
    sent: Document = msgspec.json.decode(reply().whole(Completion(common, usage), TOLD))
    return sent


def streamed(*documents: Document) -> Document:
    """The same with the events of a stream; Anthropic's SDK puts together what comes of them."""
    reader = AnswerReader()
    chunks = [chunk for document in documents for chunk in reader.chunks(document)]
    usage = next(chunk.usage for chunk in chunks if chunk.usage)
    first, *others = [chunk for chunk in chunks if not chunk.usage]
    answer = reply()
    events = [answer.opening(first, TOLD), *map(answer.piece, others), answer.ending(usage, TOLD)]
    return put_together(b"".join(events))


def put_together(events: bytes) -> Document:
    def respond(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=events)

    http = httpx2.Client(transport=httpx2.MockTransport(respond))
    with anthropic.Anthropic(api_key="k", base_url="http://x", http_client=http) as client:
        asked: Any = {"model": "m", "max_tokens": 9, "messages": []}
        with client.messages.stream(**asked) as stream:
            document: Document = stream.get_final_message().model_dump(exclude_unset=True)
    return document


ENDS = [
    ({"stop_reason": "end_turn"}, {"stop_reason": "end_turn", "stop_sequence": None}),
    ({"stop_reason": "max_tokens"}, {"stop_reason": "max_tokens"}),
    ({"stop_reason": "tool_use"}, {"stop_reason": "tool_use"}),
    (
        {"stop_reason": "stop_sequence", "stop_sequence": "END"},
        {"stop_reason": "stop_sequence", "stop_sequence": "END"},
    ),
    (
        {"stop_reason": "refusal", "stop_details": {"type": "refusal", "explanation": "No."}},
        {
            "stop_reason": "refusal",
            "stop_details": {"type": "refusal", "explanation": "No.", "category": None},
        },
    ),
]


@pytest.mark.parametrize(("end", "expected"), ENDS)
def test_a_whole_answer_is_what_the_model_said(end: Document, expected: Document) -> None:
    content = [THOUGHT, REDACTED, TEXT, CALL]
    sent = whole({**wire.message(*content), "usage": COUNTED, **end})
    assert sent["content"] == content
    assert sent["usage"] == COUNTED
    assert sent.items() >= expected.items()


@pytest.mark.parametrize(("end", "expected"), ENDS)
def test_a_stream_is_what_the_model_said(end: Document, expected: Document) -> None:
    events = [
        wire.start(cache_read_input_tokens=5, cache_creation_input_tokens=7),
        *wire.thought(0, "H", "m."),
        *wire.block(1, REDACTED),
        *wire.text(2, "Ye", "s."),
        *wire.call(3, "f", '{"a":', "[1]}"),
        {"type": "message_delta", "delta": end, "usage": COUNTED},
        {"type": "message_stop"},
    ]
    sent = streamed(*events)
    assert [
        {name: value for name, value in block.items() if value is not None}
        for block in sent["content"]
    ] == [THOUGHT, REDACTED, TEXT, CALL]
    assert sent["usage"].items() >= COUNTED.items()
    assert sent.items() >= expected.items()
    assert sent["stormproof"] == TOLD


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_what_other_models_think_is_a_thought_too(name: str) -> None:
    """Not signed by anybody."""
    message = {"role": "assistant", "content": "Yes.", name: "Hm."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    sent = json.loads(reply().whole(Completion({"choices": [choice]}, Usage()), TOLD))
    assert sent["content"] == [{**THOUGHT, "signature": ""}, TEXT]


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking_blocks"])
@pytest.mark.parametrize("value", ["", [], None, {"text": "Hm."}, [1]])
def test_what_is_no_thought_is_none(name: str, value: Any) -> None:
    """Providers have other uses for these names."""
    message = {"role": "assistant", "content": "Yes.", name: value}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    sent = json.loads(reply().whole(Completion({"choices": [choice]}, Usage()), TOLD))
    assert sent["content"] == [TEXT]


def test_calls_that_come_at_once_are_told_one_after_another() -> None:
    """With an id, which some models do not give them."""
    answer = reply()
    parts = [
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}},
        {"index": 1, "function": {"name": "g", "arguments": "{}"}},
        {"index": 0, "function": {"arguments": '{"x": 1}'}},
    ]
    events = answer.opening(Chunk(delta={"role": "assistant"}), TOLD)
    events += b"".join([answer.piece(Chunk(delta={"tool_calls": [part]})) for part in parts])
    events += answer.piece(Chunk(finish_reason="tool_calls")) + answer.ending(Usage(1, 2), TOLD)
    first, second = put_together(events)["content"]
    assert (first["id"], first["name"], first["input"]) == ("a", "f", {"x": 1})
    assert (second["name"], second["input"]) == ("g", {})
    assert second["id"].startswith("toolu_")


@pytest.mark.parametrize("arguments", ["[]", "{", None])
def test_a_call_that_cannot_be_told_is_an_error(arguments: Any) -> None:
    """Its input has to be an object."""
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    with pytest.raises(ParsingError):
        reply().whole(Completion({"choices": [choice]}, Usage()), TOLD)


def test_a_call_that_was_cut_is_left_out() -> None:
    """As the answer says why it ended, it is not an error."""
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x'}}
    message = {"role": "assistant", "content": "Yes.", "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "length"}
    sent = json.loads(reply().whole(Completion({"choices": [choice]}, Usage()), TOLD))
    assert (sent["content"], sent["stop_reason"]) == ([TEXT], "max_tokens")


def test_a_stream_without_an_end_is_an_error() -> None:
    """It is not said to have ended."""
    answer = reply()
    answer.opening(Chunk(delta={"content": "Yes."}), TOLD)
    with pytest.raises(InternalError):
        answer.ending(Usage(), TOLD)
