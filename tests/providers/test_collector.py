"""The pieces of a stream make the answer that it was."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

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


def test_lists_grow_whatever_they_hold() -> None:
    """Entries with one number are one; its signature comes behind a thought."""

    def thought(index: int, **fields: str) -> dict[str, Any]:
        return {"thinking_blocks": [{"index": index, "type": "thinking", **fields}]}

    whole = collected(
        Chunk(0, {"role": "assistant", **thought(0, thinking="Hm", signature="")}),
        Chunk(0, thought(0, thinking="m.")),
        Chunk(0, thought(0, signature="s")),
        Chunk(0, thought(1, thinking="Oh.")),
        Chunk(0, {"annotations": [{"url": "a"}]}),
        Chunk(0, {"annotations": [{"url": "b"}], "images": [1]}),
        Chunk(0, {"content": "A", "cost": 1}),
        Chunk(0, {"cost": 2}, "stop"),
    )
    assert whole.choices[0]["message"] == {
        "role": "assistant",
        "content": "A",
        "thinking_blocks": [
            {"type": "thinking", "thinking": "Hmm.", "signature": "s"},
            {"type": "thinking", "thinking": "Oh."},
        ],
        "annotations": [{"url": "a"}, {"url": "b"}],
        "images": [1],
        "cost": 2,
    }


def test_tokens_stay_weighed() -> None:
    def weighed(token: str) -> dict[str, Any]:
        return {"content": [{"token": token, "logprob": -1.0}], "refusal": None}

    whole = collected(
        Chunk(0, {"content": "A"}, None, weighed("A")),
        Chunk(0, {"content": "a"}, "stop", weighed("a")),
    )
    tokens = whole.choices[0]["logprobs"]["content"]
    assert [token["token"] for token in tokens] == ["A", "a"]


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.sampled_from(["", "a"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["index", "function", "id"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.sampled_from(["tool_calls", "audio"]), DOCUMENTS), max_size=4))
def test_fields_of_any_kind_do_no_harm(deltas: list[dict[str, Any]]) -> None:
    """Nobody has looked at most of them."""
    whole = collected(*[Chunk(0, delta) for delta in deltas], Chunk(0, {}, "stop"))
    assert whole.choices[0]["finish_reason"] == "stop"


def test_without_an_end_it_is_no_answer() -> None:
    assert collected(Chunk(0, {"content": "A"})) is None
    assert collected(Chunk(0, {}, "stop"), Chunk(1, {"content": "B"})) is None
    assert collected() is None


def test_a_whole_answer_survives_being_cut_into_pieces() -> None:
    whole = collected(Chunk(0, {"content": "A"}), Chunk(0, {}, "stop"), Chunk(usage=Usage(1, 1)))
    assert collected(*in_chunks(whole)) == whole
