"""What is there at once, or is waited for."""

from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def awaited(value: Awaitable[T] | T) -> T:
    """Return a value, once it is there."""
    return await value if isinstance(value, Awaitable) else value
