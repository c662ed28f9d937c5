"""Asking for the rest of an answer of which the client has the beginning."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import Final

from stormproof.providers.chat import Chunk, Document, Usage
from stormproof.providers.seam import Seam
from stormproof.providers.texts import Question, TextRequest

_INSTRUCTION: Final = (
    "The line was cut in the middle of your answer. Begin with exactly the last words that came"
    " through, which are repeated below, and write the rest of the answer behind them. Do not"
    " mention the interruption.\n\n"
)
_LAST_WORDS: Final = 60
"""Characters with which a model is asked to begin: whoever does joins words and white space as
they belong, which is more than can be told of a text without them."""

_LONGEST_TOKEN: Final = 16
"""Characters; a longer piece of a stream is several tokens."""

_CHARACTERS_PER_TOKEN: Final = 4
_TOLD_BEFORE: Final = frozenset(
    {"role", "content", "reasoning", "reasoning_content", "thinking_blocks"}
)
"""Fields that a rest does not repeat: who speaks, and what he thought before he did."""


class Continuation(StrEnum):
    """How a model is made to go on with an answer that another began."""

    EXACT = "exact"
    """It goes on with a text, or a last message of the assistant, token by token, and repeats
    nothing."""

    PREFILL = "prefill"
    """It takes a last message of the assistant as the beginning of its own."""

    INSTRUCTION = "instruction"
    """It is asked to."""

    NEVER = "never"
    """It has only whole answers."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a client has of an answer.

    Attributes:
        text: Its text.
        tokens: About how many tokens that are.
        pieces: As they came: of tokens there are as many at least.
    """

    text: str = ""
    tokens: int = 0
    pieces: Sequence[str] = ()

    @classmethod
    def of(cls, chunks: Sequence[Chunk], way: Continuation) -> "Delivered":
        """Sum up what was delivered; white space alone begins nothing, unless it can be joined.

        Args:
            chunks: That.
            way: How somebody is made to go on.
        """
        texts = [chunk.text for chunk in chunks if chunk.text]
        begun = way is Continuation.EXACT or any(map(str.strip, texts))
        return cls("".join(texts), sum(map(_tokens, texts)), texts) if begun else cls()

    @property
    def last_words(self) -> str:
        """The end of the text, from the beginning of a word."""
        end = self.text.rstrip()
        words = end[-_LAST_WORDS:].split(maxsplit=1)
        return words[-1] if len(end) > _LAST_WORDS else end

    @property
    def last_tokens(self) -> int:
        """About how many tokens the last words are."""
        before = self.text.rstrip().removesuffix(self.last_words)
        return self.tokens - _tokens_within(self.pieces, len(before))


def rest_of(request: Question, delivered: Delivered, way: Continuation) -> Question | None:
    """Return what to ask for the rest of an answer; None if it has no room for any.

    An answer of which no word was delivered is asked for as at first. A form that answers must
    have is left out, since the rest of a document is none; who goes on exactly knows of both.

    Args:
        request: What was asked at first.
        delivered: What there is of the answer.
        way: How to ask.
    """
    if not delivered.text:
        return request
    changes: dict[str, object] = {}
    if request.max_tokens is not None:
        if len(delivered.pieces) >= request.max_tokens:
            return None
        left = max(request.max_tokens - delivered.tokens, 1)
        if way is Continuation.INSTRUCTION:
            left += delivered.last_tokens
        names = {"max_tokens", "max_completion_tokens"} & request.document.keys()
        changes |= dict.fromkeys(names, left)
    if isinstance(request, TextRequest):
        return request.changed(prompt=f"{request.document['prompt']}{delivered.text}", **changes)
    messages = [*request.document["messages"], {"role": "assistant", "content": delivered.text}]
    if way is Continuation.INSTRUCTION:
        messages.append({"role": "user", "content": _INSTRUCTION + delivered.last_words})
    if way is not Continuation.EXACT:
        changes["response_format"] = None
    return request.changed(messages=messages, **changes)


async def joined(
    chunks: AsyncGenerator[Chunk, None], delivered: Delivered, way: Continuation
) -> AsyncGenerator[Chunk, None]:
    """Yield the rest of an answer so that it follows what was delivered.

    Args:
        chunks: What a model says to `rest_of`.
        delivered: What the client has.
        way: How it was asked.
    """
    rest = _Rest(delivered, way)
    async with aclosing(chunks):
        async for chunk in chunks:
            for new in rest.new_of(chunk):
                if new.delta or new.finish_reason or new.usage:
                    yield new


class _Rest:
    """What of an answer's rest is new, piece by piece."""

    def __init__(self, delivered: Delivered, way: Continuation) -> None:
        self._delivered = delivered
        self._asked = delivered.last_words if way is Continuation.INSTRUCTION else ""
        whole = way is Continuation.PREFILL
        exact = way is Continuation.EXACT
        self._seam = None if exact else Seam(delivered.text, asked=self._asked, whole=whole)
        self._held: list[Chunk] = []
        self._repeated = 0

    def new_of(self, chunk: Chunk) -> Sequence[Chunk]:
        """Return what is new of a piece, and of those that were held back before it.

        They stay as many pieces as they came in: by those their tokens are counted.
        """
        if self._seam is None:
            return [self._new(chunk, 0)]
        self._held.append(chunk)
        text = self._seam.push(chunk.text)
        if chunk.finish_reason or chunk.delta.get("tool_calls"):
            text += self._seam.flush()
        if not self._seam.decided:
            return ()
        self._seam = None
        texts = [one.text for one in self._held]
        repeated = sum(map(len, texts)) - len(text)
        self._repeated = _tokens_within(texts, repeated)
        places = accumulate(map(len, texts), initial=0)
        return [
            self._new(one, max(repeated - place, 0))
            for one, place in zip(self._held, places, strict=False)
        ]

    def _new(self, chunk: Chunk, repeated: int) -> Chunk:
        """Return what a piece holds behind so many characters that are repeated."""
        delta = {name: value for name, value in chunk.delta.items() if name not in _TOLD_BEFORE}
        text, logprobs = chunk.text[repeated:], chunk.logprobs
        if repeated and logprobs:
            logprobs = _logprobs(logprobs, repeated)
        if text or logprobs:
            delta["content"] = text
        usage = chunk.usage and self._usage(chunk.usage)
        return Chunk(chunk.index, delta, chunk.finish_reason, logprobs, usage)

    def _usage(self, usage: Usage) -> Usage:
        """Count the question as it was asked, and the answer as the client has it."""
        delivered = self._delivered
        added = delivered.tokens
        if self._asked:
            added += len(_INSTRUCTION + self._asked) // _CHARACTERS_PER_TOKEN
        written = usage.completion_tokens - self._repeated
        return Usage(
            max(usage.prompt_tokens - added, 0),
            max(written, 0) + delivered.tokens,
            usage.prompt_tokens_details,
            usage.completion_tokens_details,
        )


def _tokens(text: str) -> int:
    """Return about how many tokens a piece is: most providers send each by itself."""
    return 1 if len(text) <= _LONGEST_TOKEN else len(text) // _CHARACTERS_PER_TOKEN


def _tokens_within(texts: Iterable[str], characters: int) -> int:
    """Return about how many tokens of pieces end within so many characters."""
    tokens = place = 0
    for text in filter(None, texts):
        place += len(text)
        tokens += _tokens(text) if place <= characters else 0
    return tokens


def _logprobs(logprobs: Document, repeated: int) -> Document | None:
    """Return how likely tokens were, but for the characters that are repeated."""
    new, place = [], 0
    for token in logprobs.get("content") or ():
        place += len(token["token"])
        if place > repeated:
            new.append(token)
    return {**logprobs, "content": new} if new else None
