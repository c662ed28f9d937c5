"""A store that may fail, and that others may write to."""

from collections.abc import Awaitable, Callable
from hmac import compare_digest
from typing import Final, TypeVar

from stormproof.errors import CacheError, CircuitOpen
from stormproof.recovery import CircuitBreaker, ConsecutiveFailures, Pipeline, publish
from stormproof.reflex.cache.events import CacheFailed
from stormproof.reflex.cache.fingerprint import Fingerprint
from stormproof.reflex.cache.store import AnswerStore

T = TypeVar("T")

_REST: Final = 1.0
"""Seconds for which a store that failed is left alone."""

_SEAL: Final = 32
"""Bytes in front of a kept answer."""


class GuardedAnswers:
    """A store of which no failure is noticed: it has nothing then. An `AnswerStore`.

    What is kept is sealed: what somebody else has written into the store, or what was damaged
    there, is not found.

    Args:
        store: Where answers lie.
        fingerprint: Seals them.
    """

    def __init__(self, store: AnswerStore, fingerprint: Fingerprint) -> None:
        self._store = store
        self._fingerprint = fingerprint
        self._breaker = CircuitBreaker("cache", opens_on=ConsecutiveFailures(1), open_for=_REST)
        guarded = Pipeline(self._breaker, name="cache")
        self._find = guarded(store.find)
        self._keep = guarded(store.keep)

    async def find(self, key: bytes) -> bytes | None:
        """Return what was kept under a key; see `AnswerStore`."""
        sealed = await self._asking("look-up", self._find, key)
        if sealed is None:
            return None
        seal, value = sealed[:_SEAL], sealed[_SEAL:]
        if compare_digest(seal, self._fingerprint.seal(key, value)):
            return value
        _tell_failure("look-up", ValueError("the answer is damaged"))
        return None

    async def keep(self, key: bytes, value: bytes, seconds: float) -> None:
        """Keep a value; see `AnswerStore`."""
        sealed = self._fingerprint.seal(key, value) + value
        await self._asking("write", self._keep, key, sealed, seconds)

    async def aclose(self) -> None:
        """Close the store."""
        await self._store.aclose()

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
