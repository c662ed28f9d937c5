"""Texts are continued by whoever speaks OpenAI's older completions."""

import json
from contextlib import aclosing
from typing import Any

import pytest

from stormproof.errors import ConnectionLost, InvalidRequest, ProviderError
from stormproof.providers.api import Endpoint
from stormproof.providers.chat import Capability, Chunk
from stormproof.providers.http.client import HttpClient
from stormproof.providers.openai.texts import OpenAITexts
from stormproof.providers.texts import TextRequest
from support.raw_server import RawServer


def answer(body: bytes, kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def whole(*choices: dict[str, Any], **more: Any) -> bytes:
    return answer(json.dumps({"id": "theirs", "choices": choices, **more}).encode())


def events(*documents: dict[str, Any], end: bytes = b"data: [DONE]\n\n") -> bytes:
    sent = b"".join(b"data: %b\n\n" % json.dumps(one).encode() for one in documents)
    return answer(sent + end, "text/event-stream")


def piece(text: str, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "text": text, "finish_reason": None, **more}]}


class Acme:
    """A provider whose answers are the test's own."""

    def __init__(self, server: RawServer, client: HttpClient) -> None:
        self._server = server
        self._client = client

    async def model(self, *answers: bytes, **options: Any) -> OpenAITexts:
        url = await self._server.answering(*answers)
        endpoint = Endpoint(provider="acme", url=url, **options)
        return OpenAITexts(endpoint, "t-1", client=self._client)

    async def stream(self, sent: bytes, **fields: Any) -> list[Chunk]:
        model = await self.model(sent)
        async with aclosing(model.stream(asked(**fields))) as chunks:
            return [chunk async for chunk in chunks]

    @property
    def heard(self) -> Any:
        """The document that it got."""
        [sent] = self._server.requests
        return json.loads(sent.partition(b"\r\n\r\n")[2])


@pytest.fixture
def acme(server: RawServer, client: HttpClient) -> Acme:
    return Acme(server, client)


def asked(**fields: Any) -> TextRequest:
    return TextRequest({"model": "m", "prompt": "Once", **fields})


async def test_a_text_is_continued(acme: Acme) -> None:
    choice = {"index": 0, "text": " upon", "finish_reason": "length", "logprobs": None}
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    model = await acme.model(whole(choice, usage=usage))
    completion = await model.complete(asked(best_of=2, max_tokens=2, stream=False))
    assert (completion.text, completion.usage.total_tokens) == (" upon", 3)
    assert completion.choices[0]["finish_reason"] == "length"
    assert acme.heard == {"model": "t-1", "prompt": "Once", "best_of": 2, "max_tokens": 2}


async def test_a_text_may_be_at_its_end(acme: Acme) -> None:
    """To say nothing more is an answer."""
    model = await acme.model(whole({"text": "", "finish_reason": "stop"}))
    assert (await model.complete(asked())).text == ""


async def test_a_text_is_continued_piece_by_piece(acme: Acme) -> None:
    """And its tokens are counted."""
    usage = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    sent = events(
        piece(" upon"),
        piece(" a", logprobs={"tokens": [" a"]}),
        piece("", finish_reason="stop"),
        usage,
    )
    chunks = await acme.stream(sent, stream=True)
    assert [chunk.text for chunk in chunks] == [" upon", " a", "", ""]
    assert chunks[1].logprobs == {"tokens": [" a"]}
    assert chunks[2].finish_reason == "stop"
    assert chunks[3].usage is not None
    assert acme.heard["stream_options"] == {"include_usage": True}


async def test_each_of_several_has_to_end(acme: Acme) -> None:
    """Those of all prompts."""
    ends = [piece("a", index=index, finish_reason="stop") for index in range(4)]
    assert len(await acme.stream(events(*ends), prompt=["a", "b"], n=2, stream=True)) == 4


@pytest.mark.parametrize(
    "sent",
    [
        whole(),
        whole({"text": 1, "finish_reason": "stop"}),
        whole({"finish_reason": "stop"}),
        whole({"text": "a"}),
        answer(b'{"choices": {}}'),
        answer(b"<html>"),
    ],
)
async def test_what_is_no_answer_is_an_error(acme: Acme, sent: bytes) -> None:
    model = await acme.model(sent)
    with pytest.raises(ProviderError):
        await model.complete(asked())


async def test_what_ends_without_an_end_has_broken_off(acme: Acme) -> None:
    with pytest.raises(ConnectionLost):
        await acme.stream(events(piece("a"), end=b""), stream=True)


async def test_what_is_no_part_of_an_answer_is_an_error(acme: Acme) -> None:
    with pytest.raises(ProviderError):
        await acme.stream(events({"choices": [{"delta": {"content": "a"}}]}), stream=True)


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": []},
        {"prompt": ["a", 1]},
        {"prompt": ["a"] * 129},
        {"prompt": None},
        {"n": 0},
        {"max_tokens": -1},
        {"logprobs": True},
        {"stream": "yes"},
    ],
)
def test_what_is_no_request_is_refused_by_name(fields: dict[str, Any]) -> None:
    [name] = fields
    with pytest.raises(InvalidRequest) as caught:
        asked(**fields)
    assert (caught.value.param or "").startswith(name)


@pytest.mark.parametrize(
    ("fields", "choices", "needs"),
    [
        ({}, 1, set()),
        ({"prompt": ["a", "b"], "n": 3}, 6, {Capability.CHOICES}),
        ({"prompt": [[1], [2]]}, 2, set()),
        ({"logprobs": 0}, 1, {Capability.LOGPROBS}),
    ],
)
def test_what_is_asked_for_is_known(
    fields: dict[str, Any], choices: int, needs: set[Capability]
) -> None:
    request = asked(**fields)
    assert (request.choices, {*request.needs}) == (choices, needs)


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [({"prompt": "a" * 40, "max_tokens": 9}, 19), ({"prompt": [1, 2], "n": 2}, 34)],
)
def test_how_long_it_is_can_be_told_before(fields: dict[str, Any], tokens: int) -> None:
    assert asked(**fields).tokens == tokens
