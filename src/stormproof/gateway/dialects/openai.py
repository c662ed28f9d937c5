"""What OpenAI's two APIs for answers say alike."""

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar

import msgspec

from stormproof.errors import StormproofError
from stormproof.gateway import sse
from stormproof.providers import Chunk, Question, Usage
from stormproof.providers.chat import Document

Asked = TypeVar("Asked", bound=Question)

encode: Final = msgspec.json.Encoder().encode


class OpenAIReply(ABC, Generic[Asked]):
    """The answer to one request.

    Args:
        request: That.
        prefix: What ids begin with.
        kind: What the answer's object is called.

    Attributes:
        request: The same.
    """

    def __init__(self, request: Asked, *, prefix: str, kind: str) -> None:
        self.request: Final = request
        self._head = {
            "id": f"{prefix}-{os.urandom(12).hex()}",
            "object": kind,
            "created": int(time.time()),
            "model": request.model,
        }

    def opening(self, first: Chunk, told: Document) -> bytes:
        """Return the first event."""
        return self._event(first, stormproof=told)

    def piece(self, chunk: Chunk) -> bytes:
        """Return an event."""
        return self._event(chunk)

    def ending(self, usage: Usage, told: Document) -> bytes:
        """Return the tokens, where they are wanted, and the mark of the end."""
        if not self.request.wants_usage:
            return sse.DONE
        last = {"choices": [], "usage": usage.document(), "stormproof": told}
        return _data({**self._head, **last}) + sse.DONE

    def failure(self, error: StormproofError) -> bytes:
        """Return what tells of it."""
        return sse.failure(error)

    def _event(self, chunk: Chunk, **more: object) -> bytes:
        usage = {"usage": None} if self.request.wants_usage else {}
        return _data({**self._head, "choices": [self._choice(chunk)], **usage, **more})

    @abstractmethod
    def _choice(self, chunk: Chunk) -> Document:
        """Return a piece of an answer."""


def _data(document: Mapping[str, Any]) -> bytes:
    return b"data: %b\n\n" % encode(document)
