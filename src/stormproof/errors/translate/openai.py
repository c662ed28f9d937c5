"""The openai SDK."""

from typing import Any, Final

from stormproof.errors.external_errors import (
    ConnectionLost,
    ParsingError,
    ProviderError,
    ProviderRefused,
    ToolError,
)
from stormproof.errors.platform_errors import ConfigurationError
from stormproof.errors.resource_errors import ServiceUnavailable
from stormproof.errors.root import StormproofError
from stormproof.errors.translate.lookup import Table, control_flow
from stormproof.errors.translate.reading import message
from stormproof.errors.translate.stainless import (
    not_as_documented,
    refused,
    timed_out,
    unreachable,
)

_PROVIDER: Final = "openai"


def _failed(_exc: Any) -> StormproofError:
    return ProviderError(provider=_PROVIDER)


def _misconfigured(_exc: Any) -> StormproofError:
    return ConfigurationError(reason="the openai client lacks usable credentials or options")


def _content_filtered(_exc: Any) -> StormproofError:
    return ProviderRefused(provider=_PROVIDER, error_message="its content filter stopped it")


def _cut_short(_exc: Any) -> StormproofError:
    return ParsingError(reason="the answer was cut off at its length limit")


def _unparsable(_exc: Any) -> StormproofError:
    return ParsingError(reason="the answer does not have the form that was asked for")


def _forged(_exc: Any) -> StormproofError:
    return ProviderError(provider=_PROVIDER, error_message="a webhook's signature is not valid")


def _tool_failed(exc: Any) -> StormproofError:
    return ToolError(reason=message(exc) or "the tool failed")


def _connection_lost(_exc: Any) -> StormproofError:
    return ConnectionLost()


def _queue_full(_exc: Any) -> StormproofError:
    return ServiceUnavailable(reason="the queue of outgoing messages is full")


TABLE: Final[Table] = {
    "openai.OpenAIError": _misconfigured,  # raised as such by a client that lacks its key
    "openai.APIError": refused(_PROVIDER),  # raised as such inside a stream
    "openai.APIStatusError": refused(_PROVIDER),
    "openai.APIConnectionError": unreachable,
    "openai.APIResponseValidationError": not_as_documented(_PROVIDER),
    "openai.APITimeoutError": timed_out,
    "openai.ContentFilterFinishReasonError": _content_filtered,
    "openai.InvalidWebhookSignatureError": _forged,
    "openai.LengthFinishReasonError": _cut_short,
    "openai.MutuallyExclusiveAuthError": _misconfigured,
    "openai.SubjectTokenProviderError": _misconfigured,
    "openai.WebSocketConnectionClosedError": _connection_lost,
    "openai.WebSocketQueueFullError": _queue_full,
    "openai.AgentFilePreparationError": _failed,
    "openai.AgentFileStagingError": _failed,
    "openai.AgentOutputParseError": _unparsable,
    "openai.AgentTurnResultError": _failed,
    "openai.BrowserCancelledError": control_flow,
    "openai.BrowserError": _tool_failed,
    "openai.ComputerUseError": _tool_failed,
    "openai.DecisionsToolRunnerError": _tool_failed,
    "openai.ResponsesWebSocketBufferError": _queue_full,
    "openai.ResponsesWebSocketError": _failed,
    "openai.ToolRunnerError": _tool_failed,
}
