"""The reflex in front of an application that speaks OpenAI's Responses API."""

import json
from typing import Any

import pytest

from stormproof.providers import ChatRequest
from stormproof.reflex import PiiAction
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

PATH = "/v1/responses"
SHORT: Document = {"model": "m", "input": f"I am {ALICE}"}
SCHEMA = {"type": "object", "properties": {"to": {"description": f"such as {ALICE}"}}}
ARGUMENTS = json.dumps({"to": ALICE})
LONG: Document = {
    "model": "m",
    "instructions": f"ask {ALICE}",
    "max_output_tokens": 9,
    "user": ALICE,
    "input": [
        {"role": "user", "content": f"I am {ALICE}"},
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": ALICE},
                {"type": "input_image", "image_url": "data:image/png;base64,AA", "detail": "low"},
                {"type": "input_file", "filename": ALICE, "file_data": "data:,x"},
            ],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": f"hm {ALICE}"}],
            "encrypted_content": f"{ALICE} sealed",
        },
        {
            "type": "message",
            "role": "assistant",
            "id": "msg_1",
            "status": "completed",
            "content": [{"type": "output_text", "text": ALICE, "annotations": []}],
        },
        {"type": "function_call", "call_id": "c1", "name": "mail", "arguments": ARGUMENTS},
        {"type": "function_call_output", "call_id": "c1", "output": ARGUMENTS},
        {"type": "custom_tool_call", "call_id": "c2", "name": "note", "input": f"for {ALICE}"},
        {
            "type": "custom_tool_call_output",
            "call_id": "c2",
            "output": [{"type": "input_text", "text": ALICE}],
        },
        {"type": "mcp_call", "id": "mcp_1", "name": "find", "arguments": "{}", "output": ALICE},
        {"type": "image_generation_call", "id": "ig_1", "result": "AA"},
        {"type": "item_reference", "id": "msg_0"},
    ],
    "tools": [{"type": "function", "name": "mail", "description": ALICE, "parameters": SCHEMA}],
    "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}, "verbosity": "low"},
    "previous_response_id": "resp_1",
    "metadata": {"of": ALICE},
}
USAGE = {"input_tokens": 3, "output_tokens": 4, "output_tokens_details": {"reasoning_tokens": 2}}


def text(said: str, kind: str = "output_text", **more: Any) -> Document:
    return {"type": kind, "text": said, **more}


def items(words: str, arguments: Document) -> list[Document]:
    """Return a thought, a text and a call."""
    called = {"id": "i3", "type": "function_call", "call_id": "c", "name": "mail"}
    return [
        {"id": "i1", "type": "reasoning", "summary": [text(words, "summary_text")]},
        {"id": "i2", "type": "message", "content": [text(words, annotations=[], logprobs=[1])]},
        {**called, "arguments": json.dumps(arguments)},
    ]


def response(*output: Document) -> Document:
    return {"object": "response", "output": [*output], "usage": USAGE}


def said(words: str, size: int, arguments: Document) -> list[Document]:
    """Return the events of the same, each text cut into pieces."""
    told: list[Document] = [{"type": "response.created", "response": {"output": []}}]
    output = items(words, arguments)
    told_in = [
        ("reasoning_summary_text", "summary", "summary_index"),
        ("output_text", "content", "content_index"),
        ("function_call_arguments", "arguments", "none"),
    ]
    for n, (item, (stem, field, part_index)) in enumerate(zip(output, told_in, strict=True)):
        kind, at = f"response.{stem}", {"item_id": item["id"], "output_index": n, part_index: 0}
        parts: list[Document] = item[field] if n < 2 else []
        name, whole = ("text", words) if parts else ("arguments", str(item["arguments"]))
        tokens: Document = {"logprobs": [1]} if n == 1 else {}
        begun = {**item, field: type(item[field])()}
        told += [
            {"type": "response.output_item.added", "output_index": n, "item": begun},
            *({"type": f"{kind}.delta", **at, "delta": one, **tokens} for one in cut(whole, size)),
            {"type": f"{kind}.done", **at, name: whole, **tokens},
            *({"type": "response.content_part.done", **at, "part": part} for part in parts),
            {"type": "response.output_item.done", "output_index": n, "item": item},
        ]
    told.append({"type": "response.completed", "response": response(*output)})
    return [{**one, "sequence_number": n} for n, one in enumerate(told)]


