"""Finding the texts of a request, and putting others in their places."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.errors import InvalidInput
from stormproof.providers import ChatRequest, EmbeddingRequest, TextRequest
from stormproof.reflex.passages import Passage, passages, rewritten, told, with_texts

CALL = {"id": "c1", "type": "function", "function": {"name": "mail", "arguments": '{"to": "x"}'}}
MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "be kind"},
    {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image_url"}]},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "sent"},
]


def test_a_conversation_has_texts_parts_arguments_and_results() -> None:
    """Each with its place and whose words they are; a result names its tool."""
    assert passages(ChatRequest({"model": "m", "messages": MESSAGES})) == [
        Passage(("messages", 0, "content"), "be kind", "system"),
        Passage(("messages", 1, "content", 0, "text"), "hi", "user"),
        Passage(
            ("messages", 2, "tool_calls", 0, "function", "arguments"),
            '{"to": "x"}',
            "assistant",
            "mail",
        ),
        Passage(("messages", 3, "content"), "sent", "tool", "mail"),
    ]


def test_other_requests_have_theirs() -> None:
    """Prompts, suffixes, inputs: one or several; tokens are no texts."""
    text = TextRequest({"model": "m", "prompt": ["a", "b"], "suffix": "c"})
    assert [told(one.place) for one in passages(text)] == ["prompt.0", "prompt.1", "suffix"]
    assert [one.text for one in passages(EmbeddingRequest({"model": "m", "input": "a"}))] == ["a"]
    assert not passages(EmbeddingRequest({"model": "m", "input": [1, 2]}))


def test_texts_can_be_put_in_place_of_all_passages() -> None:
    """Then those are what is found there, and the document that was given is as it was."""
    request = ChatRequest({"model": "m", "messages": MESSAGES})
    texts = {one.place: one.text.upper() for one in passages(request)}
    changed = ChatRequest(rewritten(request.document, texts))
    assert [one.text for one in passages(changed)] == [t.upper() for t in texts.values()]
    assert passages(request)[0].text == "be kind"
    assert changed.document["messages"][1]["content"][1] is MESSAGES[1]["content"][1]


@given(
    st.lists(
        st.fixed_dictionaries(
            {"role": st.sampled_from(["system", "user", "assistant"]), "content": st.text()}
        ),
        min_size=1,
    )
)
def test_messages_of_a_role_and_a_text_are_read_as_all_others(
    messages: list[dict[str, Any]],
) -> None:
    """What most conversations consist of has a shorter way."""
    unusual = {"role": "user", "name": "ann", "content": "hi"}
    plain = passages(ChatRequest({"model": "m", "messages": messages}))
    among_others = passages(ChatRequest({"model": "m", "messages": [*messages, unusual]}))
    assert [*plain] == [*among_others][: len(messages)]


def test_thoughts_and_expected_answers_are_texts() -> None:
    """But not signed thoughts: those must come back as they were given."""
    said = {"role": "assistant", "content": "a", "reasoning": "b", "thinking_blocks": [{"text": 1}]}
    expected = {"type": "content", "content": [{"type": "text", "text": "c"}, "d"]}
    request = ChatRequest({"model": "m", "messages": [said], "prediction": expected})
    assert {told(one.place): one.text for one in passages(request)} == {
        "messages.0.content": "a",
        "messages.0.reasoning": "b",
        "prediction.content.0.text": "c",
        "prediction.content.1": "d",
    }


def test_thoughts_that_nobody_has_signed_are_texts_and_so_is_what_was_heard() -> None:
    """Not what is sealed, or may be signed at its end; nor the sounds."""
    details = [
        {"type": "reasoning.text", "text": "a b", "index": 0},
        {"type": "reasoning.text", "text": "signed", "signature": "s"},
        {"type": "reasoning.summary", "summary": "c d"},
        {"type": "reasoning.summary", "summary": "signed", "format": "anthropic-claude-v1"},
        {"type": "reasoning.encrypted", "data": "sealed"},
        "odd",
    ]
    blocks = [{"type": "thinking", "thinking": "e f"}, {"type": "redacted_thinking", "data": "x"}]
    audio = {"id": "a", "transcript": "g h", "data": "AAAA"}
    said = {"reasoning_details": details, "thinking_blocks": blocks, "audio": audio}
    assert told_texts(messages=[{"role": "assistant", **said}]) == {
        "messages.0.reasoning_details.0.text": "a b",
        "messages.0.reasoning_details.2.summary": "c d",
        "messages.0.thinking_blocks.0.thinking": "e f",
        "messages.0.audio.transcript": "g h",
    }


def told_texts(**fields: Any) -> dict[str, str]:
    """The texts of a request, by their places."""
    messages = fields.pop("messages", [{"role": "user", "content": "hi"}])
    request = ChatRequest({"model": "m", "messages": messages, **fields})
    return {told(one.place): one.text for one in passages(request) if one.text != "hi"}


def test_whatever_else_a_provider_is_sent_is_a_text() -> None:
    """Also what stands in fields that nobody here knows."""
    asked = {
        "user": "u1",
        "stop": ["END", "\n"],
        "metadata": {"case": "of Bob", "count": 3},
        "store": True,
        "temperature": 0.5,
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "anything": [{"deep": {"down": "here it is"}}],
    }
    assert told_texts(**asked) == {
        "user": "u1",
        "stop.0": "END",
        "stop.1": "\n",
        "metadata.case": "of Bob",
        "anything.0.deep.down": "here it is",
    }


def test_tools_and_forms_of_answers_are_defined_in_texts() -> None:
    """Each tells its tool; what reaches a tool's server is not one."""
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "description": "whose it is", "enum": ["a-b"]}},
        "required": ["name"],
    }
    function = {"name": "find_it", "description": "finds it", "parameters": schema}
    form = {"type": "json_schema", "json_schema": {"name": "form", "schema": {"title": "of it"}}}
    server = {"type": "mcp", "server_url": "https://10.0.0.1/mcp", "authorization": "Bearer 1"}
    tools = [{"type": "function", "function": function}, server]
    request = ChatRequest(
        {"model": "m", "messages": MESSAGES[:1], "tools": tools, "response_format": form}
    )
    defined = [one for one in passages(request) if one.role == "definition"]
    at = ("tools", 0, "function")
    within = (*at, "parameters", "properties", "name")
    assert defined == [
        Passage((*at, "description"), "finds it", "definition", "find_it"),
        Passage((*within, "description"), "whose it is", "definition", "find_it"),
        Passage((*within, "enum", 0), "a-b", "definition", "find_it"),
        Passage(("response_format", "json_schema", "schema", "title"), "of it", "definition", None),
    ]


