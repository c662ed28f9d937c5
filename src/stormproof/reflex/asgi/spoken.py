"""The texts of answers in other APIs: to the stages, each is one of several answers."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from stormproof.errors import InternalError
from stormproof.providers import Chunk, Completion, Usage
from stormproof.providers.chat import Document
from stormproof.reflex.admission import Admission
from stormproof.reflex.passages import Place
from stormproof.reflex.stage import Request


class Spoken(NamedTuple):
    """One text of an answer.

    Attributes:
        place: Where it stands.
        text: The text.
        json: Whether it is JSON: arguments of a tool.
        key: What it is called by where it comes in pieces.
    """

    place: Place
    text: str
    json: bool = False
    key: Hashable = None


class SpokenTexts:
    """The texts of an answer that is streamed, on their way past the stages.

    Args:
        admission: The request's.
    """

    def __init__(self, admission: Admission[Request]) -> None:
        self._admission = admission
        self._numbers: Final[dict[Hashable, int]] = {}
        self._open: Final[dict[Hashable, None]] = {}

    @property
    def open(self) -> Sequence[Hashable]:
        """Those that have begun and not ended."""
        return [*self._open]

    async def add(self, key: Hashable, text: str, *, json: bool) -> str:
        """Return what there is to say of a text when another piece has come.

        Raises:
            StormproofError: The caller is not to have it.
        """
        self._open[key] = None
        number = self._numbers.setdefault(key, len(self._numbers))
        return await self._passed(Chunk(number, _said(text, json=json)))

    async def end(self, key: Hashable) -> str:
        """Return what is left of a text, if it is one that has not ended; raises as `add` does."""
        if key not in self._open:
            return ""
        del self._open[key]
        return await self._passed(Chunk(self._numbers[key], finish_reason="stop"))

    async def close(self) -> None:
        """End the answer, of which nothing is left to say.

        Raises:
            InternalError: A stage has more to say.
        """
        if any(piece.has_content for piece in await self._admission.rest()):
            raise InternalError(reason="a stage has something to say behind the end of an answer")

    async def _passed(self, chunk: Chunk) -> str:
        return "".join([_text(piece.delta) for piece in await self._admission.pieces(chunk)])


def completion(texts: Iterable[Spoken], usage: Usage | None) -> Completion:
    """Return a whole answer as the stages are to see it."""
    said = [_said(one.text, json=one.json) for one in texts] or [_said("", json=False)]
    choices = [
        {"index": n, "message": {"role": "assistant", **one}, "finish_reason": "stop"}
        for n, one in enumerate(said)
    ]
    return Completion({"choices": choices}, usage or Usage())


def changes(texts: Sequence[Spoken], answer: Completion) -> Mapping[Spoken, str]:
    """Return what the stages have made of the texts that they have changed.

    Args:
        texts: Of which the answer was made.
        answer: As they have left it.

    Raises:
        InternalError: They have left one out.
    """
    said = [_text(choice["message"]) for choice in answer.choices]
    if len(said) < len(texts):
        raise InternalError(reason="a stage has left a text of an answer out")
    return {one: text for one, text in zip(texts, said, strict=False) if text != one.text}


def _said(text: str, *, json: bool) -> Document:
    """Return a message that consists of a text."""
    if json:
        return {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}
    return {"content": text}


def _text(message: Mapping[str, Any]) -> str:
    """Return the text of which a message consists."""
    calls = message.get("tool_calls")
    text: str | None = calls[0]["function"]["arguments"] if calls else message.get("content")
    return text or ""
