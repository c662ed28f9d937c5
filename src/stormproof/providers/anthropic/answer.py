"""An answer of Anthropic's Messages API, in the common tongue."""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias, get_args

import msgspec
from msgspec import Struct

from stormproof.providers.chat import Document, Usage

FINISH_REASONS: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",  # to be gone on with
    "refusal": "content_filter",
}
"""Why an answer ends, in the common tongue; of several that are the same there, the first is the
usual one."""


class Text(Struct, frozen=True, tag="text"):
    """What it says."""

    text: str


class Thinking(Struct, frozen=True, tag="thinking"):
    """What it thinks before, signed."""

    thinking: str
    signature: str = ""


class RedactedThinking(Struct, frozen=True, tag="redacted_thinking"):
    """What it thinks and does not tell."""

    data: str


class ToolUse(Struct, frozen=True, tag="tool_use"):
    """A call of a tool."""

    id: str
    name: str
    input: Document


Block: TypeAlias = Text | Thinking | RedactedThinking | ToolUse

_KNOWN: Final = frozenset(kind.__struct_config__.tag for kind in get_args(Block))


class StopDetails(Struct, frozen=True):
    """More about an end."""

    explanation: str | None = None


class _Answer(Struct, frozen=True):
    content: list[Document]
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None
    id: str = ""
    model: str = ""
    usage: Any = None


class _Details(Struct, frozen=True):
    thinking_tokens: int


class _Tokens(Struct, frozen=True):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens_details: _Details | None = None


def chat_document(sent: Document) -> Document:
    """Return an answer as OpenAI's API has it.

    Raises:
        msgspec.ValidationError: It is none.
    """
    answer = msgspec.convert(sent, _Answer)
    content = [block for one in answer.content if (block := block_of(one))]
    message = _message(content) | told_of_end(answer.stop_details, answer.stop_sequence)
    choice = {"index": 0, "message": message, "finish_reason": finish_reason(answer.stop_reason)}
    usage = usage_of(answer.usage)
    return {
        "id": answer.id,
        "model": answer.model,
        "choices": [choice],
        "usage": usage.document() if usage else None,
    }


def block_of(sent: Document) -> Block | None:
    """Return a block; None if it is of a kind that the common tongue has no word for.

    Raises:
        msgspec.ValidationError: It is not what its kind must be.
    """
    return msgspec.convert(sent, Block) if str(sent.get("type")) in _KNOWN else None


def finish_reason(reason: str | None) -> str | None:
    """Return why an answer ends; a reason that nobody knows yet stays as it is."""
    return FINISH_REASONS.get(reason, reason) if reason else None


def told_of_end(details: StopDetails | None, sequence: str | None) -> Document:
    """Return the words, if any, with which the model declined, or at which it had to stop."""
    told = {"refusal": details.explanation if details else None, "stop_sequence": sequence}
    return {name: text for name, text in told.items() if text}


def usage_of(counted: object) -> Usage | None:
    """Return the tokens, those that were cached among the prompt's, as far as it makes sense."""
    try:
        tokens = msgspec.convert(counted, _Tokens)
    except msgspec.ValidationError:
        return None
    read, written = tokens.cache_read_input_tokens or 0, tokens.cache_creation_input_tokens or 0
    thought = tokens.output_tokens_details
    return Usage(
        (tokens.input_tokens or 0) + read + written,
        tokens.output_tokens or 0,
        {"cached_tokens": read, "cache_write_tokens": written},
        {"reasoning_tokens": thought.thinking_tokens} if thought else None,
    )


def tool_call(call: ToolUse) -> Document:
    """Return a call of a tool."""
    arguments = msgspec.json.encode(call.input).decode()
    function = {"name": call.name, "arguments": arguments}
    return {"id": call.id, "type": "function", "function": function}


def _message(content: Sequence[Block]) -> Document:
    texts = [block.text for block in content if isinstance(block, Text)]
    thoughts = [block for block in content if isinstance(block, Thinking | RedactedThinking)]
    thought = "".join(block.thinking for block in thoughts if isinstance(block, Thinking))
    calls = [tool_call(block) for block in content if isinstance(block, ToolUse)]
    others = {
        "reasoning_content": thought,
        "thinking_blocks": msgspec.to_builtins(thoughts),
        "tool_calls": calls,
    }
    message = {"role": "assistant", "content": "".join(texts) or None}
    return message | {name: value for name, value in others.items() if value}
