"""What models have answered, as far as it is known."""

import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from stormproof.providers import Completion
from stormproof.reflex.cache.fingerprint import Fingerprint
from stormproof.reflex.cache.guarded import GuardedAnswers
from stormproof.reflex.cache.lifetimes import Lifetimes
from stormproof.reflex.cache.memory import MemoryAnswers
from stormproof.reflex.cache.store import AnswerStore

_LARGEST: Final = 1 << 20
"""Bytes of an answer that is kept."""


class Found(msgspec.Struct, frozen=True, array_like=True):
    """An answer that was kept.

    Attributes:
        stored_at: When; seconds since 1970.
        fresh_until: Until when it is good.
        answer: As the model gave it.
    """

    stored_at: float
    fresh_until: float
    answer: Completion


_decode: Final = msgspec.json.Decoder(Found).decode
_encode: Final = msgspec.json.Encoder().encode


class KnownAnswers:
    """The answers in a store; while that fails, none are known, and no call notices.

    Args:
        store: Where they lie; any but this process's own memory is guarded, see `GuardedAnswers`.
        secret: See `Fingerprint`.
        lifetimes: For how long they are good.
        clock: Seconds since 1970.

    Attributes:
        lifetimes: The same.
        fingerprint: What they are known by.
    """

    def __init__(
        self,
        store: AnswerStore | MemoryAnswers,
        *,
        secret: bytes,
        lifetimes: Lifetimes = Lifetimes(),  # noqa: B008 - immutable
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.fingerprint: Final = Fingerprint(secret)
        self.lifetimes: Final = lifetimes
        self._clock = clock
        self._store: MemoryAnswers | GuardedAnswers = (
            store  # never fails, and nobody else writes to it
            if isinstance(store, MemoryAnswers)
            else GuardedAnswers(store, self.fingerprint)
        )

    def fresh(self, found: Found, seconds: float | None = None) -> bool:
        """Whether an answer is still good.

        Args:
            found: The answer.
            seconds: For how long after it was given; by default as was said then.
        """
        now = self._clock()
        until = found.fresh_until if seconds is None else found.stored_at + seconds
        return found.stored_at <= now < until

    def find(self, key: bytes) -> Found | Awaitable[Found | None] | None:
        """Return the answer that is known by a digest, if there is one, good or stale.

        Returns:
            That, or what it is waited for: in this process's own memory it is found at once.
        """
        value = self._store.find(key)
        if value is None:
            return None
        return _decode(value) if isinstance(value, bytes) else _decoded(value)

    def keep(self, key: bytes, answer: Completion, seconds: float) -> Awaitable[None] | None:
        """Keep an answer.

        Args:
            key: Its digest.
            answer: As the model gave it.
            seconds: For how long it is good.

        Returns:
            What is waited for; None where it is done.
        """
        now = self._clock()
        value = _encode(Found(now, now + seconds, answer))
        if len(value) > _LARGEST:
            return None
        return self._store.keep(key, value, seconds + self.lifetimes.stale)


async def _decoded(coming: Awaitable[bytes | None]) -> Found | None:
    value = await coming
    return None if value is None else _decode(value)
