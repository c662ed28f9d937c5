"""The shape shared by the SDKs that Stainless generates: openai, anthropic.

An exception carries the response, its decoded body, and in that the provider's own words, either
at the top (OpenAI) or under ``error`` (Anthropic).
"""

from collections.abc import Mapping
from typing import Any

from stormproof.errors.external_errors import NetworkError, ProviderError
from stormproof.errors.platform_errors import DeadlineExceeded
from stormproof.errors.root import StormproofError
from stormproof.errors.translate.http_status import Answer, answered
from stormproof.errors.translate.httpx import TABLE as HTTP_CLIENT
from stormproof.errors.translate.lookup import Maker, maker_in
from stormproof.errors.translate.provider_answers import provider_answer
from stormproof.errors.translate.reading import (
    header_map,
    identifier,
    integer,
    message,
    read,
)


def refused(provider: str) -> Maker:
    """Return the maker for an answer that is an error, in a response or inside a stream."""

    def make(exc: Any) -> StormproofError:
        return answered(_answer(provider, exc))

    return make


def not_as_documented(provider: str) -> Maker:
    """Return the maker for an answer that the SDK cannot read."""

    def make(exc: Any) -> StormproofError:
        return ProviderError(
            provider=provider,
            status_code=integer(read(exc, "status_code")),
            error_message="the answer does not have the documented form",
        )

    return make


def unreachable(exc: Any) -> StormproofError:
    """Return what broke the connection: the SDK hides it, its HTTP client's own error names it."""
    return _from_http_client(exc) or NetworkError(reason="the connection failed")


def timed_out(exc: Any) -> StormproofError:
    """Return which step took too long, as far as the HTTP client's own error names it."""
    error = _from_http_client(exc)
    return error if isinstance(error, DeadlineExceeded) else DeadlineExceeded()


def _from_http_client(exc: Any) -> StormproofError | None:
    cause = read(exc, "__cause__")
    make = maker_in(HTTP_CLIENT, type(cause))
    return make(cause) if make else None


def _answer(provider: str, exc: Any) -> Answer:
    response = read(exc, "response")
    headers = header_map(read(response, "headers"))
    answer = provider_answer(
        provider,
        status=integer(read(exc, "status_code")),
        headers=headers,
        body=read(exc, "body"),
    )
    # Without a response the SDK's own message is all there is; with one it quotes the body.
    said = answer.said or (message(exc) if response is None else None)
    return answer._replace(said=said, request_id=_request_id(exc, headers))


def _request_id(exc: Any, headers: Mapping[str, str]) -> str | None:
    names = ("request-id", "x-request-id")
    given = (read(exc, "request_id"), *(headers.get(name) for name in names))
    return next(filter(None, map(identifier, given)), None)
