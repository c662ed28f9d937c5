"""A request in OpenAI's form is asked of Anthropic's API in its own."""

import json
from contextlib import suppress
from typing import Any, get_type_hints

import pytest
from anthropic.types import (
    ContentBlockParam,
    MetadataParam,
    OutputConfigParam,
    TextBlockParam,
    ToolChoiceParam,
    ToolParam,
)
from anthropic.types.beta import message_create_params as beta_params
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from stormproof.errors import InvalidRequest
from stormproof.providers.anthropic.conversation import INSTRUCTION
from stormproof.providers.anthropic.request import beta, body
from stormproof.providers.chat import ChatRequest, Document

PIXEL = "iVBORw0KGgo="
ASKED = {"role": "user", "content": "Hi"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}


def asked(
    *messages: Document,
    samples: bool = False,
    prefills: bool = False,
    **fields: Any,
) -> Document:
    """Return what is sent, having seen that Anthropic's SDK knows all of it."""
    request = ChatRequest({"model": "m", "messages": list(messages) or [ASKED], **fields})
    sent = body(request, samples=samples, max_tokens=99, prefills=prefills)
    sent = {name: value for name, value in sent.items() if value is not None}
    known = get_type_hints(beta_params.MessageCreateParamsBase)
    assert sent.keys() <= known.keys() | {"temperature", "top_p", "top_k"}
    return sent


def turns(*messages: Document, **how: Any) -> list[tuple[str, Any]]:
    return [(turn["role"], turn["content"]) for turn in asked(*messages, **how)["messages"]]


def words(text: str) -> list[Document]:
    return [{"type": "text", "text": text}]


def test_a_request_is_one_that_the_sdk_would_send() -> None:
    """Its types, which come from Anthropic's specification, accept it and lose nothing."""
    sent = asked(
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [*words("See"), image(f"data:image/png;base64,{PIXEL}")]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "2"},
        tools=[function("f", parameters={"properties": {"a": {"type": "integer"}}})],
        tool_choice="required",
        parallel_tool_calls=False,
        stop=["END"],
        user="u-1",
        thinking={"type": "adaptive"},
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {}}},
    )
    for turn in sent["messages"]:
        assert all(known(ContentBlockParam, block) for block in turn["content"])
    assert all(known(TextBlockParam, block) for block in sent["system"])
    assert all(known(ToolParam, tool) for tool in sent["tools"])
    assert known(ToolChoiceParam, sent["tool_choice"])
    assert known(OutputConfigParam, sent["output_config"])
    assert known(MetadataParam, sent["metadata"])


def known(kind: Any, document: Document) -> bool:
    adapter = TypeAdapter(kind)
    return bool(adapter.dump_python(adapter.validate_python(document), mode="json") == document)


def test_instructions_stand_apart() -> None:
    """Wherever they were said: not every model takes them in between."""
    sent = asked(
        {"role": "system", "content": "A"},
        ASKED,
        {"role": "developer", "content": [{**words("B")[0], "cache_control": {"type": "x"}}]},
    )
    assert sent["system"] == [*words("A"), {**words("B")[0], "cache_control": {"type": "x"}}]
    assert sent["messages"] == [{"role": "user", "content": words("Hi")}]


