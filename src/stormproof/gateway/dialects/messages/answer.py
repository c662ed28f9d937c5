"""An answer in the common tongue, as Anthropic's Messages API has it."""

import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec
from msgspec import Struct

from stormproof.errors import ParsingError
from stormproof.gateway.dialects.reasoning import reasoning_in
from stormproof.providers.anthropic.answer import FINISH_REASONS
from stormproof.providers.anthropic.conversation import tool_use
from stormproof.providers.chat import Document, Usage

_STOP_REASONS: Final = {common: own for own, common in reversed(FINISH_REASONS.items())}


class Thought(Struct, frozen=True):
    """What a model thinks before it answers, or a piece of that.

    Attributes:
        type: ``thinking``, or ``redacted_thinking``, of which there is only ``data``.
        index: Which thought it is a piece of.
    """

    type: str = "thinking"
    index: int = 0
    thinking: str = ""
    signature: str = ""
    data: str = ""

    @property
    def block(self) -> Document:
        """The same as a block."""
        if self.type == "redacted_thinking":
            return {"type": self.type, "data": self.data}
        return {"type": "thinking", "thinking": self.thinking, "signature": self.signature}


def thoughts(said: Mapping[str, Any]) -> Sequence[Thought]:
    """Return the thoughts in a message or in a piece of one, most of them unsigned."""
    if blocks := said.get("thinking_blocks"):
        with suppress(msgspec.ValidationError):  # somebody else has another use for the name
            return msgspec.convert(blocks, list[Thought])
    told = reasoning_in(said)
    return [Thought(thinking=told)] if told else ()


def content(choice: Document) -> list[Document]:
    """Return the blocks of a whole answer.

    Raises:
        ParsingError: The arguments of a call are no JSON object.
    """
    message = choice["message"]
    text = message.get("content")
    said = [{"type": "text", "text": text}] if text else []
    return [*(thought.block for thought in thoughts(message)), *said, *calls(choice)]


def calls(choice: Document) -> list[Document]:
    """Return the calls of an answer; one that was cut is none.

    Raises:
        ParsingError: The arguments of one are no JSON object.
    """
    made = []
    for call in choice["message"].get("tool_calls") or ():
        try:
            made.append(tool_use(_identified(call)))
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            if choice["finish_reason"] != "length":
                raise ParsingError(reason="a tool call's arguments are no JSON object") from None
    return made


def end(choice: Document) -> Document:
    """Return why an answer ends."""
    reason, message = choice["finish_reason"], choice["message"]
    refusal, sequence = message.get("refusal"), message.get("stop_sequence")
    if refusal:
        details = {"type": "refusal", "category": None, "explanation": refusal}
        return {"stop_reason": "refusal", "stop_sequence": None, "stop_details": details}
    own = "stop_sequence" if sequence else _STOP_REASONS.get(reason, reason)
    return {"stop_reason": own, "stop_sequence": sequence, "stop_details": None}


def tokens(usage: Usage) -> Document:
    """Return how many there were; those that are in a cache are counted apart."""
    read = usage.prompt_detail("cached_tokens")
    written = usage.prompt_detail("cache_write_tokens")
    thought = usage.completion_detail("reasoning_tokens")
    counted = {
        "input_tokens": max(usage.prompt_tokens - read - written, 0),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": usage.completion_tokens,
    }
    return (
        {**counted, "output_tokens_details": {"thinking_tokens": thought}} if thought else counted
    )


def _identified(call: Document) -> Document:
    """Name a call that its model did not: the answer to it has to."""
    return call if call.get("id") else {**call, "id": f"toolu_{secrets.token_hex(12)}"}
