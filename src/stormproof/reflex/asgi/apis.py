"""OpenAI's APIs for conversations and texts, and what their answers are in the common tongue."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from stormproof.providers import (
    ChatRequest,
    Chunk,
    Completion,
    EmbeddingRequest,
    TextRequest,
    Usage,
)
from stormproof.providers.chat import Document, in_chunks
from stormproof.reflex.stage import Request


@dataclass(frozen=True, slots=True)
class Api:
    """One API.

    Attributes:
        parse: Reads the body of a request; raises `InvalidRequest` if it is none.
        kind: What an answer's object is called.
        piece_kind: The same of a piece.
        of_text: Whether answers are texts, and not messages.
    """

    parse: Callable[[bytes], Request]
    kind: str
    piece_kind: str
    of_text: bool = False

    def completion(self, document: Document) -> Completion | None:
        """Return a whole answer; None if the document is none."""
        choices = _choices(document)
        if self.of_text and choices:
            choices = [{**one, "message": {"content": one.get("text")}} for one in choices]
        if not choices or not all(isinstance(one.get("message"), dict) for one in choices):
            return None
        return Completion({**document, "choices": choices}, usage_in(document) or Usage())

    def document(self, answer: Completion) -> Document:
        """Return a whole answer as the API has it."""
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

    def own(self, answer: Completion, model: str) -> Document:
        """Return an answer that no application gave."""
        head = {**_head(model), "object": self.kind}
        return {**self.document(answer), **head, "usage": answer.usage.document()}

    def own_events(self, answer: Completion, model: str) -> Sequence[Document]:
        """Return the same as the events of a stream."""
        head = {**_head(model), "object": self.piece_kind}
        return [self.event(head, piece) for piece in in_chunks(answer) if not piece.usage]

    def _chunk(self, choice: Document) -> Chunk:
        said = {"content": choice.get("text")} if self.of_text else choice.get("delta")
        index, reason = choice.get("index"), choice.get("finish_reason")
        return Chunk(
            index if isinstance(index, int) else 0,
            said if isinstance(said, dict) else {},
            reason if isinstance(reason, str) else None,
            choice.get("logprobs"),
        )


CHAT: Final = Api(ChatRequest.parse, "chat.completion", "chat.completion.chunk")
TEXTS: Final = Api(TextRequest.parse, "text_completion", "text_completion", of_text=True)
EMBEDDINGS: Final = Api(EmbeddingRequest.parse, "list", "list")

APIS: Final = {
    "/chat/completions": CHAT,
    "/completions": TEXTS,
    "/embeddings": EMBEDDINGS,
}
"""By the ends of their paths."""


def api_at(path: str) -> Api | None:
    """Return which API is asked at a path; None for others."""
    path = path.rstrip("/\n")  # Starlette's routes take the end of a line for none (``$``)
    return next((api for end, api in APIS.items() if path.endswith(end)), None)


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
