"""Whatever an endpoint sends is an answer that was looked at, or a typed error."""

import json
from typing import Any

import pytest
from pydantic import SecretStr

from stormproof.errors import (
    ConnectionLost,
    ContextTooLong,
    InvalidRequest,
    ModelNotFound,
    NetworkError,
    ProviderError,
    ProviderOverloaded,
    ProviderUnauthorized,
    RateLimitExceeded,
    StormproofError,
)
from stormproof.providers.api import Endpoint
from stormproof.providers.chat import ChatRequest, Chunk, Completion
from stormproof.providers.http.client import HttpClient
from stormproof.providers.openai.model import OpenAIModel
from support.raw_server import RawServer

REQUEST = ChatRequest(
    {
        "model": "ours",
        "messages": [{"role": "user", "content": "Hi"}],
        "temperature": 0.5,
        "reasoning_effort": "low",
    }
)
LONG = (
    "This model's maximum context length is 9 tokens. However, your messages resulted in 12 tokens."
)
DEEP: dict[str, Any] = {}
for _ in range(2000):
    DEEP = {"not": DEEP}
KEY = "sk-" + "k" * 40


def answer(
    body: bytes, *, status: str = "200 OK", kind: str = "application/json", headers: str = ""
) -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{headers}"
    return f"{head}\r\n".encode() + body


def whole(message: Any, reason: Any = "stop", **others: Any) -> bytes:
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return answer(json.dumps({"id": "x", "choices": [choice], **others}).encode())


def events(*documents: Any, done: bool = True) -> bytes:
    lines = [b"data: " + json.dumps(document).encode() + b"\n\n" for document in documents]
    body = b"".join(lines) + (b"data: [DONE]\n\n" if done else b"")
    return answer(body, kind="text/event-stream; charset=utf-8")


def part(text: str | None = None, reason: str | None = None, index: int = 0) -> dict[str, Any]:
    delta = {} if text is None else {"content": text}
    return {"choices": [{"index": index, "delta": delta, "finish_reason": reason}]}


async def model(server: RawServer, client: HttpClient, sent: bytes, **how: Any) -> OpenAIModel:
    url = await server.answering(sent, close=True)
    endpoint = Endpoint(provider="acme", url=url, **how)
    return OpenAIModel(endpoint, "theirs", client=client, key=SecretStr(KEY))


async def completed(server: RawServer, client: HttpClient, sent: bytes) -> Completion:
    return await (await model(server, client, sent)).complete(REQUEST)


async def streamed(server: RawServer, client: HttpClient, sent: bytes) -> list[Chunk]:
    return [chunk async for chunk in (await model(server, client, sent)).stream(REQUEST)]


async def test_a_request_is_passed_on_with_their_name_for_the_model(
    server: RawServer, client: HttpClient
) -> None:
    """And with whatever else the client put in it."""
    await completed(server, client, whole({"role": "assistant", "content": "Hello"}))
    [sent] = server.requests
    head, _, body = sent.partition(b"\r\n\r\n")
    assert json.loads(body) == {**REQUEST.document, "model": "theirs"}
    assert f"authorization: Bearer {KEY}".encode() in head


async def test_an_answer_comes_back_as_it_was(server: RawServer, client: HttpClient) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
    sent = whole({"role": "assistant", "content": "Hello"}, usage=usage, system_fingerprint="f")
    completion = await completed(server, client, sent)
    assert completion.text == "Hello"
    assert completion.usage.document() == usage
    assert completion.document["system_fingerprint"] == "f"


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (answer(b"<html>Sign in</html>", kind="text/html"), "a web page"),
        (answer(b""), "nothing"),
        (answer(b'{"choices": [{"mess'), "not JSON"),
        (answer(b"[]"), "not JSON"),
        (answer(b'{"choices": []}'), "without a choice"),
        (answer(b"{}"), "without a choice"),
        (answer(b'{"choices": [7]}'), "no message"),
        (whole(None), "no message"),
        (whole({"content": 7}), "no message"),
        (whole({"tool_calls": 7}), "no message"),
        (whole({"tool_calls": [7]}), "no message"),
        (whole({"tool_calls": [{"function": "f"}]}), "no message"),
        (whole({"role": "assistant", "content": ""}), "empty"),
        (whole({"role": "assistant", "content": None, "tool_calls": []}), "empty"),
        (whole({"content": "Hello"}, None), "why it ends"),
        (answer(b'{"choices": ' + b"[" * 100_000), "not JSON"),
    ],
)
async def test_a_good_status_makes_no_answer(
    server: RawServer, client: HttpClient, sent: bytes, words: str
) -> None:
    """What is none is a failure of the provider, for somebody else to mend."""
    with pytest.raises(ProviderError, match=words) as caught:
        await completed(server, client, sent)
    assert caught.value.retriable