def test_messages_of_one_side_become_one() -> None:
    """Results of parallel calls have to come together; blank texts are refused."""
    calls = [CALL, {"id": "call:2", "function": {"name": "g", "arguments": ""}}]
    assert turns(
        ASKED,
        {"role": "user", "content": " \n"},
        {"role": "assistant", "content": "Wait.", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "call_1", "content": "2"},
        {"role": "tool", "tool_call_id": "call:2", "content": ""},
        {"role": "user", "content": "Go on"},
    ) == [
        ("user", words("Hi")),
        (
            "assistant",
            [
                *words("Wait."),
                {"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 1}},
                {"type": "tool_use", "id": "call_2", "name": "g", "input": {}},
            ],
        ),
        (
            "user",
            [
                {"type": "tool_result", "tool_use_id": "call_1", "content": words("2")},
                {"type": "tool_result", "tool_use_id": "call_2"},
                *words("Go on"),
            ],
        ),
    ]


def test_thoughts_go_back_as_they_came() -> None:
    """While tools are in use the model wants its own again, with their signatures."""
    thoughts = [
        {"index": 0, "type": "thinking", "thinking": "Hm", "signature": "c2ln"},
        {"index": 1, "type": "redacted_thinking", "data": "eHg="},
    ]
    said = {"role": "assistant", "content": "Yes", "thinking_blocks": thoughts}
    [_, (_, content), _] = turns(ASKED, said, ASKED)
    assert content == [
        {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "eHg="},
        *words("Yes"),
    ]


def image(url: str) -> Document:
    return {"type": "image_url", "image_url": {"url": url, "detail": "low"}}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            image(f"data:image/png;base64,{PIXEL}"),
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": PIXEL},
            },
        ),
        (
            image("https://example.org/a.png"),
            {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
        ),
        (
            {**image("https://example.org/a.png"), "cache_control": {"type": "ephemeral"}},
            {
                "type": "image",
                "source": {"type": "url", "url": "https://example.org/a.png"},
                "cache_control": {"type": "ephemeral"},
            },
        ),
        (
            {
                "type": "file",
                "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,eA=="},
            },
            {
                "type": "document",
                "title": "a.pdf",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "eA=="},
            },
        ),
        ({"type": "refusal", "refusal": "No"}, {"type": "text", "text": "No"}),
        (
            {"type": "search_result", "title": "t", "source": "s", "content": []},
            {"type": "search_result", "title": "t", "source": "s", "content": []},
        ),
    ],
)
def test_parts_become_blocks(part: Document, expected: Document) -> None:
    """What OpenAI's API does not have is taken for Anthropic's own."""
    assert turns({"role": "user", "content": [part]}) == [("user", [expected])]


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("messages", {"messages": [{"role": "function", "name": "f", "content": "2"}]}),
        ("messages", {"messages": [{"role": "tool", "content": "2"}]}),
        ("messages", {"messages": [{"role": "assistant", "tool_calls": [{}]}]}),
        (
            "messages",
            {
                "messages": [
                    {
                        "role": "assistant",
                        "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": cut}}],
                    }
                    for cut in ('{"a": ', "[]", "[" * 100_000, "\ud800")
                ]
            },
        ),
        ("messages", {"messages": [{"role": "user", "content": [image("data:image/png,x")]}]}),
        ("messages", {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}),
        ("messages", {"messages": [{"role": "user", "content": [{"type": "text", "text": 7}]}]}),
        (
            "messages",
            {
                "messages": [
                    {"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}
                ]
            },
        ),
        ("n", {"n": 2}),
        ("tools", {"tools": [{"type": "function"}]}),
        ("tools", {"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]}),
        ("tool_choice", {"tools": [{"type": "x"}], "tool_choice": "perhaps"}),
        ("tool_choice", {"tools": [{"type": "x"}], "tool_choice": {"type": []}}),
        ("response_format", {"response_format": {"type": "json_schema"}}),
        ("output_config", {"output_config": "low"}),
    ],
)
def test_what_cannot_be_translated_is_refused(field: str, fields: Document) -> None:
    """With the field that it is about, and without the prompt."""
    messages = fields.pop("messages", [ASKED])
    for message in messages:
        with pytest.raises(InvalidRequest) as caught:
            asked(message, **fields)
        assert caught.value.param == field


def function(name: str, **others: Any) -> Document:
    return {"type": "function", "function": {"name": name, **others}}


def test_functions_become_tools() -> None:
    parameters = {"type": "object", "properties": {"a": {}}, "required": ["a"]}
    own = {"type": "web_search_20250305", "name": "web_search"}
    sent = asked(
        tools=[
            function("f", description="Adds", parameters=parameters, strict=True),
            {**function("g", strict=False), "cache_control": {"type": "ephemeral"}},
            own,
        ]
    )
    assert sent["tools"] == [
        {"name": "f", "description": "Adds", "input_schema": parameters, "strict": True},
        {"name": "g", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}},
        own,
    ]
    assert "tool_choice" not in sent


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"tool_choice": "auto"}, None),
        ({"tool_choice": "none"}, {"type": "none"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": function("f")}, {"type": "tool", "name": "f"}),
        ({"tool_choice": {"type": "any"}}, {"type": "any"}),
        ({"parallel_tool_calls": True}, None),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        ({"parallel_tool_calls": False, "tool_choice": "none"}, {"type": "none"}),
    ],
)
def test_a_choice_of_tools_becomes_theirs(fields: Document, expected: Document | None) -> None:
    assert asked(tools=[function("f")], **fields).get("tool_choice") == expected
    assert "tool_choice" not in asked(**fields)


def test_an_answer_has_a_longest_length() -> None:
    """Anthropic wants to know one; the client's goes before ours."""
    assert asked()["max_tokens"] == 99
    assert asked(max_tokens=7)["max_tokens"] == 7
    assert asked(max_completion_tokens=8)["max_tokens"] == 8


def test_only_the_older_api_is_told_how_freely_to_choose() -> None:
    """The newer one refuses it, and the answer is worth more than its temperature."""
    fields: Document = {"temperature": 1.5, "top_p": 0.5}
    assert not asked(**fields).keys() & {"temperature", "top_p", "top_k"}
    assert asked(samples=True, **fields)["temperature"] == 1.0
    assert "top_p" not in asked(samples=True, **fields)
    sent = asked(samples=True, top_p=0.5, top_k=9)
    assert (sent["top_p"], sent["top_k"]) == (0.5, 9)


