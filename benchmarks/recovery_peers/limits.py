"""limits: rate limits by key, here in memory; the call itself is not in its figures."""

from collections.abc import Iterator

import limits
import limits.aio.storage
import limits.storage

from recovery_peers.row import PLENTY, Row


def rows() -> Iterator[Row]:
    limit = limits.RateLimitItemPerSecond(PLENTY)
    fixed = limits.strategies.FixedWindowRateLimiter(limits.storage.MemoryStorage())
    yield Row("rate limit", "limits, fixed window", lambda: fixed.hit(limit, "k"))
    sliding = limits.strategies.SlidingWindowCounterRateLimiter(limits.storage.MemoryStorage())
    yield Row("rate limit", "limits, sliding window", lambda: sliding.hit(limit, "k"))
    afixed = limits.aio.strategies.FixedWindowRateLimiter(limits.aio.storage.MemoryStorage())

    async def hit() -> bool:
        return await afixed.hit(limit, "k")

    yield Row("rate limit", "limits, fixed window", hit, is_async=True)
