"""What clients send: the part of OpenAI's API that this server speaks, as strict models.

Everything that a field may not be is refused by name; nothing is ignored in silence. The labels
that OpenAI's clients like to attach (``user``, ``metadata`` …) are accepted and have no effect.
"""

import json
from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

MAX_MESSAGES: Final = 2048
MAX_PROMPTS: Final = 128
MAX_EMBEDDED: Final = 2048
MAX_TOOLS: Final = 128
MAX_DEPTH: Final = 128


def _shallow(document: dict[str, Any]) -> dict[str, Any]:
    """Refuse what would exhaust the stack of whoever walks it next."""
    values: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        values = [inner for value in values for inner in _inside(value)]
        if not values:
            return document
    raise ValueError(f"must not be nested deeper than {MAX_DEPTH} levels")


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


Text = Annotated[str, Field(max_length=10_000_000)]
JsonSchema = Annotated[dict[str, Any], AfterValidator(_shallow)]
Token = Annotated[int, Field(ge=0, lt=2**31)]
FunctionName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class FunctionDefinition(_Strict):
    """A function that the model may call."""

    name: FunctionName
    description: Annotated[str, Field(max_length=10_000)] | None = None
    parameters: JsonSchema | None = None
    strict: bool | None = None

    @property
    def length(self) -> int:
        """How many characters it brings into the prompt."""
        written = (self.name, self.description or "", json.dumps(self.parameters or {}))
        return sum(map(len, written))


class ToolDefinition(_Strict):
    """A tool; only functions are supported."""

    type: Literal["function"]
    function: FunctionDefinition


class ChosenFunction(_Strict):
    """The name of a function."""

    name: FunctionName


class NamedTool(_Strict):
    """The one tool that must be called."""

    type: Literal["function"]
    function: ChosenFunction


class PlainFormat(_Strict):
    """Any answer, or any JSON object."""

    type: Literal["text", "json_object"]


class NamedSchema(_Strict):
    """A JSON schema with a name."""

    name: FunctionName
    description: Annotated[str, Field(max_length=10_000)] | None = None
    json_schema: Annotated[JsonSchema, Field(alias="schema")]
    strict: bool | None = None


class SchemaFormat(_Strict):
    """A JSON document that a schema describes."""

    type: Literal["json_schema"]
    json_schema: NamedSchema


class StructuredOutputs(_Strict):
    """What the answer must match, as vLLM's extension to OpenAI's API has it: one of these."""

    json_schema: Annotated[JsonSchema | None, Field(alias="json")] = None
    regex: Text | None = None
    choice: (
        Annotated[
            list[Annotated[str, Field(min_length=1, max_length=1024)]],
            Field(min_length=1, max_length=1024),
        ]
        | None
    ) = None
    grammar: Text | None = None

    @model_validator(mode="after")
    def _only_one(self) -> "StructuredOutputs":
        given = (self.json_schema, self.regex, self.choice, self.grammar)
        if sum(value is not None for value in given) != 1:
            raise ValueError("exactly one of json, regex, choice and grammar must be given")
        return self


class TextPart(_Strict):
    """A piece of text in a message."""

    type: Literal["text"]
    text: Text


class CalledFunction(_Strict):
    """What an assistant called."""

    name: FunctionName
    arguments: Text


class ToolCall(_Strict):
    """A call that an assistant asked for in an earlier answer."""

    id: Annotated[str, Field(min_length=1, max_length=256)]
    type: Literal["function"]
    function: CalledFunction