def test_names_files_and_parts_of_other_kinds_are_texts() -> None:
    """But not the bytes and addresses of pictures and files, ids, and signed thoughts."""
    source = {"type": "base64", "media_type": "text/plain", "data": "AAAA"}
    parts: list[Any] = [
        {"type": "file", "file": {"filename": "of Bob.pdf", "file_data": "data:,x y"}},
        {"type": "image_url", "image_url": {"url": "https://a.b/c d"}},
        {"type": "document", "source": {"type": "text", "data": "what Bob wrote"}},
        {"type": "document", "source": source},
        {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "a b"}]},
        {"type": "thinking", "thinking": "hm hm", "signature": "s"},
        {"type": "input_image", "image_url": "data:,x y"},
        {"type": "input_file", "filename": "to Bob.pdf", "file_data": "data:,x y"},
        {"type": "image", "source": {"type": "url", "url": "https://a.b/c d"}},
        {"type": "reasoning", "summary": [{"text": "c d"}], "encrypted_content": "x y"},
    ]
    call = {"id": "c", "function": {"name": "f", "arguments": {"to": "Bob"}}}
    messages = [
        {"role": "user", "name": "bob-b", "content": parts, "id": "msg_1", "type": "message"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
    ]
    assert told_texts(messages=messages) == {
        "messages.0.content.0.file.filename": "of Bob.pdf",
        "messages.0.content.2.source.data": "what Bob wrote",
        "messages.0.content.4.content.0.text": "a b",
        "messages.0.content.7.filename": "to Bob.pdf",
        "messages.0.content.9.summary.0.text": "c d",
        "messages.0.name": "bob-b",
        "messages.1.tool_calls.0.function.arguments.to": "Bob",
    }


def test_a_key_that_a_client_made_up_is_not_told() -> None:
    """It may be a value itself, or end a header."""
    place = [*told_texts(metadata={"bob@x.com": "a b", "4\r\nx: y": "c d", "k" * 65: "e f"})]
    assert place == ["metadata.?"]


def test_a_tool_may_be_called_anything() -> None:
    """A name that is no text is none."""
    function = {"name": 5, "arguments": "{}", "description": "of it"}
    message = {"role": "assistant", "tool_calls": [{"id": 1, "function": function}]}
    request = ChatRequest({"model": "m", "messages": [message], "tools": [{"function": function}]})
    assert {one.tool for one in passages(request)} == {None}


def test_no_depth_is_too_deep_to_be_seen() -> None:
    """Whoever bounds it has to see it."""
    deep: Any = "at last"
    for _ in range(5000):
        deep = [deep]
    assert passages(ChatRequest({"model": "m", "messages": MESSAGES[:1], "x": deep}))[-1].text


def test_texts_beside_a_conversation_can_be_replaced_too() -> None:
    """In every kind of request."""
    requests: list[ChatRequest | TextRequest | EmbeddingRequest] = [
        ChatRequest({"model": "m", "messages": MESSAGES, "metadata": {"of": "Bob"}, "user": "b"}),
        TextRequest({"model": "m", "prompt": "a", "stop": "b"}),
        EmbeddingRequest({"model": "m", "input": ["a"], "user": "b"}),
    ]
    for request in requests:
        texts = {one.place: f"x{n}" for n, one in enumerate(passages(request))}
        changed = with_texts(request, texts)
        assert {one.place: one.text for one in passages(changed)} == texts


def test_texts_are_counted_before_they_are_looked_at() -> None:
    """A million of one letter take as long as a million letters in a row do not."""
    asked = {"model": "m", "messages": MESSAGES[:1], "x": ["a"] * 10_000}
    with pytest.raises(InvalidInput, match="more than 10000 texts"):
        passages(ChatRequest(asked))


def test_what_one_kind_of_request_is_read_for_another_holds_as_well() -> None:
    """A provider may make something of it."""
    asked: dict[str, Any] = {"model": "m", "messages": MESSAGES[:1], "prompt": "a", "input": "b"}
    assert [one.text for one in passages(ChatRequest(asked))] == ["be kind", "a", "b"]
    assert {"a", "be kind", "b"} <= {one.text for one in passages(TextRequest(asked))}
    assert {"a", "be kind", "b"} <= {one.text for one in passages(EmbeddingRequest(asked))}
