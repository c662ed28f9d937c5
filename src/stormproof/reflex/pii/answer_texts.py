"""The texts of an answer, whole or in pieces, each through a filter of its own."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from stormproof.providers import Chunk, Completion
from stormproof.providers.chat import Document
from stormproof.reflex.passages import Place, rewritten
from stormproof.reflex.pii.filters import Filter
from stormproof.reflex.thoughts import unsigned_texts

_THOUGHTS: Final = ("reasoning", "reasoning_content")
_SAID: Final = ("content", "refusal")
_DETAILS: Final = "reasoning_details"
_SAID_WITHIN: Final = (("function_call", "arguments"), ("audio", "transcript"))


MakeFilter: TypeAlias = Callable[[Place], Filter]
"""Returns what a text passes; texts are known by their places in the whole answer's message."""


class _Text(NamedTuple):
    """One text of a message, or a piece of one.

    Attributes:
        place: Where it stands there.
        whole: Where it stands in the whole message.
    """

    place: Place
    whole: Place
    text: str


class AnswerTexts:
    """Takes an answer, and returns it as its texts come out of their filters.

    Args:
        make: Makes the filter of a text.
    """

    def __init__(self, make: MakeFilter) -> None:
        self._make = make
        self._open: Final[dict[int, dict[Place, Filter]]] = {}

    def whole(self, answer: Completion) -> Completion:
        """Return a whole answer."""
        choices = [self._choice(choice) for choice in answer.choices]
        return Completion({**answer.document, "choices": choices}, answer.usage)

    def piece(self, chunk: Chunk) -> list[Chunk]:
        """Return what there is to say when a piece has come.

        A text is at its end where another one begins, and all are where the answer is.
        """
        if chunk.restarts:
            self._open.clear()
        filters = self._open.setdefault(chunk.index, {})
        texts = list(_texts(chunk.delta))
        now = {one.whole for one in texts}
        ended = [place for place in filters if place not in now] if now else []
        pieces = list(self._ending(chunk.index, filters, ended)) if ended else []
        new = self._passed(chunk, filters, texts)
        if chunk.finish_reason:
            return [*pieces, *self._finished(new, filters)]
        says = new is chunk or new.has_content or "role" in new.delta
        return [*pieces, new] if says or chunk.logprobs or chunk.usage else pieces

    def rest(self) -> Iterator[Chunk]:
        """Return what is left when no piece comes any more."""
        for index, filters in self._open.items():
            yield from self._ending(index, filters, [*filters])

    def _choice(self, choice: Document) -> Document:
        message = choice["message"]
        texts: dict[Place, str] = {}
        for one in _texts(message):
            passed = self._make(one.whole)
            text = passed.push(one.text) + passed.rest()
            if text != one.text:
                texts[one.place] = text
        return {**choice, "message": rewritten(message, texts)} if texts else choice

    def _passed(self, chunk: Chunk, filters: dict[Place, Filter], texts: Sequence[_Text]) -> Chunk:
        """Return a piece with what has come out of the filters of its texts."""
        changed: dict[Place, str] = {}
        for one in texts:
            said = self._pushed(filters, one)
            if said != one.text:
                changed[one.place] = said
        if not changed:
            return chunk
        return msgspec.structs.replace(chunk, delta=rewritten(dict(chunk.delta), changed))

    def _pushed(self, filters: dict[Place, Filter], piece: _Text) -> str:
        if piece.whole not in filters:
            filters[piece.whole] = self._make(piece.whole)
        return filters[piece.whole].push(piece.text)

    def _finished(self, last: Chunk, filters: dict[Place, Filter]) -> Iterator[Chunk]:
        """Say what is left of a choice before it is said to be finished."""
        left = list(self._ending(last.index, filters, [*filters]))
        if not left:
            yield last
            return
        if last.has_content:
            yield msgspec.structs.replace(last, finish_reason=None, usage=None)
        yield from left
        yield Chunk(last.index, finish_reason=last.finish_reason, usage=last.usage)

    def _ending(
        self, index: int, filters: dict[Place, Filter], ended: Iterable[Place]
    ) -> Iterator[Chunk]:
        for place in ended:
            if text := filters.pop(place).rest():
                yield Chunk(index, _delta(place, text))


def _texts(message: Mapping[str, Any]) -> Iterator[_Text]:
    """Return what a message says; signed thoughts go out, and come back, as the model had them."""
    for field in _SAID if "thinking_blocks" in message else (*_THOUGHTS, *_SAID):
        if (text := message.get(field)) and isinstance(text, str):
            yield _Text((field,), (field,), text)
    if details := message.get(_DETAILS):
        for position, field, text in unsigned_texts(details):
            number = details[position].get("index", position)
            yield _Text((_DETAILS, position, field), (_DETAILS, number, field), text)
    if calls := message.get("tool_calls"):
        yield from _arguments(calls)
    for place in _SAID_WITHIN:
        if (within := message.get(place[0])) and (text := _field(within, place[1])):
            yield _Text(place, place, text)


def _arguments(calls: Iterable[Document]) -> Iterator[_Text]:
    for position, call in enumerate(calls):
        number = call.get("index", position)
        for kind, field in (("function", "arguments"), ("custom", "input")):
            if text := _field(call.get(kind), field):
                place = ("tool_calls", position, kind, field)
                yield _Text(place, ("tool_calls", number, kind, field), text)


def _field(document: Any, field: str) -> str | None:
    text = document.get(field) if isinstance(document, dict) else None
    return text if isinstance(text, str) else None


def _delta(place: Place, text: str) -> Document:
    """Return a piece of a message that adds to the text at one place."""
    head, *others = place
    if head == _DETAILS:
        number, field = others
        return {head: [{"index": number, "type": f"reasoning.{field}", str(field): text}]}
    if head != "tool_calls":
        return {str(head): _delta(tuple(others), text) if others else text}
    number, kind, field = others
    return {"tool_calls": [{"index": number, kind: {field: text}}]}
