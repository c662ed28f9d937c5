"""What an HTTP status answered by somebody else means for us."""

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias

from stormproof.errors.client_errors import (
    Conflict,
    InvalidRequest,
    ModelNotFound,
    PayloadTooLarge,
)
from stormproof.errors.external_errors import (
    ConnectionLost,
    ProtocolError,
    ProviderError,
    ProviderOverloaded,
    ProviderRefused,
    ProviderUnauthorized,
    ThirdPartyError,
    ThirdPartyRefused,
)
from stormproof.errors.platform_errors import DeadlineExceeded
from stormproof.errors.resource_errors import (
    QuotaExhausted,
    RateLimitExceeded,
    ServiceUnavailable,
)
from stormproof.errors.root import StormproofError
from stormproof.errors.translate.context_length import context_too_long
from stormproof.errors.translate.rate_limits import asked_wait, limit_wait

THIRD_PARTY: Final = "a third party"

_MODEL: Final = re.compile(
    r"""\bmodel:?\s(?:[`'"](?P<quoted>[^`'"]{1,200})[`'"]|(?<=:\s)(?P<bare>[\w./:@-]{1,200}))"""
)
_BYTES: Final = re.compile(r"\blimit \(?(\d{1,15})\b")


class Answer(NamedTuple):
    """What a service answered instead of a result; every text bounded and redacted.

    Attributes:
        service: Who answered: ``openai``, ``a third party``.
        status: The HTTP status, None if unknown.
        headers: Response headers, names in lower case.
        code: The service's own code for what happened.
        kind: The service's own, coarser type of what happened.
        said: Its words, fit for a client's eyes.
        internal: What only our own eyes may see, such as the address called.
        param: The request's field that it complains about.
        request_id: Its name for the exchange.
        serves_models: Whether it is a model provider.
    """

    service: str
    status: int | None
    headers: Mapping[str, str] = {}
    code: str | None = None
    kind: str | None = None
    said: str | None = None
    internal: str | None = None
    param: str | None = None
    request_id: str | None = None
    serves_models: bool = False


def answered(answer: Answer) -> StormproofError:
    """Return the error that an answer means, with the wait that it asks for."""
    status = _status_meant(answer)
    make = _BY_STATUS.get(status) or _BY_HUNDRED.get(status // 100) or _failed
    error = make(answer)
    limited = isinstance(error, RateLimitExceeded)
    error.retry_after = (limit_wait if limited else asked_wait)(answer.headers)
    error.request_id = answer.request_id
    return error


def _status_meant(answer: Answer) -> int:
    """A precise code speaks louder than the status; a coarse one only where there is no status."""
    status = answer.status or 0
    for name in (answer.code, answer.kind):
        if name in _PRECISE:
            return _PRECISE[name]
    coarse = (_COARSE[name] for name in (answer.code, answer.kind) if name in _COARSE)
    return status if status >= 300 else next(coarse, status)  # noqa: PLR2004 - below is no refusal


def _refused_request(answer: Answer) -> StormproofError:
    reason = answer.said or f"{answer.service} refused the request"
    too_long = context_too_long(answer.said)
    return too_long or InvalidRequest(reason=reason, param=answer.param)


def _refused_credentials(answer: Answer) -> StormproofError:
    # What the provider says here quotes keys and organisations: it stays on the cause.
    return ProviderUnauthorized(
        provider=answer.service,
        status_code=answer.status,
        error_message="it refused the credentials it was given",
    )


def _refused_content(answer: Answer) -> StormproofError:
    return ProviderRefused(
        provider=answer.service,
        status_code=answer.status,
        error_message="its policy forbids an answer",
    )


def _not_found(answer: Answer) -> StormproofError:
    if not answer.serves_models:
        return ThirdPartyRefused(
            service=answer.service, status_code=answer.status, reason=answer.internal
        )
    named = _MODEL.search(answer.said or "")
    if named:
        return ModelNotFound(model=named["quoted"] or named["bare"])
    reason = answer.said or f"{answer.service} has no such resource"
    return InvalidRequest(reason=reason, param=answer.param)


def _too_slow(answer: Answer) -> StormproofError:
    return DeadlineExceeded(operation=f"the call to {answer.service}")


def _conflict(answer: Answer) -> StormproofError:
    return Conflict(reason=answer.said or f"{answer.service} refused a conflicting change")


def _too_large(answer: Answer) -> StormproofError:
    limit = _BYTES.search(answer.said or "")
    return context_too_long(answer.said) or PayloadTooLarge(limit=int(limit[1]) if limit else None)


def _rate_limited(answer: Answer) -> StormproofError:
    return RateLimitExceeded(provider=answer.service, reason=answer.code or answer.kind)


def _quota_spent(answer: Answer) -> StormproofError:
    return QuotaExhausted(provider=answer.service, reason=answer.code or answer.kind)


def _overloaded(answer: Answer) -> StormproofError:
    if not answer.serves_models:
        return ServiceUnavailable(reason=f"{answer.service} is overloaded or down")
    return ProviderOverloaded(
        provider=answer.service,
        status_code=answer.status,
        error_message=answer.said or "overloaded",
    )


def _hung_up(answer: Answer) -> StormproofError:
    return ConnectionLost(reason=f"{answer.service} saw the request closed")


def _redirected(answer: Answer) -> StormproofError:
    return ProtocolError(reason=f"{answer.service} answered with a redirect")


def _failed(answer: Answer) -> StormproofError:
    if answer.serves_models:
        return ProviderError(
            provider=answer.service, status_code=answer.status, error_message=answer.said
        )
    return ThirdPartyError(
        service=answer.service, status_code=answer.status, reason=answer.internal
    )


_Meaning: TypeAlias = Callable[[Answer], StormproofError]

_BY_STATUS: Final[Mapping[int, _Meaning]] = {
    401: _refused_credentials,
    402: _quota_spent,
    403: _refused_credentials,
    404: _not_found,
    407: _refused_credentials,
    408: _too_slow,
    409: _conflict,
    410: _not_found,
    412: _conflict,
    413: _too_large,
    421: _failed,
    423: _conflict,
    424: _failed,
    425: _overloaded,
    429: _rate_limited,
    451: _refused_content,
    498: _overloaded,  # Groq: no capacity in the flexible tier
    499: _hung_up,  # nginx: the caller went away
    503: _overloaded,
    504: _too_slow,
    522: _too_slow,  # Cloudflare: the origin did not accept
    524: _too_slow,  # Cloudflare: the origin did not answer
    529: _overloaded,  # Anthropic
    598: _too_slow,
    599: _too_slow,
}

_BY_HUNDRED: Final[Mapping[int, _Meaning]] = {3: _redirected, 4: _refused_request, 5: _failed}

_PRECISE: Final[Mapping[str | None, int]] = {
    "billing_error": 402,
    "billing_hard_limit_reached": 402,
    "billing_not_active": 402,
    "content_filter": 451,
    "content_policy_violation": 451,
    "context_length_exceeded": 400,
    "contract_spend_limit_reached": 402,
    "enforced_spend_limit_reached": 402,
    "insufficient_quota": 402,
    "invalid_api_key": 401,
    "model_not_found": 404,
    "overloaded_error": 529,
}
"""Codes of model providers that decide whatever the status, and the status each amounts to."""

_COARSE: Final[Mapping[str | None, int]] = {
    "api_error": 500,
    "authentication_error": 401,
    "invalid_request_error": 400,
    "not_found_error": 404,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "request_too_large": 413,
    "server_error": 500,
    "timeout_error": 504,
}
"""Codes that stand in for the status where an error arrives inside a stream that began well."""
