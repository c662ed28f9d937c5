"""What a response consists of, and the events of OpenAI's Responses API that tell of it."""

import secrets
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct

from stormproof.providers.chat import Document

_encode: Final = msgspec.json.Encoder().encode


class Kind(StrEnum):
    """What a model says; what is said of one kind in a row is an item with one part."""

    REASONING = "reasoning_text"
    TEXT = "output_text"
    REFUSAL = "refusal"

    def part(self, said: str) -> Document:
        """Return a part."""
        if self is Kind.TEXT:
            return {"type": self, "text": said, "annotations": [], "logprobs": []}
        return {"type": self, self.field: said}

    @property
    def field(self) -> str:
        """What holds the words."""
        return "refusal" if self is Kind.REFUSAL else "text"

    def item(self, item_id: str, status: str, *parts: Document) -> Document:
        """Return an item."""
        head = {"id": item_id, "status": status, "content": parts}
        if self is Kind.REASONING:
            return {**head, "type": "reasoning", "summary": []}
        return {**head, "type": "message", "role": "assistant"}


class Function(Struct, frozen=True):
    """What is called, and with what."""

    name: str
    arguments: str = ""


class Call(Struct, frozen=True):
    """A call of a tool; some models give it no id."""

    function: Function
    id: str | None = None


class Output:
    """The items of one response, of which one is open at a time.

    Attributes:
        items: Those that are whole.
    """

    def __init__(self) -> None:
        self.items: Final[list[Document]] = []
        self._events = 0
        self._kind: Kind | None = None
        self._id = ""
        self._pieces: list[str] = []

    def event(self, kind: str, **fields: object) -> bytes:
        """Return an event, with its place among all."""
        document = {"type": kind, "sequence_number": self._events, **fields}
        self._events += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), _encode(document))

    def say(self, kind: Kind, said: str) -> bytes:
        """Return the events with which something more is said."""
        opened = b"" if kind is self._kind else self.close() + self._open(kind)
        self._pieces.append(said)
        return opened + self._of_part(f"response.{kind}.delta", delta=said)

    def call(self, call: Call, status: str) -> bytes:
        """Return the events that tell of a whole call."""
        closed = self.close()
        self._id = _made_up("fc")
        name, arguments = call.function.name, call.function.arguments
        head = {"id": self._id, "type": "function_call", "call_id": call.id or _made_up("call")}
        begun = {**head, "name": name, "arguments": "", "status": "in_progress"}
        return b"".join(
            (
                closed,
                self._of_item("response.output_item.added", item=begun),
                self._of_text("response.function_call_arguments.delta", delta=arguments),
                self._of_text("response.function_call_arguments.done", arguments=arguments),
                self._done({**begun, "arguments": arguments, "status": status}),
            )
        )

    def close(self, status: str = "completed") -> bytes:
        """Return the end of the item that is open, if one is."""
        kind = self._kind
        if kind is None:
            return b""
        self._kind = None
        said = "".join(self._pieces)
        part = kind.part(said)
        return b"".join(
            (
                self._of_part(f"response.{kind}.done", **{kind.field: said}),
                self._of_part("response.content_part.done", part=part),
                self._done(kind.item(self._id, status, part)),
            )
        )

    def _open(self, kind: Kind) -> bytes:
        self._kind, self._pieces = kind, []
        self._id = _made_up("rs" if kind is Kind.REASONING else "msg")
        begun = kind.item(self._id, "in_progress")
        return b"".join(
            (
                self._of_item("response.output_item.added", item=begun),
                self._of_part("response.content_part.added", part=kind.part("")),
            )
        )

    def _done(self, item: Document) -> bytes:
        event = self._of_item("response.output_item.done", item=item)
        self.items.append(item)
        return event

    def _of_item(self, kind: str, **fields: object) -> bytes:
        return self.event(kind, output_index=len(self.items), **fields)

    def _of_text(self, kind: str, **fields: object) -> bytes:
        return self._of_item(kind, item_id=self._id, **fields)

    def _of_part(self, kind: str, **fields: object) -> bytes:
        more: Document = {"logprobs": []} if kind.startswith("response.output_text") else {}
        return self._of_text(kind, content_index=0, **more, **fields)


def _made_up(kind: str) -> str:
    return f"{kind}_{secrets.token_hex(12)}"