def test_the_form_of_an_answer_is_asked_for_as_far_as_it_can_be() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert asked(response_format=form, output_config={"effort": "low"})["output_config"] == {
        "effort": "low",
        "format": {"type": "json_schema", "schema": schema},
    }
    told = asked({"role": "system", "content": "A"}, ASKED, response_format={"type": "json_object"})
    first, second = told["system"]
    assert first["text"] == "A"
    assert "JSON" in second["text"]
    assert "output_config" not in asked(response_format={"type": "text"})


def test_fields_that_are_not_theirs_stay_here() -> None:
    """Anthropic refuses what it does not know; its own fields reach it."""
    others: Document = {
        "seed": 1,
        "logit_bias": {},
        "metadata": {"a": "b"},
        "service_tier": "default",
    }
    sent = asked(**others, thinking={"type": "adaptive"}, user="u-1", stop="END")
    assert sent == {
        "max_tokens": 99,
        "messages": [{"role": "user", "content": words("Hi")}],
        "metadata": {"user_id": "u-1"},
        "stop_sequences": ["END"],
        "thinking": {"type": "adaptive"},
    }


@pytest.mark.parametrize(
    "name",
    [
        "cache_control",
        "container",
        "context_management",
        "diagnostics",
        "inference_geo",
        "mcp_servers",
        "output_config",
        "speed",
        "thinking",
    ],
)
def test_fields_of_its_own_reach_it(name: str) -> None:
    """They are those of the SDK."""
    fields: Document = {name: {"a": 1}}
    assert asked(**fields)[name] == {"a": 1}


def test_a_model_that_prefills_goes_on_with_the_last_words() -> None:
    """White space at their end is taken off: with it, they are refused."""
    said = {"role": "assistant", "content": "It is \n"}
    assert turns(ASKED, said, prefills=True)[1:] == [("assistant", words("It is"))]
    blank = {"role": "assistant", "content": " \n"}
    assert turns(ASKED, blank, prefills=True) == [("user", words("Hi"))]


def test_a_model_that_does_not_prefill_is_asked_to_go_on() -> None:
    """Nor does one that is to think first."""
    said = {"role": "assistant", "content": "It is \n"}
    expected = [("assistant", words("It is \n")), ("user", words(INSTRUCTION))]
    assert turns(ASKED, said)[1:] == expected
    thinking = {"type": "adaptive"}
    assert turns(ASKED, said, prefills=True, thinking=thinking)[1:] == expected


_NAMES = ("type", "text", "image_url", "url", "file", "file_data", "function", "name", "arguments")
_KINDS = ("text", "image_url", "file", "function", "tool", "json_schema", "data:,", "auto")
_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.sampled_from(_KINDS) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=3)
    ),
    max_leaves=8,
)
_PARTS = st.lists(st.dictionaries(st.sampled_from(_NAMES), _JSON, max_size=3), max_size=3)
_MESSAGE = st.fixed_dictionaries(
    {
        "role": st.sampled_from(("system", "user", "assistant", "tool")),
        "content": st.none() | st.text(max_size=3) | _PARTS,
    },
    optional={"tool_calls": _PARTS, "tool_call_id": st.text(max_size=3), "thinking_blocks": _JSON},
)
_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "tools": _PARTS,
        "tool_choice": st.text(max_size=3) | st.dictionaries(st.sampled_from(_NAMES), _JSON),
        "response_format": st.dictionaries(st.sampled_from(_NAMES), _JSON),
        "output_config": _JSON,
        "user": _JSON,
        "betas": _JSON,
        "parallel_tool_calls": _JSON,
    },
)


@given(st.lists(_MESSAGE, min_size=1, max_size=3), _FIELDS, st.booleans())
def test_whatever_a_client_sends_is_translated_or_refused(
    messages: list[Document], fields: Document, prefills: bool
) -> None:
    request = ChatRequest({"model": "m", "messages": messages, **fields})
    with suppress(InvalidRequest):
        json.dumps(body(request, samples=True, max_tokens=9, prefills=prefills))
    with suppress(InvalidRequest):
        assert isinstance(beta(request), str | None)


def test_betas_are_names() -> None:
    def wanted(betas: Any) -> str | None:
        return beta(ChatRequest({"model": "m", "messages": [ASKED], "betas": betas}))

    assert wanted(None) is None
    assert wanted(["a-2025-01-01", "b_2"]) == "a-2025-01-01,b_2"
    for bad in ("a", ["a\r\nx: y"], [7], ["a" * 101], ["a"] * 65, {"a": 1}):
        with pytest.raises(InvalidRequest):
            wanted(bad)
