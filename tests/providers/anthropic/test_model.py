"""Whatever Anthropic sends is an answer that was looked at, or a typed error."""

import json
from typing import Any

import anthropic
import pytest
from pydantic import SecretStr

from stormproof.errors import (
    ConnectionLost,
    ContextTooLong,
    InvalidRequest,
    ModelNotFound,
    ProviderError,
    ProviderOverloaded,
    ProviderUnauthorized,
    RateLimitExceeded,
    StormproofError,
)
from stormproof.providers.anthropic.model import ANTHROPIC_CAPABILITIES, AnthropicModel
from stormproof.providers.api import Endpoint
from stormproof.providers.candidate import Journey
from stormproof.providers.chat import ChatRequest, Chunk, Completion
from stormproof.providers.continuation import Continuation
from stormproof.providers.http.client import HttpClient
from stormproof.providers.ladder import Ladder
from stormproof.providers.openai.model import OpenAIModel
from stormproof.providers.rung import Rung
from support.anthropic_wire import answer, block, call, end, events, refusal, start, text, whole
from support.raw_server import RawServer

ASKED = {"role": "user", "content": "Hi"}
REQUEST = ChatRequest({"model": "ours", "messages": [ASKED]})
KEY = "sk-ant-" + "k" * 40
HELLO = {"type": "text", "text": "Hello"}
USE = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}


async def model(server: RawServer, client: HttpClient, sent: bytes, **how: Any) -> AnthropicModel:
    url = await server.answering(sent, close=True)
    endpoint = Endpoint(provider="acme", url=url, key_header="x-api-key", key_prefix="")
    return AnthropicModel(endpoint, "claude-x", client=client, key=SecretStr(KEY), **how)


async def completed(server: RawServer, client: HttpClient, sent: bytes) -> Completion:
    return await (await model(server, client, sent)).complete(REQUEST)


async def streamed(server: RawServer, client: HttpClient, sent: bytes) -> list[Chunk]:
    return [chunk async for chunk in (await model(server, client, sent)).stream(REQUEST)]


async def test_a_request_comes_as_anthropic_wants_it(server: RawServer, client: HttpClient) -> None:
    """With its key in its own header, and with the versions that are asked for."""
    asked = await model(server, client, whole(HELLO), max_tokens=99)
    await asked.complete(ChatRequest({**REQUEST.document, "betas": ["b-1", "b-2"]}))
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /v1/x HTTP/1.1"
    assert {f"x-api-key: {KEY}", "anthropic-version: 2026-10-21", "anthropic-beta: b-1,b-2"} <= {
        *lines
    }
    assert json.loads(body) == {
        "model": "claude-x",
        "max_tokens": 99,
        "stream": False,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
    }


async def test_an_endpoint_may_want_more(server: RawServer, client: HttpClient) -> None:
    """Its own headers, its key elsewhere, the older version."""
    url = await server.answering(whole(HELLO), close=True)
    headers = {"anthropic-beta": "b-1", "anthropic-version": "2023-06-01"}
    endpoint = Endpoint(provider="acme", url=url, headers=headers)
    asked = AnthropicModel(endpoint, "m", client=client, key=SecretStr(KEY))
    await asked.complete(ChatRequest({**REQUEST.document, "betas": ["b-2"], "temperature": 0.5}))
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert {f"authorization: Bearer {KEY}", "anthropic-version: 2023-06-01"} <= {*lines}
    assert [line for line in lines if "beta" in line] == ["anthropic-beta: b-1,b-2"]
    assert json.loads(body)["temperature"] == 0.5


async def test_an_answer_comes_in_the_common_tongue(server: RawServer, client: HttpClient) -> None:
    usage = {"input_tokens": 3, "cache_read_input_tokens": 10, "output_tokens": 5}
    thought = {"type": "thinking", "thinking": "Hm", "signature": "c2ln"}
    own = {"type": "server_tool_use", "id": "1", "name": "web_search", "input": {}}
    sent = whole(thought, HELLO, own, USE, reason="tool_use", usage=usage)
    completion = await completed(server, client, sent)
    assert completion.document == {
        "id": "msg_1",
        "model": "claude-x",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Hello",
                    "reasoning_content": "Hm",
                    "thinking_blocks": [thought],
                    "tool_calls": [
                        {
                            "id": "toolu_1",
                            "type": "function",
                            "function": {"name": "f", "arguments": '{"a":1}'},
                        }
                    ],
                },
                "finish_reason": "tool_calls",
            }
        ],
        "usage": completion.usage.document(),
    }
    assert completion.usage.document() == {
        "prompt_tokens": 13,
        "completion_tokens": 5,
        "total_tokens": 18,
        "prompt_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 0},
    }


