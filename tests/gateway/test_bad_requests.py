"""What every kind of bad request gets: the table in the docs is checked here, row by row.

``UPDATE_DOCS=1 make test ARGS=tests/gateway/test_bad_requests.py`` writes the page anew.
"""

import http.client
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from support.serving import Server, chat_body

PAGE = Path(__file__).parents[2] / "docs/reference/bad_requests.md"
CHAT = "/v1/chat/completions"

JSON = {"content-type": "application/json"}

Send = Callable[[httpx2.Client], httpx2.Response]


@dataclass(frozen=True)
class Case:
    """A bad request, and what it should get."""

    what: str
    send: Send
    status: int
    code: str
    param: str | None = None


def post(content: str = "Say hi.", **fields: Any) -> Send:
    return lambda client: client.post(CHAT, json=chat_body(content, **fields))


def raw(content: bytes, headers: dict[str, str] = JSON) -> Send:
    return lambda client: client.post(CHAT, content=content, headers=headers)


def endless(client: httpx2.Client) -> httpx2.Response:
    """A body of 1 GB that does not say how long it is."""
    chunk = b"x" * 65536

    def chunks() -> Iterator[bytes]:
        for _ in range(16384):
            yield chunk

    connection = http.client.HTTPConnection(urlsplit(str(client.base_url)).netloc, timeout=60)
    # It stops listening half-way, as it should; the answer is there to be read.
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.request("POST", CHAT, body=chunks(), headers=JSON, encode_chunked=True)
    answer = connection.getresponse()
    response = httpx2.Response(answer.status, headers=answer.getheaders(), content=answer.read())
    connection.close()
    return response


def not_http(client: httpx2.Client) -> httpx2.Response:
    """A TLS handshake, say, on a plain port."""
    address = (client.base_url.host, client.base_url.port or 80)
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return httpx2.Response(answer.status, headers=answer.getheaders(), content=answer.read())


