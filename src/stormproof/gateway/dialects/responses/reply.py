"""The answer to a request that came by OpenAI's Responses API."""

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from stormproof.errors import InternalError, ParsingError, StormproofError, to_wire
from stormproof.gateway.dialects.dialect import Dialect
from stormproof.gateway.dialects.reasoning import reasoning_in
from stormproof.gateway.dialects.responses.output import Call, Kind, Output
from stormproof.gateway.dialects.responses.request import chat_request, told_back
from stormproof.providers import Chunk, Completion, Usage
from stormproof.providers.chat import Document
from stormproof.providers.collector import Collector
from stormproof.providers.documents import decoded

_INCOMPLETE: Final = {"length": "max_output_tokens", "content_filter": "content_filter"}

_OF_PROMPT: Final = ("cached_tokens", "cache_write_tokens")

_encode: Final = msgspec.json.Encoder().encode


class ResponsesReply:
    """A ``response``, and its events; a `Reply`.

    Args:
        body: The request's.

    Raises:
        InvalidRequest: It is none.
    """

    def __init__(self, body: bytes) -> None:
        document = decoded(body)
        self.request: Final = chat_request(document)
        self._head: Document = {
            "id": f"resp_{secrets.token_hex(12)}",
            "object": "response",
            "created_at": int(time.time()),
            "model": self.request.model,
            **told_back(document),
        }
        self._output = Output()
        self._rest = Collector()

    def whole(self, answer: Completion, told: Document) -> bytes:
        """Return one document, made as that of a stream is."""
        choice = answer.choices[0]
        self._say(choice["message"])
        self._finish(choice)
        self._head["stormproof"] = told
        return _encode(self._ended(choice, answer.usage))

    def opening(self, first: Chunk, told: Document) -> bytes:
        """Return the events with which a response begins."""
        self._head["stormproof"] = told
        begun = self._response("in_progress")
        return b"".join(
            (
                self._output.event("response.created", response=begun),
                self._output.event("response.in_progress", response=begun),
                self.piece(first),
            )
        )

    def piece(self, chunk: Chunk) -> bytes:
        """Return what says some more; nothing where that is told at the end."""
        if chunk.finish_reason or "tool_calls" in chunk.delta:
            self._rest.add(chunk)
        return self._say(chunk.delta)

    def ending(self, usage: Usage, told: Document) -> bytes:
        """Return the calls, and the whole response."""
        self._head["stormproof"] = told
        rest = self._rest.completion()
        if rest is None:
            raise InternalError(reason="a stream ended without saying why")
        choice = rest.choices[0]
        events = self._finish(choice)
        response = self._ended(choice, usage)
        return events + self._output.event(f"response.{response['status']}", response=response)

    def failure(self, error: StormproofError) -> bytes:
        """Return what tells of it."""
        events = self._output.close("incomplete")
        response = self._response("failed", error=to_wire(error)["error"])
        return events + self._output.event("response.failed", response=response)

    def _say(self, said: Mapping[str, Any]) -> bytes:
        spoken = {
            Kind.REASONING: reasoning_in(said),
            Kind.TEXT: said.get("content"),
            Kind.REFUSAL: said.get("refusal"),
        }
        return b"".join([self._output.say(kind, text) for kind, text in spoken.items() if text])

    def _finish(self, choice: Document) -> bytes:
        """Return the calls, each as one item, and the end of the last item."""
        status = "incomplete" if choice["finish_reason"] in _INCOMPLETE else "completed"
        calls = _calls(choice["message"])
        if not calls:
            return self._output.close(status)
        events = [self._output.call(call, "completed") for call in calls[:-1]]
        return b"".join([*events, self._output.call(calls[-1], status)])

    def _ended(self, choice: Document, usage: Usage) -> Document:
        reason = _INCOMPLETE.get(choice["finish_reason"])
        if reason is None:
            return self._response("completed", usage=_tokens(usage))
        details = {"reason": reason}
        return self._response("incomplete", usage=_tokens(usage), incomplete_details=details)

    def _response(self, status: str, **more: object) -> Document:
        """Return the response as it is now."""
        nothing = {"error": None, "incomplete_details": None, "usage": None}
        return {**self._head, "status": status, "output": self._output.items, **nothing, **more}


def _calls(message: Document) -> Sequence[Call]:
    try:
        return msgspec.convert(message.get("tool_calls") or [], list[Call])
    except msgspec.ValidationError:
        raise ParsingError(reason="a tool call has no name, or arguments that are none") from None


def _tokens(usage: Usage) -> Document:
    of_prompt = {name: usage.prompt_detail(name) for name in _OF_PROMPT}
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": of_prompt,
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.completion_detail("reasoning_tokens")},
        "total_tokens": usage.total_tokens,
    }


RESPONSES: Final = Dialect("/v1/responses", lambda body, _: ResponsesReply(body))
