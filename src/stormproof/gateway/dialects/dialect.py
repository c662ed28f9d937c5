"""What APIs for conversations say each in its own way."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from starlette.types import Scope

from stormproof.errors import StormproofError
from stormproof.providers import Chunk, Completion, Question, Usage
from stormproof.providers.chat import Document


class Reply(Protocol):
    """The answer to one request, as the API words it by which the request came."""

    @property
    def request(self) -> Question:
        """What is asked, in the common tongue."""
        ...

    def whole(self, answer: Completion, told: Document) -> bytes:
        """Return the body of an answer that is not streamed.

        Args:
            answer: What was answered.
            told: How it came about.
        """
        ...

    def opening(self, first: Chunk, told: Document) -> bytes:
        """Return the events with which a stream begins, the first piece among them.

        Args:
            first: That piece.
            told: How it came about.
        """
        ...

    def piece(self, chunk: Chunk) -> bytes:
        """Return the events for a further piece."""
        ...

    def ending(self, usage: Usage, told: Document) -> bytes:
        """Return the events with which a whole stream ends.

        Args:
            usage: The tokens.
            told: How the answer came about, by now.
        """
        ...

    def failure(self, error: StormproofError) -> bytes:
        """Return the events with which a stream ends that failed."""
        ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """One API.

    Attributes:
        path: Where it listens.
        reply: Reads the body of a request, and what its scope says that belongs to it; raises
            `InvalidRequest` if it is none.
        restarts: Whether clients can be told, by another opening, that a stream begins again.
    """

    path: str
    reply: Callable[[bytes, Scope], Reply]
    restarts: bool = False
