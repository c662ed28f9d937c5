"""Answers that need nobody: those that were given before, and one that always is."""

import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from stormproof.errors import ServiceUnavailable
from stormproof.providers.chat import Chunk, Completion, Usage, in_chunks
from stormproof.providers.texts import Question

_NO_PART: Final = frozenset({"model", "stream", "stream_options", "user", "metadata", "store"})
"""Fields that change nothing of an answer; who is asked is up to the ladder."""

_OVERHEAD: Final = 512
"""Bytes that an entry takes besides its answer."""

_decode: Final = msgspec.json.Decoder(Completion).decode
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class _Entry(NamedTuple):
    stored_at: float
    answer: bytes

    @property
    def size(self) -> int:
        return len(self.answer) + _OVERHEAD


class AnswerCache:
    """The answers given lately, by exactly what was asked; the least recently used go first.

    Args:
        max_bytes: Room for answers.
        max_age: Seconds for which one is good.
        clock: Seconds.
    """

    def __init__(
        self,
        *,
        max_bytes: int = 64 << 20,
        max_age: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._clock = clock
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._bytes = 0

    def store(self, request: Question, answer: Completion) -> None:
        """Keep an answer, as far as there is room."""
        key, entry = _key(request), _Entry(self._clock(), _encode(answer))
        self._drop(key)
        self._entries[key] = entry
        self._bytes += entry.size
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))

    def find(self, request: Question) -> Completion | None:
        """Return what was answered to the same request."""
        key = _key(request)
        entry = self._entries.get(key)
        if entry is None:
            return None
        if self._clock() - entry.stored_at > self._max_age:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return _decode(entry.answer)

    def _drop(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry:
            self._bytes -= entry.size


class CachedAnswers:
    """Answers as somebody answered before; a `ChatModel` and a `TextModel`.

    Args:
        cache: What was answered.
    """

    name: Final = "cached"

    def __init__(self, cache: AnswerCache) -> None:
        self._cache = cache

    def serves(self, request: Question) -> bool:
        """Whether this very request was answered lately."""
        return self._cache.find(request) is not None

    async def complete(self, request: Question) -> Completion:
        """Answer at once; see `ChatModel`."""
        answer = self._cache.find(request)
        if answer is None:
            raise ServiceUnavailable(reason="the answer was not given before")
        return answer

    async def stream(self, request: Question) -> AsyncGenerator[Chunk, None]:
        """Answer in pieces; see `ChatModel`."""
        for chunk in in_chunks(await self.complete(request)):
            yield chunk


class FixedAnswer:
    """Answers everything alike; a `ChatModel` and a `TextModel`.

    Args:
        text: What it says.
    """

    name: Final = "default"

    def __init__(self, text: str) -> None:
        self._text = text

    async def complete(self, request: Question) -> Completion:
        """Answer at once; see `ChatModel`."""
        message = {"role": "assistant", "content": self._text}
        choices = [
            {"index": index, "message": message, "finish_reason": "stop"}
            for index in range(request.choices)
        ]
        return Completion({"choices": choices}, Usage())

    async def stream(self, request: Question) -> AsyncGenerator[Chunk, None]:
        """Answer in pieces; see `ChatModel`."""
        for chunk in in_chunks(await self.complete(request)):
            yield chunk


def _key(request: Question) -> bytes:
    asked = {name: value for name, value in request.document.items() if name not in _NO_PART}
    return blake2b(_encode(asked), digest_size=32).digest()