async def test_a_refusal_to_answer_is_an_answer(server: RawServer, client: HttpClient) -> None:
    """One that was filtered; it says why, if that is told."""
    details = {"type": "refusal", "category": None, "explanation": "That could do harm."}
    completion = await completed(server, client, whole(reason="refusal", stop_details=details))
    [choice] = completion.choices
    assert choice["finish_reason"] == "content_filter"
    assert choice["message"]["refusal"] == "That could do harm."


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (answer(b"<html>Sign in</html>", kind="text/html"), "a web page"),
        (answer(b""), "nothing"),
        (answer(b'{"content": [{"te'), "not JSON"),
        (answer(b"[]"), "not JSON"),
        (answer(b"{}"), "no message"),
        (answer(b'{"content": ' + b"[" * 100_000), "not JSON"),
        (answer(b'{"choices": [{"message": {"content": "Hello"}}]}'), "no message"),
        (whole(7), "no message"),
        (whole({"type": "text"}), "no message"),
        (whole({"type": "tool_use", "id": "1", "name": "f", "input": "{}"}), "no message"),
        (whole(HELLO, reason=None), "why it ends"),
        (whole(), "empty"),
        (whole({"type": "text", "text": ""}), "empty"),
        (whole({"type": []}), "empty"),
    ],
)
async def test_a_good_status_makes_no_answer(
    server: RawServer, client: HttpClient, sent: bytes, words: str
) -> None:
    """What is none is a failure of the provider, for somebody else to mend."""
    with pytest.raises(ProviderError, match=words) as caught:
        await completed(server, client, sent)
    assert caught.value.retriable


LONG = "prompt is too long: 12 tokens > 9 maximum"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        ("400 X", refusal("invalid_request_error", "max_tokens: required"), InvalidRequest),
        ("400 X", refusal("invalid_request_error", LONG), ContextTooLong),
        ("401 X", refusal("authentication_error", f"bad key {KEY}"), ProviderUnauthorized),
        ("404 X", refusal("not_found_error", "model: claude-x"), ModelNotFound),
        ("429 X", refusal("rate_limit_error", "slow down"), RateLimitExceeded),
        ("500 X", refusal("api_error", "it broke"), ProviderError),
        ("529 X", refusal("overloaded_error", "Overloaded"), ProviderOverloaded),
        ("200 OK", refusal("overloaded_error", "Overloaded"), ProviderOverloaded),
    ],
)
async def test_a_refusal_is_told_by_its_status_and_its_words(
    server: RawServer, client: HttpClient, status: str, body: Any, expected: type[StormproofError]
) -> None:
    """And by how long it asks to wait; the key is in no error."""
    head = "retry-after: 3\r\nrequest-id: r\r\n"
    asked = await model(
        server, client, answer(json.dumps(body).encode(), status=status, headers=head)
    )
    with pytest.raises(expected) as caught:
        await asked.complete(REQUEST)
    assert type(caught.value) is expected
    assert KEY not in repr(caught.value) + str(caught.value)
    if expected is RateLimitExceeded:
        assert caught.value.retry_after == 3


async def test_a_stream_comes_piece_by_piece(server: RawServer, client: HttpClient) -> None:
    """The connection is not waited for once the last event is there."""
    sent = events([start(), {"type": "ping"}, *text(0, "Hel", "lo"), *end(tokens=7)])
    chunks = await streamed(server, client, sent.replace(b"content-length: ", b"content-length: 9"))
    assert "".join(chunk.text for chunk in chunks) == "Hello"
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["stop"]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 10
    assert json.loads(server.requests[0].partition(b"\r\n\r\n")[2])["stream"] is True


@pytest.mark.parametrize(
    "sent",
    [
        events([start(), *text(0, "Hel", "lo")]),
        events([start(), *text(0, "Hel", "lo"), {"type": "message_stop"}]),
        events([start(), *text(0, "Hel", "lo"), *end()])[:-300],
        events([]),
    ],
)
async def test_a_stream_without_an_end_is_a_lost_connection(
    server: RawServer, client: HttpClient, sent: bytes
) -> None:
    """Nobody's answer is said to have stopped where its source never said so."""
    with pytest.raises(ConnectionLost):
        await streamed(server, client, sent)


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (refusal("overloaded_error", "Overloaded"), ProviderOverloaded),
        (refusal("api_error"), ProviderError),
        (refusal("rate_limit_error"), RateLimitExceeded),
        ({"type": "content_block_start", "index": 0}, ProviderError),
        ({"type": "message_delta", "delta": 7}, ProviderError),
    ],
)
async def test_a_bad_event_ends_a_stream_with_an_error(
    server: RawServer, client: HttpClient, bad: Any, expected: type[StormproofError]
) -> None:
    """After what came before it."""
    sent = events([start(), *text(0, "Hel"), bad])
    asked = (await model(server, client, sent)).stream(REQUEST)
    assert [(await anext(asked)).text for _ in range(2)] == ["", "Hel"]
    with pytest.raises(expected) as caught:
        await anext(asked)
    assert type(caught.value) is expected
    assert caught.value.retriable


