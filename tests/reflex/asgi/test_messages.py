"""The reflex in front of an application that speaks Anthropic's API."""

import json
from typing import Any

import pytest

from stormproof.providers import ChatRequest, Chunk, Completion, Usage
from stormproof.reflex import Answered, Call, Changed, Companion, Outcome, Passed, PiiAction
from stormproof.reflex.asgi import APIS
from support.guarded_app import (
    ALICE,
    BOB,
    Document,
    GuardedApp,
    Noting,
    cut,
    events,
    placeholder,
    redacting,
    restored_stream,
)

PATH = "/v1/messages"
SHORT: Document = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": ALICE}]}
SCHEMA = {"type": "object", "properties": {"to": {"description": f"such as {ALICE}"}}}
LONG: Document = {
    "model": "m",
    "max_tokens": 9,
    "system": [{"type": "text", "text": f"ask {ALICE}", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": f"I am {ALICE}"},
        {
            "role": "assistant",
            "said_of": ALICE,
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": f"hello {ALICE}"},
                {"type": "tool_use", "id": "t1", "name": "mail", "input": {"to": [ALICE], "n": 1}},
                {
                    "type": "web_search_tool_result",
                    "tool_use_id": "t0",
                    "content": [{"type": "web_search_result", "title": ALICE, "url": "u"}],
                },
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": f'{{"to": "{ALICE}"}}'},
                {
                    "type": "tool_result",
                    "tool_use_id": "t1",
                    "content": [{"type": "text", "text": ALICE}],
                    "is_error": True,
                },
                {"type": "image", "source": {"type": "base64", "data": "AA", "media_type": "a/b"}},
                {"type": "search_result", "source": "s", "title": ALICE, "content": []},
            ],
        },
    ],
    "tools": [{"name": "mail", "description": f"to {ALICE}", "input_schema": SCHEMA}],
    "tool_choice": {"type": "any"},
    "metadata": {"user_id": ALICE},
    "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    "stop_sequences": [ALICE],
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "unheard_of": {"of": ALICE},
}


def message(*content: Document) -> Document:
    usage = {"input_tokens": 3, "output_tokens": 4, "cache_read_input_tokens": 2}
    return {"type": "message", "role": "assistant", "content": [*content], "usage": usage}


def said(words: str, size: int, arguments: Document) -> list[Document]:
    """Return the events of a thought, a text and a call, each cut into pieces."""

    def block(index: int, begun: Document, *deltas: Document) -> list[Document]:
        return [
            {"type": "content_block_start", "index": index, "content_block": begun},
            *({"type": "content_block_delta", "index": index, "delta": one} for one in deltas),
            {"type": "content_block_stop", "index": index},
        ]

    thought = {"type": "thinking_delta", "thinking": "hm"}
    texts = [{"type": "text_delta", "text": one} for one in cut(words, size)]
    pieces = cut(json.dumps(arguments), size)
    inputs = [{"type": "input_json_delta", "partial_json": one} for one in pieces]
    called = {"type": "tool_use", "id": "t", "name": "mail", "input": {}}
    return [
        {"type": "message_start", "message": {**message(), "usage": {"input_tokens": 3}}},
        {"type": "ping"},
        *block(0, {"type": "thinking", "thinking": "", "signature": ""}, thought),
        *block(1, {"type": "text", "text": ""}, *texts),
        *block(2, called, *inputs),
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 4},
        },
        {"type": "message_stop"},
    ]


def heard(told: list[Document]) -> dict[int, str]:
    """Return what is said in each block."""
    texts: dict[int, str] = {}
    for one in told:
        if one["type"] == "content_block_delta":
            [text] = [text for name, text in one["delta"].items() if name != "type"]
            texts[one["index"]] = texts.get(one["index"], "") + text
    return texts


def around(told: list[Document]) -> list[Document]:
    """Return the other events."""
    return [one for one in told if one["type"] != "content_block_delta"]


@pytest.mark.parametrize("path", [PATH, f"{PATH}/count_tokens", f"{PATH}/"])
async def test_all_of_a_request_reaches_the_application_but_what_is_private(path: str) -> None:
    """In the API's own words; all that the stages do not understand is as it was."""
    app = GuardedApp(redacting())
    await app.ask(path, LONG)
    [asked] = app.asked
    word = placeholder(asked)
    assert asked == json.loads(json.dumps(LONG).replace(ALICE, word))


