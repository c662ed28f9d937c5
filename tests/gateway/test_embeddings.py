"""Texts become vectors over HTTP, in any of the shapes in which OpenAI's clients send them."""

from typing import Any

import httpx2
import pytest

from support.serving import MODEL, Server

URL = "/v1/embeddings"
WIDTH = 384


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "minilm", "input": "rain"} | fields


def embed(client: httpx2.Client, **fields: Any) -> list[list[float]]:
    answer = client.post(URL, json=body(**fields))
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert [entry["index"] for entry in data] == list(range(len(data)))
    return [entry["embedding"] for entry in data]


def test_a_text_a_list_and_tokens_are_the_same_input(client: httpx2.Client) -> None:
    """101 and 102 begin and end a text; 4542 is "rain"."""
    [plain] = embed(client)
    assert len(plain) == WIDTH
    for given in (["rain"], [101, 4542, 102], [[101, 4542, 102]]):
        assert embed(client, input=given) == [pytest.approx(plain, abs=1e-6)]


def test_a_body_need_not_say_that_it_is_json(client: httpx2.Client) -> None:
    """What curl sends with ``-d`` alone is called a form."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = client.post(URL, content=b'{"model": "minilm", "input": "rain"}', headers=form)
    assert answer.status_code == 200, answer.text


def test_many_texts_come_back_in_order(client: httpx2.Client) -> None:
    """More than one step of the model holds."""
    words = ["rain", "storm", "sea"]
    alone = [embed(client, input=word)[0] for word in words]
    many = embed(client, input=words * 300)
    assert len(many) == 900
    for number in (0, 1, 2, 448, 897, 898, 899):
        assert many[number] == pytest.approx(alone[number % 3], abs=1e-5)


def test_a_long_text_is_cut_only_where_that_is_asked_for(client: httpx2.Client) -> None:
    long = "storm " * 400
    refused = client.post(URL, json=body(input=long)).json()["error"]
    assert refused["code"] == "CONTEXT_TOO_LONG"
    assert (refused["details"]["prompt_tokens"], refused["details"]["limit"]) == (402, 256)
    cut = embed(client, input=long, truncate=True)
    assert cut == [pytest.approx(embed(client, input="storm " * 254)[0], abs=1e-5)]


def test_dimensions_are_those_of_the_model(client: httpx2.Client) -> None:
    assert len(embed(client, dimensions=WIDTH)[0]) == WIDTH


@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        ({"model": MODEL}, 404, "MODEL_NOT_FOUND", None),
        ({"input": []}, 400, "INVALID_REQUEST", "input"),
        ({"input": [[]]}, 400, "INVALID_REQUEST", None),
        ({"input": [1, "a"]}, 400, "INVALID_REQUEST", None),
        ({"input": [30_522]}, 400, "INVALID_REQUEST", "input"),
        ({"input": [-1]}, 400, "INVALID_REQUEST", None),
        ({"input": ["a"] * 2049}, 400, "INVALID_REQUEST", None),
        ({"input": "a" * 100_001}, 400, "INVALID_REQUEST", "input"),
        ({"dimensions": 64}, 400, "INVALID_REQUEST", "dimensions"),
        ({"encoding_format": "hex"}, 400, "INVALID_REQUEST", "encoding_format"),
        ({"stream": True}, 400, "INVALID_REQUEST", "stream"),
    ],
)
def test_what_cannot_be_embedded_is_refused_by_name(
    client: httpx2.Client, fields: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    answer = client.post(URL, json=body(**fields))
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert error["param"] == param


def test_each_model_does_its_own(client: httpx2.Client) -> None:
    """An embedding model does not chat."""
    answer = client.post("/v1/chat/completions", json={"model": "minilm", "messages": []})
    assert answer.status_code in (400, 404)


def test_a_server_without_an_embedding_model_says_so(serve: Any) -> None:
    server: Server = serve()
    with server.client() as client:
        answer = client.post(URL, json=body())
        assert answer.json()["error"]["code"] == "MODEL_NOT_FOUND"
        assert client.get("/v1/models/minilm").status_code == 404