def heard(told: list[Document]) -> list[str]:
    """Return what comes in pieces, in the order in which it begins."""
    texts: dict[str, str] = {}
    for one in told:
        if one["type"].endswith(".delta"):
            texts[one["item_id"]] = texts.get(one["item_id"], "") + one["delta"]
    return [*texts.values()]


def wholes(told: list[Document]) -> list[Document]:
    """Return the other events, without their numbers."""
    others = [one for one in told if not one["type"].endswith(".delta")]
    return [{**one, "sequence_number": 0} for one in others]


def replaced(document: Any, old: str, new: str) -> Any:
    return json.loads(json.dumps(document).replace(old, new))


@pytest.mark.parametrize("path", [PATH, f"{PATH}/input_tokens", "/openai/responses"])
async def test_all_of_a_request_reaches_the_application_but_what_is_private(path: str) -> None:
    """In the API's own words; what is sealed, and what nobody here knows, is as it was."""
    app = GuardedApp(redacting())
    await app.ask(path, LONG)
    [asked] = app.asked
    sealed = asked["input"][2]["encrypted_content"]
    word = placeholder(asked)
    assert sealed == LONG["input"][2]["encrypted_content"]
    assert replaced(asked, sealed, "") == replaced(replaced(LONG, sealed, ""), ALICE, word)


async def test_stages_see_who_says_what() -> None:
    """Tools by their names, and for whom it is asked."""
    noting = Noting()
    await GuardedApp(noting).ask(PATH, LONG)
    [call] = noting.calls
    assert isinstance(call.request, ChatRequest)
    roles = {(one.role, one.tool) for one in call.passages if ALICE in one.text}
    assert roles == {
        *((role, None) for role in ("system", "user", "assistant", "tool", "definition")),
        *(("assistant", name) for name in ("mail", "note")),
        *((role, "mail") for role in ("tool", "definition")),
        ("tool", "note"),
    }
    assert (call.caller.user, call.request.max_tokens, call.request.wants_json) == (ALICE, 9, True)


async def test_values_are_put_back_into_an_answer() -> None:
    """Into texts and arguments; the tokens are counted, and all the rest is as it was."""
    noting = Noting()
    app = GuardedApp(redacting(), noting)

    def says(asked: Document) -> Document:
        word = placeholder(asked)
        return response(*items(f"hi {word}", {"to": f'"{word}"'}))

    app.says = says
    answer = (await app.ask(PATH, SHORT)).json()
    told = response(*items(f"hi {ALICE}", {"to": f'"{ALICE}"'}))
    told["output"][1]["content"][0]["logprobs"] = []
    assert answer == told
    [ending] = noting.endings
    assert ending.usage
    assert (ending.usage.total_tokens, ending.usage.completion_detail("reasoning_tokens")) == (7, 2)


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize("answers", [False, True])
async def test_and_into_a_stream(size: int, answers: bool) -> None:
    """However it is cut; what is told again is what was told, and events are numbered anew."""
    told = await restored_stream(PATH, SHORT, said, size=size, answers=answers)
    words, arguments = f"hi {ALICE}, [EMAIL", {"to": f'"{ALICE}"'}
    assert heard(told) == [words, words, json.dumps(arguments)]
    expected = wholes(said(words, 1, arguments))
    assert wholes(told) == replaced(expected, '"logprobs": [1]', '"logprobs": []')
    assert [one["sequence_number"] for one in told] == [*range(len(told))]


