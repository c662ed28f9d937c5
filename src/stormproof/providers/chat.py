"""What is asked of a model, and what it answers, whoever that is.

OpenAI's chat API is the common tongue. It is read strictly where we look, and passed on untouched
where we do not.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from msgspec import Meta, Struct

from stormproof.providers.documents import decoded, understood

Document: TypeAlias = dict[str, Any]
"""A JSON object."""

_MOST_MESSAGES: Final = 4096
_MOST_CHOICES: Final = 128
CHARACTERS_PER_TOKEN: Final = 4
"""In most languages fewer. Who is asked with too long a prompt says so himself, at the cost of a
call; who is not asked although it would have fitted has lost an answer."""

_USUAL_ANSWER: Final = 512
"""Tokens that a request is taken to need for its answer, if it does not say."""

Model: TypeAlias = Annotated[str, Meta(min_length=1, max_length=512)]
_Count = Annotated[int, Meta(ge=1, lt=2**31)]


class Capability(StrEnum):
    """What not every model can do."""

    TOOLS = "tools"
    VISION = "vision"
    AUDIO = "audio"
    JSON_SCHEMA = "json_schema"
    LOGPROBS = "logprobs"
    CHOICES = "choices"
    ECHO = "echo"
    SUFFIX = "suffix"


class Message(Struct, frozen=True):
    """One message; parts of its content stay as they are."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Document] | None = None
    name: str | None = None
    tool_calls: list[Document] | None = None
    tool_call_id: str | None = None


class StreamOptions(Struct, frozen=True):
    """How a stream is reported."""

    include_usage: bool = False


class ChatFields(Struct, frozen=True):
    """The fields that we look at; others are the models' business."""

    model: Model
    messages: Annotated[list[Message], Meta(min_length=1, max_length=_MOST_MESSAGES)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int, Meta(ge=1, le=_MOST_CHOICES)] | None = None
    max_tokens: _Count | None = None
    max_completion_tokens: _Count | None = None
    temperature: float | None = None
    stop: str | list[str] | None = None
    tools: list[Document] | None = None
    tool_choice: str | Document | None = None
    response_format: Document | None = None
    logprobs: bool | None = None


class ChatRequest:
    """A request for an answer to a conversation.

    Args:
        document: As the client sent it.
        extended: Whether it was made of a request to Anthropic's API, and holds what only that
            API knows; see `plain`.

    Attributes:
        document: The same, for whoever passes it on.
        model: Who is asked.
        extended: The same.
        needs: What a model must be able to do to answer.

    Raises:
        InvalidRequest: A field that matters here is missing, or is not what it must be.
    """

    __slots__ = ("_known", "_prompt_tokens", "document", "extended", "model", "needs")

    def __init__(self, document: Document, *, extended: bool = False) -> None:
        self._known = understood(document, ChatFields)
        self.model: Final = self._known.model
        self._prompt_tokens: int | None = None
        self.document: Final = document
        self.extended: Final = extended
        self.needs: Final = _needs(self._known)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a request.

        Raises:
            InvalidRequest: It is not JSON, or not a request.
        """
        return cls(decoded(body))

    @property
    def messages(self) -> Sequence[Message]:
        """The conversation."""
        return self._known.messages

    @property
    def streams(self) -> bool:
        """Whether the answer is wanted piece by piece."""
        return bool(self._known.stream)

    @property
    def wants_usage(self) -> bool:
        """Whether a stream is to end with a count of tokens."""
        options = self._known.stream_options
        return options is not None and options.include_usage

    @property
    def choices(self) -> int:
        """How many answers are wanted."""
        return self._known.n or 1

    @property
    def resumable(self) -> bool:
        """Whether it can be told what to ask for the rest of an answer."""
        return self.choices == 1

    @property
    def max_tokens(self) -> int | None:
        """How long each may be, in tokens."""
        return self._known.max_completion_tokens or self._known.max_tokens

    @property
    def stops(self) -> Sequence[str]:
        """What ends an answer."""
        stop = self._known.stop
        return [stop] if isinstance(stop, str) else stop or []

    @property
    def tools(self) -> Sequence[Document]:
        """What the model may call."""
        return self._known.tools or []

    @property
    def temperature(self) -> float | None:
        """How freely it chooses."""
        return self._known.temperature

    @property
    def wants_json(self) -> bool:
        """Whether the answer has to be a JSON document."""
        form = self._known.response_format
        return form is not None and form.get("type") in ("json_object", "json_schema")

    @property
    def prompt_tokens(self) -> int:
        """About how long the prompt is, texts alone, in tokens; counted once."""
        if self._prompt_tokens is None:
            characters = 0
            for message in self._known.messages:
                content = message.content
                characters += len(content) if isinstance(content, str) else _characters(content)
            self._prompt_tokens = characters // CHARACTERS_PER_TOKEN
        return self._prompt_tokens

    @property
    def tokens(self) -> int:
        """About how many it takes, those of all answers among them."""
        known = self._known
        answer = known.max_completion_tokens or known.max_tokens or _USUAL_ANSWER
        return self.prompt_tokens + answer * (known.n or 1)

    def changed(self, **fields: Any) -> "ChatRequest":
        """Return the same with other values in some fields; a field that is None is left out."""
        document = {**self.document, **fields}
        kept = {name: value for name, value in document.items() if value is not None}
        return ChatRequest(kept, extended=self.extended)


class Usage(Struct, frozen=True, omit_defaults=True):
    """Tokens that were read and written; details as the provider counts them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: Document | None = None
    completion_tokens_details: Document | None = None

    @property
    def total_tokens(self) -> int:
        """Both together."""
        return self.prompt_tokens + self.completion_tokens

    def prompt_detail(self, name: str) -> int:
        """Return how many of the prompt's tokens are of a kind, as far as that is told."""
        details = self.prompt_tokens_details
        return _count(details, name) if details else 0

    def completion_detail(self, name: str) -> int:
        """Return the same of the answer's."""
        details = self.completion_tokens_details
        return _count(details, name) if details else 0

    def document(self) -> Document:
        """Return it as OpenAI's API has it."""
        told: Document = {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }
        if self.prompt_tokens_details is not None:
            told["prompt_tokens_details"] = self.prompt_tokens_details
        if self.completion_tokens_details is not None:
            told["completion_tokens_details"] = self.completion_tokens_details
        return told


