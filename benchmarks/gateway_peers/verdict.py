"""What a client got."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from gateway_peers.client import Exchange
from stormproof.testing.provider import text_of

ANSWER: Final = text_of(32)
DEGRADED: Final = "degraded answer"
"""One that says that it is not a model's."""


def verdict(exchange: Exchange, *, stream: bool) -> str:
    """Say what an answer is worth; nothing, if it is the right one."""
    if (b"x-stormproof-degraded", b"true") in exchange.headers:
        return DEGRADED
    if exchange.status not in {0, 200}:
        return f"error {exchange.status}"
    if stream and exchange.status:
        return _of_stream(exchange)
    return _of_answer(exchange)


def _of_answer(exchange: Exchange) -> str:
    if not exchange.complete:
        return "no end" if exchange.pieces else "nothing"
    try:
        text = json.loads(exchange.body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError):
        return "200, but no answer"
    return "" if text == ANSWER else "another answer"


@dataclass(slots=True)
class _Streamed:
    """A stream, up to what is wrong with it."""

    text: str = ""
    finish_reason: str | None = None
    is_done: bool = False
    fault: str = ""

    @property
    def kind(self) -> str:
        """Say what is wrong with it; nothing, if it is the answer."""
        if self.fault:
            return self.fault
        if not self.finish_reason or not self.is_done:
            return "silent end"
        if self.text == ANSWER:
            return ""
        return "false end" if ANSWER.startswith(self.text) else "garbled"


def _of_stream(exchange: Exchange) -> str:
    streamed = _read(exchange.body)
    kind = streamed.kind if streamed.fault or exchange.complete else "no end"
    return f"{kind} after {len(streamed.text.split())} tokens" if kind else ""


def _read(body: bytes) -> _Streamed:
    streamed = _Streamed()
    for data in _data(body):
        if data == b"[DONE]":
            streamed.is_done = True
            continue
        try:
            document: dict[str, Any] = json.loads(data)
        except ValueError:
            streamed.fault = "malformed event"
            return streamed
        if document.get("error"):
            streamed.fault = "error event"
            return streamed
        for choice in document.get("choices", ()):
            streamed.text += choice["delta"].get("content") or ""
            streamed.finish_reason = choice.get("finish_reason") or streamed.finish_reason
    return streamed


def _data(body: bytes) -> Iterator[bytes]:
    for line in body.splitlines():
        if line.startswith(b"data:"):
            yield line.removeprefix(b"data:").strip()
