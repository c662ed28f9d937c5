"""What models have answered, as far as it is known."""

import time
from collections.abc import Awaitable, Callable
from hmac import compare_digest
from typing import Final, NamedTuple, TypeVar

import msgspec

from stormproof.errors import CacheError, CircuitOpen
from stormproof.providers import Completion
from stormproof.recovery import CircuitBreaker, ConsecutiveFailures, Pipeline, publish
from stormproof.reflex.cache.events import CacheFailed
from stormproof.reflex.cache.fingerprint import Fingerprint
from stormproof.reflex.cache.lifetimes import Lifetimes
from stormproof.reflex.cache.store import AnswerStore

T = TypeVar("T")

_LARGEST: Final = 1 << 20
"""Bytes of an answer that is kept."""

_REST: Final = 1.0
"""Seconds for which a store that failed is left alone."""

_SEAL: Final = 32
"""Bytes in front of a kept answer."""


class Found(NamedTuple):
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

    What is kept is sealed: what somebody else has written into the store, or what was damaged
    there, is no answer.

    Args:
        store: Where they lie.
        secret: See `Fingerprint`.
        lifetimes: For how long they are good.
        clock: Seconds since 1970.

    Attributes:
        lifetimes: The same.
        fingerprint: What they are known by.
    """

    def __init__(
        self,
        store: AnswerStore,
        *,
        secret: bytes,
        lifetimes: Lifetimes = Lifetimes(),  # noqa: B008 - immutable
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.fingerprint: Final = Fingerprint(secret)
        self.lifetimes: Final = lifetimes
        self._clock = clock
        self._breaker = CircuitBreaker("cache", opens_on=ConsecutiveFailures(1), open_for=_REST)
        guarded = Pipeline(self._breaker, name="cache")
        self._find = guarded(store.find)
        self._keep = guarded(store.keep)

    def fresh(self, found: Found, seconds: float | None = None) -> bool:
        """Whether an answer is still good.

        Args:
            found: The answer.
            seconds: For how long after it was given; by default as was said then.
        """
        now = self._clock()
        until = found.fresh_until if seconds is None else found.stored_at + seconds
        return found.stored_at <= now < until

    async def find(self, key: bytes) -> Found | None:
        """Return the answer that is known by a digest, if there is one, good or stale."""
        value = await self._asking("look-up", self._find, key)
        if value is None:
            return None
        seal, answer = value[:_SEAL], value[_SEAL:]
        if compare_digest(seal, self.fingerprint.seal(key, answer)):
            return _decode(answer)
        _tell_failure("look-up", ValueError("the answer is damaged"))
        return None

    async def keep(self, key: bytes, answer: Completion, seconds: float) -> None:
        """Keep an answer.

        Args:
            key: Its digest.
            answer: As the model gave it.
            seconds: For how long it is good.
        """
        now = self._clock()
        value = _encode(Found(now, now + seconds, answer))
        if len(value) > _LARGEST:
            return
        sealed = self.fingerprint.seal(key, value) + value
        await self._asking("write", self._keep, key, sealed, seconds + self.lifetimes.stale)

    async def _asking(
        self, operation: str, ask: Callable[..., Awaitable[T]], *arguments: object
    ) -> T | None:
        """Return what the store says; None while it fails."""
        if self._breaker.retry_after != 0.0:
            return None
        try:
            return await ask(*arguments)
        except CircuitOpen:  # since one finds out meanwhile whether it is back
            return None
        except Exception as error:  # noqa: BLE001 - whatever fails here, the call must not
            _tell_failure(operation, error)
            return None


def _tell_failure(operation: str, error: Exception) -> None:
    failed = CacheError(operation=operation, reason=type(error).__name__)
    failed.__cause__ = error
    publish(CacheFailed(pipeline="cache", strategy="cache", error=failed))
