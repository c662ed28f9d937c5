"""Vectors of a provider are what was asked for, or an error."""

import base64
import json
import struct
from typing import Any

import pytest

from stormproof.errors import InvalidRequest, ProviderError, RateLimitExceeded
from stormproof.providers.api import Endpoint
from stormproof.providers.embeddings.request import EmbeddingRequest
from stormproof.providers.http.client import HttpClient
from stormproof.providers.openai.embeddings import OpenAIEmbeddings
from support.raw_server import RawServer


def answer(document: Any, status: str = "200 OK", head: str = "") -> bytes:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return f"HTTP/1.1 {status}\r\n{head}content-length: {len(body)}\r\n\r\n".encode() + body


def entry(embedding: Any, index: int | None = None) -> dict[str, Any]:
    placed = {} if index is None else {"index": index}
    return {"object": "embedding", "embedding": embedding, **placed}


def vectors(*entries: dict[str, Any], tokens: int = 3) -> bytes:
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return answer({"object": "list", "data": entries, "usage": usage})


def packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


class Acme:
    """A provider whose answers are the test's own."""

    def __init__(self, server: RawServer, client: HttpClient) -> None:
        self._server = server
        self._client = client

    async def embed(self, *answers: bytes, batch: int | None = None, **fields: Any) -> Any:
        endpoint = Endpoint(provider="acme", url=await self._server.answering(*answers))
        model = OpenAIEmbeddings(endpoint, "e-1", client=self._client, batch=batch)
        return await model.embed(EmbeddingRequest({"model": "m", "input": "rain", **fields}))

    @property
    def heard(self) -> list[Any]:
        """The documents that it got."""
        return [json.loads(one.partition(b"\r\n\r\n")[2]) for one in self._server.requests]


@pytest.fixture
def acme(server: RawServer, client: HttpClient) -> Acme:
    return Acme(server, client)


async def test_texts_become_vectors_in_their_order(acme: Acme) -> None:
    """Whatever the order of the answer, which tells whose each is."""
    sent = vectors(entry([3, 4.5], 1), entry([1.0, 2.0], 0), tokens=9)
    found = await acme.embed(sent, input=["rain", "sea"])
    assert [[*vector] for vector in found.vectors] == [[1.0, 2.0], [3.0, 4.5]]
    assert found.usage.prompt_tokens == 9


async def test_what_is_not_ours_to_understand_is_passed_on(acme: Acme) -> None:
    """So is the form of the vectors, in which not every provider answers."""
    more: dict[str, Any] = {"dimensions": 2, "encoding_format": "base64", "input_type": "query"}
    await acme.embed(vectors(entry([1.0] * 2, 0)), **more)
    assert acme.heard == [{"model": "e-1", "input": ["rain"], **more}]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("a", ["a"]),
        (["a", "b"], ["a", "b"]),
        ([1, 2], [[1, 2]]),
        ([[1, 2], [3]], [[1, 2], [3]]),
    ],
)
async def test_texts_and_tokens_come_in_any_form(acme: Acme, given: Any, sent: Any) -> None:
    await acme.embed(vectors(*[entry([1.0], n) for n in range(len(sent))]), input=given)
    assert acme.heard[0]["input"] == sent


async def test_bytes_are_numbers_too(acme: Acme) -> None:
    found = await acme.embed(vectors(entry(packed(0.5, -2.0), 0)))
    assert [*found.vectors[0]] == [0.5, -2.0]


async def test_places_may_be_left_out(acme: Acme) -> None:
    found = await acme.embed(vectors(entry([1.0]), entry([2.0])), input=["a", "b"])
    assert [[*vector] for vector in found.vectors] == [[1.0], [2.0]]


