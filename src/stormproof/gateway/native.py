"""Routes of the models in this process, which know nothing of what requests may have to pass."""

from collections.abc import Callable
from typing import TypeAlias

from starlette.types import ASGIApp, Receive, Scope, Send

from stormproof.gateway.entrance import Entrance

FindEntrance: TypeAlias = Callable[[], Entrance | None]
"""Returns what requests pass now, if that is anything."""


class Native:
    """Those routes, as long as there is nothing to pass.

    Args:
        app: Has them.
        guarded: Answers in their place otherwise.
        entrance: Returns what requests pass now, if that is anything.
    """

    def __init__(self, app: ASGIApp, guarded: ASGIApp, entrance: FindEntrance) -> None:
        self._app = app
        self._guarded = guarded
        self._entrance = entrance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have a request answered."""
        await (self._guarded if self._entrance() else self._app)(scope, receive, send)
