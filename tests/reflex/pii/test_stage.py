"""What the stage makes of a call."""

import re
import weakref
from collections.abc import Iterator, Sequence

import pytest

from stormproof.errors import InvalidInput, PiiDetected
from stormproof.providers import ChatRequest, Completion, EmbeddingRequest, TextRequest, Usage
from stormproof.recovery import Event, subscribe
from stormproof.reflex import Call, Caller, Changed, Passed, Rejected
from stormproof.reflex.pii.events import PiiFound
from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.policy import PiiAction, PiiPolicy
from stormproof.reflex.pii.stage import PiiStage
from stormproof.reflex.stage import Request
from support.planted import Planted
from support.reflex_calls import entered

ALICE, CARD = "alice@example.com", "4111 1111 1111 1111"
DETECTOR = Planted({ALICE: Kind.EMAIL, CARD: Kind.CARD})
BLOCK = PiiPolicy(PiiAction.BLOCK)
REPORT = PiiPolicy(PiiAction.REPORT)


@pytest.fixture
def heard() -> Iterator[list[Event]]:
    events: list[Event] = []
    end = subscribe(events.append)
    yield events
    end()


def chat(*texts: str) -> ChatRequest:
    messages = [{"role": "user", "content": text} for text in texts]
    return ChatRequest({"model": "m", "messages": messages})


def call(request: Request, tenant: str = "t") -> Call:
    return Call(request, Caller(tenant))


async def redacted(stage: PiiStage, asked: Call) -> Changed:
    outcome = await entered(stage, asked)
    assert isinstance(outcome, Changed)
    return outcome


async def test_a_call_without_any_passes_alone() -> None:
    """Nothing goes with it: it costs what the detector costs."""
    assert await entered(PiiStage(DETECTOR), call(chat("hello"))) == Passed(None)


async def test_a_blocked_call_is_told_kinds_and_places(heard: list[Event]) -> None:
    """Never a value."""
    asked = call(chat("hello", f"{CARD} of {ALICE}, {ALICE}"))
    outcome = await entered(PiiStage(DETECTOR, policy=BLOCK), asked)
    assert isinstance(outcome, Rejected)
    assert isinstance(outcome.error, PiiDetected)
    assert outcome.error.message == (
        "PII detected: card in messages.1.content, email in messages.1.content"
    )
    assert outcome.error.param == "messages.1.content"
    assert heard == [
        PiiFound(pipeline="m", strategy="pii", kinds={Kind.CARD: 1, Kind.EMAIL: 2}, answer=False)
    ]


async def test_a_reported_call_goes_on_and_is_private() -> None:
    """Nothing of it is kept anywhere."""
    outcome = await entered(PiiStage(DETECTOR, policy=REPORT), call(chat(ALICE)))
    assert isinstance(outcome, Passed)
    assert outcome.companion
    assert outcome.companion.private


async def test_each_kind_may_have_an_action_of_its_own() -> None:
    """What is only reported, a model sees."""
    policy = PiiPolicy(PiiAction.REDACT, {Kind.EMAIL: PiiAction.REPORT})
    outcome = await redacted(PiiStage(DETECTOR, policy=policy), call(chat(f"{ALICE} {CARD}")))
    assert isinstance(outcome.request, ChatRequest)
    assert str(outcome.request.messages[0].content).startswith(f"{ALICE} [CARD_")
    assert outcome.companion
    assert outcome.companion.private


async def test_what_is_blocked_blocks_whatever_else_there_is() -> None:
    """Nothing is redacted first."""
    policy = PiiPolicy(PiiAction.REDACT, {Kind.CARD: PiiAction.BLOCK})
    outcome = await entered(PiiStage(DETECTOR, policy=policy), call(chat(f"{ALICE} {CARD}")))
    assert isinstance(outcome, Rejected)
    assert outcome.error.message == "PII detected: card in messages.0.content"


