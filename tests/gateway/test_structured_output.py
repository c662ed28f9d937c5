"""Answers in a form that was asked for, through the official client and at a high temperature."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel, ConfigDict, Field

from support.serving import MODEL, Server

Messages = list[ChatCompletionMessageParam]

HOT: Final = 1.5
ASKED: Final[Messages] = [{"role": "user", "content": "How is the weather in Rome?"}]
WEATHER: Final[ChatCompletionToolParam] = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "maxLength": 12},
                "unit": {"$ref": "#/$defs/unit"},
            },
            "required": ["city", "unit"],
            "additionalProperties": False,
            "$defs": {"unit": {"enum": ["celsius", "kelvin"]}},
        },
    },
}
TIME: Final[ChatCompletionToolParam] = {"type": "function", "function": {"name": "time"}}


class City(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=12)
    inhabitants: int = Field(ge=0, le=99_999_999)
    capital: bool


@pytest.fixture
def ai(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def check_weather(arguments: str) -> None:
    found = json.loads(arguments)
    assert found.keys() == {"city", "unit"}
    assert len(found["city"]) <= 12
    assert found["unit"] in {"celsius", "kelvin"}


def test_a_schema_always_gives_documents_that_validate(ai: openai.OpenAI) -> None:
    """Whatever the model, which is small and hot, would rather say."""
    answer = ai.chat.completions.create(
        model=MODEL,
        messages=ASKED,
        temperature=HOT,
        seed=1,
        n=4,
        max_tokens=60,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "city", "strict": True, "schema": City.model_json_schema()},
        },
    )
    for choice in answer.choices:
        City.model_validate_json(choice.message.content or "")
        assert choice.finish_reason == "stop"


def test_the_client_parses_answers_into_its_own_models(ai: openai.OpenAI) -> None:
    """``parse`` sends the schema of a class and gets an instance of it."""
    answer = ai.chat.completions.parse(
        model=MODEL, messages=ASKED, temperature=HOT, max_tokens=60, response_format=City
    )
    assert isinstance(answer.choices[0].message.parsed, City)


def test_any_json_object_can_be_asked_for(ai: openai.OpenAI) -> None:
    """Whatever is in it, it begins as an object, and parses if it was not cut."""
    answer = ai.chat.completions.create(
        model=MODEL,
        messages=ASKED,
        temperature=0,
        max_tokens=40,
        response_format={"type": "json_object"},
    )
    text = answer.choices[0].message.content or ""
    assert text.startswith("{")
    if answer.choices[0].finish_reason == "stop":
        assert isinstance(json.loads(text), dict)


@pytest.mark.parametrize(
    ("structure", "pattern"),
    [
        ({"regex": r"[A-Z]{3}-[0-9]{4}"}, r"[A-Z]{3}-[0-9]{4}"),
        ({"choice": ["sunny", 'a "wet" day']}, 'sunny|a "wet" day'),
        ({"grammar": 'start: "(" inner ")"\ninner: "x" | "y"'}, r"\([xy]\)"),
        ({"json": {"type": "integer", "minimum": 3, "maximum": 5}}, "[345]"),
    ],
)
def test_other_structures_are_asked_for_as_in_vllm(
    ai: openai.OpenAI, structure: dict[str, Any], pattern: str
) -> None:
    """On both routes."""
    body = {"structured_outputs": structure}
    chat = ai.chat.completions.create(
        model=MODEL,
        messages=ASKED,
        temperature=HOT,
        n=2,
        max_tokens=20,
        response_format={"type": "text"},  # which asks for no form of its own
        extra_body=body,
    )
    plain = ai.completions.create(
        model=MODEL, prompt="Today:", temperature=HOT, max_tokens=20, extra_body=body
    )
    texts = [choice.message.content or "" for choice in chat.choices]
    for text in [*texts, plain.choices[0].text]:
        assert re.fullmatch(pattern, text)


def test_a_required_tool_is_called_with_arguments_that_validate(ai: openai.OpenAI) -> None:
    """Every time; and the calls say so as they end."""
    answer = ai.chat.completions.create(
        model=MODEL,
        messages=ASKED,
        temperature=HOT,
        n=2,
        seed=3,
        max_tokens=80,
        tools=[WEATHER],
        tool_choice="required",
        parallel_tool_calls=False,
    )
    for choice in answer.choices:
        assert choice.finish_reason == "tool_calls"
        assert choice.message.content is None
        [call] = choice.message.tool_calls or []
        assert call.type == "function"
        assert call.function.name == "weather"
        check_weather(call.function.arguments)


def test_a_named_tool_is_the_one_that_is_called(ai: openai.OpenAI) -> None:
    """Once, and without arguments where it has none."""
    answer = ai.chat.completions.create(
        model=MODEL,
        messages=ASKED,
        temperature=HOT,
        max_tokens=60,
        tools=[WEATHER, {**TIME, "function": {"name": "time", "parameters": {"maxProperties": 0}}}],
        tool_choice={"type": "function", "function": {"name": "time"}},
    )
    [call] = answer.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("time", {})


def test_calls_stream_as_they_are_written(ai: openai.OpenAI) -> None:
    """First the name, then the arguments as they come; the same as in a whole answer."""
    asked: dict[str, Any] = {
        "model": MODEL,
        "messages": ASKED,
        "temperature": HOT,
        "seed": 5,
        "max_tokens": 80,
        "tools": [WEATHER],
        "tool_choice": "required",
        "parallel_tool_calls": False,
    }
    whole = ai.chat.completions.create(**asked)
    [wanted] = whole.choices[0].message.tool_calls
    chunks = list(ai.chat.completions.create(**asked, stream=True))
    deltas = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    assert deltas[0].id
    assert deltas[0].function.name == wanted.function.name == "weather"
    assert all(delta.id is None and delta.index == 0 for delta in deltas[1:])
    assert not deltas[0].function.arguments
    arguments = "".join(delta.function.arguments for delta in deltas)
    assert arguments == wanted.function.arguments
    assert chunks[-1].choices[0].finish_reason == "tool_calls"
    assert not any(chunk.choices[0].delta.content for chunk in chunks)


def test_what_a_tool_answered_goes_back_to_the_model(ai: openai.OpenAI) -> None:
    """The message of an answer is accepted as it came, and the result after it."""
    first = ai.chat.completions.create(
        model=MODEL,
        messages=ASKED,
        max_tokens=80,
        tools=[WEATHER],
        tool_choice={"type": "function", "function": {"name": "weather"}},
    )
    message = first.choices[0].message
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": "Sunny, 25 degrees."}
        for call in message.tool_calls or ()
    ]
    assert results
    messages: list[Any] = [*ASKED, message, *results]  # as the client's guide has it
    answer = ai.chat.completions.create(
        model=MODEL,
        messages=messages,
        temperature=0,
        max_tokens=8,
        tools=[WEATHER],
        tool_choice="none",
    )
    assert answer.choices[0].message.content
    assert not answer.choices[0].message.tool_calls


@pytest.mark.parametrize(
    "schema",
    [{"type": "person"}, {"type": "integer", "minimum": 2, "maximum": 1}, {"$ref": "#"}],
)
def test_a_schema_that_cannot_be_kept_is_a_bad_request(
    ai: openai.OpenAI, schema: dict[str, object]
) -> None:
    """At once, and streamed or not."""
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError):
            ai.chat.completions.create(
                model=MODEL,
                messages=ASKED,
                stream=stream,
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": "x", "schema": schema},
                },
            )
