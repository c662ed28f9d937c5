"""Events are read as Anthropic's own SDK reads them."""

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import ParsedMessage, RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming._deltas import accumulate_delta
from pydantic import TypeAdapter

from stormproof.providers.anthropic.answer import chat_document
from stormproof.providers.anthropic.stream import AnswerReader
from stormproof.providers.chat import Chunk, Usage
from support.anthropic_wire import block, call, end, start, text, thought

_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
CUT = {"cyber": "cyber", "explanation": "That could do harm.", "type": "refusal"}


def chunks(events: Sequence[dict[str, Any]]) -> list[Chunk]:
    reader = AnswerReader()
    return [chunk for event in events for chunk in reader.chunks(event)]


def put_together(read: Sequence[Chunk]) -> dict[str, Any]:
    """Return the message that OpenAI's own client makes of the pieces."""
    message: dict[Any, Any] = {"content": None}
    for chunk in read:
        message = accumulate_delta(message, json.loads(json.dumps(chunk.delta)))
    for one in (*message.get("tool_calls", ()), *message.get("thinking_blocks", ())):
        del one["index"]
    return message


def read_by_sdk(events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the answer that Anthropic's SDK makes of a stream."""
    answer: ParsedMessage[None] | None = None
    buffers: dict[int, bytes] = {}
    for event in events:
        checked = _EVENT.validate_python(event)
        answer = accumulate_event(event=checked, current_snapshot=answer, json_bufs=buffers)
    assert answer is not None
    whole: dict[str, Any] = answer.model_dump(mode="json")
    return whole


_PIECES = st.lists(st.text(), max_size=4)
_ARGUMENTS = st.dictionaries(st.text(max_size=3), st.integers(), max_size=3).map(json.dumps)
_BLOCK = st.one_of(
    st.tuples(st.just(text), _PIECES),
    st.tuples(st.just(thought), _PIECES),
    st.tuples(st.just(call), st.tuples(st.just("f"), _ARGUMENTS)),
    st.tuples(st.just(call), st.just(("f", ""))),
)


@given(st.lists(_BLOCK, max_size=5))
def test_a_stream_says_what_the_sdk_reads(made: list[Any]) -> None:
    """Put together, its pieces are the whole answer that the SDK makes of the same events."""
    blocks = [event for n, (kind, told) in enumerate(made) for event in kind(n, *told)]
    events = [start(), *blocks, *end()]
    read = chunks(events)
    whole = chat_document(read_by_sdk(events))
    [choice] = whole["choices"]
    message = put_together(read)
    for one in (*message.get("tool_calls", ()), *choice["message"].get("tool_calls", ())):
        one["function"]["arguments"] = json.loads(one["function"]["arguments"])
    assert {name: value for name, value in message.items() if value} == {
        name: value for name, value in choice["message"].items() if value
    }
    assert read[-1].usage is not None
    assert read[-1].usage.document() == whole["usage"]


def test_an_answer_comes_in_pieces() -> None:
    ping = {"type": "ping"}
    read = chunks([start(), ping, *text(0, "Hel", "lo"), *end("stop_sequence")])
    assert [dict(chunk.delta) for chunk in read] == [
        {"role": "assistant"},
        {"content": "Hel"},
        {"content": "lo"},
        {},
        {},
    ]
    assert [chunk.finish_reason for chunk in read] == [None, None, None, "stop", None]


def test_calls_are_numbered_among_themselves() -> None:
    """And one without arguments has an empty object of them."""
    read = chunks([start(), *text(0, "Wait."), *call(1, "f", '{"a"', ": 1}"), *call(2, "g", "")])
    calls = put_together(read)["tool_calls"]
    assert [(one["id"], one["type"], one["function"]) for one in calls] == [
        ("toolu_f", "function", {"name": "f", "arguments": '{"a": 1}'}),
        ("toolu_g", "function", {"name": "g", "arguments": "{}"}),
    ]


def test_a_call_may_come_with_its_arguments() -> None:
    """Others who speak this API send them at once."""
    begun = {"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1}}
    [one] = put_together(chunks([start(), *block(0, begun)]))["tool_calls"]
    assert json.loads(one["function"]["arguments"]) == {"a": 1}


def test_thoughts_are_told_and_kept() -> None:
    """To readers as their text, and signed, for the conversation to go on with."""
    hidden = {"type": "redacted_thinking", "data": "eHg="}
    omitted = block(
        2,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "signature_delta", "signature": "b3Jk"},
    )
    message = put_together(
        chunks([start(), *thought(0, "Let ", "me see"), *block(1, hidden), *omitted])
    )
    assert message["reasoning_content"] == "Let me see"
    assert message["thinking_blocks"] == [
        {"type": "thinking", "thinking": "Let me see", "signature": "c2ln"},
        hidden,
        {"type": "thinking", "thinking": "", "signature": "b3Jk"},
    ]


def test_what_is_not_known_is_left_out() -> None:
    """New kinds of events, blocks and deltas may come at any time; its own tools are its own."""
    own = {"type": "server_tool_use", "id": "1", "name": "web_search", "input": {}}
    asked = {"type": "input_json_delta", "partial_json": '{"q"'}
    found = {"type": "web_search_tool_result", "tool_use_id": "1", "content": []}
    cited = {"type": "citations_delta", "citation": {}}
    events = [
        start(),
        {"type": "new"},
        {"type": []},
        *block(0, own, asked),
        *block(1, found),
        *block(2, {"type": "text", "text": ""}, cited, {"type": "text_delta", "text": "So"}),
        *block(3, {"type": []}),
    ]
    assert put_together(chunks(events)) == {"role": "assistant", "content": "So"}


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("tool_use", "tool_calls"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "length"),
        ("refusal", "content_filter"),
        ("new", "new"),
    ],
)
def test_an_end_has_its_reason(reason: str, expected: str) -> None:
    """Never is an answer said to have stopped that did not."""
    assert [chunk.finish_reason for chunk in chunks(end(reason))] == [expected, None]


