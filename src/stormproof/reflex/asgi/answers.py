"""An application's answer on its way back: what the stages are to see of it, and what is sent."""

from collections.abc import Mapping
from typing import Final

from starlette.types import Message, Send

from stormproof.errors import ProtocolError, StormproofError
from stormproof.providers.sse import EventDecoder
from stormproof.reflex.admission import Admission
from stormproof.reflex.asgi.api import Api, Events
from stormproof.reflex.asgi.openai import usage_in
from stormproof.reflex.asgi.wire import document_in, encode
from stormproof.reflex.stage import Request

_ERROR: Final = 400
"""From this status on there is no answer."""


class Answer:
    """Takes what an application sends, and sends what its caller is to have.

    What is no answer of the API passes as it is: errors, pages, other events.

    Args:
        api: Which was asked.
        admission: The request's.
        send: Takes what is sent.
        most_bytes: Of an answer that is one document.

    Attributes:
        begun: Whether a status was sent, so that no other can be.
        failed: Whether the application says that there is no answer.
        error: Why the caller is not to have it.
    """

    def __init__(
        self, api: Api, admission: Admission[Request], send: Send, *, most_bytes: int
    ) -> None:
        self._api = api
        self._admission = admission
        self._send = send
        self._most_bytes = most_bytes
        self._start: Message | None = None
        self._body: list[bytes] = []
        self._size = 0
        self._decoder = EventDecoder()
        self._events: Events | None = None
        self.begun = self.failed = False
        self.error: StormproofError | None = None

    async def take(self, message: Message) -> None:
        """Take a message of the application.

        Raises:
            StormproofError: The caller is not to have the answer; what else is said of it, by
                whoever handles errors there, is not sent.
        """
        if self.error:
            return
        try:
            await self._take(message)
        except StormproofError as error:
            self.error = error
            raise

    async def _take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif message["type"] == "http.response.body" and self._start:
            await self._collect(message)
        elif message["type"] == "http.response.body" and self._events:
            received = self._decoder.feed(message.get("body", b""))
            said = [await self._events.read(event) for event in received]
            if not message.get("more_body", False):
                said.append(await self._events.end())
            await self._send({**message, "body": b"".join(said)})
        else:
            await self._send(message)

    async def fail(self, error: StormproofError) -> None:
        """End a stream that has begun with an error."""
        said = b"event: error\ndata: %b\n\n" % encode(self._api.failure(error))
        await self._send({"type": "http.response.body", "body": said, "more_body": False})

    async def _begin(self, message: Message) -> None:
        kind, self.failed = _kind(message), message["status"] >= _ERROR
        if kind == b"application/json":
            self._start = message  # its length is known when it is whole
            return
        if kind == b"text/event-stream":
            self._events = self._api.events(self._admission)
        self.begun = True
        await self._send(_headed(message, self._admission.headers()))

    async def _collect(self, message: Message) -> None:
        self._body.append(message.get("body", b""))
        self._size += len(self._body[-1])
        if self._size > self._most_bytes:
            raise ProtocolError(reason=f"the answer has more than {self._most_bytes} bytes")
        if message.get("more_body", False):
            return
        body, start = await self._whole(b"".join(self._body)), self._start or {}
        self._start, self.begun = None, True
        length = {b"content-length": b"%d" % len(body)}
        await self._send(_headed(start, length | self._admission.headers()))
        await self._send({**message, "body": body})

    async def _whole(self, body: bytes) -> bytes:
        document = document_in(body)
        if document is None:
            return body
        answer = self._api.completion(document)
        if answer is None:
            if usage := usage_in(document):
                self._admission.used(usage)
            return body
        changed = await self._admission.answered(answer)
        return body if changed is answer else encode(self._api.document(document, changed))


def _kind(message: Message) -> bytes:
    """Return what an answer is, if it is one that can be read."""
    headers = {name.lower(): value for name, value in message.get("headers", ())}
    readable = message["status"] < _ERROR and b"content-encoding" not in headers
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return kind if readable else b""


def _headed(message: Message, headers: Mapping[bytes, bytes]) -> Message:
    """Return the beginning of an answer with some headers in place of its own."""
    own = [pair for pair in message.get("headers", ()) if pair[0].lower() not in headers]
    return {**message, "headers": [*own, *headers.items()]}
