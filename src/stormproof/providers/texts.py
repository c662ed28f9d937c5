"""A text to be continued, as OpenAI's older completions API has it.

What it is answered is worded as the answer to a conversation is: the text is the content of a
message, and of the pieces of a stream.
"""

from typing import Annotated, Any, Final, Self, TypeAlias

from msgspec import Meta, Struct

from stormproof.providers.chat import (
    CHARACTERS_PER_TOKEN,
    Capability,
    ChatRequest,
    Document,
    Model,
    StreamOptions,
)
from stormproof.providers.documents import Input, Text, decoded, listed, understood

_MOST_PROMPTS: Final = 128
_MOST_CHOICES: Final = 128
_USUAL_ANSWER: Final = 16
"""Tokens of an answer, by OpenAI's default."""


class TextFields(Struct, frozen=True):
    """The fields that we look at; others are the models' business."""

    model: Model
    prompt: Input
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int, Meta(ge=1, le=_MOST_CHOICES)] | None = None
    max_tokens: Annotated[int, Meta(ge=0, lt=2**31)] | None = None
    logprobs: Annotated[int, Meta(ge=0)] | None = None
    echo: bool | None = None
    suffix: str | None = None


class TextRequest:
    """A request for the continuation of texts.

    Args:
        document: As the client sent it.

    Attributes:
        document: The same, for whoever passes it on.
        prompts: The texts, at least one.
        needs: What a model must be able to do to answer.

    Raises:
        InvalidRequest: A field that matters here is missing, or is not what it must be.
    """

    __slots__ = ("_known", "_prompt_tokens", "document", "needs", "prompts")

    wants_json: Final = False

    def __init__(self, document: Document) -> None:
        self._known = understood(document, TextFields)
        self._prompt_tokens: int | None = None
        self.document: Final = document
        self.prompts: Final = listed(self._known.prompt, "prompt", _MOST_PROMPTS)
        self.needs: Final = _needs(self._known)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a request.

        Raises:
            InvalidRequest: It is not JSON, or not a request.
        """
        return cls(decoded(body))

    @property
    def model(self) -> str:
        """Who is asked."""
        return self._known.model

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
        """How many answers are wanted, to all prompts together."""
        return len(self.prompts) * (self._known.n or 1)

    @property
    def resumable(self) -> bool:
        """Whether it can be told what to ask for the rest of an answer.

        Tokens cannot be joined with a text; an answer that repeats the prompt, or tells places in
        the text, would begin with those again.
        """
        known = self._known
        plain = isinstance(known.prompt, str) and not known.echo and known.logprobs is None
        return plain and self.choices == 1

    @property
    def max_tokens(self) -> int | None:
        """How long each answer may be, in tokens."""
        return self._known.max_tokens

    @property
    def prompt_tokens(self) -> int:
        """About how long the prompts are together, in tokens; counted once."""
        if self._prompt_tokens is None:
            self._prompt_tokens = sum(map(_tokens, self.prompts))
        return self._prompt_tokens

    @property
    def tokens(self) -> int:
        """About how many it takes, those of all answers among them."""
        return self.prompt_tokens + (self.max_tokens or _USUAL_ANSWER) * self.choices

    def changed(self, **fields: Any) -> "TextRequest":
        """Return the same with other values in some fields; a field that is None is left out."""
        document = {**self.document, **fields}
        return TextRequest({name: value for name, value in document.items() if value is not None})


Question: TypeAlias = ChatRequest | TextRequest
"""What may be asked of a ladder."""


def _needs(known: TextFields) -> frozenset[Capability]:
    needed: set[Capability] = set()
    if known.logprobs is not None:
        needed.add(Capability.LOGPROBS)
    if (known.n or 1) > 1:
        needed.add(Capability.CHOICES)
    if known.echo:
        needed.add(Capability.ECHO)
    if known.suffix:
        needed.add(Capability.SUFFIX)
    return frozenset(needed)


def _tokens(prompt: Text) -> int:
    return len(prompt) // CHARACTERS_PER_TOKEN if isinstance(prompt, str) else len(prompt)
