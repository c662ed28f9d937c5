"""Whether the client is still there."""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, Final, TypeVar

from fastapi import Response
from starlette.types import Receive, Scope

from stormproof.recovery.cut import Cut

T = TypeVar("T")

CLIENT_GONE: Final = 499
GONE: Final = "gone"
"""Where in the state of a request our own server puts a future, which is done once its client has
left: to hear of it so costs next to nothing, and a task for each request does not."""


def nobody_there() -> Response:
    """Return what closes the exchange with a client who has left."""
    return Response(status_code=CLIENT_GONE)


def unless_gone(
    scope: Scope, receive: Receive, work: Awaitable[T]
) -> Coroutine[Any, Any, T | None]:
    """Return what ``work`` returns, or None, having cancelled it, once the client is gone.

    The work is done in the task that asks, since another would cost more than the watching.

    Args:
        scope: The request's.
        receive: What tells of the client, where the server does not tell by `GONE`; the request's
            body has been taken from it.
        work: What is done for the client.
    """
    gone: asyncio.Future[None] | None = scope["state"].get(GONE)
    return _unless(gone, work) if gone else _watching(receive, work)


async def _watching(receive: Receive, work: Awaitable[T]) -> T | None:
    gone = asyncio.ensure_future(_leaving(receive))
    try:
        return await _unless(gone, work)
    finally:
        gone.cancel()


async def _unless(gone: asyncio.Future[None], work: Awaitable[T]) -> T | None:
    cut = Cut(asyncio.current_task())
    gone.add_done_callback(cut)
    try:
        return await work
    except asyncio.CancelledError:
        if cut.withdraw():
            return None
        raise
    finally:
        cut.withdraw()
        gone.remove_done_callback(cut)


async def _leaving(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
