"""One connection to a scripted provider: it owns the socket, so it can break an answer anywhere."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import httptools

from stormproof.testing.provider import http_wire, openai_wire
from stormproof.testing.provider.asked import Api, Asked
from stormproof.testing.provider.steps import (
    TOKENS,
    Answer,
    Break,
    Broken,
    Page,
    Refusal,
    Reset,
    SlowHead,
    Step,
)
from stormproof.testing.provider.target import ScriptedTarget
from stormproof.testing.provider.voices import Dialect, dialect_of, streamed_answer, whole_answer

_PAUSE: Final = 0.02
"""Seconds between the last bytes and a reset, which overtakes bytes that nobody has read yet."""

_MISSING: Final = 64
"""Bytes of a whole answer that do not come when it breaks off."""

_NO_LINGERING: Final = struct.pack("ii", 1, 0)


class Connection(asyncio.Protocol):
    """Answers one request after another.

    Args:
        targets: Who is called, and what of him, by path.
        transports: Where it enters its own as long as it is open.
    """

    def __init__(
        self,
        targets: Mapping[bytes, tuple[ScriptedTarget, Api]],
        transports: set[asyncio.Transport],
    ) -> None:
        self._targets = targets
        self._transports = transports
        self._parser = httptools.HttpRequestParser(self)
        self._path = self._body = b""
        self._answering: ScriptedTarget | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the way back."""
        self._transport = cast("asyncio.Transport", transport)
        self._transports.add(self._transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Stop; whoever still waited for an answer has left."""
        del error
        self._transports.discard(self._transport)
        if self._timer:
            self._timer.cancel()
        if self._answering:
            self._answering.abandon()

    def data_received(self, data: bytes) -> None:
        """Read on."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def on_message_begin(self) -> None:
        """Begin with a request."""
        self._path = self._body = b""

    def on_url(self, url: bytes) -> None:
        """Read some of a path."""
        self._path += url

    def on_body(self, body: bytes) -> None:
        """Read some of a body."""
        self._body += body

    def on_message_complete(self) -> None:
        """Do what the script says."""
        found = self._targets.get(self._path)
        if found is None:
            self._transport.write(openai_wire.refusal(404, None))
            return
        self._answering, api = found
        self._asked, self._says = Asked(api, self._body), self._answering.says
        self._do(self._answering.take(self._asked))

    def _do(self, step: Step) -> None:
        match step:
            case Answer(delay=0):
                self._answer(step)
            case Answer():
                self._later(step.delay, self._answer, step)
            case Broken():
                self._break(step)
            case Refusal():
                self._finish(self._dialect.refusal(step.status, step.retry_after))
            case Page():
                self._finish(http_wire.page(step.body, step.content_type))
            case SlowHead():
                self._trickle(step.seconds)
            case Reset():
                self._reset()
        # which leaves a Hang, and what that does

    def _answer(self, step: Answer) -> None:
        if not self._asked.streamed:
            self._finish(self._whole(step.tokens))
            return
        stream = self._stream(step.tokens)
        if not step.pace:
            self._finish(stream.joined)
            return
        self._transport.write(http_wire.STREAM_HEAD)
        self._speak(stream, 0, step.pace)

    def _speak(self, stream: http_wire.Stream, place: int, pace: float) -> None:
        """Send a token, and the next one later."""
        if place == len(stream.tokens):
            self._finish(stream.end)
            return
        self._transport.write(stream.tokens[place])
        self._later(pace, self._speak, stream, place + 1, pace)

    def _trickle(self, seconds: float) -> None:
        """Send a head byte by byte."""
        answer = self._stream(TOKENS).joined if self._asked.streamed else self._whole(TOKENS)
        head, _, body = answer.partition(b"\r\n\r\n")
        self._drip(head, b"\r\n\r\n" + body, seconds / len(head))

    def _drip(self, head: bytes, rest: bytes, pace: float) -> None:
        if not head:
            self._finish(rest)
            return
        self._transport.write(head[:1])
        self._later(pace, self._drip, head[1:], rest, pace)

    def _break(self, step: Broken) -> None:
        if not self._asked.streamed:
            self._transport.write(self._whole(TOKENS)[:-_MISSING])
            self._leave(step.how)
            return
        stream = self._stream(TOKENS)
        self._transport.write(b"".join((http_wire.STREAM_HEAD, *stream.tokens[: step.tokens])))
        match step.how:
            case Break.CUT:
                self._transport.write(http_wire.HALF_EVENT)
                self._leave(step.how)
            case Break.END:
                self._finish(http_wire.BODY_END)
            case Break.ERROR:
                self._finish(self._dialect.error + http_wire.BODY_END)
            case Break.GARBAGE:
                rest = stream.tokens[step.tokens :]
                self._finish(b"".join((self._dialect.garbage, *rest, stream.end)))
            case Break.STALL:
                pass

    def _leave(self, how: Break) -> None:
        """Do not send what was promised."""
        if how is not Break.STALL:
            self._later(_PAUSE, self._reset if how is Break.CUT else self._close)

    def _reset(self) -> None:
        self._answering = None
        with contextlib.suppress(OSError):  # it may have been reset from over there
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
        self._transport.abort()

    def _close(self) -> None:
        self._answering = None
        self._transport.close()

    def _finish(self, last: bytes) -> None:
        self._answering = None
        self._transport.write(last)

    def _later(self, seconds: float, do: Callable[..., None], *arguments: Any) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, do, *arguments)

    @property
    def _dialect(self) -> Dialect:
        return dialect_of(self._asked.api)

    def _whole(self, tokens: int) -> bytes:
        return whole_answer(self._asked, self._says, tokens)

    def _stream(self, tokens: int) -> http_wire.Stream:
        return streamed_answer(self._asked, self._says, tokens)
