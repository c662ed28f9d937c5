"""A request to OpenAI's Responses API, in the common tongue."""

from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from stormproof.errors import InvalidRequest
from stormproof.gateway.dialects.responses.items import FunctionName, Item, messages
from stormproof.providers import ChatRequest
from stormproof.providers.chat import Document
from stormproof.providers.documents import understood

_MOST_ITEMS: Final = 4096
_MOST_TOOLS: Final = 1024

_SAME: Final = (
    "model",
    "prompt_cache_key",
    "safety_identifier",
    "service_tier",
    "stream",
    "temperature",
    "top_p",
    "user",
)
"""Fields that the chat API has too."""

_KEPT: Final = ("background", "conversation", "previous_response_id", "prompt", "store")
"""Fields with which somebody would have to keep conversations."""

_DEFAULTS: Final[Document] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "store": False,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
"""What a response says of its request, and what it says where that said nothing."""


class FunctionTool(Struct, frozen=True, tag="function"):
    """What the model may call."""

    name: FunctionName
    parameters: Document | None = None
    description: str | None = None
    strict: bool | None = None


class ChosenFunction(Struct, frozen=True, tag="function"):
    """What it must call."""

    name: FunctionName


class TextFormat(Struct, frozen=True, tag="text"):
    """Any answer."""


class ObjectFormat(Struct, frozen=True, tag="json_object"):
    """A JSON object."""


class SchemaFormat(Struct, frozen=True, tag="json_schema"):
    """A JSON document that a schema describes."""

    name: FunctionName
    schema: Document
    description: str | None = None
    strict: bool | None = None


Format: TypeAlias = TextFormat | ObjectFormat | SchemaFormat


class TextConfig(Struct, frozen=True):
    """What the answer's text must be."""

    format: Format | None = None
    verbosity: str | None = None


class ReasoningConfig(Struct, frozen=True):
    """How the model is to think."""

    effort: str | None = None


class ResponsesRequest(Struct, frozen=True, kw_only=True):
    """A request for a response."""

    model: Annotated[str, Meta(min_length=1, max_length=512)]
    input: str | Annotated[list[Item], Meta(min_length=1, max_length=_MOST_ITEMS)]
    instructions: str | None = None
    stream: bool | None = None
    store: bool | None = None
    previous_response_id: str | None = None
    max_output_tokens: Annotated[int, Meta(ge=1, lt=2**31)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    tools: Annotated[list[FunctionTool], Meta(max_length=_MOST_TOOLS)] | None = None
    tool_choice: Literal["none", "auto", "required"] | ChosenFunction | None = None
    parallel_tool_calls: bool | None = None
    text: TextConfig | None = None
    reasoning: ReasoningConfig | None = None
    metadata: dict[str, str] | None = None
    user: Annotated[str, Meta(max_length=512)] | None = None


def chat_request(document: Document) -> ChatRequest:
    """Return what is asked.

    Raises:
        InvalidRequest: It is not a request for a response, or one for which conversations would
            have to be kept.
    """
    asked = understood(_typed(document), ResponsesRequest)
    _check_kept(document)
    text = asked.text or TextConfig()
    made = {
        **{name: document.get(name) for name in _SAME},
        "messages": _conversation(asked),
        "max_completion_tokens": asked.max_output_tokens,
        **(_calling(asked) if asked.tools else {}),  # chat APIs refuse it without them
        "response_format": _form(text.format),
        "verbosity": text.verbosity,
        "reasoning_effort": asked.reasoning and asked.reasoning.effort,
    }
    return ChatRequest({name: value for name, value in made.items() if value is not None})


def told_back(document: Document) -> Document:
    """Return what a response says of its request."""
    sent = {name: document.get(name) for name in _DEFAULTS}
    return {name: _DEFAULTS[name] if it is None else it for name, it in sent.items()}


def _typed(document: Document) -> Document:
    """Name what messages are, which clients need not."""
    items = document.get("input")
    if not isinstance(items, list):
        return document
    typed = [{"type": "message", **item} if isinstance(item, dict) else item for item in items]
    return {**document, "input": typed}


def _check_kept(document: Document) -> None:
    for name in _KEPT:
        if document.get(name):
            reason = f"{name}: nothing is kept between requests; send the whole conversation"
            raise InvalidRequest(reason=reason, param=name)


def _conversation(asked: ResponsesRequest) -> list[Document]:
    told = [{"role": "system", "content": asked.instructions}] if asked.instructions else []
    if isinstance(asked.input, str):
        return [*told, {"role": "user", "content": asked.input}]
    return [*told, *messages(asked.input)]


def _calling(asked: ResponsesRequest) -> Document:
    """Return what may be called, and how."""
    tools = [{"type": "function", "function": _fields(tool)} for tool in asked.tools or ()]
    return {
        "tools": tools,
        "tool_choice": _choice(asked.tool_choice),
        "parallel_tool_calls": asked.parallel_tool_calls,
    }


def _choice(choice: str | ChosenFunction | None) -> str | Document | None:
    if isinstance(choice, ChosenFunction):
        return {"type": "function", "function": {"name": choice.name}}
    return choice


def _form(form: Format | None) -> Document | None:
    match form:
        case SchemaFormat():
            return {"type": "json_schema", "json_schema": _fields(form)}
        case ObjectFormat():
            return {"type": "json_object"}
    return None


def _fields(told: FunctionTool | SchemaFormat) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.structs.asdict(told)
    return {name: value for name, value in fields.items() if value is not None}
