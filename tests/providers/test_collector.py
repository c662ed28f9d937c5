"""The pieces of a stream make the answer that it was."""

from typing import Any

from stormproof.providers.chat import Chunk, Usage, in_chunks
from stormproof.providers.collector import Collector


def collected(*chunks: Chunk) -> Any:
    collector = Collector()
    for chunk in chunks:
        collector.add(chunk)
    return collector.completion()


def test_texts_are_joined() -> None:
    """Of each answer by itself; and thoughts apart from what is said."""
    whole = collected(
        Chunk(0, {"role": "assistant", "reasoning_content": "Hm"}),
        Chunk(1, {"content": "B"}),
        Chunk(0, {"reasoning_content": "m."}),
        Chunk(0, {"content": "A"}),
        Chunk(0, {"content": "a"}),
        Chunk(1, {}, "length"),
        Chunk(0, {}, "stop"),
        Chunk(usage=Usage(3, 4)),
    )
    assert whole.choices == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Aa", "reasoning_content": "Hmm."},
            "finish_reason": "stop",
        },
        {
            "index": 1,
            "message": {"role": "assistant", "content": "B"},
            "finish_reason": "length",
        },
    ]
    assert whole.usage == Usage(3, 4)


def test_calls_of_tools_are_joined() -> None:
    def part(index: int, **function: str) -> dict[str, Any]:
        named = {"id": f"c{index}", "type": "function"} if "name" in function else {}
        return {"index": index, **named, "function": function}

    whole = collected(
        Chunk(0, {"tool_calls": [part(0, name="f", arguments="")]}),
        Chunk(0, {"tool_calls": [part(0, arguments='{"a"'), part(1, name="g", arguments="{}")]}),
        Chunk(0, {"tool_calls": [part(0, arguments=":1}")]}),
        Chunk(0, {}, "tool_calls"),
    )
    calls = whole.choices[0]["message"]["tool_calls"]
    assert [(call["id"], call["function"]) for call in calls] == [
        ("c0", {"name": "f", "arguments": '{"a":1}'}),
        ("c1", {"name": "g", "arguments": "{}"}),
    ]


def test_without_an_end_it_is_no_answer() -> None:
    assert collected(Chunk(0, {"content": "A"})) is None
    assert collected(Chunk(0, {}, "stop"), Chunk(1, {"content": "B"})) is None
    assert collected() is None


def test_a_whole_answer_survives_being_cut_into_pieces() -> None:
    whole = collected(Chunk(0, {"content": "A"}), Chunk(0, {}, "stop"), Chunk(usage=Usage(1, 1)))
    assert collected(*in_chunks(whole)) == whole
