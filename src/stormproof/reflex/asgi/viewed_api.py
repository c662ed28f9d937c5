"""APIs that are not the common tongue: stages see their texts, and change no more than those."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from stormproof.errors import InternalError, StormproofError, to_wire
from stormproof.providers import Completion, Usage
from stormproof.providers.chat import Document
from stormproof.reflex.admission import Admission
from stormproof.reflex.asgi.api import Asked, Events
from stormproof.reflex.asgi.spoken import Spoken, changes, completion
from stormproof.reflex.passages import Place
from stormproof.reflex.stage import Request


@dataclass(frozen=True, slots=True)
class ViewedApi:
    """One of them; an `Api`.

    Attributes:
        asked: Reads the body of a request; see `Api`.
        is_answer: Tells whether a document is a whole answer.
        texts: Returns what an answer says.
        with_texts: Returns an answer with other texts in some places.
        usage: Returns the tokens that an answer tells in its field ``usage``.
        events: Returns what reads the events of a request's answer.
        remembers: See `Api`.
    """

    asked: Callable[[bytes], Asked]
    is_answer: Callable[[Document], bool]
    texts: Callable[[Document], Iterable[Spoken]]
    with_texts: Callable[[Document, Mapping[Place, str]], Document]
    usage: Callable[[object], Usage | None]
    events: Callable[[Admission[Request]], Events]
    remembers: bool = False

    def completion(self, document: Document) -> Completion | None:
        """Return a whole answer; None if the document is none."""
        if not self.is_answer(document):
            return None
        return completion(self.texts(document), self.usage(document.get("usage")))

    def document(self, sent: Document, answer: Completion) -> Document:
        """Return a whole answer as the API has it."""
        changed = changes([*self.texts(sent)], answer)
        return self.with_texts(sent, {one.place: text for one, text in changed.items()})

    def own(self, answer: Completion, model: str) -> NoReturn:  # noqa: ARG002
        """Refuse to answer."""
        raise InternalError(reason="a stage has answered, where only the application can")

    own_events = own

    def failure(self, error: StormproofError) -> Document:
        """Return what tells of an error."""
        return {"type": "error", **to_wire(error)}
