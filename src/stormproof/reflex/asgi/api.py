"""What the middleware has to know of an API."""

from typing import Protocol

from stormproof.errors import StormproofError
from stormproof.providers import Completion
from stormproof.providers.chat import Document
from stormproof.providers.sse import ServerEvent
from stormproof.reflex.admission import Admission
from stormproof.reflex.stage import Request


class Asked(Protocol):
    """One request."""

    @property
    def request(self) -> Request:
        """The same, as the stages are to see it."""
        ...

    def changed(self, request: Request) -> Document:
        """Return what the application is asked, when the stages have made this of the request.

        Raises:
            InternalError: The API has no words for it.
        """
        ...


class Events(Protocol):
    """An answer that is streamed."""

    async def read(self, event: ServerEvent) -> bytes:
        """Return what the caller is to have when an event has come.

        Raises:
            StormproofError: He is not to have the rest.
        """
        ...

    async def end(self) -> bytes:
        """Return what is left to say when none comes any more; raises as `read` does."""
        ...


class Api(Protocol):
    """One API."""

    @property
    def remembers(self) -> bool:
        """Whether stages may keep its answers, and answer in its words."""
        ...

    def asked(self, body: bytes) -> Asked:
        """Read the body of a request.

        Raises:
            InvalidRequest: It is none.
        """
        ...

    def completion(self, document: Document) -> Completion | None:
        """Return a whole answer, as the stages are to see it; None if the document is none."""
        ...

    def document(self, sent: Document, answer: Completion) -> Document:
        """Return a whole answer as the API has it.

        Args:
            sent: By the application.
            answer: What the stages have made of that.
        """
        ...

    def events(self, admission: Admission[Request]) -> Events:
        """Return what reads the events of a request's answer."""
        ...

    def own(self, answer: Completion, model: str) -> bytes:
        """Return an answer that no application gave.

        Raises:
            InternalError: The API has no words for it.
        """
        ...

    def own_events(self, answer: Completion, model: str) -> bytes:
        """Return the same as a stream; raises as `own` does."""
        ...

    def failure(self, error: StormproofError) -> Document:
        """Return what tells of an error."""
        ...
