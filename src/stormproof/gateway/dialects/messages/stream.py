"""An answer in the events of Anthropic's Messages API."""

from typing import Final

import msgspec

from stormproof.gateway.dialects.messages.answer import Thought
from stormproof.providers.chat import Document

_encode: Final = msgspec.json.Encoder().encode


def event(kind: str, **fields: object) -> bytes:
    """Return an event, which also tells its kind in its data."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), _encode({"type": kind, **fields}))


class Blocks:
    """Makes the events of one message's blocks, of which one is open at a time."""

    def __init__(self) -> None:
        self._index = -1
        self._open: object = None

    def text(self, text: str) -> bytes:
        """Return what says some more."""
        return self._opened("text", {"type": "text", "text": ""}) + self._delta(
            {"type": "text_delta", "text": text}
        )

    def thought(self, thought: Thought) -> bytes:
        """Return what thinks some more."""
        place = ("thinking", thought.index)
        if thought.type == "redacted_thinking":
            return self._opened(place, thought.block)
        events = self._opened(place, Thought().block)
        if thought.thinking:
            events += self._delta({"type": "thinking_delta", "thinking": thought.thinking})
        if thought.signature:
            events += self._delta({"type": "signature_delta", "signature": thought.signature})
        return events

    def call(self, call: Document) -> bytes:
        """Return what calls a tool."""
        arguments = _encode(call["input"]).decode()
        return self._opened(object(), {**call, "input": {}}) + self._delta(
            {"type": "input_json_delta", "partial_json": arguments}
        )

    def close(self) -> bytes:
        """Return the end of the block that is open, if one is."""
        if self._open is None:
            return b""
        self._open = None
        return event("content_block_stop", index=self._index)

    def _opened(self, what: object, block: Document) -> bytes:
        """Return what makes a block the one that is open."""
        if self._open == what:
            return b""
        closing = self.close()
        self._open = what
        self._index += 1
        return closing + event("content_block_start", index=self._index, content_block=block)

    def _delta(self, delta: Document) -> bytes:
        return event("content_block_delta", index=self._index, delta=delta)
