"""OpenAI's APIs for conversations and texts: the common tongue itself, or nearly."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from stormproof.errors import StormproofError, to_wire
from stormproof.providers import (
    ChatRequest,
    Chunk,
    Completion,
    EmbeddingRequest,
    TextRequest,
    Usage,
)
from stormproof.providers.chat import Document, in_chunks
from stormproof.providers.sse import ServerEvent
from stormproof.reflex.admission import Admission
from stormproof.reflex.asgi.api import Asked, Events
from stormproof.reflex.asgi.wire import document_in, encode, written
from stormproof.reflex.stage import Request

_DONE: Final = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class _Asked:
    request: Request

    def changed(self, request: Request) -> Document:
        """Return what the application is asked."""
        return request.document


@dataclass(frozen=True, slots=True)
class OpenAIApi:
    """One of them; an `Api`.

    Attributes:
        parse: Reads the body of a request; raises `InvalidRequest` if it is none.
        kind: What an answer's object is called.
        piece_kind: The same of a piece.
        of_text: Whether answers are texts, and not messages.
        remembers: See `Api`.
    """

    parse: Callable[[bytes], Request]
    kind: str
    piece_kind: str
    of_text: bool = False
    remembers: bool = True

    def asked(self, body: bytes) -> Asked:
        """Read the body of a request; see `Api`."""
        return _Asked(self.parse(body))

    def completion(self, document: Document) -> Completion | None:
        """Return a whole answer; None if the document is none."""
        choices = _choices(document)
        if self.of_text and choices:
            choices = [{**one, "message": {"content": one.get("text")}} for one in choices]
        if not choices or not all(isinstance(one.get("message"), dict) for one in choices):
            return None
        return Completion({**document, "choices": choices}, usage_in(document) or Usage())

    def document(self, sent: Document, answer: Completion) -> Document:  # noqa: ARG002
        """Return a whole answer as the API has it; it is all in what the stages see."""
        return self._document(answer)

    def events(self, admission: Admission[Request]) -> Events:
        """Return what reads the events of a request's answer."""
        return _OpenAIEvents(self, admission)

    def _document(self, answer: Completion) -> Document:
        if not self.of_text:
            return answer.document
        return {**answer.document, "choices": [_as_text(one) for one in answer.choices]}

    def chunks(self, document: Document) -> Sequence[Chunk] | None:
        """Return the pieces in an event of a stream; None if it is another event."""
        choices = _choices(document)
        if choices is None:
            return None
        chunks = [self._chunk(one) for one in choices]
        usage = usage_in(document)
        return [*chunks, Chunk(usage=usage)] if usage else chunks

    def event(self, head: Mapping[str, Any], piece: Chunk) -> Document:
        """Return the event that is a piece of an answer.

        Args:
            head: What else the events of its stream say.
            piece: That.
        """
        if piece.usage:
            return {**head, "choices": [], "usage": piece.usage.document()}
        said = {"text": piece.text} if self.of_text else {"delta": piece.delta}
        end = {"logprobs": piece.logprobs, "finish_reason": piece.finish_reason}
        return {**head, "choices": [{"index": piece.index, **said, **end}]}

    def own(self, answer: Completion, model: str) -> bytes:
        """Return an answer that no application gave."""
        head = {**_head(model), "object": self.kind}
        return encode({**self._document(answer), **head, "usage": answer.usage.document()})

    def own_events(self, answer: Completion, model: str) -> bytes:
        """Return the same as a stream."""
        head = {**_head(model), "object": self.piece_kind}
        pieces = [piece for piece in in_chunks(answer) if not piece.usage]
        return b"".join([_data(self.event(head, piece)) for piece in pieces]) + _DONE

    def failure(self, error: StormproofError) -> Document:
        """Return what tells of an error."""
        return to_wire(error)

    def _chunk(self, choice: Document) -> Chunk:
        said = {"content": choice.get("text")} if self.of_text else choice.get("delta")
        index, reason = choice.get("index"), choice.get("finish_reason")
        return Chunk(
            index if isinstance(index, int) else 0,
            said if isinstance(said, dict) else {},
            reason if isinstance(reason, str) else None,
            choice.get("logprobs"),
        )


class _OpenAIEvents:
    """Reads the events of a stream; see `Events`."""

    def __init__(self, api: OpenAIApi, admission: Admission[Request]) -> None:
        self._api = api
        self._admission = admission
        self._head: Document = {"object": api.piece_kind}
        self._ended = False

    async def read(self, event: ServerEvent) -> bytes:
        if event.data.strip() == b"[DONE]":
            return await self.end() + _DONE
        document = document_in(event.data) if event.kind == "message" else None
        chunks = None if document is None else self._api.chunks(document)
        if document is None or chunks is None:
            return written(event)
        self._head = {
            name: value for name, value in document.items() if name not in {"choices", "usage"}
        }
        said = [piece for chunk in chunks for piece in await self._admission.pieces(chunk)]
        return self._said(said)

    async def end(self) -> bytes:
        if self._ended:
            return b""
        self._ended = True
        return self._said(await self._admission.rest())

    def _said(self, pieces: Sequence[Chunk]) -> bytes:
        return b"".join([_data(self._api.event(self._head, piece)) for piece in pieces])


CHAT: Final = OpenAIApi(ChatRequest.parse, "chat.completion", "chat.completion.chunk")
TEXTS: Final = OpenAIApi(TextRequest.parse, "text_completion", "text_completion", of_text=True)
EMBEDDINGS: Final = OpenAIApi(EmbeddingRequest.parse, "list", "list")


def usage_in(document: Document) -> Usage | None:
    """Return the tokens that an answer tells; what makes no sense is as good as nothing."""
    try:
        return msgspec.convert(document.get("usage"), Usage | None)
    except msgspec.ValidationError:
        return None


def _choices(document: Document) -> list[Document] | None:
    choices = document.get("choices")
    are_choices = isinstance(choices, list) and all(isinstance(one, dict) for one in choices)
    return choices if are_choices else None


def _as_text(choice: Document) -> Document:
    own = {name: value for name, value in choice.items() if name != "message"}
    return {**own, "text": choice["message"].get("content") or ""}


def _head(model: str) -> Document:
    return {
        "id": f"reflex-{secrets.token_hex(12)}",
        "created": int(time.time()),
        "model": model,
    }


def _data(document: Document) -> bytes:
    return b"data: %b\n\n" % encode(document)
