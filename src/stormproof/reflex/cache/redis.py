"""Answers that processes and machines share through Redis; needs ``stormproof[redis]``."""

from asyncio import Semaphore
from typing import Final

try:
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
except ModuleNotFoundError as error:
    hint = "RedisAnswers needs the extra: pip install 'stormproof[redis]'"
    raise ModuleNotFoundError(hint, name=error.name) from error

from stormproof.errors import Problems
from stormproof.reflex.cache.closing import closing

_CONNECTIONS: Final = 32
"""With more, calls would only queue elsewhere."""


class RedisAnswers:
    """Keeps answers in Redis, each for its time; an `AnswerStore` for one event loop.

    How much room there is for them, and what goes first, is up to the server (``maxmemory``,
    ``maxmemory-policy``).

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``, as redis-py reads it. It is a secret, and
            appears nowhere.
        prefix: Begins every key; stores with different ones share nothing.
        timeout: Seconds that a call spends on Redis at most.

    Raises:
        ValidationErrors: The URL is none of a Redis server.
    """

    def __init__(self, url: str, *, prefix: str = "stormproof", timeout: float = 0.2) -> None:
        problems = Problems()
        problems.check(_is_url(url), "url", "must be that of a Redis server", "url")
        problems.raise_if_any("the cache is not valid")
        self._prefix: Final = f"{prefix}:answer:"
        self._turn: Final = Semaphore(_CONNECTIONS)
        self._client: Final = Redis.from_url(
            url,
            retry=Retry(NoBackoff(), 0),
            # Each call waits twice at most: for a connection and for the answer.
            socket_connect_timeout=timeout / 2,
            socket_timeout=timeout / 2,
            protocol=2,  # needs no greeting
        )
        self._closer: Final = closing(self._client.aclose)
        self._begun = False

    async def find(self, key: bytes) -> bytes | None:
        """Return what is kept under a key; see `AnswerStore`.

        Raises:
            RedisError: Redis does not answer.
        """
        await self._begin()
        async with self._turn:
            value = await self._client.get(self._prefix + key.hex())
        return value if isinstance(value, bytes) else None

    async def keep(self, key: bytes, value: bytes, seconds: float) -> None:
        """Keep a value; see `AnswerStore`.

        Raises:
            RedisError: Redis does not answer.
        """
        await self._begin()
        async with self._turn:
            milliseconds = max(round(seconds * 1000), 1)
            await self._client.set(self._prefix + key.hex(), value, px=milliseconds)

    async def aclose(self) -> None:
        """Close the connections; the loop does so when it ends."""
        await self._closer.aclose()

    async def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            await anext(self._closer)


def _is_url(url: str) -> bool:
    if not url.startswith(("redis://", "rediss://", "unix://")):
        return False
    try:
        Redis.from_url(url)
    except ValueError:  # which quotes parts of it
        return False
    return True
