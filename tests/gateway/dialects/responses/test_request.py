"""What comes by OpenAI's Responses API is said in the common tongue."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.errors import InvalidRequest
from stormproof.gateway.dialects.responses.request import chat_request, told_back
from stormproof.providers.chat import Document

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a": 1}'}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "one"}


def read(*items: Any, **fields: Any) -> Document:
    asked = {"model": "m", "input": list(items) or "Hi", **fields}
    return chat_request(asked).document


def messages(*items: Any, **fields: Any) -> list[Document]:
    found: list[Document] = read(*items, **fields)["messages"]
    return found


def said(role: str, *content: Any, **more: Any) -> Document:
    return {"role": role, "content": content[0] if len(content) == 1 else list(content), **more}


def test_all_that_is_asked_is_said_in_the_common_tongue() -> None:
    document = read(
        instructions="Be brief.",
        max_output_tokens=9,
        temperature=0.5,
        top_p=0.9,
        stream=True,
        store=False,
        user="u",
        metadata={"a": "b"},
        reasoning={"effort": "low"},
        parallel_tool_calls=False,
        tools=[{"type": "function", "name": "f", "description": "F.", "parameters": SCHEMA}],
        tool_choice={"type": "function", "name": "f"},
        text={
            "format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True},
            "verbosity": "low",
        },
    )
    function = {"name": "f", "description": "F.", "parameters": SCHEMA}
    assert document == {
        "model": "m",
        "messages": [said("system", "Be brief."), said("user", "Hi")],
        "max_completion_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "stream": True,
        "user": "u",
        "reasoning_effort": "low",
        "parallel_tool_calls": False,
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": SCHEMA, "strict": True},
        },
        "verbosity": "low",
    }


def test_a_message_need_not_say_that_it_is_one() -> None:
    assert messages(said("user", "Hi")) == messages(said("user", "Hi", type="message"))


def test_parts_have_their_counterparts() -> None:
    picture = {"type": "input_image", "image_url": "data:image/png;base64,iV8=", "detail": "low"}
    file = {"type": "input_file", "file_data": "data:application/pdf;base64,JV8=", "filename": "x"}
    refusal = {"type": "refusal", "refusal": "No."}
    user, assistant = messages(
        said("user", {"type": "input_text", "text": "See"}, picture, file),
        said("assistant", {"type": "output_text", "text": "I", "annotations": []}, refusal),
    )
    assert user["content"] == [
        {"type": "text", "text": "See"},
        {"type": "image_url", "image_url": {"url": picture["image_url"], "detail": "low"}},
        {"type": "file", "file": {"file_data": file["file_data"], "filename": "x"}},
    ]
    assert assistant["content"] == [{"type": "text", "text": "I"}, refusal]


def test_calls_belong_to_what_was_said_before_them() -> None:
    """So that a chat API takes them; thoughts in between are nobody's business."""
    spoken = said("assistant", [{"type": "output_text", "text": "Wait."}])
    thought = {"type": "reasoning", "id": "rs_1", "summary": []}
    function = {"name": "f", "arguments": '{"a": 1}'}
    call = {"id": "c1", "type": "function", "function": function}
    result = {"role": "tool", "tool_call_id": "c1", "content": "one"}
    assert messages(said("user", "Hi"), thought, spoken, CALL, RESULT, CALL, RESULT) == [
        said("user", "Hi"),
        said("assistant", "Wait.", tool_calls=[call]),
        result,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        result,
    ]


def test_results_may_be_told_in_parts() -> None:
    told = [{"type": "input_text", "text": "one"}]
    assert messages(CALL, {**RESULT, "output": told})[1]["content"] == "one"


@given(choice=st.sampled_from(["none", "auto", "required"]), tools=st.booleans())
def test_a_choice_goes_with_tools(choice: str, tools: bool) -> None:
    """Without them, chat APIs refuse it."""
    offered = [{"type": "function", "name": "f"}] if tools else []
    document = read(tools=offered, tool_choice=choice, parallel_tool_calls=True)
    assert document.get("tool_choice") == (choice if tools else None)
    assert document.get("parallel_tool_calls") == (tools or None)


def test_a_json_object_may_be_asked_for() -> None:
    form = {"type": "json_object"}
    assert read(text={"format": form})["response_format"] == form
    assert "response_format" not in read(text={"format": {"type": "text"}})


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": ["Hi"]}, "input[0]"),
        ({"input": [said("tool", "Hi")]}, "input[0].role"),
        ({"input": [said("user", [{"type": "input_video"}])]}, "input[0].content[0].type"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
        ({"input": [{**CALL, "name": "a b"}]}, "input[0].name"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tool_choice": "some"}, "tool_choice"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"background": True}, "background"),
        ({"store": True}, "store"),
    ],
)
def test_what_is_no_request_is_refused(fields: dict[str, Any], param: str) -> None:
    """By the field."""
    with pytest.raises(InvalidRequest) as caught:
        chat_request({"model": "m", "input": "Hi", **fields})
    assert caught.value.param == param


def test_a_response_says_what_was_asked() -> None:
    """And what holds where nothing was."""
    told = told_back({"model": "m", "input": "Hi", "temperature": 0.5, "tools": None})
    assert (told["temperature"], told["tools"], told["store"]) == (0.5, [], False)
    assert told["text"] == {"format": {"type": "text"}}