async def test_texts_and_embeddings_are_redacted_too() -> None:
    """What is asked of the older API, and of models that only read."""
    stage = PiiStage(DETECTOR)
    asked = await redacted(stage, call(TextRequest({"model": "m", "prompt": f"to {ALICE}"})))
    assert isinstance(asked.request, TextRequest)
    assert asked.companion
    message = {"content": asked.request.prompts[0]}
    echo = Completion({"choices": [{"message": message, "finish_reason": "stop"}]}, Usage())
    assert asked.companion.whole(echo).text == f"to {ALICE}"
    read = await redacted(stage, call(EmbeddingRequest({"model": "m", "input": ALICE})))
    assert isinstance(read.request, EmbeddingRequest)
    assert "[EMAIL_" in str(read.request.texts)


async def test_what_only_anthropics_api_knows_stays() -> None:
    """Signed thoughts among that: changed, they would be refused."""
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    said = {"role": "assistant", "content": ALICE, "thinking_blocks": [thought]}
    request = ChatRequest({"model": "m", "messages": [said]}, extended=True)
    changed = (await redacted(PiiStage(DETECTOR), call(request))).request
    assert isinstance(changed, ChatRequest)
    assert changed.extended
    assert changed.document["messages"][0]["thinking_blocks"] == [thought]


async def test_processes_with_one_key_agree_and_tenants_do_not() -> None:
    """A placeholder tells one tenant nothing of another's."""

    async def sent(key: bytes | None, tenant: str) -> object:
        outcome = await redacted(PiiStage(DETECTOR, key=key), call(chat(ALICE), tenant))
        return outcome.request.document

    assert await sent(b"k", "a") == await sent(b"k", "a")
    assert await sent(b"k", "a") != await sent(b"k", "b")
    assert await sent(None, "a") != await sent(None, "a")


async def test_more_than_can_be_looked_through_is_not() -> None:
    """Whether the call goes on is up to the line."""
    stage = PiiStage(DETECTOR, most_characters=10)
    with pytest.raises(InvalidInput, match="more than 10 characters"):
        await entered(stage, call(chat("123456", "78901")))


async def test_names_are_found_beside_what_has_a_form() -> None:
    """Where both see something, the form is surer."""

    class Names:
        def find(self, text: str) -> Sequence[Finding]:
            return [Finding(Kind.PERSON, 0, 5), Finding(Kind.PERSON, 6, 9)]

    stage = PiiStage(Planted({"4711 x": Kind.PASSWORD}), names=Names())
    outcome = await redacted(stage, call(chat("Alice4711 x")))
    assert isinstance(outcome.request, ChatRequest)
    content = str(outcome.request.messages[0].content)
    assert content.startswith("[PERSON_")
    assert "[PASSWORD_" in content
    assert content.count("[") == 2


async def test_thousands_of_values_are_as_well_replaced() -> None:
    """On a thread: nobody waits for them."""
    values = {f"someone{n}@example.com": Kind.EMAIL for n in range(5000)}
    text = "\n".join(values)
    outcome = await redacted(PiiStage(Planted(values)), call(chat(text)))
    assert isinstance(outcome.request, ChatRequest)
    sent = str(outcome.request.messages[0].content)
    assert "@" not in sent
    assert outcome.companion
    message = {"content": sent}
    echo = Completion({"choices": [{"message": message, "finish_reason": "stop"}]}, Usage())
    assert outcome.companion.whole(echo).text == text


async def test_values_are_forgotten_with_the_call() -> None:
    """At once, not when garbage is next collected."""
    changed = await redacted(PiiStage(DETECTOR, answers=True), call(chat(ALICE)))
    assert changed.companion
    message = {"role": "assistant", "content": "I see."}
    changed.companion.whole(Completion({"choices": [{"index": 0, "message": message}]}, Usage()))
    left = weakref.ref(changed.companion)
    del changed
    assert left() is None


async def test_names_and_whatever_else_a_provider_is_sent_hold_none() -> None:
    """A name stays one that providers take."""
    values = {ALICE: Kind.EMAIL, "alice": Kind.PERSON}
    messages = [{"role": "user", "name": "alice", "content": "hi"}]
    asked = ChatRequest(
        {"model": "m", "messages": messages, "user": ALICE, "metadata": {"by": f"for {ALICE}"}}
    )
    document = (await redacted(PiiStage(Planted(values)), call(asked))).request.document
    assert re.fullmatch(r"PERSON_[A-Z]{4,}", document["messages"][0]["name"])
    assert document["user"].startswith("[EMAIL_")
    assert document["metadata"]["by"] == f"for {document['user']}"
