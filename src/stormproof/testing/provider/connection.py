"""One connection to a scripted provider: it owns the socket, so it can break an answer anywhere."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import httptools

from stormproof.testing.provider import wire
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

_PAUSE: Final = 0.02
"""Seconds between the last bytes and a reset, which overtakes bytes that nobody has read yet."""

_MISSING: Final = 64
"""Bytes of a whole answer that do not come when it breaks off."""

_NO_LINGERING: Final = struct.pack("ii", 1, 0)


class Connection(asyncio.Protocol):
    """Answers one request after another.

    Args:
        targets: Who is called, by path.
        transports: Where it enters its own as long as it is open.
    """

    def __init__(
        self, targets: Mapping[bytes, ScriptedTarget], transports: set[asyncio.Transport]
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
        target = self._targets.get(self._path)
        if target is None:
            self._transport.write(wire.refusal(404, None))
            return
        self._answering = target
        self._do(target.take(self._body))

    def _do(self, step: Step) -> None:
        match step:
            case Answer(delay=0):
                self._answer(step)
            case Answer():
                self._later(step.delay, self._answer, step)
            case Broken():
                self._break(step)
            case Refusal():
                self._finish(wire.refusal(step.status, step.retry_after))
            case Page():
                self._finish(wire.page(step.body, step.content_type))
            case SlowHead():
                self._trickle(step.seconds)
            case Reset():
                self._reset()
        # which leaves a Hang, and what that does

    def _answer(self, step: Answer) -> None:
        if not wire.is_streamed(self._body):
            self._finish(wire.whole(self._rest(step.tokens)))
            return
        stream = self._stream(step.tokens)
        if not step.pace:
            self._finish(stream.joined)
            return
        self._transport.write(wire.STREAM_HEAD)
        self._speak(stream, 0, step.pace)

    def _speak(self, stream: wire.Stream, place: int, pace: float) -> None:
        """Send a token, and the next one later."""
        if place == len(stream.tokens):
            self._finish(stream.end)
            return
        self._transport.write(stream.tokens[place])
        self._later(pace, self._speak, stream, place + 1, pace)

    def _trickle(self, seconds: float) -> None:
        """Send a head byte by byte."""
        if wire.is_streamed(self._body):
            answer = self._stream(TOKENS).joined
        else:
            answer = wire.whole(self._rest(TOKENS))
        head, _, body = answer.partition(b"\r\n\r\n")
        self._drip(head, b"\r\n\r\n" + body, seconds / len(head))

    def _drip(self, head: bytes, rest: bytes, pace: float) -> None:
        if not head:
            self._finish(rest)
            return
        self._transport.write(head[:1])
        self._later(pace, self._drip, head[1:], rest, pace)

    def _break(self, step: Broken) -> None:
        if not wire.is_streamed(self._body):
            self._transport.write(wire.whole(self._rest(TOKENS))[:-_MISSING])
            self._leave(step.how)
            return
        stream = self._stream(TOKENS)
        self._transport.write(b"".join((wire.STREAM_HEAD, *stream.tokens[: step.tokens])))
        match step.how:
            case Break.CUT:
                self._transport.write(wire.HALF_EVENT)
                self._leave(step.how)
            case Break.END:
                self._finish(wire.BODY_END)
            case Break.ERROR:
                self._finish(wire.event(wire.ERROR_EVENT) + wire.BODY_END)
            case Break.GARBAGE:
                rest = stream.tokens[step.tokens :]
                self._finish(b"".join((wire.event(wire.GARBAGE), *rest, stream.end)))
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

    def _rest(self, tokens: int) -> str:
        return wire.rest_of(wire.text_of(tokens), self._body)

    def _stream(self, tokens: int) -> wire.Stream:
        return wire.stream(self._rest(tokens), counted=wire.is_counted(self._body))