async def test_an_answer_may_be_empty_where_its_end_says_why(
    server: RawServer, client: HttpClient
) -> None:
    assert (await completed(server, client, whole({"content": ""}, "length"))).text == ""


async def test_a_body_that_is_cut_is_a_lost_connection(
    server: RawServer, client: HttpClient
) -> None:
    sent = whole({"content": "Hello"})[:-5]
    with pytest.raises(ConnectionLost):
        await completed(server, client, sent)


def refusal(message: str, code: str | None = None) -> bytes:
    return json.dumps({"error": {"message": message, "code": code, "type": "x"}}).encode()


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (answer(refusal("slow down"), status="429 X", headers="retry-after: 3\r\n"), 3.0),
        (answer(refusal("busy"), status="529 X"), ProviderOverloaded),
        (answer(refusal("who?", "invalid_api_key"), status="401 X"), ProviderUnauthorized),
        (answer(refusal("The model `m` does not exist"), status="404 X"), ModelNotFound),
        (answer(refusal("Invalid URL (POST /v2/chat)"), status="404 X"), ProviderError),
        (answer(b"<html>Not Found</html>", status="404 X"), ProviderError),
        (answer(b"", status="405 X"), ProviderError),
        (
            answer(b'{"error":{"message":"No such file","param":"file_id"}}', status="404 X"),
            InvalidRequest,
        ),
        (
            answer(refusal(LONG), status="400 X"),
            ContextTooLong,
        ),
        (answer(b"<html>Bad gateway</html>", status="502 X"), ProviderError),
        (answer(b"", status="307 X", headers="location: /\r\n"), NetworkError),
    ],
)
async def test_a_refusal_is_told_by_its_status_and_its_words(
    server: RawServer, client: HttpClient, sent: bytes, expected: Any
) -> None:
    """And by how long it asks to wait."""
    kind = RateLimitExceeded if isinstance(expected, float) else expected
    with pytest.raises(kind) as caught:
        await completed(server, client, sent)
    if isinstance(expected, float):
        assert caught.value.retry_after == expected


async def test_a_stream_comes_piece_by_piece(server: RawServer, client: HttpClient) -> None:
    """And ends with the tokens it took."""
    usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    chunks = await streamed(
        server, client, events(part("Hel"), part("lo"), part(None, "stop"), usage)
    )
    assert [chunk.text for chunk in chunks] == ["Hel", "lo", "", ""]
    assert [chunk.finish_reason for chunk in chunks] == [None, None, "stop", None]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 5
    sent = json.loads(server.requests[0].partition(b"\r\n\r\n")[2])
    assert (sent["stream"], sent["stream_options"]) == (True, {"include_usage": True})


async def test_the_mark_of_the_end_may_be_missing_where_the_end_is_told(
    server: RawServer, client: HttpClient
) -> None:
    chunks = await streamed(server, client, events(part("Hello", "stop"), done=False))
    assert [chunk.text for chunk in chunks] == ["Hello"]


@pytest.mark.parametrize(
    "sent",
    [
        events(part("Hel"), part("lo"), done=False),
        events(part("Hel"), part("lo")),
        events(part("Hel"), part("lo"), part(None, "stop"))[:-60],
        events(),
    ],
)
async def test_a_stream_without_an_end_is_a_lost_connection(
    server: RawServer, client: HttpClient, sent: bytes
) -> None:
    """Nobody's answer is said to have stopped where its source never said so."""
    with pytest.raises(ConnectionLost):
        await streamed(server, client, sent)


@pytest.mark.parametrize(
    "bad",
    [
        {"error": {"message": "it broke", "type": "server_error"}},
        {"choices": "none"},
        {"choices": [7]},
        {"choices": [{"index": "a", "delta": {}}]},
        {"choices": [{"delta": {"content": 7}}]},
        {"choices": [{"delta": {"tool_calls": [7]}}]},
        {"choices": [{"delta": {"tool_calls": [{"index": "0"}]}}]},
        {"choices": [{"delta": {"tool_calls": [{"function": {"arguments": {}}}]}}]},
        "what?",
    ],
)
async def test_a_bad_event_ends_a_stream_with_an_error(
    server: RawServer, client: HttpClient, bad: Any
) -> None:
    """After what came before it."""
    asked = (await model(server, client, events(part("Hel"), bad))).stream(REQUEST)
    assert (await anext(asked)).text == "Hel"
    with pytest.raises(StormproofError) as caught:
        await anext(asked)
    assert caught.value.retriable