async def test_stages_see_who_says_what() -> None:
    """Tools by their names, and for whom it is asked."""
    noting = Noting()
    await GuardedApp(noting).ask(PATH, LONG)
    [call] = noting.calls
    assert isinstance(call.request, ChatRequest)
    roles = {(one.role, one.tool) for one in call.passages}
    assert roles == {
        *((role, None) for role in ("system", "user", "definition")),
        *(("assistant", name) for name in (None, "mail")),
        *((role, "mail") for role in ("tool", "definition")),
        ("tool", None),
    }
    assert (call.caller.user, call.request.max_tokens, call.request.wants_json) == (ALICE, 9, True)


async def test_values_are_put_back_into_an_answer() -> None:
    """Into texts and arguments; the tokens are counted, and all the rest is as it was."""
    noting = Noting()
    app = GuardedApp(redacting(), noting)

    def says(asked: Document) -> Document:
        word = placeholder(asked)
        call = {"type": "tool_use", "id": "t", "name": "mail", "input": {"to": f'"{word}"', "n": 1}}
        thought = {"type": "thinking", "thinking": word, "signature": "s"}
        return message(thought, {"type": "text", "text": f"hi {word}"}, call)

    app.says = says
    answer = (await app.ask(PATH, SHORT)).json()
    word = placeholder(app.asked[0])
    thought, text, call = answer["content"]
    assert (thought["thinking"], text["text"]) == (word, f"hi {ALICE}")
    assert call == {
        "type": "tool_use",
        "id": "t",
        "name": "mail",
        "input": {"to": f'"{ALICE}"', "n": 1},
    }
    assert {**answer, "content": []} == message()
    [ending] = noting.endings
    assert ending.usage
    assert (ending.usage.prompt_tokens, ending.usage.completion_tokens) == (5, 4)


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize("answers", [False, True])
async def test_and_into_a_stream(size: int, answers: bool) -> None:
    """However it is cut; also where all that a model says is looked through."""
    told = await restored_stream(PATH, SHORT, said, size=size, answers=answers)
    texts = heard(told)
    assert (texts[0], texts[1]) == ("hm", f"hi {ALICE}, [EMAIL")
    assert json.loads(texts[2]) == {"to": f'"{ALICE}"'}
    assert around(told) == around(said("", 1, {}))
    of_blocks = [one for one in told if "index" in one]
    assert of_blocks == sorted(of_blocks, key=lambda one: one["index"])
    assert [one["type"] for one in of_blocks].count("content_block_stop") == 3
    kinds = {(one["index"], one["delta"]["type"]) for one in of_blocks if "delta" in one}
    assert kinds == {(0, "thinking_delta"), (1, "text_delta"), (2, "input_json_delta")}


