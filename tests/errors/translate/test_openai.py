"""The openai SDK's exceptions, raised by its real client against a real server."""

from collections.abc import Callable
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from stormproof.errors import (
    ConfigurationError,
    Conflict,
    ContextTooLong,
    DeadlineExceeded,
    InvalidRequest,
    ModelNotFound,
    NetworkError,
    ParsingError,
    ProviderError,
    ProviderOverloaded,
    ProviderRefused,
    ProviderUnauthorized,
    QuotaExhausted,
    RateLimitExceeded,
    StormproofError,
    to_wire,
)
from stormproof.errors.translate import provider_error

Caught = Callable[[Callable[[], object]], StormproofError]


def ask(url: str, **options: Any) -> object:
    client = openai.OpenAI(api_key="sk-test-secret-1234", base_url=url, max_retries=0)
    with client.with_options(**options) as prepared:
        messages: Any = [{"role": "user", "content": "my private question"}]
        return prepared.chat.completions.create(model="gpt", messages=messages)


def error_body(message: str, **more: str | None) -> dict[str, Any]:
    return {"error": {"message": message, "type": None, "param": None, "code": None, **more}}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, InvalidRequest),
        (401, ProviderUnauthorized),
        (403, ProviderUnauthorized),
        (404, InvalidRequest),
        (408, DeadlineExceeded),
        (409, Conflict),
        (422, InvalidRequest),
        (429, RateLimitExceeded),
        (500, ProviderError),
        (502, ProviderError),
        (503, ProviderOverloaded),
        (504, DeadlineExceeded),
    ],
)
def test_each_status_is_one_error(
    status: int, expected: type[StormproofError], server: Any, caught: Caught
) -> None:
    """And the provider's name for the exchange is kept."""
    headers = {"x-request-id": "req_123"}
    error = caught(lambda: ask(server.answer(status, error_body("as it is"), headers)))
    assert type(error) is expected
    assert error.request_id == "req_123"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (429, error_body("You exceeded your quota", code="insufficient_quota"), QuotaExhausted),
        (
            404,
            error_body("The model `gpt-9` does not exist", code="model_not_found"),
            ModelNotFound,
        ),
        (400, error_body("no", code="content_policy_violation"), ProviderRefused),
        (
            400,
            error_body(
                "This model's maximum context length is 10 tokens. However, you requested"
                " 20 tokens",
                code="context_length_exceeded",
            ),
            ContextTooLong,
        ),
    ],
    ids=["quota", "model", "content", "context"],
)
def test_the_code_of_openai_decides_where_it_is_precise(
    status: int, body: object, expected: type[StormproofError], server: Any, caught: Caught
) -> None:
    """Its statuses alone do not tell these apart."""
    assert type(caught(lambda: ask(server.answer(status, body)))) is expected


def test_what_openai_says_about_a_request_reaches_the_caller(server: Any, caught: Caught) -> None:
    """With the parameter that it complains about."""
    body = error_body("temperature is too high", param="temperature")
    error = caught(lambda: ask(server.answer(400, body)))
    assert isinstance(error, InvalidRequest)
    assert error.reason == "temperature is too high"
    assert error.param == "temperature"


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "20"}, 20.0),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, 360.0),
        ({"x-ratelimit-reset-requests": "20ms"}, 0.02),
    ],
)
def test_the_wait_is_read_from_its_headers(
    headers: dict[str, str], wait: float, server: Any, caught: Caught
) -> None:
    """In every way that OpenAI and Azure write it."""
    error = caught(lambda: ask(server.answer(429, error_body("slow down"), headers)))
    assert error.retry_after == wait


def test_neither_key_nor_prompt_nor_page_leaves(server: Any, caught: Caught) -> None:
    """Also when a proxy answers with its own page."""
    body = error_body("Incorrect API key provided: sk-test-secret-1234.", code="invalid_api_key")
    refused = caught(lambda: ask(server.answer(401, body)))
    page = caught(lambda: ask(server.answer(502, b"<html>proxy7.internal</html>")))
    for error in (refused, page):
        told = str(to_wire(error))
        assert not [s for s in ("sk-test", "private", "proxy7") if s in told]


def test_a_refused_connection_and_a_timeout_say_what_httpx_knows(
    refused_port: int, silent_port: int, caught: Caught
) -> None:
    """The SDK hides it behind one class each."""
    refused = caught(lambda: ask(f"http://127.0.0.1:{refused_port}"))
    assert type(refused) is NetworkError
    assert refused.reason == "connection refused"
    slow = caught(lambda: ask(f"http://127.0.0.1:{silent_port}", timeout=0.05))
    assert isinstance(slow, DeadlineExceeded)
    assert slow.operation == "read"


def test_an_error_inside_a_stream_is_known_by_its_code(server: Any, caught: Caught) -> None:
    """The status was 200 long ago."""
    event = b'data: {"error": {"message": "busy", "type": "server_error", "code": null}}\n\n'
    url = server.answer(200, event, {"content-type": "text/event-stream"})

    def read_stream() -> None:
        with openai.OpenAI(api_key="k", base_url=url, max_retries=0) as client:
            messages: Any = [{"role": "user", "content": "x"}]
            for _ in client.chat.completions.create(model="m", messages=messages, stream=True):
                pass

    error = caught(read_stream)
    assert isinstance(error, ProviderError)
    assert error.error_message == "busy"


class Answer(BaseModel):
    number: int


def completion(finish: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": '{"numb'}
    choice = {"index": 0, "finish_reason": finish, "message": message}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


@pytest.mark.parametrize(
    ("finish", "expected"), [("length", ParsingError), ("content_filter", ProviderRefused)]
)
def test_an_answer_that_ended_early_is_told_apart(
    finish: str, expected: type[StormproofError], server: Any, caught: Caught
) -> None:
    """Cut off, or stopped by a filter."""
    url = server.answer(200, completion(finish))

    def parse() -> None:
        with openai.OpenAI(api_key="k", base_url=url) as client:
            messages: Any = [{"role": "user", "content": "x"}]
            client.chat.completions.parse(model="m", messages=messages, response_format=Answer)

    assert type(caught(parse)) is expected


def test_a_client_without_a_key_is_a_setting(
    caught: Caught, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever runs the program has to act."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert type(caught(openai.OpenAI)) is ConfigurationError


@pytest.mark.parametrize(
    "said",
    [
        "1 validation error: body.n [type=int_type, input_value={'n': 'my private question'}]",
        "[{'type': 'int_type', 'loc': ('body', 'n'), 'input': {'n': 'my private question'}}]",
        '[{"type": "int_type", "loc": ["body", "n"], "input": "my private question"}]',
    ],
)
def test_what_a_server_repeats_of_the_request_is_left_out(said: str) -> None:
    """Those that check by pydantic do; what is wrong stays."""
    error = provider_error("vllm", status=400, headers={}, body={"error": {"message": said}})
    assert isinstance(error, InvalidRequest)
    assert "int_type" in error.reason
    assert "private" not in str(to_wire(error))
