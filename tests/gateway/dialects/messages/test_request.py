"""What comes by Anthropic's Messages API is said in the common tongue, and nothing is lost."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.errors import InvalidRequest
from stormproof.gateway.dialects.messages.request import chat_request
from stormproof.providers.anthropic.request import beta, body
from stormproof.providers.chat import ChatRequest, Document
from stormproof.providers.plain import plain

MARK = {"cache_control": {"type": "ephemeral"}}
SIGNED = {"type": "thinking", "thinking": "Hm", "signature": "c2ln"}
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iV8="}}


def read(*turns: Document, betas: str | None = None, **fields: Any) -> ChatRequest:
    messages = list(turns) or [user("Hi")]
    return chat_request({"model": "m", "max_tokens": 9, "messages": messages, **fields}, betas)


def user(*said: Any) -> Document:
    return {"role": "user", "content": said[0] if isinstance(said[0], str) else list(said)}


def assistant(*said: Any) -> Document:
    return {**user(*said), "role": "assistant"}


def words(text: str, **more: Any) -> Document:
    return {"type": "text", "text": text, **more}


def call(place: int, **more: Any) -> Document:
    return {"type": "tool_use", "id": f"toolu_{place}", "name": "f", "input": {"a": place}, **more}


def result(place: int, **more: Any) -> Document:
    return {"type": "tool_result", "tool_use_id": f"toolu_{place}", **more}


def test_all_that_is_asked_is_said_in_the_common_tongue() -> None:
    request = read(
        user(words("See"), PICTURE, {"type": "document", "source": {"type": "url", "url": "x"}}),
        system="Be brief.",
        stream=True,
        stop_sequences=["END"],
        temperature=0.5,
        top_p=0.9,
        top_k=5,
        metadata={"user_id": "u"},
        tools=[{"name": "f", "description": "F.", "input_schema": {"type": "object"}}],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        output_config={"format": {"type": "json_schema", "schema": {"type": "object"}}},
    )
    function = {"name": "f", "description": "F.", "parameters": {"type": "object"}}
    schema = {"name": "answer", "schema": {"type": "object"}}
    assert plain(request) == {
        "model": "m",
        "max_tokens": 9,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    words("See"),
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iV8="}},
                    {"type": "file", "file": {"file_data": "x"}},
                ],
            },
        ],
        "stream": True,
        "stop": ["END"],
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 5,
        "user": "u",
        "tools": [{"type": "function", "function": function}],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "response_format": {"type": "json_schema", "json_schema": schema},
    }


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "f"}, {"type": "function", "function": {"name": "f"}}),
    ],
)
def test_tools_are_chosen_as_asked(choice: Document, expected: Any) -> None:
    tools = [{"name": "f", "input_schema": {}}]
    assert read(tools=tools, tool_choice=choice).document["tool_choice"] == expected
    assert "tool_choice" not in read(tool_choice=choice).document


def test_calls_and_their_results_are_messages() -> None:
    """Each in its place, so that a chat API takes them."""
    request = read(
        user("Hi"),
        assistant(words("Wait."), call(1), call(2)),
        user(result(1, content="one"), result(2, is_error=True), words("Go on")),
    )
    _, said, *results = plain(request)["messages"]
    calls = said["tool_calls"]
    assert said["content"] == "Wait."
    assert [json.loads(one["function"]["arguments"]) for one in calls] == [{"a": 1}, {"a": 2}]
    assert results == [
        {"role": "tool", "tool_call_id": "toolu_1", "content": "one"},
        {"role": "tool", "tool_call_id": "toolu_2", "content": ""},
        {"role": "user", "content": "Go on"},
    ]


def test_pictures_that_tools_give_are_shown_by_the_user() -> None:
    """Behind all results, as chat APIs have texts alone there."""
    request = read(
        assistant(call(1), call(2)),
        user(result(1, content=[words("See "), PICTURE, words("this")]), result(2, content="2")),
        assistant("Nice."),
    )
    _, first, second, shown, _ = plain(request)["messages"]
    assert (first["content"], second["content"]) == ("See this", "2")
    assert [part["type"] for part in shown["content"]] == ["image_url"]
    assert shown["role"] == "user"


def test_what_only_anthropic_knows_is_for_anthropic() -> None:
    """Marks for its cache, thoughts, and fields of its own."""
    request = read(
        user(words("Hi", **MARK)),
        assistant(SIGNED, words("Yes", **MARK), call(1, **MARK)),
        user(result(1, is_error=True, **MARK)),
        tools=[{"name": "f", "input_schema": {}, **MARK}],
        thinking={"type": "adaptive"},
        output_config={"effort": "low"},
        system=[words("S", **MARK)],
        betas="a-1",
    )
    told = json.dumps(plain(request))
    for name in ("cache_control", "thinking", "is_error", "effort", "betas"):
        assert name not in told
    assert read().document == plain(read())


def test_a_plain_request_is_passed_on_as_it_is() -> None:
    request = ChatRequest({"model": "m", "messages": [user(words("Hi", **MARK))]})
    assert plain(request) is request.document


TEXTS = st.text(min_size=1, max_size=8).filter(str.strip)
MARKS = st.sampled_from([{}, MARK])
SAID = st.builds(lambda text, mark: words(text, **mark), TEXTS, MARKS)
PARTS = SAID | st.just(PICTURE)
NUMBERS = st.integers(0, 9)
CALLS = st.builds(lambda place, mark: call(place, **mark), NUMBERS, MARKS)
RESULTS = st.builds(
    lambda place, content, failed, mark: result(place, content=content, **failed, **mark),
    NUMBERS,
    st.lists(PARTS, min_size=1, max_size=3),
    st.sampled_from([{}, {"is_error": True}]),
    MARKS,
)
THOUGHTS = st.sampled_from([SIGNED, {"type": "redacted_thinking", "data": "eHg="}])


def blocks(kinds: st.SearchStrategy[Document]) -> st.SearchStrategy[list[Document]]:
    return st.lists(kinds, min_size=1, max_size=5)


@given(
    turns=st.lists(st.tuples(blocks(PARTS | RESULTS), blocks(SAID | CALLS | THOUGHTS)), max_size=3),
    last=blocks(PARTS | RESULTS),
    fields=st.fixed_dictionaries(
        {},
        optional={
            "system": blocks(SAID),
            "stop_sequences": st.lists(TEXTS, min_size=1, max_size=3),
            "temperature": st.floats(0, 1),
            "top_p": st.floats(0, 1),
            "top_k": st.integers(1, 9),
            "metadata": st.just({"user_id": "u"}),
            "thinking": st.just({"type": "adaptive"}),
            "output_config": st.just(
                {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}}
            ),
            "tools": st.just(
                [{"name": "f", "description": "F.", "input_schema": {"type": "object"}, **MARK}]
            ),
        },
    ),
)
def test_a_model_of_anthropic_is_asked_what_the_client_asked(
    turns: list[tuple[list[Document], list[Document]]],
    last: list[Document],
    fields: dict[str, Any],
) -> None:
    """Block by block: the way into the common tongue and back loses nothing, in any order."""
    told = [turn for asked, said in turns for turn in (user(*asked), assistant(*said))]
    request = read(*told, user(*last), **fields)
    sent = body(request, samples=True, max_tokens=1, prefills=False)
    assert {name: value for name, value in sent.items() if value is not None} == {
        "max_tokens": 9,
        "messages": [*told, user(*last)],
        **fields,
    }


def test_what_is_not_for_everybody_yet_is_asked_for_as_the_client_did() -> None:
    """With the names in its header."""
    assert beta(read(betas="a-1, b-2")) == "a-1,b-2"
    assert beta(read()) is None


def test_thoughts_that_are_not_signed_go_back_to_nobody() -> None:
    """They come from models that want none, and Anthropic's refuse them."""
    unsigned = {"type": "thinking", "thinking": "Hm", "signature": ""}
    assert read(assistant(unsigned, words("Yes")), assistant(unsigned)).document["messages"] == [
        {"role": "assistant", "content": "Yes"}
    ]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": []}, "messages"),
        (
            {"messages": [{"role": "tool", "content": ""}]},
            "messages[0].role",
        ),
        ({"messages": [{"role": "user"}]}, "messages[0]"),
        ({"messages": [assistant(result(1))]}, "messages[0].content[0].type"),
        ({"messages": [user(call(1))]}, "messages[0].content[0].type"),
        ({"messages": [user({"type": "search_result"})]}, "messages[0].content[0].type"),
        ({"temperature": 1.5}, "temperature"),
        ({"tools": [{"name": "f g", "input_schema": {}}]}, "tools[0].name"),
        ({"tools": [{"name": "f", "input_schema": {}, "type": "bash"}]}, "tools[0].type"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"system": [PICTURE]}, "system[0].type"),
    ],
)
def test_what_is_no_request_is_refused(fields: dict[str, Any], param: str) -> None:
    """By the field, and without a word of the prompt."""
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)
    assert caught.value.param == param


def test_a_name_of_a_medium_is_nothing_else() -> None:
    """It becomes part of an address."""
    source = {"type": "base64", "media_type": "image/png;base64,x", "data": ""}
    with pytest.raises(InvalidRequest):
        read(user({"type": "image", "source": source}))
