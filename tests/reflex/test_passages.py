"""Finding the texts of a request, and putting others in their places."""

from typing import Any

from stormproof.providers import ChatRequest, EmbeddingRequest, TextRequest
from stormproof.reflex.passages import Passage, passages, rewritten, told

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


def test_thoughts_and_expected_answers_are_texts() -> None:
    """But not signed thoughts: those must come back as they were given."""
    said = {"role": "assistant", "content": "a", "reasoning": "b", "thinking_blocks": [{"text": 1}]}
    expected = {"type": "content", "content": [{"type": "text", "text": "c"}, "d"]}
    request = ChatRequest({"model": "m", "messages": [said], "prediction": expected})
    assert {told(one.place): one.text for one in passages(request)} == {
        "messages.0.content": "a",
        "messages.0.reasoning": "b",
        "prediction.content.0.text": "c",
    }
