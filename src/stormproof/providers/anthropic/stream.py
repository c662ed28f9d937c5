"""An answer of Anthropic's Messages API that comes piece by piece."""

from collections import Counter
from typing import Any, Final, TypeAlias, get_args

import msgspec
from msgspec import Struct

from stormproof.providers.anthropic.answer import (
    Block,
    RedactedThinking,
    StopDetails,
    Text,
    Thinking,
    ToolUse,
    block_of,
    finish_reason,
    told_of_end,
    tool_call,
    usage_of,
)
from stormproof.providers.chat import Chunk, Document


class _Message(Struct, frozen=True):
    usage: Any = None


class _MessageStart(Struct, frozen=True, tag="message_start"):
    message: _Message


class _BlockStart(Struct, frozen=True, tag="content_block_start"):
    index: int
    content_block: Document


class _Delta(Struct, frozen=True):
    type: str
    text: str = ""
    thinking: str = ""
    signature: str = ""
    partial_json: str = ""


class _BlockDelta(Struct, frozen=True, tag="content_block_delta"):
    index: int
    delta: _Delta


class _BlockStop(Struct, frozen=True, tag="content_block_stop"):
    index: int


class _End(Struct, frozen=True):
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None


class _MessageDelta(Struct, frozen=True, tag="message_delta"):
    delta: _End
    usage: Any = None


class _MessageStop(Struct, frozen=True, tag="message_stop"):
    pass


_Event: TypeAlias = (
    _MessageStart | _BlockStart | _BlockDelta | _BlockStop | _MessageDelta | _MessageStop
)

_KNOWN: Final = frozenset(kind.__struct_config__.tag for kind in get_args(_Event))


class AnswerReader:
    """Reads the events of one answer.

    Attributes:
        ended: Whether the answer is whole.
    """

    def __init__(self) -> None:
        self.ended = False
        self._places: dict[int, int] = {}  # of calls and of thoughts, each among its like
        self._counts: Counter[str] = Counter()
        self._bare: set[int] = set()  # calls of which no arguments have come yet
        self._tokens: Document = {}

    def chunks(self, sent: Document) -> list[Chunk]:
        """Return what an event adds to the answer; nothing if it is none that we know.

        Raises:
            msgspec.ValidationError: It is not what its kind must be.
        """
        if str(sent.get("type")) not in _KNOWN:
            return []
        said: Document = {}
        match msgspec.convert(sent, _Event):
            case _MessageStart(message):
                self._count(message.usage)
                said = {"role": "assistant"}
            case _BlockStart(index, content):
                said = self._begun(index, block_of(content))
            case _BlockDelta(index, delta):
                said = self._added(index, delta)
            case _BlockStop(index):
                said = self._finished(index)
            case _MessageDelta(end, usage):
                return self._ending(end, usage)
            case _MessageStop():
                self.ended = True
        return [Chunk(delta=said)] if any(said.values()) else []

    def _begun(self, index: int, block: Block | None) -> Document:
        match block:
            case Text(text):
                return {"content": text}
            case Thinking(thinking):
                self._place(index, "thinking")
                return self._thought(index, "thinking", thinking)
            case RedactedThinking():
                place = self._place(index, "thinking")
                return {"thinking_blocks": [{"index": place, **msgspec.to_builtins(block)}]}
            case ToolUse():
                return self._called(index, block)
        return {}

    def _called(self, index: int, call: ToolUse) -> Document:
        made = tool_call(call)
        if not call.input:  # it comes in pieces
            self._bare.add(index)
            made["function"]["arguments"] = ""
        return {"tool_calls": [{"index": self._place(index, "tool_use"), **made}]}

    def _place(self, index: int, kind: str) -> int:
        place = self._places[index] = self._counts[kind]
        self._counts[kind] += 1
        return place

    def _added(self, index: int, delta: _Delta) -> Document:
        if delta.type == "text_delta":
            return {"content": delta.text}
        if index not in self._places:
            return {}  # of a tool that Anthropic calls itself
        match delta.type:
            case "thinking_delta":
                return self._thought(index, "thinking", delta.thinking)
            case "signature_delta":
                return self._thought(index, "signature", delta.signature)
            case "input_json_delta" if delta.partial_json:
                self._bare.discard(index)
                return self._arguments(index, delta.partial_json)
        return {}

    def _thought(self, index: int, name: str, text: str) -> Document:
        """Return what was thought for readers, and for the model, which wants it back signed."""
        if not text:
            return {}
        signed = {"index": self._places[index], "type": "thinking", "thinking": "", name: text}
        told = {"reasoning_content": text} if name == "thinking" else {}
        return {**told, "thinking_blocks": [signed]}

    def _arguments(self, index: int, text: str) -> Document:
        return {"tool_calls": [{"index": self._places[index], "function": {"arguments": text}}]}

    def _finished(self, index: int) -> Document:
        if index not in self._bare:
            return {}
        self._bare.discard(index)
        return self._arguments(index, "{}")

    def _ending(self, end: _End, counted: object) -> list[Chunk]:
        self._count(counted)
        said, usage = told_of_end(end.stop_details, end.stop_sequence), usage_of(self._tokens)
        reason = finish_reason(end.stop_reason)
        ending = [Chunk(delta=said, finish_reason=reason)] if reason else []
        return [*ending, Chunk(usage=usage)] if usage else ending

    def _count(self, usage: object) -> None:
        """Take what is counted now for what was counted before."""
        if isinstance(usage, dict):
            self._tokens |= {name: value for name, value in usage.items() if value is not None}
