"""Whether the client is still there."""

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from fastapi import Response
from starlette.types import Receive

T = TypeVar("T")

CLIENT_GONE: Final = 499


def nobody_there() -> Response:
    """Return what closes the exchange with a client who has left."""
    return Response(status_code=CLIENT_GONE)


async def unless_gone(receive: Receive, work: Awaitable[T]) -> T | None:
    """Return what ``work`` returns, or None, having cancelled it, once the client is gone.

    Args:
        receive: What tells of the client; the request's body has been taken from it.
        work: What is done for the client.
    """
    task = asyncio.ensure_future(work)
    watcher = asyncio.ensure_future(_disconnect(receive))
    try:
        await asyncio.wait({task, watcher}, return_when=asyncio.FIRST_COMPLETED)
        return await task if task.done() else None
    finally:
        watcher.cancel()
        task.cancel()
        await asyncio.gather(task, watcher, return_exceptions=True)


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