CASES = [
    Case("Malformed JSON", raw(b'{"model": '), 400, "INVALID_REQUEST"),
    Case("Invalid UTF-8", raw(b'{"model": "\xff\xfe"}'), 400, "INVALID_REQUEST"),
    Case("JSON nested 100,000 deep", raw(b"[" * 100_000), 400, "INVALID_REQUEST"),
    Case("Not a JSON object", raw(b"[1, 2]"), 400, "INVALID_REQUEST"),
    Case("Empty body", raw(b""), 400, "INVALID_REQUEST"),
    Case(
        "Body that is not JSON", raw(b"a=1", {"content-type": "text/plain"}), 400, "INVALID_REQUEST"
    ),
    Case(
        "A web page's form",
        raw(b"{}", {"content-type": "text/plain", "origin": "http://evil.example"}),
        415,
        "UNSUPPORTED_MEDIA_TYPE",
    ),
    Case("Half a surrogate pair", raw(b'{"model": "\\ud800"}'), 400, "INVALID_REQUEST"),
    Case("Missing messages", raw(b'{"model": "smollm2"}'), 400, "INVALID_REQUEST", "messages"),
    Case("Empty messages", post(messages=[]), 400, "INVALID_REQUEST", "messages"),
    Case(
        "Unknown role",
        post(messages=[{"role": "wizard", "content": "x"}]),
        400,
        "INVALID_REQUEST",
        "messages.0.role",
    ),
    Case(
        "Wrong type: temperature as text",
        post(temperature="hot"),
        400,
        "INVALID_REQUEST",
        "temperature",
    ),
    Case(
        "Wrong type: max_tokens as true",
        post(max_tokens=True),
        400,
        "INVALID_REQUEST",
        "max_tokens",
    ),
    Case("Negative temperature", post(temperature=-1), 400, "INVALID_REQUEST", "temperature"),
    Case(
        "Temperature NaN",
        raw(b'{"model":"m","messages":[],"temperature":NaN}'),
        400,
        "INVALID_REQUEST",
    ),
    Case("max_tokens 0", post(max_tokens=0), 400, "INVALID_REQUEST", "max_tokens"),
    Case(
        "max_tokens over the server's limit",
        post(max_tokens=100_000),
        400,
        "INVALID_REQUEST",
        "max_tokens",
    ),
    Case("n over the server's limit", post(n=100), 400, "INVALID_REQUEST", "n"),
    Case("Stop string of 10 kB", post(stop="x" * 10_240), 400, "INVALID_REQUEST", "stop"),
    Case(
        "JSON schema that nothing satisfies",
        post(structured_outputs={"json": {"type": "integer", "minimum": 2, "maximum": 1}}),
        400,
        "INVALID_REQUEST",
        "grammar",
    ),
    Case(
        "Grammar that explodes",
        post(structured_outputs={"json": {"multipleOf": 999_983}}),
        400,
        "INVALID_REQUEST",
        "grammar",
    ),
    Case(
        "Two tools of one name",
        post(tools=[{"type": "function", "function": {"name": "f"}}] * 2),
        400,
        "INVALID_REQUEST",
    ),
    Case("tool_choice without tools", post(tool_choice="required"), 400, "INVALID_REQUEST"),
    Case("Unknown field", post(max_token=5), 400, "INVALID_REQUEST", "max_token"),
    Case("stream_options without stream", post(stream_options={}), 400, "INVALID_REQUEST"),
    Case(
        "Prompt and answer longer than the context", post("word " * 5000), 400, "CONTEXT_TOO_LONG"
    ),
    Case(
        "Prompt over the limit of characters",
        post("x" * 150_000),
        400,
        "INVALID_REQUEST",
        "messages",
    ),
    Case("10-million-character prompt", post("x" * 10_000_000), 413, "PAYLOAD_TOO_LARGE"),
    Case("1 GB body, length not announced", endless, 413, "PAYLOAD_TOO_LARGE"),
    Case(
        "Unknown model",
        lambda c: c.post(CHAT, json=chat_body() | {"model": "gpt-9"}),
        404,
        "MODEL_NOT_FOUND",
    ),
    Case("Unknown route", lambda c: c.get("/v2/chat"), 404, "ROUTE_NOT_FOUND"),
    Case("Wrong method", lambda c: c.get(CHAT), 405, "METHOD_NOT_ALLOWED"),
    Case("Unheard-of method", lambda c: c.request("BREW", CHAT), 400, "INVALID_REQUEST"),
    Case("Bytes that are not HTTP", not_http, 400, "INVALID_REQUEST"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_a_bad_request_gets_one_clear_error(client: httpx2.Client, case: Case) -> None:
    """The right status and code, the field's name, a request id, and no trace of the inside."""
    response = case.send(client)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (
        case.status,
        case.code,
        case.param,
    )
    assert error["request_id"] == response.headers["x-request-id"]
    assert not error["retriable"]
    assert not any(word in response.text for word in ("Traceback", "site-packages", ".py"))


def test_every_wrong_field_is_named_at_once(client: httpx2.Client) -> None:
    """Nobody should have to fix a request one error at a time."""
    fields: dict[str, Any] = {"temperature": 9, "top_p": -1, "n": 0, "stop": [""], "nonsense": 1}
    error = client.post(CHAT, json=chat_body(**fields)).json()["error"]
    named = {problem["field"] for problem in error["details"]["errors"]}
    assert {name.partition(".")[0] for name in named} == set(fields)


def test_a_missing_key_is_refused(serve: Callable[..., Server]) -> None:
    """401 with a challenge everywhere but on the probes and the docs."""
    server = serve(STORMPROOF_API_KEY="secret-key")
    with server.client() as client:
        for path in ("/v1/models", CHAT, "/v1/nowhere", "/", "/%761/models"):
            response = client.get(path)
            assert response.status_code == 401
            assert response.json()["error"]["code"] == "UNAUTHORIZED"
            assert response.headers["www-authenticate"] == "Bearer"
        for path in ("/health", "/ready", "/metrics", "/docs"):
            assert client.get(path).status_code == 200


def test_problem_details_on_request(client: httpx2.Client) -> None:
    """Whoever accepts application/problem+json gets RFC 9457."""
    response = client.get("/v2/chat", headers={"accept": "application/problem+json"})
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == 404
    assert response.json()["type"] == "urn:stormproof:error:ROUTE_NOT_FOUND"


def test_the_client_may_name_the_request(client: httpx2.Client) -> None:
    """A sensible x-request-id comes back; a hostile one is replaced."""
    kept = client.get("/v2", headers={"x-request-id": "abc-123"})
    assert kept.headers["x-request-id"] == "abc-123"
    assert kept.json()["error"]["request_id"] == "abc-123"
    replaced = client.get("/v2", headers={"x-request-id": "<script>" * 50})
    assert replaced.headers["x-request-id"].startswith("req_")


def row(case: Case) -> str:
    param = f"`{case.param}`" if case.param else ""
    return f"| {case.what} | {case.status} | `{case.code}` | {param} |"


def test_the_page_in_the_docs_is_this_table() -> None:
    """The docs say what the tests above have seen."""
    refused = Case("Missing or wrong key, where keys are set", raw(b""), 401, "UNAUTHORIZED")
    page = "\n".join(
        [
            "# Bad requests",
            "",
            "What each kind of bad request gets from the server. Every answer is",
            "[the one error document](../errors.md) with an `x-request-id`; none of these is",
            "retriable, and `details.errors` names every field that is wrong.",
            "",
            "| Request | Status | Code | `param` |",
            "|---|---|---|---|",
            *map(row, [*CASES, refused]),
            "",
        ]
    )
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(page, "utf-8")
    assert PAGE.read_text("utf-8") == page
