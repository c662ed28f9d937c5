"""aiolimiter: a leaky bucket for asyncio."""

from collections.abc import Iterator

from aiolimiter import AsyncLimiter

from recovery_peers.row import PLENTY, Row, aok


def rows() -> Iterator[Row]:
    limiter = AsyncLimiter(PLENTY, 1)

    async def limited() -> int:
        async with limiter:
            return await aok()

    yield Row("rate limit", "aiolimiter", limited, is_async=True)
