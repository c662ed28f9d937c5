"""Conversations that pass the stage: what the model sees, and what the caller gets."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stormproof.providers import ChatRequest, Chunk, Completion, Journey, Usage
from stormproof.providers.collector import Collector
from stormproof.reflex import Admission, Caller, OnFailure, Reflex, Step
from stormproof.reflex.passages import passages
from stormproof.reflex.pii.finding import Kind
from stormproof.reflex.pii.placeholders import Placeholders
from stormproof.reflex.pii.stage import PiiStage
from support.planted import Planted

VALUES = {
    "alice@example.com": Kind.EMAIL,
    "bob@example.com": Kind.EMAIL,
    "4111 1111 1111 1111": Kind.CARD,
    'zoë "z" o\'neil\n': Kind.PERSON,
    "12\\34\\": Kind.NATIONAL_ID,
}
STAGE = PiiStage(Planted(VALUES), key=b"key")
REFLEX = Reflex([Step(STAGE, OnFailure.CLOSED)])


def admitted(*texts: str, **others: Any) -> Admission[ChatRequest]:
    messages = [{"role": "user", "content": text} for text in texts]
    request = ChatRequest({"model": "m", "messages": messages, **others})
    return REFLEX.admitted(request, Caller("tenant"), Journey())


def usual_placeholders() -> Sequence[str]:
    """Return those that values have unless somebody writes them as well."""
    stage_key = STAGE._tenant_key("tenant")
    placeholders = Placeholders(VALUES, (), stage_key)
    return [placeholders.of(value) for value in VALUES]


WORDS = st.one_of(
    st.sampled_from([*VALUES, *usual_placeholders()]),
    st.sampled_from([one.lower()[1:-1] for one in usual_placeholders()]),
    st.sampled_from([part for one in usual_placeholders() for part in (one[:7], one[3:])]),
    st.text("[]\\_ EM\né", max_size=3),
)
TEXTS = st.lists(WORDS, max_size=8).map("".join)


def completion(*messages: Mapping[str, Any]) -> Completion:
    choices = [
        {"index": n, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
        for n, message in enumerate(messages)
    ]
    return Completion({"choices": choices}, Usage())


def deltas(message: Mapping[str, Any], data: st.DataObject) -> list[dict[str, Any]]:
    """Return a message in pieces: field after field, each cut anywhere."""
    pieces: list[dict[str, Any]] = [{"role": "assistant"}]
    for field in ("reasoning_content", "content"):
        pieces += [{field: piece} for piece in cut(message[field], data)]
    for n, call in enumerate(message["tool_calls"]):
        pieces.append({"tool_calls": [{**call, "index": n, "function": {"name": "f"}}]})
        pieces += [
            {"tool_calls": [{"index": n, "function": {"arguments": piece}}]}
            for piece in cut(call["function"]["arguments"], data)
        ]
    return pieces


def cut(text: str, data: st.DataObject) -> list[str]:
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=6).map(sorted))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


async def shuffled(
    messages: Sequence[Mapping[str, Any]], data: st.DataObject
) -> AsyncGenerator[Chunk, None]:
    """Yield several answers in pieces, now of one, now of another."""
    waiting = {n: deltas(message, data) for n, message in enumerate(messages)}
    while waiting:
        index = data.draw(st.sampled_from(sorted(waiting)))
        yield Chunk(index, waiting[index].pop(0))
        if not waiting[index]:
            del waiting[index]
            yield Chunk(index, finish_reason="stop")
    yield Chunk(usage=Usage(1, 2))


async def collected(chunks: AsyncGenerator[Chunk, None]) -> Completion:
    collector = Collector()
    async for chunk in chunks:
        collector.add(chunk)
    answer = collector.completion()
    assert answer
    return answer


@given(st.lists(TEXTS, min_size=1, max_size=3))
async def test_no_value_is_in_what_the_model_is_sent(texts: list[str]) -> None:
    """Whatever else is said, placeholders among that."""
    async with admitted(*texts) as admission:
        sent = [one.text for one in passages(admission.request)]
    assert not [value for value in VALUES for text in sent if value in text]


@settings(deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=3), st.data(), st.booleans())
async def test_a_model_that_repeats_what_it_was_sent_gives_the_texts_back(
    texts: list[str], data: st.DataObject, streams: bool
) -> None:
    """Exactly, whole or cut anywhere, in whichever field, of several answers."""
    async with admitted(*texts) as admission:
        sent = [one.text for one in passages(admission.request)]
        calls = [
            {"id": str(n), "type": "function", "function": {"name": "f", "arguments": said}}
            for n, said in enumerate(json.dumps({"said": text}) for text in sent)
        ]
        messages = [
            {"content": text, "reasoning_content": text, "tool_calls": calls} for text in sent
        ]
        if streams:
            answer = await collected(admission.stream(shuffled(messages, data)))
        else:
            answer = admission.whole(completion(*messages))
    for choice, text in zip(answer.choices, texts, strict=True):
        said = choice["message"]
        assert (said.get("content") or "", said.get("reasoning_content") or "") == (text, text)
        arguments = [json.loads(call["function"]["arguments"]) for call in said["tool_calls"]]
        assert arguments == [{"said": text} for text in texts]


@given(st.lists(st.lists(st.sampled_from([*VALUES, "x ", "\n"])).map("".join), min_size=2))
async def test_a_value_keeps_its_placeholder_when_the_history_is_cut(texts: list[str]) -> None:
    """The beginning of what is sent stays what a provider has kept, or signed."""
    async with admitted(*texts) as whole, admitted(*texts[1:]) as later:
        sent = [one.text for one in passages(whole.request)]
        assert [one.text for one in passages(later.request)] == sent[1:]


async def test_an_answer_that_has_to_be_json_stays_json() -> None:
    """Values are written as in its strings."""
    value = 'zoë "z" o\'neil\n'
    async with admitted(value, response_format={"type": "json_object"}) as admission:
        word = admission.request.messages[0].content
        answer = admission.whole(completion({"content": json.dumps({"who": word})}))
    assert json.loads(answer.text) == {"who": value}


async def test_what_was_held_back_is_void_when_the_answer_begins_again() -> None:
    """And what follows is put back as before."""
    async with admitted("alice@example.com") as admission:
        word = str(admission.request.messages[0].content)

        async def twice() -> AsyncGenerator[Chunk, None]:
            yield Chunk(delta={"content": f"so {word[:8]}"})
            yield Chunk(delta={"content": "now "}, restarts=True)
            yield Chunk(delta={"content": word})
            yield Chunk(finish_reason="stop")

        chunks = [chunk async for chunk in admission.stream(twice())]
    assert [(one.text, one.restarts) for one in chunks] == [
        ("so ", False),
        ("now ", True),
        ("alice@example.com", False),
        ("", False),
    ]


async def test_what_is_held_back_comes_before_what_begins_next() -> None:
    """The text before the call of a tool, and all before the end."""
    async with admitted("alice@example.com") as admission:

        async def said() -> AsyncGenerator[Chunk, None]:
            yield Chunk(delta={"content": "a ["})
            yield Chunk(delta={"tool_calls": [{"index": 0, "function": {"arguments": "["}}]})
            yield Chunk(finish_reason="tool_calls")

        deltas = [dict(chunk.delta) async for chunk in admission.stream(said())]
    calls = [{"tool_calls": [{"index": 0, "function": {"arguments": text}}]} for text in ("", "[")]
    assert deltas == [{"content": "a "}, {"content": "["}, *calls, {}]


async def test_signed_thoughts_go_out_and_come_back_as_the_model_had_them() -> None:
    """Changed, they would be refused; and what stands there keeps its meaning."""
    value = "alice@example.com"
    async with admitted(value) as admission:
        word = admission.request.messages[0].content
        block = {"type": "thinking", "thinking": word, "signature": "s"}
        thought = {"reasoning_content": word, "thinking_blocks": [block]}
        said = admission.whole(completion({"content": word, **thought})).choices[0]["message"]
    assert said == {"role": "assistant", "content": value, **thought}
    request = ChatRequest({"model": "m", "messages": [{"role": "user", "content": value}, said]})
    async with REFLEX.admitted(request, Caller("tenant"), Journey()) as admission:
        again = admission.request.document["messages"][1]
    assert again == {"role": "assistant", "content": word, **thought}


def details(text: str, summary: str, signed: str) -> list[dict[str, Any]]:
    """Thoughts of all kinds."""
    sealing = {"format": "anthropic-claude-v1", "index": 2}
    return [
        {"type": "reasoning.text", "text": text, "index": 0},
        {"type": "reasoning.summary", "summary": summary, "index": 1},
        {"type": "reasoning.text", "text": signed, **sealing},
        {"type": "reasoning.encrypted", "data": "x", "index": 3},
    ]


@pytest.mark.parametrize("streams", [False, True])
async def test_values_are_put_back_into_unsigned_thoughts_and_what_is_heard(streams: bool) -> None:
    """And taken out when those come back."""
    value = "alice@example.com"
    async with admitted(value) as admission:
        word = str(admission.request.messages[0].content)

        async def pieces() -> AsyncGenerator[Chunk, None]:
            for half in (word[:7], word[7:]):
                yield Chunk(delta={"reasoning_details": details(half, half, half)})
            for half in (word[:7], word[7:]):
                yield Chunk(delta={"audio": {"transcript": half}})
                yield Chunk(delta={"audio": {"data": "AAAA"}})
            yield Chunk(finish_reason="stop")

        heard = {"transcript": word, "data": "AAAA" * 2}
        whole = {"reasoning_details": details(word, word, word), "audio": heard}
        if streams:
            answer = await collected(admission.stream(pieces()))
        else:
            answer = admission.whole(completion(whole))
    said = answer.choices[0]["message"]
    kept = [{**one, "index": n} for n, one in enumerate(said["reasoning_details"])]
    assert said["audio"] == {"transcript": value, "data": "AAAA" * 2}
    assert [one.get("text") or one.get("summary") for one in kept] == [value, value, word, None]
    messages = [{"role": "user", "content": value}, {"role": "assistant", **said}]
    request = ChatRequest({"model": "m", "messages": messages})
    async with REFLEX.admitted(request, Caller("tenant"), Journey()) as admission:
        again = admission.request.document["messages"][1]
    assert value not in json.dumps(again)
    assert again["audio"]["transcript"] == word


async def test_who_speaks_is_said_also_where_the_text_is_held_back() -> None:
    """Clients wait for it."""
    async with admitted("alice@example.com") as admission:

        async def said() -> AsyncGenerator[Chunk, None]:
            yield Chunk(delta={"role": "assistant", "content": "["})
            yield Chunk(delta={"content": "1]"}, finish_reason="stop")

        deltas = [dict(chunk.delta) async for chunk in admission.stream(said())]
    assert deltas == [{"role": "assistant", "content": ""}, {"content": "[1]"}]
