"""Requests of other APIs in the common tongue, as far as the stages look at them."""

from collections.abc import Callable
from typing import Final

from stormproof.errors import InternalError
from stormproof.providers import ChatRequest
from stormproof.providers.chat import Document
from stormproof.reflex.passages import Place, passages, rewritten
from stormproof.reflex.stage import Request


class View:
    """A request as a conversation, in which everything stands that it says.

    Args:
        fields: What is no part of the conversation.

    Attributes:
        document: The request in the common tongue.
    """

    def __init__(self, fields: Document) -> None:
        self._messages: Final[list[Document]] = []
        self._origins: Final[dict[Place, Place]] = {}
        self.document: Final[Document] = {**fields, "messages": self._messages}

    def say(self, message: Document, place: Place, *moved: tuple[Place, Place]) -> None:
        """Add a message.

        Args:
            message: In the common tongue.
            place: Of what it is made of, in the API's own document.
            moved: Where parts of it stand, in the message and in that document, where its fields
                are not called the same in both.
        """
        at = ("messages", len(self._messages))
        self._origins[at] = place
        for here, there in moved:
            self._origins[*at, *here] = (*place, *there)
        self._messages.append(message)

    def add(self, field: str, value: object, place: Place) -> None:
        """Add a field that stands elsewhere in the API's own document."""
        self.document[field] = value
        self._origins[field,] = place

    def origin(self, place: Place) -> Place:
        """Return where something stands in the API's own document."""
        for length in range(len(place), 0, -1):
            if (origin := self._origins.get(place[:length])) is not None:
                return (*origin, *place[length:])
        return place


class ViewedRequest:
    """A request that the stages see in a view: what they change is changed in its own words.

    Args:
        document: As the client sent it.
        view: Returns it in the common tongue.

    Attributes:
        request: The same, as the stages are to see it.

    Raises:
        InvalidRequest: It is none.
    """

    def __init__(self, document: Document, view: Callable[[Document], View]) -> None:
        self._document = document
        self._view = view
        self._seen = view(document)
        self.request: Final = ChatRequest(self._seen.document)

    def changed(self, request: Request) -> Document:
        """Return what the application is asked, when the stages have made this of the request.

        Raises:
            InternalError: It differs in more than texts.
        """
        if request is self.request:
            return self._document
        before = {one.place: one.text for one in passages(self.request)}
        texts = {
            self._seen.origin(one.place): one.text
            for one in passages(request)
            if before.get(one.place, one.text) != one.text
        }
        document = rewritten(self._document, texts) if texts else self._document
        if self._view(document).document != request.document:
            raise InternalError(reason="a stage has changed more of a request than its texts")
        return document
