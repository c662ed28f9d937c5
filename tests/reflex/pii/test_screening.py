"""What a model says by itself."""

import json
import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from threading import get_ident
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.errors import PiiDetected
from stormproof.providers import ChatRequest, Chunk, Completion, Journey, Usage
from stormproof.recovery import Event, subscribe
from stormproof.reflex import Admission, Caller, OnFailure, Reflex, Step
from stormproof.reflex.pii.detector import Detector
from stormproof.reflex.pii.events import PiiFound
from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.policy import PiiAction, PiiPolicy
from stormproof.reflex.pii.stage import PiiStage
from support.planted import Planted

ALICE, CARD = "alice@example.com", "4111 1111 1111 1111"
DETECTOR = Planted({ALICE: Kind.EMAIL, CARD: Kind.CARD})


def admitted(action: PiiAction, **fields: Any) -> Admission[ChatRequest]:
    stage = PiiStage(DETECTOR, policy=PiiPolicy(action), answers=True)
    asked = [{"role": "user", "content": "who?"}]
    request = ChatRequest({"model": "m", "messages": asked, **fields})
    return Reflex([Step(stage, OnFailure.CLOSED)]).admitted(request, Caller(), Journey())


def whole(content: str, **choice: Any) -> Completion:
    message = {"role": "assistant", "content": content}
    return Completion(
        {"choices": [{"message": message, "finish_reason": "stop", **choice}]}, Usage()
    )


async def pieces(texts: Iterable[str]) -> AsyncGenerator[Chunk, None]:
    for text in texts:
        yield Chunk(delta={"content": text}, logprobs={"content": [{"token": text}]})
    yield Chunk(finish_reason="stop")


async def streamed(admission: Admission[ChatRequest], texts: Iterable[str]) -> list[Chunk]:
    return [chunk async for chunk in admission.stream(pieces(texts))]


async def test_what_a_model_tells_of_others_is_taken_out() -> None:
    """Its tokens too; and nothing of the call is kept."""
    async with admitted(PiiAction.REDACT) as admission:
        answer = admission.whole(whole(f"{ALICE} pays by {CARD}", logprobs={"content": []}))
        assert answer.text == "[EMAIL] pays by [CARD]"
        assert answer.choices[0]["logprobs"] is None
        assert admission.private


async def test_an_answer_may_be_held_up_for_it() -> None:
    """With an error that says of which kind it is."""
    async with admitted(PiiAction.BLOCK) as admission:
        with pytest.raises(PiiDetected, match="email in the answer"):
            admission.whole(whole(ALICE))
        assert admission.private


async def test_a_stream_ends_before_what_is_blocked() -> None:
    """What was said before it the caller has."""
    said: list[str] = []

    async def listen(chunks: AsyncGenerator[Chunk, None]) -> None:
        async for chunk in chunks:
            said.append(chunk.text)  # noqa: PERF401 - what came before the error counts

    async with admitted(PiiAction.BLOCK) as admission:
        with pytest.raises(PiiDetected):
            await listen(admission.stream(pieces([*"a" * 300, *ALICE])))
    assert set("".join(said)) == {"a"}


async def test_what_is_only_reported_is_not_held_back() -> None:
    """It is counted at the end."""
    heard: list[Event] = []
    async with admitted(PiiAction.REPORT) as admission:
        chunks = await streamed(admission, ALICE)
        end = subscribe(heard.append)
    end()
    assert [chunk.text for chunk in chunks] == [*ALICE, ""]
    assert heard == [PiiFound(pipeline="m", strategy="pii", kinds={Kind.EMAIL: 1}, answer=True)]


@given(st.lists(st.sampled_from([ALICE, CARD, "x" * 90, " and ", "\n"]), max_size=12), st.data())
async def test_a_stream_says_what_the_whole_answer_says(
    parts: list[str], data: st.DataObject
) -> None:
    """Wherever it is cut; and its tokens are not told."""
    text = "".join(parts)
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=30).map(sorted))
    cut = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    async with admitted(PiiAction.REDACT) as admission:
        chunks = await streamed(admission, cut)
        assert "".join(chunk.text for chunk in chunks) == admission.whole(whole(text)).text
    assert not any(chunk.logprobs for chunk in chunks)


@pytest.mark.parametrize("streams", [False, True])
async def test_an_answer_in_json_stays_json(streams: bool) -> None:
    """It is looked through as what it says, once all of it is there."""
    said = json.dumps({"who": f"\n{ALICE}"})
    async with admitted(PiiAction.REDACT, response_format={"type": "json_object"}) as admission:
        if streams:
            text = "".join(chunk.text for chunk in await streamed(admission, said))
        else:
            text = admission.whole(whole(said)).text
    assert json.loads(text) == {"who": "\n[EMAIL]"}


