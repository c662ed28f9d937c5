"""The anthropic SDK."""

from typing import Any, Final

from stormproof.errors.external_errors import ProviderError, ToolError
from stormproof.errors.platform_errors import ConfigurationError
from stormproof.errors.root import StormproofError
from stormproof.errors.translate.lookup import Table, bug
from stormproof.errors.translate.reading import message
from stormproof.errors.translate.stainless import (
    not_as_documented,
    refused,
    timed_out,
    unreachable,
)

_PROVIDER: Final = "anthropic"


def _misconfigured(_exc: Any) -> StormproofError:
    return ConfigurationError(reason="the anthropic client lacks usable credentials or options")


def _failed(_exc: Any) -> StormproofError:
    return ProviderError(provider=_PROVIDER)


def _forged(_exc: Any) -> StormproofError:
    return ProviderError(provider=_PROVIDER, error_message="a webhook's signature is not valid")


def _tool_failed(exc: Any) -> StormproofError:
    return ToolError(reason=message(exc) or "the tool failed")


TABLE: Final[Table] = {
    "anthropic.AnthropicError": _misconfigured,  # raised as such by a client that lacks its key
    "anthropic.APIError": refused(_PROVIDER),
    "anthropic.APIStatusError": refused(_PROVIDER),
    "anthropic.APIConnectionError": unreachable,
    "anthropic.APIResponseValidationError": not_as_documented(_PROVIDER),
    "anthropic.APITimeoutError": timed_out,
    "anthropic.APIWebhookValidationError": _forged,
    "anthropic.CredentialsError": _misconfigured,
    "anthropic.IdentityTokenFileError": _misconfigured,
    "anthropic.MutuallyExclusiveAuthError": _misconfigured,
    "anthropic.RetryableError": _failed,
    "anthropic.WorkloadIdentityError": _misconfigured,
    "anthropic.ToolError": _tool_failed,
    "anthropic.ToolsetUsageError": bug,
}