class Message(_Strict):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Text | Annotated[list[TextPart], Field(min_length=1, max_length=256)] | None = None
    name: Annotated[str, Field(max_length=256)] | None = None
    refusal: None = None
    tool_calls: Annotated[list[ToolCall], Field(max_length=MAX_TOOLS)] | None = None
    tool_call_id: Annotated[str, Field(min_length=1, max_length=256)] | None = None

    @model_validator(mode="after")
    def _parts_belong_to_roles(self) -> "Message":
        if self.tool_calls and self.role != "assistant":
            raise ValueError("tool_calls are only for the assistant")
        if (self.tool_call_id is not None) != (self.role == "tool"):
            raise ValueError("tool_call_id belongs to messages of the role tool, and only there")
        if self.content is None and not self.tool_calls:
            raise ValueError("content is missing")
        return self

    @property
    def text(self) -> str:
        """The content as one text."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content or ())

    @property
    def length(self) -> int:
        """How many characters it brings into the prompt."""
        calls = self.tool_calls or ()
        functions = [call.function for call in calls]
        return len(self.text) + sum(len(each.name) + len(each.arguments) for each in functions)


class StreamOptions(_Strict):
    """How a stream is reported."""

    include_usage: bool = False


class _Labels(_Strict):
    """Accepted because clients send them; they change nothing here."""

    user: Annotated[str, Field(max_length=512)] | None = None
    metadata: dict[str, str] | None = None
    store: Literal[False] | None = None
    service_tier: Literal["auto", "default"] | None = None
    prompt_cache_key: Annotated[str, Field(max_length=512)] | None = None
    safety_identifier: Annotated[str, Field(max_length=512)] | None = None


class _Sampling(_Labels):
    """How the tokens of an answer are chosen; what both routes share."""

    model: Annotated[str, Field(min_length=1, max_length=512)]
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    logit_bias: (
        Annotated[
            dict[
                Annotated[str, Field(pattern=r"^[0-9]{1,9}$")],
                Annotated[float, Field(ge=-100, le=100)],
            ],
            Field(max_length=1024),
        ]
        | None
    ) = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: (
        Annotated[str, Field(min_length=1, max_length=256)]
        | Annotated[list[Annotated[str, Field(min_length=1, max_length=256)]], Field(max_length=16)]
        | None
    ) = None
    max_tokens: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    ignore_eos: bool = False
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    structured_outputs: StructuredOutputs | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    @model_validator(mode="after")
    def _usage_belongs_to_streams(self) -> "_Sampling":
        if self.stream_options is not None and not self.stream:
            raise ValueError("stream_options is only for requests with stream: true")
        return self

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop strings as a tuple, whichever way they were given."""
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with a chunk that counts tokens."""
        return self.stream_options is not None and self.stream_options.include_usage


class ChatRequest(_Sampling):
    """Body of ``POST /v1/chat/completions``."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_MESSAGES)]
    max_completion_tokens: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: Annotated[PlainFormat | SchemaFormat, Field(discriminator="type")] | None = (
        None
    )
    tools: Annotated[list[ToolDefinition], Field(max_length=MAX_TOOLS)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None

    @model_validator(mode="after")
    def _tools_fit_together(self) -> "ChatRequest":
        names = [tool.function.name for tool in self.tools or ()]
        if len(set(names)) < len(names):
            raise ValueError("two tools have one name")
        if self.tool_choice not in (None, "none", "auto") and not names:
            raise ValueError("tool_choice needs tools")
        if isinstance(self.tool_choice, NamedTool) and self.tool_choice.function.name not in names:
            raise ValueError("tool_choice names none of the tools")
        return self

    @model_validator(mode="after")
    def _one_form_at_a_time(self) -> "ChatRequest":
        forms = (
            self.structured_outputs is not None,
            self.response_format is not None and self.response_format.type != "text",
            bool(self.callable_tools),
        )
        if sum(forms) > 1:
            raise ValueError(
                "of structured_outputs, a response_format and tools only one may shape the answer"
            )
        return self

    @property
    def length(self) -> int:
        """How many characters make up the prompt, before the model's template."""
        tools = sum(tool.function.length for tool in self.callable_tools)
        return tools + sum(message.length for message in self.messages)

    @property
    def callable_tools(self) -> list[ToolDefinition]:
        """The tools that the answer may call."""
        if self.tool_choice == "none":
            return []
        if isinstance(self.tool_choice, NamedTool):
            name = self.tool_choice.function.name
            return [tool for tool in self.tools or () if tool.function.name == name]
        return self.tools or []

    @property
    def must_call(self) -> bool:
        """Whether the answer must be calls of tools, and nothing else."""
        return self.tool_choice == "required" or isinstance(self.tool_choice, NamedTool)

    @model_validator(mode="after")
    def _alternatives_need_logprobs(self) -> "ChatRequest":
        if self.top_logprobs is not None and not self.logprobs:
            raise ValueError("top_logprobs needs logprobs: true")
        return self


class CompletionRequest(_Sampling):
    """Body of ``POST /v1/completions``."""

    prompt: (
        Text
        | Annotated[list[Text], Field(min_length=1, max_length=MAX_PROMPTS)]
        | Annotated[list[Token], Field(min_length=1, max_length=1_000_000)]
        | Annotated[
            list[Annotated[list[Token], Field(min_length=1, max_length=1_000_000)]],
            Field(min_length=1, max_length=MAX_PROMPTS),
        ]
    )
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None
    echo: Literal[False] | None = None

    @property
    def prompts(self) -> "list[str] | list[list[int]]":
        """The prompts as a list, whichever way they were given."""
        return _listed(self.prompt)


class EmbeddingRequest(_Labels):
    """Body of ``POST /v1/embeddings``."""

    model: Annotated[str, Field(min_length=1, max_length=512)]
    input: (
        Text
        | Annotated[list[Text], Field(min_length=1, max_length=MAX_EMBEDDED)]
        | Annotated[list[Token], Field(min_length=1, max_length=1_000_000)]
        | Annotated[
            list[Annotated[list[Token], Field(min_length=1, max_length=1_000_000)]],
            Field(min_length=1, max_length=MAX_EMBEDDED),
        ]
    )
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    truncate: bool = False

    @property
    def texts(self) -> "list[str] | list[list[int]]":
        """The texts as a list, whichever way they were given."""
        return _listed(self.input)


def _listed(
    given: str | list[str] | list[int] | list[list[int]],
) -> "list[str] | list[list[int]]":
    """One or several texts or lists of tokens, as a list of them."""
    if isinstance(given, str):
        return [given]
    one_list_of_tokens = isinstance(given[0], int)
    return cast("list[list[int]]", [given] if one_list_of_tokens else given)
