"""The stages in front of any application."""

from collections.abc import Callable, Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stormproof.errors import (
    PayloadTooLarge,
    StormproofError,
    UnsupportedMediaType,
    http_headers,
)
from stormproof.providers import ChatRequest, Journey, TextRequest
from stormproof.providers.chat import Document
from stormproof.reflex.admission import Admission
from stormproof.reflex.asgi.answers import Answer
from stormproof.reflex.asgi.api import Api, Asked
from stormproof.reflex.asgi.apis import APIS, api_at
from stormproof.reflex.asgi.wire import encode
from stormproof.reflex.cache_use import CacheUse
from stormproof.reflex.caller import Caller
from stormproof.reflex.line import Reflex
from stormproof.reflex.stage import Request

_REPLACED: Final = frozenset({b"content-length", b"accept-encoding"})
"""Headers that the application gets otherwise: what it sends has to be read here."""


def caller_at(scope: Scope) -> Caller:
    """Return who asks, as far as an address tells."""
    client = scope.get("client")
    return Caller(address=client[0] if client else None)


class ReflexMiddleware:
    """Puts stages in front of an application that speaks OpenAI's APIs, or Anthropic's, and behind.

    Requests to one of them pass the stages; all others pass as they are. What the stages reject is
    answered with an error in the API's shape; answers are sent as the stages leave them, whole and
    in events.

    ```python
    app = FastAPI()
    app.add_middleware(ReflexMiddleware, reflex=Reflex([Step(stage, OnFailure.CLOSED)]))
    ```

    Args:
        app: The application.
        reflex: The stages.
        caller: Tells by a connection's scope who asks; by default his address is known.
        apis: Which APIs there are, by the ends of their paths. An application that has something
            else at such a path leaves that one out.
        max_body_bytes: Of a request.
        max_answer_bytes: Of an answer that is one document.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        reflex: Reflex,
        caller: Callable[[Scope], Caller] = caller_at,
        apis: Mapping[str, Api] = APIS,
        max_body_bytes: int = 4 << 20,
        max_answer_bytes: int = 16 << 20,
    ) -> None:
        self._app = app
        self._reflex = reflex
        self._caller = caller
        self._apis = apis
        self._max_body_bytes = max_body_bytes
        self._max_answer_bytes = max_answer_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        posted = scope["type"] == "http" and scope["method"] == "POST"
        api = api_at(scope["path"], self._apis) if posted else None
        if api is None:
            await self._app(scope, receive, send)
            return
        try:
            asked = api.asked(await self._body(scope, receive))
        except StormproofError as error:
            await _refuse(api, error, {}, send)
            return
        await self._serve(api, asked, scope, receive, send)

    async def _serve(
        self, api: Api, asked: Asked, scope: Scope, receive: Receive, send: Send
    ) -> None:
        caller = self._caller(scope).asking(asked.request.document)
        wanted = CacheUse.NONE
        if api.remembers:
            said = _headers(scope).get(b"cache-control", b"").decode("latin-1")
            wanted = CacheUse.asked_for(said)
        admission = self._reflex.admitted(asked.request, caller, Journey(), cache_use=wanted)
        answer = Answer(api, admission, send, most_bytes=self._max_answer_bytes)
        try:
            async with admission:
                if admission.answer:
                    await _answer(api, admission, send)
                else:
                    document = asked.changed(admission.request)
                    await self._ask(_Passed(document, scope, receive), answer)
        except _NoAnswerError:
            pass  # but the application's own
        except StormproofError as error:
            if answer.begun:
                await answer.fail(error)
            else:
                await _refuse(api, error, admission.headers(), send)

    async def _ask(self, asked: "_Passed", answer: Answer) -> None:
        try:
            await self._app(asked.scope, asked.receive, answer.take)
        except Exception:
            if not answer.error:
                raise
        if answer.error:  # whatever the application made of it
            raise answer.error
        if answer.failed:
            raise _NoAnswerError

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """Return a request's body.

        Raises:
            PayloadTooLarge: It is.
            UnsupportedMediaType: It is compressed.
        """
        coding = _headers(scope).get(b"content-encoding", b"identity").decode("latin-1")
        if coding.lower() != "identity":
            sent = f"content-encoding: {coding[:100]}"
            raise UnsupportedMediaType(media_type=sent, expected="the body uncompressed")
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > self._max_body_bytes:
                raise PayloadTooLarge(limit=self._max_body_bytes)
            if not message.get("more_body", False):
                return bytes(body)


class _NoAnswerError(Exception):
    """The application has said that there is none."""


class _Passed:
    """A request as the application gets it."""

    def __init__(self, document: Document, scope: Scope, receive: Receive) -> None:
        body = encode(document)
        kept = [pair for pair in scope["headers"] if pair[0].lower() not in _REPLACED]
        self.scope = {**scope, "headers": [*kept, (b"content-length", b"%d" % len(body))]}
        self._receive = receive
        self._body: bytes | None = body

    async def receive(self) -> Message:
        body, self._body = self._body, None
        if body is None:
            return await self._receive()
        return {"type": "http.request", "body": body, "more_body": False}


async def _answer(api: Api, admission: Admission[Request], send: Send) -> None:
    """Send what a stage has answered."""
    request, kept = admission.request, admission.answer
    if kept is None:
        return
    answer = await admission.answered(kept)
    if isinstance(request, ChatRequest | TextRequest) and request.streams:
        body, kind = api.own_events(answer, request.model), b"text/event-stream"
    else:
        body, kind = api.own(answer, request.model), b"application/json"
    await _send(200, kind, body, admission.headers(), send)


async def _refuse(
    api: Api, error: StormproofError, headers: Mapping[bytes, bytes], send: Send
) -> None:
    why = {name.encode(): value.encode() for name, value in http_headers(error).items()}
    body = encode(api.failure(error))
    await _send(error.http_status, b"application/json", body, {**headers, **why}, send)


async def _send(
    status: int, kind: bytes, body: bytes, headers: Mapping[bytes, bytes], send: Send
) -> None:
    length = b"%d" % len(body)
    said = [(b"content-type", kind), (b"content-length", length), *headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": said})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _headers(scope: Scope) -> Mapping[bytes, bytes]:
    return {name.lower(): value for name, value in scope["headers"]}