async def test_a_whole_answer_may_come_in_place_of_a_stream(
    server: RawServer, client: HttpClient
) -> None:
    chunks = await streamed(server, client, whole({"role": "assistant", "content": "Hello"}))
    assert [(chunk.text, chunk.finish_reason) for chunk in chunks] == [
        ("Hello", "stop"),
        ("", None),
    ]


async def test_a_key_is_shown_to_nobody_but_its_provider(
    server: RawServer, client: HttpClient
) -> None:
    asked = await model(server, client, answer(refusal(f"bad key {KEY}"), status="401 X"))
    with pytest.raises(ProviderUnauthorized) as caught:
        await asked.complete(REQUEST)
    assert KEY not in repr(caught.value) + str(caught.value) + repr(asked.__dict__)


async def test_an_endpoint_may_want_its_key_elsewhere(
    server: RawServer, client: HttpClient
) -> None:
    sent = whole({"content": "Hello"})
    asked = await model(server, client, sent, key_header="api-key", key_prefix="")
    await asked.complete(REQUEST)
    assert f"\r\napi-key: {KEY}\r\n".encode() in server.requests[0]


async def sent_for(server: RawServer, client: HttpClient, asked: Any, **how: Any) -> Any:
    """What an endpoint with some ways gets of a request."""
    speaking = await model(server, client, whole({"content": "Hello"}), **how)
    await speaking.complete(ChatRequest(asked))
    return json.loads(server.requests[0].partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("theirs", ["max_tokens", "max_completion_tokens"])
async def test_the_limit_of_an_answer_has_the_name_that_an_endpoint_knows(
    server: RawServer, client: HttpClient, name: str, theirs: str
) -> None:
    """And only that: some refuse the other."""
    asked = {**REQUEST.document, name: 7}
    sent = await sent_for(server, client, asked, max_tokens_field=theirs)
    assert {key: value for key, value in sent.items() if key.startswith("max_")} == {theirs: 7}


async def test_a_beginning_that_is_to_be_gone_on_with_is_marked_as_the_endpoint_wants_it(
    server: RawServer, client: HttpClient
) -> None:
    begun = [*REQUEST.document["messages"], {"role": "assistant", "content": "Hel"}]
    how = {"prefill_message": {"prefix": True}, "prefill_body": {"continue_final_message": True}}
    sent = await sent_for(server, client, {**REQUEST.document, "messages": begun}, **how)
    assert sent["messages"] == [begun[0], {**begun[1], "prefix": True}]
    assert sent["continue_final_message"] is True


async def test_other_requests_have_no_such_marks(server: RawServer, client: HttpClient) -> None:
    how = {"prefill_message": {"prefix": True}, "prefill_body": {"continue_final_message": True}}
    sent = await sent_for(server, client, REQUEST.document, **how)
    assert sent == {**REQUEST.document, "model": "theirs"}


@pytest.mark.parametrize("extended", [True, False])
async def test_what_anthropics_api_knows_alone_is_not_sent(
    server: RawServer, client: HttpClient, *, extended: bool
) -> None:
    """Of a request that came by that API; others are passed on as they are."""
    text = {"type": "text", "text": "Hi"}
    messages = [{"role": "user", "content": [{**text, "cache_control": {"type": "ephemeral"}}]}]
    asked = {"model": "m", "messages": messages, "thinking": {"type": "adaptive"}, "top_k": 5}
    speaking = await model(server, client, whole({"content": "Hello"}))
    await speaking.complete(ChatRequest(asked, extended=extended))
    sent = json.loads(server.requests[0].partition(b"\r\n\r\n")[2])
    plain = {"model": "theirs", "messages": [{"role": "user", "content": [text]}]}
    assert sent == (plain if extended else {**asked, "model": "theirs"})


async def test_a_request_that_is_too_deep_is_the_clients_mistake(
    server: RawServer, client: HttpClient
) -> None:
    """It is sent to nobody, and nobody is blamed."""
    speaking = await model(server, client, whole({"content": "Hello"}))
    with pytest.raises(InvalidRequest):
        await speaking.complete(REQUEST.changed(metadata=DEEP))
    assert server.requests == []