class Chunk(Struct, frozen=True):
    """What is new of a streamed answer.

    Attributes:
        index: Of which answer, where several were asked for.
        delta: What is new, as OpenAI's API has it: ``content``, ``tool_calls`` and whatever else
            the model writes.
        finish_reason: Why the answer ends here; None if it goes on.
        logprobs: Of the tokens that are new, where asked for.
        usage: Tokens so far, usually behind the last piece of the last answer.
        restarts: Whether the answer begins again with it: all that came before is void.
    """

    index: int = 0
    delta: Mapping[str, Any] = {}
    finish_reason: str | None = None
    logprobs: Any = None
    usage: Usage | None = None
    restarts: bool = False

    @property
    def text(self) -> str:
        """What it adds to the answer's text."""
        return self.delta.get("content") or ""

    @property
    def has_content(self) -> bool:
        """Whether it holds anything that a reader would see."""
        return any(value for name, value in self.delta.items() if name != "role")


class Completion(Struct, frozen=True):
    """A whole answer, judged to be one.

    Attributes:
        document: As OpenAI's API has it.
        usage: Tokens.
    """

    document: Document
    usage: Usage

    @property
    def choices(self) -> Sequence[Document]:
        """The answers."""
        choices: list[Document] = self.document["choices"]
        return choices

    @property
    def text(self) -> str:
        """The text of the first answer."""
        return self.choices[0]["message"].get("content") or ""


def in_chunks(completion: Completion) -> list[Chunk]:
    """Return a whole answer as the pieces of a stream."""
    chunks = [
        Chunk(
            choice.get("index", place),
            _in_a_stream(choice["message"]),
            choice["finish_reason"],
            choice.get("logprobs"),
        )
        for place, choice in enumerate(completion.choices)
    ]
    return [*chunks, Chunk(usage=completion.usage)]


_PARTS: Final = {
    "image_url": Capability.VISION,
    "input_audio": Capability.AUDIO,
}


def _needs(known: ChatFields) -> frozenset[Capability]:
    needed: set[Capability] = set()
    if known.tools and known.tool_choice != "none":
        needed.add(Capability.TOOLS)
    if known.response_format and known.response_format.get("type") == "json_schema":
        needed.add(Capability.JSON_SCHEMA)
    if known.logprobs:
        needed.add(Capability.LOGPROBS)
    if known.n is not None and known.n > 1:
        needed.add(Capability.CHOICES)
    for message in known.messages:
        if isinstance(message.content, list):
            needed.update(_PARTS[kind] for kind in _kinds(message.content) if kind in _PARTS)
    return frozenset(needed)


def _kinds(parts: Sequence[Document]) -> list[str]:
    return [str(part.get("type")) for part in parts]


def _in_a_stream(message: Document) -> Document:
    """Number the calls: whoever puts a stream together tells them apart by that."""
    calls = message.get("tool_calls")
    if not calls:
        return message
    return {**message, "tool_calls": [{"index": n, **call} for n, call in enumerate(calls)]}


def _count(details: Document, name: str) -> int:
    count = details.get(name)
    return max(count, 0) if isinstance(count, int) else 0


def _characters(parts: Sequence[Document] | None) -> int:
    texts = [part.get("text") for part in parts or ()]
    return sum(len(text) for text in texts if isinstance(text, str))
