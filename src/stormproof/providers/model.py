"""Whoever answers a conversation: the port behind which every provider stands."""

from collections.abc import AsyncGenerator
from typing import Protocol

from stormproof.providers.chat import ChatRequest, Chunk, Completion
from stormproof.providers.texts import TextRequest


class ChatModel(Protocol):
    """One model of one provider.

    Whatever goes wrong is raised as a `StormproofError`. What is returned has been looked at: an
    answer that is none was an error.
    """

    @property
    def name(self) -> str:
        """What events and errors call it."""
        ...

    async def complete(self, request: ChatRequest) -> Completion:
        """Answer at once. Cancelled, it stops working.

        Raises:
            StormproofError: There is no answer.
        """
        ...

    def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece; every answer's last piece says why it ends.

        Closed, it stops working.

        Raises:
            StormproofError: The answer does not begin, or not go on to its end.
        """
        ...


class TextModel(Protocol):
    """A model that continues texts; what it says is worded, and judged, as a `ChatModel`'s."""

    async def complete(self, request: TextRequest) -> Completion:
        """Answer at once. Cancelled, it stops working.

        Raises:
            StormproofError: There is no answer.
        """
        ...

    def stream(self, request: TextRequest) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece; every answer's last piece says why it ends.

        Closed, it stops working.

        Raises:
            StormproofError: The answer does not begin, or not go on to its end.
        """
        ...