async def test_what_the_caller_said_himself_he_gets_back() -> None:
    """It is put back behind what is taken out."""
    stage = PiiStage(DETECTOR, answers=True)
    request = ChatRequest({"model": "m", "messages": [{"role": "user", "content": ALICE}]})
    line = Reflex([Step(stage, OnFailure.CLOSED)])
    async with line.admitted(request, Caller(), Journey()) as admission:
        word = admission.request.messages[0].content
        assert admission.whole(whole(f"{word}, {CARD}")).text == f"{ALICE}, [CARD]"


async def test_a_placeholder_is_nobodys_password() -> None:
    """Though it stands where one would."""
    said = {"password: hunter2": Kind.PASSWORD}

    class Wary(Planted):
        def find(self, text: str) -> Sequence[Finding]:
            place = text.find("password: [")
            known = [Finding(Kind.PASSWORD, place + 10, len(text))] if place >= 0 else []
            return known or super().find(text)

    stage = PiiStage(Wary(said), answers=True)
    asked = [{"role": "user", "content": "password: hunter2"}]
    line = Reflex([Step(stage, OnFailure.CLOSED)])
    request = ChatRequest({"model": "m", "messages": asked})
    async with line.admitted(request, Caller(), Journey()) as admission:
        word = admission.request.messages[0].content
        assert admission.whole(whole(f"password: {word}")).text == "password: password: hunter2"


KEY = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0B\n" * 60
END = "-----END RSA PRIVATE KEY-----"
TOKEN = "Bearer " + "a1B2" * 200


@pytest.mark.parametrize(
    ("secret", "word"), [(KEY + END, "PRIVATE_KEY"), (KEY, "PRIVATE_KEY"), (TOKEN, "TOKEN")]
)
@pytest.mark.parametrize("size", [1, 7, 100, 4000])
async def test_a_long_secret_goes_out_in_no_part(secret: str, word: str, size: int) -> None:
    """From where it begins on, what may belong to it is held back."""
    stage = PiiStage(Detector(), answers=True)
    asked = ChatRequest({"model": "m", "messages": [{"role": "user", "content": "hi"}]})
    line = Reflex([Step(stage, OnFailure.CLOSED)])
    text = f"{'here it is ' * 30}\n{secret}"
    cut = [text[n : n + size] for n in range(0, len(text), size)]
    async with line.admitted(asked, Caller(), Journey()) as admission:
        said = "".join(one.text for one in await streamed(admission, cut))
    assert said.rstrip().endswith(f"\n[{word}]" if word == "PRIVATE_KEY" else f"[{word}]")
    assert "MII" not in said
    assert "a1B2" not in said


async def test_what_has_no_end_is_not_held_back_for_ever() -> None:
    """Memory is bounded."""
    stage = PiiStage(Detector(), answers=True)
    asked = ChatRequest({"model": "m", "messages": [{"role": "user", "content": "hi"}]})
    line = Reflex([Step(stage, OnFailure.CLOSED)])
    async with line.admitted(asked, Caller(), Journey()) as admission:
        cut = [KEY, *["MIIEvQIBADANBgkqhkiG9w0B\n" * 100] * 20]
        chunks = admission.stream(pieces(cut))
        said = [chunk.text async for chunk in chunks]
    assert "[PRIVATE_KEY]" in "".join(said[:-2])


class Names:
    """Knows one name, and on which threads it was asked."""

    def __init__(self) -> None:
        self.threads: set[int] = set()

    def find(self, text: str) -> Sequence[Finding]:
        self.threads.add(get_ident())
        found = re.finditer("Zoë", text)
        return [Finding(Kind.PERSON, *one.span()) for one in found]


@pytest.mark.parametrize("streams", [False, True])
async def test_names_are_looked_for_in_answers_too(streams: bool) -> None:
    """On a thread: that takes long, and others are not to wait."""
    names = Names()
    stage = PiiStage(DETECTOR, answers=True, names=names)
    asked = ChatRequest({"model": "m", "messages": [{"role": "user", "content": "who?"}]})
    said = f"{'a word ' * 100}Zoë or {ALICE}{' or so' * 100}"
    async with Reflex([Step(stage, OnFailure.CLOSED)]).admitted(
        asked, Caller(), Journey()
    ) as admission:
        if streams:
            text = "".join(chunk.text for chunk in await streamed(admission, said))
        else:
            text = (await admission.answered(whole(said))).text
    assert text == said.replace("Zoë", "[PERSON]").replace(ALICE, "[EMAIL]")
    assert get_ident() not in names.threads


async def test_a_placeholder_in_a_secret_hides_none() -> None:
    """As behind a private key that has no end."""
    stage = PiiStage(Detector(), answers=True)
    asked = ChatRequest({"model": "m", "messages": [{"role": "user", "content": "ann@corp.org"}]})
    line = Reflex([Step(stage, OnFailure.CLOSED)])
    async with line.admitted(asked, Caller(), Journey()) as admission:
        said = f"{KEY} {admission.request.messages[0].content}"
        assert "MII" not in admission.whole(whole(said)).text
