"""Whether the client is still there."""

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from fastapi import Request, Response

T = TypeVar("T")

CLIENT_GONE: Final = 499


def nobody_there() -> Response:
    """Return what closes the exchange with a client who has left."""
    return Response(status_code=CLIENT_GONE)


async def unless_gone(request: Request, work: Awaitable[T]) -> T | None:
    """Return what ``work`` returns, or None, having cancelled it, once the client is gone."""
    task = asyncio.ensure_future(work)
    watcher = asyncio.ensure_future(_disconnect(request))
    try:
        await asyncio.wait({task, watcher}, return_when=asyncio.FIRST_COMPLETED)
        return await task if task.done() else None
    finally:
        watcher.cancel()
        task.cancel()
        await asyncio.gather(task, watcher, return_exceptions=True)


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
