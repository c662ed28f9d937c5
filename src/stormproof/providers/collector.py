"""A stream put together to a whole answer."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from stormproof.providers.chat import Chunk, Completion, Document, Usage

_SAID_ONCE: Final = frozenset({"role", "id", "type", "format"})
"""Fields that are the same in every piece that has them."""

_DEPTH: Final = 4
"""Objects within objects that come in pieces: a message's call's function."""


class Collector:
    """Takes the pieces of a stream, and has the whole answer at its end."""

    def __init__(self) -> None:
        self._pieces: dict[int, list[Chunk]] = {}
        self._usage = Usage()

    def add(self, chunk: Chunk) -> None:
        """Take a piece."""
        if chunk.restarts:
            self._pieces.clear()
            self._usage = Usage()
        self._usage = chunk.usage or self._usage
        if chunk.delta or chunk.finish_reason:
            self._pieces.setdefault(chunk.index, []).append(chunk)

    def completion(self) -> Completion | None:
        """Return the whole answer; None if it has no end."""
        choices = [_choice(index, pieces) for index, pieces in sorted(self._pieces.items())]
        if not choices or any(choice["finish_reason"] is None for choice in choices):
            return None
        return Completion({"choices": choices}, self._usage)


def _choice(index: int, pieces: Sequence[Chunk]) -> Document:
    message = {"role": "assistant", "content": None}
    reasons = [piece.finish_reason for piece in pieces if piece.finish_reason]
    choice: Document = {
        "index": index,
        "message": message | _joined([piece.delta for piece in pieces], _DEPTH),
        "finish_reason": reasons[-1] if reasons else None,
    }
    logprobs = _joined([piece.logprobs for piece in pieces if piece.logprobs], _DEPTH)
    return {**choice, "logprobs": logprobs} if logprobs else choice


def _joined(parts: Iterable[Mapping[str, Any]], depth: int) -> Document:
    """Return the object that came in these parts."""
    fields: dict[str, list[Any]] = {}
    for part in parts:
        for name, value in part.items():
            if value is not None:
                fields.setdefault(name, []).append(value)
    return {name: _value(name, values, depth) for name, values in fields.items()}


def _value(name: str, values: Sequence[Any], depth: int) -> Any:
    """Return what the parts of a field make: texts and lists grow, other values are replaced."""
    [kind, *others] = {type(value) for value in values}
    if others or not depth:
        return values[-1]
    if kind is str:
        return next(filter(None, values), "") if name in _SAID_ONCE else "".join(values)
    if kind is list:
        return _listed([one for value in values for one in value], depth)
    return _joined(values, depth - 1) if kind is dict else values[-1]


def _listed(entries: Sequence[Any], depth: int) -> list[Any]:
    """Return a list, in which those entries are one that bear the same number."""
    made: list[Any] = []
    numbered: dict[object, list[Document]] = {}
    for entry in entries:
        number = entry.get("index") if isinstance(entry, dict) else None
        if not isinstance(number, int):
            made.append(entry)
        else:
            numbered.setdefault(number, []).append({**entry, "index": None})
    return [*made, *(_joined(parts, depth - 1) for parts in numbered.values())]
