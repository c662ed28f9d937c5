"""langchain-core."""

from typing import Any, Final

from stormproof.errors.client_errors import InvalidRequest, PromptError, ValidationError
from stormproof.errors.external_errors import (
    ParsingError,
    ToolError,
    VectorStoreError,
)
from stormproof.errors.platform_errors import CallbackError
from stormproof.errors.root import StormproofError
from stormproof.errors.translate.context_length import context_too_long
from stormproof.errors.translate.http_status import Answer, answered
from stormproof.errors.translate.lookup import Maker, Table, bug, maker_in, table_of
from stormproof.errors.translate.network_reason import unreachable
from stormproof.errors.translate.reading import message

_SDKS: Final = ("openai", "anthropic")


def _model(status: int) -> Maker:
    """Return the maker for a failure that langchain names after an HTTP status."""

    def make(exc: Any) -> StormproofError:
        # Integrations derive from langchain's class and the SDK's: the SDK knows more.
        makers = (maker_in(table_of(sdk), type(exc)) for sdk in _SDKS)
        sdk = next(filter(None, makers), None)
        if sdk:
            return sdk(exc)
        return answered(Answer("the model provider", status, said=message(exc), serves_models=True))

    return make


def _context_overflow(exc: Any) -> StormproofError:
    reason = "the prompt is longer than the model's context"
    return context_too_long(message(exc)) or InvalidRequest(reason=reason)


def _unparsable(_exc: Any) -> StormproofError:
    # The message quotes the answer, which may be anybody's words: it stays on the cause.
    return ParsingError(reason="the output does not have the form that was asked for")


def _tool_failed(exc: Any) -> StormproofError:
    # A ToolException is raised to be read by the model: its text is meant to leave.
    return ToolError(reason=message(exc) or "the tool failed")


def _tracer_failed(_exc: Any) -> StormproofError:
    return CallbackError(reason="a tracer failed")


def _indexing_failed(_exc: Any) -> StormproofError:
    return VectorStoreError(reason="documents could not be indexed")


def _bad_key(_exc: Any) -> StormproofError:
    return ValidationError(reason="a key of the store has characters that keys may not have")


def _bad_template(_exc: Any) -> StormproofError:
    return PromptError(reason="the mustache template does not parse")


TABLE: Final[Table] = {
    "langchain_core.LangChainException": bug,
    "langchain_core.ContextOverflowError": _context_overflow,
    "langchain_core.ModelAPIError": _model(500),
    "langchain_core.ModelAuthenticationError": _model(401),
    "langchain_core.ModelConnectionError": unreachable("the model provider cannot be reached"),
    "langchain_core.ModelError": _model(500),
    "langchain_core.ModelInvalidRequestError": _model(400),
    "langchain_core.ModelNotFoundError": _model(404),
    "langchain_core.ModelPermissionDeniedError": _model(403),
    "langchain_core.ModelRateLimitError": _model(429),
    "langchain_core.ModelTimeoutError": _model(504),
    "langchain_core.OutputParserException": _unparsable,
    "langchain_core.ToolException": _tool_failed,
    "langchain_core.TracerException": _tracer_failed,
    "langchain_core.IndexingException": _indexing_failed,
    "langchain_core.InvalidKeyException": _bad_key,
    "langchain_core.ChevronError": _bad_template,
    "langchain_core.SchemaAnnotationError": bug,
    "langchain_core.FakeListChatModelError": bug,
    "langchain_core.FakeListLLMError": bug,
}
