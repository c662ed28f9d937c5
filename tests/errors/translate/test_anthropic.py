"""The anthropic SDK's exceptions, raised by its real client against a real server."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import anthropic
import pytest

from stormproof.errors import (
    ContextTooLong,
    DeadlineExceeded,
    InvalidRequest,
    ModelNotFound,
    NetworkError,
    PayloadTooLarge,
    ProviderError,
    ProviderOverloaded,
    ProviderUnauthorized,
    QuotaExhausted,
    RateLimitExceeded,
    StormproofError,
)

Caught = Callable[[Callable[[], object]], StormproofError]


def client_of(url: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="sk-ant-secret", base_url=url, max_retries=0)


def ask(url: str) -> object:
    with client_of(url) as client:
        return client.messages.create(
            model="claude", max_tokens=5, messages=[{"role": "user", "content": "x"}]
        )


def error_body(kind: str, message: str = "as it is", code: str | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"type": kind, "message": message}
    if code:
        error["details"] = {"error_code": code}
    return {"type": "error", "error": error, "request_id": "req_body"}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, error_body("invalid_request_error"), InvalidRequest),
        (
            400,
            error_body("invalid_request_error", "prompt is too long: 9 tokens > 5 maximum"),
            ContextTooLong,
        ),
        (401, error_body("authentication_error"), ProviderUnauthorized),
        (402, error_body("billing_error"), QuotaExhausted),
        (403, error_body("permission_error"), ProviderUnauthorized),
        (404, error_body("not_found_error", "model: claude-9"), ModelNotFound),
        (413, error_body("request_too_large"), PayloadTooLarge),
        (429, error_body("rate_limit_error"), RateLimitExceeded),
        (
            429,
            error_body("rate_limit_error", code="enforced_spend_limit_reached"),
            QuotaExhausted,
        ),
        (500, error_body("api_error"), ProviderError),
        (504, error_body("timeout_error"), DeadlineExceeded),
        (529, error_body("overloaded_error"), ProviderOverloaded),
    ],
)
def test_each_answer_is_one_error(
    status: int, body: object, expected: type[StormproofError], server: Any, caught: Caught
) -> None:
    """By status, and by code where that is more precise."""
    error = caught(lambda: ask(server.answer(status, body, {"request-id": "req_1"})))
    assert type(error) is expected
    assert error.request_id == "req_1"


def test_the_reset_of_an_exhausted_budget_is_the_wait(server: Any, caught: Caught) -> None:
    """A point in time, as RFC 3339 writes it."""
    soon = datetime.now(UTC) + timedelta(hours=1)
    headers = {
        "anthropic-ratelimit-requests-remaining": "10",
        "anthropic-ratelimit-requests-reset": (soon + timedelta(hours=5)).isoformat(),
        "anthropic-ratelimit-tokens-remaining": "0",
        "anthropic-ratelimit-tokens-reset": soon.isoformat().replace("+00:00", "Z"),
    }
    url = server.answer(429, error_body("rate_limit_error"), headers)
    wait = caught(lambda: ask(url)).retry_after
    assert wait is not None
    assert 3500 < wait <= 3600


def test_an_error_inside_a_stream_is_known_by_its_type(server: Any, caught: Caught) -> None:
    """Anthropic is overloaded in the middle of an answer, too."""
    event = b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error",'
    event += b' "message": "Overloaded"}}\n\n'
    url = server.answer(200, event, {"content-type": "text/event-stream"})

    def read_stream() -> None:
        with (
            client_of(url) as client,
            client.messages.stream(
                model="claude", max_tokens=5, messages=[{"role": "user", "content": "x"}]
            ) as stream,
        ):
            stream.until_done()

    assert type(caught(read_stream)) is ProviderOverloaded


def test_a_refused_connection_says_so(refused_port: int, caught: Caught) -> None:
    """As far as the HTTP client knows."""
    error = caught(lambda: ask(f"http://127.0.0.1:{refused_port}"))
    assert type(error) is NetworkError
    assert error.reason == "connection refused"
