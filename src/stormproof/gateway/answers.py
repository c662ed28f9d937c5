"""Answers in OpenAI's shapes: whole, and chunk by chunk."""

import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, Protocol

from stormproof.engine import Output
from stormproof.gateway import sse
from stormproof.providers.local.speaking import TextLogprobs, TokenBytes, logprobs_of

Json = dict[str, Any]


class AnswerFormat(Protocol):
    """How one route writes its answers."""

    def whole(self, outputs: Sequence[Output], usage: Json) -> Json:
        """Return the body of an answer that is not streamed."""

    def opening(self, count: int) -> bytes:
        """Return what a stream of ``count`` choices starts with."""

    def piece(self, index: int, output: Output) -> bytes:
        """Return what a stream says for one piece of one choice."""

    def usage(self, usage: Json) -> bytes:
        """Return what a stream says at its end when token counts were asked for."""


class _Envelope(ABC):
    """What every object of one answer has in common."""

    prefix: ClassVar[str]
    whole_object: ClassVar[str]
    chunk_object: ClassVar[str]

    def __init__(self, model: str, token_bytes: TokenBytes, *, with_usage: bool) -> None:
        self._head = {
            "id": f"{self.prefix}-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": model,
        }
        self._token_bytes = token_bytes
        self._with_usage = with_usage
        self._text_events: dict[int, sse.TextEvent] = {}

    def piece(self, index: int, output: Output) -> bytes:
        """Return the events for one piece; half a character has nothing to say yet."""
        if not output.text or output.logprobs or output.finish_reason:
            return sse.data(*self._chunks(index, output))
        if index not in self._text_events:
            self._text_events[index] = sse.TextEvent(partial(self._text_chunk, index))
        return self._text_events[index](output.text)

    def usage(self, usage: Json) -> bytes:
        """Return the closing event that has no choices and counts tokens."""
        chunk = {"object": self.chunk_object, **self._head, "choices": [], "usage": usage}
        return sse.data(chunk)

    @abstractmethod
    def _chunks(self, index: int, output: Output) -> list[Json]: ...

    @abstractmethod
    def _text_chunk(self, index: int, text: str) -> Json: ...

    def _whole(self, choices: list[Json], usage: Json) -> Json:
        return {"object": self.whole_object, **self._head, "choices": choices, "usage": usage}

    def _chunk(self, choice: Json) -> Json:
        chunk = {"object": self.chunk_object, **self._head, "choices": [choice]}
        return {**chunk, "usage": None} if self._with_usage else chunk


class ChatFormat(_Envelope):
    """``chat.completion`` and ``chat.completion.chunk``."""

    prefix = "chatcmpl"
    whole_object = "chat.completion"
    chunk_object = "chat.completion.chunk"

    def whole(self, outputs: Sequence[Output], usage: Json) -> Json:
        """Return the body of an answer that is not streamed."""
        return self._whole([self._choice(*pair) for pair in enumerate(outputs)], usage)

    def opening(self, count: int) -> bytes:
        """Return the events that say who speaks."""
        first = {"role": "assistant", "content": ""}
        return sse.data(*(self._delta(index, first) for index in range(count)))

    def _choice(self, index: int, output: Output) -> Json:
        return {
            "index": index,
            "message": {"role": "assistant", "content": output.text, "refusal": None},
            "logprobs": self._logprobs(output),
            "finish_reason": output.finish_reason,
        }

    def _chunks(self, index: int, output: Output) -> list[Json]:
        """Make the chunk with the text, and the one that ends the choice."""
        found = []
        if output.text or output.logprobs:
            delta = self._text_chunk(index, output.text)
            delta["choices"][0]["logprobs"] = self._logprobs(output)
            found.append(delta)
        if output.finish_reason:
            found.append(self._delta(index, {}, output.finish_reason))
        return found

    def _text_chunk(self, index: int, text: str) -> Json:
        return self._delta(index, {"content": text})

    def _delta(self, index: int, delta: Json, finish_reason: str | None = None) -> Json:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return self._chunk(choice)

    def _logprobs(self, output: Output) -> Json | None:
        return logprobs_of(output.logprobs, self._token_bytes)


class TextFormat(_Envelope):
    """``text_completion``, whole and in chunks."""

    prefix = "cmpl"
    whole_object = "text_completion"
    chunk_object = "text_completion"

    def __init__(self, model: str, token_bytes: TokenBytes, *, with_usage: bool) -> None:
        super().__init__(model, token_bytes, with_usage=with_usage)
        self._logprobs = TextLogprobs(token_bytes)

    def whole(self, outputs: Sequence[Output], usage: Json) -> Json:
        """Return the body of an answer that is not streamed."""
        return self._whole([self._choice(*pair) for pair in enumerate(outputs)], usage)

    def opening(self, count: int) -> bytes:  # noqa: ARG002 - part of the protocol
        """Return nothing: the first event already has text."""
        return b""

    def _chunks(self, index: int, output: Output) -> list[Json]:
        silent = not (output.text or output.logprobs or output.finish_reason)
        return [] if silent else [self._chunk(self._choice(index, output))]

    def _text_chunk(self, index: int, text: str) -> Json:
        return self._chunk(_text_choice(index, text))

    def _choice(self, index: int, output: Output) -> Json:
        return {
            **_text_choice(index, output.text),
            "logprobs": self._logprobs.of(index, output),
            "finish_reason": output.finish_reason,
        }


def _text_choice(index: int, text: str) -> Json:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": None}