async def test_of_a_stream_in_which_nothing_is_found_all_is_as_it_was() -> None:
    app = GuardedApp(redacting(), Noting())
    sent = said("hi you", 3, {"to": "you"})
    app.says = lambda _: sent
    assert events(await app.ask(PATH, {**SHORT, "stream": True})) == sent


@pytest.mark.parametrize("stream", [False, True])
async def test_what_a_model_tells_of_others_is_taken_out(stream: bool) -> None:
    """Its tokens too."""
    app = GuardedApp(redacting(answers=True))
    whole = response(*items(f"ask {BOB}", {"to": BOB}))
    app.says = lambda _: said(f"ask {BOB}", 3, {"to": BOB}) if stream else whole
    answer = await app.ask(PATH, {**SHORT, "stream": stream})
    assert BOB not in answer.text
    told = events(answer)[-1]["response"] if stream else answer.json()
    expected = response(*items("ask [EMAIL]", {"to": "[EMAIL]"}))
    assert told == replaced(expected, '"logprobs": [1]', '"logprobs": []')


async def test_what_comes_only_as_a_whole_is_looked_through_too() -> None:
    """Some applications send no pieces."""
    app = GuardedApp(redacting())

    def says(asked: Document) -> list[Document]:
        told = said(f"hi {placeholder(asked)}", 1, {})
        return [one for one in told if not one["type"].endswith(".delta")]

    app.says = says
    told = events(await app.ask(PATH, {**SHORT, "stream": True}))
    expected = wholes(said(f"hi {ALICE}", 1, {}))
    assert wholes(told) == replaced(expected, '"logprobs": [1]', '"logprobs": []')
    assert not heard(told)


@pytest.mark.parametrize("end", ["incomplete", "failed", None])
async def test_what_is_held_back_comes_also_where_the_answer_is_not_finished(
    end: str | None,
) -> None:
    app = GuardedApp(redacting())
    piece = said("hi [EMAIL", 100, {})[2]
    last = [{"type": f"response.{end}", "response": {"output": []}}] if end else []
    app.says = lambda _: [piece, *last]
    told = events(await app.ask(PATH, {**SHORT, "stream": True}))
    assert heard(told) == ["hi [EMAIL"]
    assert [one["type"] for one in told[2:]] == [one["type"] for one in last]


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_its_caller_is_not_to_have_is_an_error(stream: bool) -> None:
    """In a stream behind what came before."""
    app = GuardedApp(redacting(PiiAction.BLOCK, answers=True))
    app.says = lambda _: said(BOB, 3, {}) if stream else response(*items(BOB, {}))
    answer = await app.ask(PATH, {"model": "m", "input": "hi", "stream": stream})
    error = events(answer)[-1] if stream else answer.json()
    assert BOB not in answer.text
    assert (answer.status_code, error["type"]) == (200 if stream else 400, "error")
    assert error["error"]["code"] == "PII_DETECTED"


@pytest.mark.parametrize(
    "wrong",
    [
        {"input": {"text": "hi"}},
        {"input": []},
        {"input": [1]},
        {"input": [{"role": "robot", "content": "hi"}]},
        {"input": [{"type": "function_call_output", "output": {"a": 1}}]},
        {"instructions": 3},
        {"model": None},
        {"background": True},
    ],
)
async def test_what_cannot_be_looked_at_does_not_get_past(wrong: dict[str, Any]) -> None:
    """Nor what would be answered by another way."""
    app = GuardedApp(redacting())
    answer = await app.ask(PATH, {**SHORT, **wrong})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_REQUEST")
    assert not app.asked


async def test_a_prompt_may_be_kept_elsewhere() -> None:
    """What is filled into it is looked at."""
    app = GuardedApp(redacting())
    asked = {"model": "m", "prompt": {"id": "p_1", "variables": {"who": ALICE}}}
    await app.ask(PATH, asked)
    word = placeholder(app.asked[0])
    assert app.asked == [replaced(asked, ALICE, word)]
