"""A request to Anthropic's Messages API, in the common tongue."""

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct

from stormproof.gateway.dialects.messages.blocks import Text, content
from stormproof.gateway.dialects.messages.conversation import Turn, messages
from stormproof.providers import ChatRequest
from stormproof.providers.anthropic.content import marked
from stormproof.providers.anthropic.request import OWN_FIELDS
from stormproof.providers.chat import Document
from stormproof.providers.documents import understood

_MOST_MESSAGES: Final = 4096
_MOST_TOOLS: Final = 1024
_MOST_STOPS: Final = 256

_Share = Annotated[float, Meta(ge=0, le=1)]
_ToolName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,128}$")]


class Tool(Struct, frozen=True):
    """What the model may call."""

    name: _ToolName
    input_schema: Document
    description: str | None = None
    strict: bool | None = None
    type: Literal["custom"] | None = None
    cache_control: Document | None = None


class _Choice(Struct, frozen=True, kw_only=True):
    disable_parallel_tool_use: bool = False


class AutoChoice(_Choice, frozen=True, tag="auto"):
    """The model may call tools."""


class AnyChoice(_Choice, frozen=True, tag="any"):
    """It must call one."""


class NamedChoice(_Choice, frozen=True, tag="tool"):
    """It must call this one."""

    name: _ToolName


class NoChoice(_Choice, frozen=True, tag="none"):
    """It must not."""


ToolChoice: TypeAlias = AutoChoice | AnyChoice | NamedChoice | NoChoice


class Metadata(Struct, frozen=True):
    """About the request."""

    user_id: Annotated[str, Meta(max_length=512)] | None = None


class MessagesRequest(Struct, frozen=True, kw_only=True):
    """A request for a message."""

    model: Annotated[str, Meta(min_length=1, max_length=512)]
    max_tokens: Annotated[int, Meta(ge=1, lt=2**31)]
    messages: Annotated[list[Turn], Meta(min_length=1, max_length=_MOST_MESSAGES)]
    system: str | list[Text] | None = None
    stream: bool | None = None
    stop_sequences: Annotated[list[str], Meta(max_length=_MOST_STOPS)] | None = None
    temperature: _Share | None = None
    top_p: _Share | None = None
    top_k: Annotated[int, Meta(ge=0, lt=2**31)] | None = None
    metadata: Metadata | None = None
    tools: Annotated[list[Tool], Meta(max_length=_MOST_TOOLS)] | None = None
    tool_choice: ToolChoice | None = None
    output_config: Document | None = None


def chat_request(document: Document, betas: str | None = None) -> ChatRequest:
    """Return what is asked.

    Args:
        document: The request's.
        betas: Names of what is not for everybody yet, with commas between them.

    Raises:
        InvalidRequest: It is not a request for a message.
    """
    asked = understood(document, MessagesRequest)
    own: Document = {name: document[name] for name in OWN_FIELDS if name in document}
    made = {
        "betas": [name.strip() for name in betas.split(",")] if betas else None,
        "model": asked.model,
        "max_tokens": asked.max_tokens,
        "messages": _conversation(asked),
        "stream": asked.stream,
        "stop": asked.stop_sequences or None,
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "top_k": asked.top_k,
        "user": asked.metadata and asked.metadata.user_id,
        "tools": [_tool(tool) for tool in asked.tools or ()] or None,
        "output_config": asked.output_config,
        "response_format": _form(asked.output_config or {}),
        **(_choice(asked.tool_choice) if asked.tool_choice and asked.tools else {}),
    }
    kept = {name: value for name, value in made.items() if value is not None}
    return ChatRequest({**own, **kept}, extended=True)


def _conversation(asked: MessagesRequest) -> list[Document]:
    told = [{"role": "system", "content": content(asked.system)}] if asked.system else []
    return [*told, *(message for turn in asked.messages for message in messages(turn))]


def _tool(tool: Tool) -> Document:
    told = {"description": tool.description, "strict": tool.strict}
    kept = {name: value for name, value in told.items() if value is not None}
    function = {"name": tool.name, "parameters": tool.input_schema, **kept}
    mark = {"cache_control": tool.cache_control}
    return marked(mark, {"type": "function", "function": function})


def _choice(choice: ToolChoice) -> Document:
    alone = {"parallel_tool_calls": False} if choice.disable_parallel_tool_use else {}
    return {"tool_choice": _chosen(choice), **alone}


def _chosen(choice: ToolChoice) -> str | Document:
    match choice:
        case AutoChoice():
            return "auto"
        case AnyChoice():
            return "required"
        case NamedChoice(name):
            return {"type": "function", "function": {"name": name}}
        case NoChoice():
            return "none"


def _form(config: Document) -> Document | None:
    """Return the form that the answer must have, which Anthropic's API does not name."""
    match config:
        case {"format": {"type": "json_schema", "schema": dict(schema)}}:
            return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    return None