async def test_a_whole_answer_may_come_in_place_of_a_stream(
    server: RawServer, client: HttpClient
) -> None:
    chunks = await streamed(server, client, whole(HELLO, USE, reason="tool_use"))
    assert [(chunk.text, chunk.finish_reason) for chunk in chunks] == [
        ("Hello", "tool_calls"),
        ("", None),
    ]


async def test_what_cannot_be_asked_is_refused_before_anybody_is_asked(
    server: RawServer, client: HttpClient
) -> None:
    asked = await model(server, client, whole(HELLO))
    request = ChatRequest({**REQUEST.document, "n": 2})
    with pytest.raises(InvalidRequest):
        await asked.complete(request)
    with pytest.raises(InvalidRequest):
        await anext(asked.stream(request))
    assert server.connections == 0
    assert request.needs - ANTHROPIC_CAPABILITIES


async def asked_by_sdk(server: RawServer, sent: bytes) -> anthropic.types.Message:
    """Return the answer that Anthropic's own client reads."""
    base = (await server.answering(sent, close=True)).removesuffix("/v1/x")
    async with anthropic.AsyncAnthropic(api_key=KEY, base_url=base, max_retries=0) as official:
        asked: Any = {"model": "m", "max_tokens": 9, "messages": [ASKED]}
        if b"event-stream" not in sent:
            message: anthropic.types.Message = await official.messages.create(**asked)
            return message
        async with official.messages.stream(**asked) as stream:
            return await stream.get_final_message()


@pytest.mark.parametrize(
    "sent",
    [
        whole(HELLO, USE, reason="tool_use"),
        events([start(), *text(0, "Hel", "lo"), *call(1, "f", '{"a": 1}'), *end("tool_use")]),
        events(
            [
                start(),
                *block(0, {"type": "text", "text": "Hello"}),
                *call(1, "f"),
                *end("max_tokens"),
            ]
        ),
    ],
)
async def test_the_same_bytes_say_the_same_to_anthropics_own_client(
    server: RawServer, client: HttpClient, sent: bytes
) -> None:
    theirs = await asked_by_sdk(server, sent)
    server.stop()
    asked = (await model(server, client, sent)).stream(REQUEST)
    chunks = [chunk async for chunk in asked]
    said = "".join(block.text for block in theirs.content if block.type == "text")
    calls = [block.input for block in theirs.content if block.type == "tool_use"]
    pieces = [one for chunk in chunks for one in chunk.delta.get("tool_calls", ())]
    assert "".join(chunk.text for chunk in chunks) == said
    assert [json.loads("".join(piece["function"]["arguments"] for piece in pieces))] == calls
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == theirs.usage.output_tokens


async def test_an_answer_that_broke_off_elsewhere_goes_on_here(
    server: RawServer, client: HttpClient
) -> None:
    """The white space that prefill may not end in is neither lost nor doubled."""
    part = {"choices": [{"index": 0, "delta": {"content": "It is \n"}, "finish_reason": None}]}
    cut = answer(b"data: " + json.dumps(part).encode() + b"\n\n", kind="text/event-stream")
    other = RawServer()
    url = await other.answering(cut, close=True)
    rest = await model(
        server, client, events([start(), *text(0, " \nnow", " over."), *end()]), prefills=True
    )
    ladder = Ladder(
        "chat",
        [
            Rung(OpenAIModel(Endpoint(provider="other", url=url), "m", client=client)),
            Rung(rest, continues=Continuation.PREFILL),
        ],
    )
    request = ChatRequest({**REQUEST.document, "stream": True})
    said = [chunk.text async for chunk in ladder.stream(request, Journey())]
    assert "".join(said) == "It is \nnow over."
    sent = json.loads(server.requests[0].partition(b"\r\n\r\n")[2])
    assert sent["messages"][-1] == {
        "role": "assistant",
        "content": [{"type": "text", "text": "It is"}],
    }
    other.stop()
