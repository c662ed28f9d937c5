"""What a status means, for model providers and for other services."""

import pytest

from stormproof.errors import (
    Conflict,
    ConnectionLost,
    ContextTooLong,
    DeadlineExceeded,
    InvalidRequest,
    ModelNotFound,
    PayloadTooLarge,
    ProtocolError,
    ProviderError,
    ProviderOverloaded,
    ProviderRefused,
    ProviderUnauthorized,
    QuotaExhausted,
    RateLimitExceeded,
    ServiceUnavailable,
    StormproofError,
    ThirdPartyError,
    ThirdPartyRefused,
)
from stormproof.errors.translate.http_status import Answer, answered


@pytest.mark.parametrize(
    ("status", "of_provider", "of_others"),
    [
        (None, ProviderError, ThirdPartyError),
        (0, ProviderError, ThirdPartyError),
        (302, ProtocolError, ProtocolError),
        (400, InvalidRequest, InvalidRequest),
        (401, ProviderUnauthorized, ProviderUnauthorized),
        (402, QuotaExhausted, QuotaExhausted),
        (403, ProviderUnauthorized, ProviderUnauthorized),
        (404, InvalidRequest, ThirdPartyRefused),
        (405, InvalidRequest, InvalidRequest),
        (408, DeadlineExceeded, DeadlineExceeded),
        (409, Conflict, Conflict),
        (410, InvalidRequest, ThirdPartyRefused),
        (413, PayloadTooLarge, PayloadTooLarge),
        (418, InvalidRequest, InvalidRequest),
        (422, InvalidRequest, InvalidRequest),
        (425, ProviderOverloaded, ServiceUnavailable),
        (429, RateLimitExceeded, RateLimitExceeded),
        (451, ProviderRefused, ProviderRefused),
        (498, ProviderOverloaded, ServiceUnavailable),
        (499, ConnectionLost, ConnectionLost),
        (500, ProviderError, ThirdPartyError),
        (502, ProviderError, ThirdPartyError),
        (503, ProviderOverloaded, ServiceUnavailable),
        (504, DeadlineExceeded, DeadlineExceeded),
        (520, ProviderError, ThirdPartyError),
        (524, DeadlineExceeded, DeadlineExceeded),
        (529, ProviderOverloaded, ServiceUnavailable),
        (999, ProviderError, ThirdPartyError),
    ],
)
def test_a_status_alone_decides_when_nothing_else_is_told(
    status: int | None, of_provider: type[StormproofError], of_others: type[StormproofError]
) -> None:
    """The one table of the house, for those who serve models and those who do not."""
    assert type(answered(Answer("it", status, serves_models=True))) is of_provider
    assert type(answered(Answer("it", status))) is of_others


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (429, "insufficient_quota", QuotaExhausted),
        (429, "enforced_spend_limit_reached", QuotaExhausted),
        (400, "content_filter", ProviderRefused),
        (400, "invalid_api_key", ProviderUnauthorized),
        (500, "overloaded_error", ProviderOverloaded),
        (200, "overloaded_error", ProviderOverloaded),
        (200, "rate_limit_error", RateLimitExceeded),
        (None, "server_error", ProviderError),
        (None, "invalid_request_error", InvalidRequest),
        (403, "invalid_request_error", ProviderUnauthorized),
        (413, "rate_limit_exceeded", PayloadTooLarge),
    ],
)
def test_a_precise_code_speaks_louder_than_the_status_and_a_coarse_one_softer(
    status: int | None, code: str, expected: type[StormproofError]
) -> None:
    """The coarse ones matter inside a stream, whose status was 200."""
    answer = Answer("it", status, code=code, serves_models=True)
    assert type(answered(answer)) is expected
    assert type(answered(answer._replace(code=None, kind=code))) is expected


@pytest.mark.parametrize(
    ("said", "model"),
    [
        ("The model `gpt-9` does not exist or you do not have access to it.", "gpt-9"),
        ("model: claude-9-opus", "claude-9-opus"),
        ("model 'llama3.9:8b' not found", "llama3.9:8b"),
        ('model "org/name" not found, try pulling it first', "org/name"),
    ],
)
def test_a_missing_model_is_named(said: str, model: str) -> None:
    """As OpenAI, Anthropic and the servers that copy them put it."""
    error = answered(Answer("it", 404, said=said, serves_models=True))
    assert isinstance(error, ModelNotFound)
    assert error.model == model


@pytest.mark.parametrize(
    ("said", "numbers"),
    [
        (
            (
                "This model's maximum context length is 4097 tokens. However, you requested"
                " 5000 tokens (4000 in the messages, 1000 in the completion)."
            ),
            (4000, 1000, 4097),
        ),
        (
            (
                "This model's maximum context length is 8192 tokens. However, your messages"
                " resulted in 10000 tokens."
            ),
            (10000, 0, 8192),
        ),
        ("prompt is too long: 208310 tokens > 200000 maximum", (208310, 0, 200000)),
        (
            "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
            (190000, 20000, 200000),
        ),
    ],
)
def test_a_prompt_too_long_keeps_its_numbers(said: str, numbers: tuple[int, int, int]) -> None:
    """So that a caller can cut what is too much."""
    error = answered(Answer("it", 400, said=said, serves_models=True))
    assert isinstance(error, ContextTooLong)
    assert (error.prompt_tokens, error.max_tokens, error.limit) == numbers


def test_a_prompt_too_long_without_numbers_is_an_invalid_request() -> None:
    """Invented numbers would be worse than none."""
    answer = Answer("it", 400, code="context_length_exceeded", said="too long", serves_models=True)
    assert type(answered(answer)) is InvalidRequest


def test_a_body_too_large_keeps_the_limit_if_it_is_told() -> None:
    """OpenAI tells it."""
    said = "Maximum content size limit (26214400) exceeded (26296888 bytes read)"
    error = answered(Answer("it", 413, said=said))
    assert isinstance(error, PayloadTooLarge)
    assert error.limit == 26214400


def test_the_wait_is_read_from_any_answer_and_the_budgets_from_a_refusal_for_them() -> None:
    """A crash does not become a wait for the token budget."""
    headers = {"x-ratelimit-reset-tokens": "9s"}
    assert answered(Answer("it", 429, headers)).retry_after == 9.0
    assert answered(Answer("it", 500, headers)).retry_after is None
    assert answered(Answer("it", 503, {"retry-after": "4"})).retry_after == 4.0


def test_what_a_service_says_about_credentials_stays_inside() -> None:
    """It quotes keys and names organisations."""
    said = "Incorrect API key provided: abcd***wxyz, organization org-secret"
    error = answered(Answer("it", 401, said=said, serves_models=True))
    assert "abcd" not in str(error)
    assert "org-secret" not in str(error)
