"""Conversations answered by ladders: most requests come for that, so it is plain ASGI."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from stormproof.errors import InvalidRequest
from stormproof.gateway.bodies import again, read_body
from stormproof.gateway.dialects.dialect import Dialect
from stormproof.gateway.entrance import GuardedLadder
from stormproof.gateway.exchange import Exchange
from stormproof.gateway.headers import Headers, headers_of, in_time
from stormproof.gateway.keys import Opened
from stormproof.gateway.lifecycle import Lifecycle
from stormproof.gateway.model_routes import check_served
from stormproof.gateway.native import FindEntrance
from stormproof.gateway.presence import unless_gone
from stormproof.providers import Ladder, StreamPolicy
from stormproof.reflex.keys import KeyScope

_POLICY: Final = b"x-stormproof-stream"


class ChatEndpoint:
    """Answers conversations that come in one dialect.

    Args:
        dialect: How they are told, and the answers.
        ladders: Who answers, by the name of the model.
        lifecycle: Told of calls under way.
        entrance: Returns what requests pass now, if that is anything.
        opened: Tells which models a caller may ask.
        others: What answers for other models.

    Attributes:
        path: Where; what metrics call it.
        ladders: Who answers.
    """

    def __init__(
        self,
        dialect: Dialect,
        ladders: Mapping[str, Ladder],
        lifecycle: Lifecycle,
        *,
        entrance: FindEntrance,
        opened: Opened,
        others: Mapping[str, ASGIApp] = MappingProxyType({}),
    ) -> None:
        self.path: Final = dialect.path
        self._reply = dialect.reply
        self._restarts = dialect.restarts
        self.ladders: Final = ladders
        self._others = others
        self._lifecycle = lifecycle
        self._entrance = entrance
        self._opened = opened

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, for as long as its client is there.

        Raises:
            StormproofError: There is no answer, and nothing was sent.
        """
        body = await read_body(receive)
        try:
            reply = self._reply(body, scope)
        except RecursionError:
            raise InvalidRequest(reason="the body is nested too deeply") from None
        request = reply.request
        ladder = self.ladders.get(request.model)
        if ladder is None:
            served = (*self._others, *self.ladders)
            caller = scope["state"]["caller"]
            check_served(request.model, served, self._opened, caller, KeyScope.CHAT)
            await self._others[request.model](scope, again(body, receive), send)
            return
        scope["route"] = self
        entrance = self._entrance()
        answering = GuardedLadder(ladder, entrance, scope) if entrance else ladder
        headers = headers_of(scope)
        policy = _policy(headers, restarts=self._restarts)
        exchange = Exchange(scope, send, reply, answering, policy=policy)
        answer = exchange.stream if request.streams else exchange.whole
        try:
            with self._lifecycle.calling():
                await unless_gone(scope, receive, in_time(headers, answer))
        except Exception as error:  # noqa: BLE001 - a stream that has begun must say how it ends
            await exchange.fail(error)


def _policy(headers: Headers, *, restarts: bool) -> StreamPolicy | None:
    """Return what the client wants of a stream that breaks off; None if that is up to the model.

    Args:
        headers: The request's.
        restarts: Whether it can be told that a stream begins again.

    Raises:
        InvalidRequest: It wants something that there is not.
    """
    if _POLICY not in headers:
        return None
    wanted = headers[_POLICY].decode("latin-1")
    known = [one for one in StreamPolicy if restarts or one is not StreamPolicy.RESTART]
    if wanted not in known:
        reason = f"{_POLICY.decode()} must be one of these: {', '.join(known)}"
        raise InvalidRequest(reason=reason, param=_POLICY.decode())
    return StreamPolicy(wanted)