@pytest.mark.parametrize("stream", [False, True])
async def test_what_a_model_tells_of_others_is_taken_out(stream: bool) -> None:
    app = GuardedApp(redacting(answers=True))
    call = {"type": "tool_use", "id": "t", "name": "mail", "input": {"to": BOB}}
    whole = message({"type": "text", "text": f"ask {BOB}"}, call)
    app.says = lambda _: said(f"ask {BOB}", 3, {"to": BOB}) if stream else whole
    response = await app.ask(PATH, {**SHORT, "stream": stream})
    assert BOB not in response.text
    if stream:
        assert heard(events(response)) == {0: "hm", 1: "ask [EMAIL]", 2: '{"to": "[EMAIL]"}'}
    else:
        assert [*response.json()["content"]] == [
            {"type": "text", "text": "ask [EMAIL]"},
            {**call, "input": {"to": "[EMAIL]"}},
        ]


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_its_caller_is_not_to_have_is_an_error(stream: bool) -> None:
    """As the API tells them; in a stream behind what came before."""
    app = GuardedApp(redacting(PiiAction.BLOCK, answers=True))
    whole = message({"type": "text", "text": BOB})
    app.says = lambda _: said(BOB, 3, {}) if stream else whole
    asked = {**SHORT, "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    response = await app.ask(PATH, asked)
    error = events(response)[-1] if stream else response.json()
    assert BOB not in response.text
    assert (response.status_code, error["type"]) == (200 if stream else 400, "error")
    assert error["error"]["code"] == "PII_DETECTED"


async def test_a_block_may_begin_with_all_that_it_says() -> None:
    """Some applications send it so."""
    app = GuardedApp(redacting())

    def says(asked: Document) -> list[Document]:
        word = placeholder(asked)
        text = {"type": "text", "text": f"hi {word}"}
        call = {"type": "tool_use", "id": "t", "name": "mail", "input": {"to": word}}
        return [
            {"type": kind, "index": index, "content_block": block}
            for index, block in enumerate((text, call))
            for kind in ("content_block_start", "content_block_stop")
        ]

    app.says = says
    text, _, call, _ = events(await app.ask(PATH, {**SHORT, "stream": True}))
    assert text["content_block"]["text"] == f"hi {ALICE}"
    assert call["content_block"]["input"] == {"to": ALICE}


@pytest.mark.parametrize(
    "wrong",
    [
        {"messages": []},
        {"messages": "hi"},
        {"messages": [{"role": "robot", "content": "hi"}]},
        {"messages": [{"role": "user", "content": [1]}]},
        {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": 1}]}]},
        {"system": {"text": "hi"}},
        {"model": None},
    ],
)
async def test_what_cannot_be_read_does_not_get_past(wrong: dict[str, Any]) -> None:
    app = GuardedApp(redacting())
    response = await app.ask(PATH, {**SHORT, **wrong})
    assert (response.status_code, response.json()["type"]) == (400, "error")
    assert response.json()["error"]["code"] == "INVALID_REQUEST"
    assert not app.asked


class Meddling:
    """Does what stages in front of this API cannot do."""

    name = "meddling"

    def __init__(self, *, answers: bool) -> None:
        self._answers = answers

    async def enter(self, call: Call) -> Outcome:
        assert isinstance(call.request, ChatRequest)
        if self._answers:
            choice = {"index": 0, "message": {"content": "kept"}, "finish_reason": "stop"}
            return Answered(Completion({"choices": [choice]}, Usage()))
        more = {"role": "system", "content": "be kind"}
        return Changed(call.request.changed(messages=[more, *call.request.document["messages"]]))


@pytest.mark.parametrize("answers", [False, True])
async def test_what_a_stage_wants_to_do_and_cannot_is_not_passed_over(answers: bool) -> None:
    app = GuardedApp(Meddling(answers=answers))
    response = await app.ask(PATH, SHORT)
    assert (response.status_code, response.json()["error"]["code"]) == (500, "INTERNAL_ERROR")
    assert not app.asked


async def test_an_application_may_have_something_else_at_such_a_path() -> None:
    """Then it says so, and nothing of that is looked at."""
    own = {end: api for end, api in APIS.items() if end != "/messages"}
    app = GuardedApp(redacting(), apis=own)
    app.says = lambda asked: asked
    assert (await app.ask("/threads/1/messages", {"text": ALICE})).json() == {"text": ALICE}


async def test_another_answer_passes_as_it_is() -> None:
    app = GuardedApp(redacting())
    app.says = lambda _: {"input_tokens": 12}
    assert (await app.ask(f"{PATH}/count_tokens", SHORT)).json() == {"input_tokens": 12}


class Adding(Companion):
    """Says more when the model says no more, and leaves whole answers out; a stage too."""

    name = "adding"

    async def enter(self, call: Call) -> Outcome:
        return Passed(self)

    def piece(self, chunk: Chunk) -> list[Chunk]:
        return [chunk]

    def whole(self, answer: Completion) -> Completion:
        return Completion({**answer.document, "choices": []}, answer.usage)

    def rest(self) -> list[Chunk]:
        return [Chunk(delta={"content": "and more"})]


@pytest.mark.parametrize("stream", [False, True])
async def test_what_has_no_place_in_an_answer_is_not_passed_over(stream: bool) -> None:
    """Nor what has none any more."""
    app = GuardedApp(Adding())
    app.says = lambda _: said("hi", 3, {}) if stream else message({"type": "text", "text": "hi"})
    response = await app.ask(PATH, {**SHORT, "stream": stream})
    error = events(response)[-1] if stream else response.json()
    assert error["error"]["code"] == "INTERNAL_ERROR"
