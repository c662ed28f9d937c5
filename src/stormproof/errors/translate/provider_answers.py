"""What a model provider answers instead of a result.

All of them send a JSON object with their own words for what is wrong, either at the top (OpenAI's
SDK hands it on so) or under ``error``.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from stormproof.errors.root import StormproofError
from stormproof.errors.translate.http_status import Answer, answered
from stormproof.errors.translate.reading import header_map, identifier, integer, read, text

_REPEATED: Final = re.compile(
    r"""[\s,]{0,3}(?:(['"])input\1\s{0,3}:|\binput_value=).*""", re.DOTALL
)
"""What pydantic puts behind what is wrong: a part of the request, which may be a prompt."""


def provider_error(
    provider: str, *, status: int | None, headers: Mapping[str, str], body: object
) -> StormproofError:
    """Return the error that a model provider's answer means.

    Args:
        provider: Who answered.
        status: The HTTP status; None for what came inside a stream that had begun well.
        headers: Response headers.
        body: The decoded body, whatever it is.
    """
    return answered(provider_answer(provider, status=status, headers=headers, body=body))


def provider_answer(
    provider: str, *, status: int | None, headers: Mapping[str, str], body: object
) -> Answer:
    """Read a model provider's answer; arguments as for `provider_error`."""
    headers, detail = header_map(headers), _detail(body)
    return Answer(
        service=provider,
        status=integer(status),
        headers=headers,
        code=identifier(read(detail, "details", "error_code")) or identifier(read(detail, "code")),
        kind=identifier(read(detail, "type")),
        said=_said(read(detail, "message")),
        param=text(read(detail, "param")),
        request_id=identifier(headers.get("request-id")) or identifier(headers.get("x-request-id")),
        serves_models=True,
    )


def _detail(body: Any) -> Any:
    nested = read(body, "error") if isinstance(body, Mapping) else None
    return nested if isinstance(nested, Mapping) else body


def _said(message: object) -> str | None:
    return text(_REPEATED.sub("", message) if isinstance(message, str) else message)
