"""Closing what belongs to an event loop when that ends."""

from collections.abc import AsyncGenerator, Awaitable, Callable


async def closing(close: Callable[[], Awaitable[object]]) -> AsyncGenerator[None, None]:
    """Close something when this generator is closed, at the latest when the loop shuts down.

    A loop tells nobody that it is about to end, except the async generators that have begun in it.
    """
    try:
        yield
    finally:
        await close()