@pytest.mark.parametrize(
    "sent",
    [
        answer(b"<html>"),
        answer(b""),
        answer({"data": []}),
        answer({"object": "list"}),
        answer({"error": {"message": "no"}}),
        vectors(entry([1.0], 0)),
        vectors(entry([1.0], 0), entry([1.0], 1), entry([1.0], 2)),
        vectors(entry([1.0], 0), entry([1.0], 0)),
        vectors(entry([1.0], 1), entry([1.0], 2)),
        vectors(entry([1.0], 0), entry([1.0, 2.0], 1)),
        vectors(entry([], 0), entry([], 1)),
        vectors(entry(None, 0), entry([1.0], 1)),
        vectors(entry(["a"], 0), entry([1.0], 1)),
        vectors(entry("?", 0), entry([1.0], 1)),
        vectors(entry(base64.b64encode(b"half a").decode(), 0), entry([1.0], 1)),
        vectors(entry(packed(float("nan")), 0), entry([1.0], 1)),
        vectors(entry(packed(float("inf")), 0), entry([1.0], 1)),
        vectors(entry([1e39], 0), entry([1.0], 1)),
        answer(b'{"data": [{"index": 0, "embedding": [NaN]}, {"index": 1, "embedding": [1]}]}'),
        answer(b'{"data": [{"index": 0, "embedding": [1e999]}, {"index": 1, "embedding": [1]}]}'),
    ],
)
async def test_what_are_no_vectors_of_these_texts_is_an_error(acme: Acme, sent: bytes) -> None:
    """Too few, too many, out of place, of several lengths, without numbers."""
    with pytest.raises(ProviderError):
        await acme.embed(sent, input=["rain", "sea"])


async def test_a_vector_is_as_long_as_was_asked(acme: Acme) -> None:
    with pytest.raises(ProviderError, match="wrong length"):
        await acme.embed(vectors(entry([1.0, 2.0], 0)), dimensions=3)


async def test_a_refusal_says_when_to_come_back(acme: Acme) -> None:
    with pytest.raises(RateLimitExceeded) as caught:
        await acme.embed(answer({}, "429 X", "retry-after: 7\r\n"))
    assert caught.value.retry_after == 7


async def test_more_texts_than_a_call_takes_are_sent_in_several(acme: Acme) -> None:
    """And the tokens of all are counted."""
    first = vectors(entry([1.0], 0), entry([2.0], 1), tokens=4)
    found = await acme.embed(first, vectors(entry([3.0], 0)), input=["a", "b", "c"], batch=2)
    assert [[*vector] for vector in found.vectors] == [[1.0], [2.0], [3.0]]
    assert found.usage.prompt_tokens == 7
    assert [one["input"] for one in acme.heard] == [["a", "b"], ["c"]]


async def test_all_calls_must_give_vectors_of_one_length(acme: Acme) -> None:
    first, second = vectors(entry([1.0], 0)), vectors(entry([2.0, 3.0], 0))
    with pytest.raises(ProviderError, match="several lengths"):
        await acme.embed(first, second, input=["a", "b"], batch=1)


@pytest.mark.parametrize(
    "fields",
    [
        {"input": []},
        {"input": [[]]},
        {"input": ["a", 1]},
        {"input": ["a", [1]]},
        {"input": [-1]},
        {"input": [[1], 2]},
        {"input": 1},
        {"input": ["a"] * 2049},
        {"encoding_format": "hex"},
        {"dimensions": 0},
        {"model": ""},
    ],
)
def test_what_is_no_request_is_refused_by_name(fields: dict[str, Any]) -> None:
    [name] = fields
    with pytest.raises(InvalidRequest) as caught:
        EmbeddingRequest({"model": "m", "input": "rain", **fields})
    assert (caught.value.param or "").startswith(name)


@pytest.mark.parametrize(
    ("given", "tokens"), [("a", 1), (["a" * 40, "b"], 12), ([1, 2, 3], 3), ([[1], [2, 3]], 3)]
)
def test_how_long_texts_are_can_be_told_before(given: Any, tokens: int) -> None:
    """No text is nothing."""
    assert EmbeddingRequest({"model": "m", "input": given}).tokens == tokens
