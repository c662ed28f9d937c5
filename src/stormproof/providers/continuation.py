"""Asking for the rest of an answer of which the client has the beginning."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from stormproof.providers.chat import ChatRequest, Chunk, Usage
from stormproof.providers.seam import Seam

INSTRUCTION: Final = (
    "The line was cut in the middle of your answer. Write the rest of it, beginning with the very"
    " next character. Repeat nothing of what is there, and do not mention the interruption."
)
_LEAST_REPEATED: Final = 16
"""Characters that a model repeats which goes on by itself; fewer are its way of speaking."""


class Continuation(StrEnum):
    """How a model is made to go on with an answer that another began."""

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
        tokens: About how many tokens that are: streams come token by token.
    """

    text: str
    tokens: int

    @classmethod
    def of(cls, chunks: Sequence[Chunk]) -> "Delivered":
        """Sum up what was delivered."""
        texts = [chunk.text for chunk in chunks if chunk.text]
        return cls("".join(texts), len(texts))


def rest_of(request: ChatRequest, delivered: Delivered, way: Continuation) -> ChatRequest | None:
    """Return what to ask for the rest of an answer; None if it has no room for any.

    Args:
        request: What was asked at first.
        delivered: What there is of the answer.
        way: How to ask.
    """
    messages = [*request.document["messages"], {"role": "assistant", "content": delivered.text}]
    if way is Continuation.INSTRUCTION:
        messages.append({"role": "user", "content": INSTRUCTION})
    changes: dict[str, object] = {"messages": messages}
    if request.max_tokens is not None:
        left = request.max_tokens - delivered.tokens
        if left <= 0:
            return None
        names = {"max_tokens", "max_completion_tokens"} & request.document.keys()
        changes |= dict.fromkeys(names, left)
    return request.changed(**changes)


async def joined(
    chunks: AsyncGenerator[Chunk, None], delivered: Delivered, way: Continuation
) -> AsyncGenerator[Chunk, None]:
    """Yield the rest of an answer so that it follows what was delivered.

    Args:
        chunks: What a model says to `rest_of`.
        delivered: What the client has.
        way: How it was asked.
    """
    prefilled = way is Continuation.PREFILL
    seam = Seam(delivered.text, least=_LEAST_REPEATED) if prefilled else Seam(delivered.text)
    async with aclosing(chunks):
        async for chunk in chunks:
            text = seam.push(chunk.text) if chunk.text else ""
            if chunk.finish_reason:
                text += seam.flush()
            delta = _said(chunk, text)
            usage = chunk.usage and _whole(chunk.usage, delivered)
            if delta or chunk.finish_reason or usage:
                yield Chunk(chunk.index, delta, chunk.finish_reason, chunk.logprobs, usage)


def _said(chunk: Chunk, text: str) -> dict[str, object]:
    """Return what is new: who speaks and what he thought of before was told at first."""
    delta: dict[str, object] = {"content": text} if text else {}
    calls = chunk.delta.get("tool_calls")
    return {**delta, "tool_calls": calls} if calls else delta


def _whole(usage: Usage, delivered: Delivered) -> Usage:
    """Count the tokens of the first part with the answer; this time they were in the prompt."""
    return Usage(
        max(usage.prompt_tokens - delivered.tokens, 0),
        usage.completion_tokens + delivered.tokens,
        usage.prompt_tokens_details,
        usage.completion_tokens_details,
    )
