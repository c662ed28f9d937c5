"""Whether the client is still there."""

import asyncio
from collections.abc import Awaitable
from typing import Any, Final, TypeVar, cast

from fastapi import Response
from starlette.types import Receive

T = TypeVar("T")

CLIENT_GONE: Final = 499


def nobody_there() -> Response:
    """Return what closes the exchange with a client who has left."""
    return Response(status_code=CLIENT_GONE)


async def unless_gone(receive: Receive, work: Awaitable[T]) -> T | None:
    """Return what ``work`` returns, or None, having cancelled it, once the client is gone.

    The work is done in the task that asks, since another would cost more than the watching. Who
    asked for its cancellation is told as ``asyncio.timeout`` does, by counting.

    Args:
        receive: What tells of the client; the request's body has been taken from it.
        work: What is done for the client.
    """
    worker = cast("asyncio.Task[Any]", asyncio.current_task())
    requests = worker.cancelling()
    watcher = asyncio.ensure_future(_cancel_once_gone(receive, worker))
    try:
        return await work
    except asyncio.CancelledError:
        if not watcher.done() or worker.cancelling() > requests + 1:
            raise
        return None
    finally:
        if not watcher.cancel():
            worker.uncancel()


async def _cancel_once_gone(receive: Receive, worker: asyncio.Task[Any]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    worker.cancel()