def test_a_refusal_may_have_words() -> None:
    [ended, _] = chunks(end("refusal", stop_details=CUT))
    assert (ended.finish_reason, ended.delta) == (
        "content_filter",
        {"refusal": "That could do harm."},
    )


def test_tokens_are_counted_as_the_last_event_has_it() -> None:
    """What that leaves out was told at the beginning; what was cached is part of the prompt."""
    events = [
        start(input_tokens=3, cache_read_input_tokens=10, cache_creation_input_tokens=20),
        *end(
            tokens=7, usage={"input_tokens": None, "output_tokens_details": {"thinking_tokens": 4}}
        ),
    ]
    assert chunks(events)[-1].usage == Usage(
        33, 7, {"cached_tokens": 10, "cache_write_tokens": 20}, {"reasoning_tokens": 4}
    )


def test_tokens_that_make_no_sense_are_no_reason_to_lose_the_answer() -> None:
    read = chunks([start(input_tokens="many"), *end()])
    assert [chunk.finish_reason for chunk in read] == [None, "stop"]
    assert all(chunk.usage is None for chunk in read)


_NAMES = ("text", "thinking", "signature", "id", "name", "input", "partial_json", "stop_reason")
_KINDS = ("text", "thinking", "tool_use", "text_delta", "input_json_delta", "signature_delta")
_ANY: st.SearchStrategy[Any] = st.none() | st.integers() | st.text(max_size=3) | st.just({})
_THING = st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(_KINDS) | _ANY, **dict.fromkeys(_NAMES, _ANY)}
)
_SENT = st.fixed_dictionaries(
    {"type": st.sampled_from([event["type"] for event in [start(), *text(0, "a"), *end()]])},
    optional={
        "index": st.integers(0, 2) | _ANY,
        "content_block": _THING | _ANY,
        "delta": _THING | _ANY,
        "message": _THING,
        "usage": _ANY,
    },
)


@given(st.lists(_SENT, max_size=6))
def test_whatever_comes_is_read_or_refused(events: list[dict[str, Any]]) -> None:
    """And what is read is a piece of an answer."""
    with suppress(msgspec.ValidationError):
        assert all(isinstance(chunk.text, str) for chunk in chunks(events))


@pytest.mark.parametrize(
    "event",
    [
        {"type": "message_start"},
        {"type": "content_block_start", "index": "0", "content_block": {}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use"}},
        {"type": "content_block_delta", "index": 0, "delta": {}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": 7}},
        {"type": "message_delta", "delta": {"stop_reason": 7}},
    ],
)
def test_an_event_has_to_be_what_its_kind_is(event: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        chunks([event])
