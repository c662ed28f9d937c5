"""Answers as clients read them, in all forms that there are."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_ENDS: Final = (b"data: [DONE]", b"event: message_stop", b"event: response.completed")


@dataclass(slots=True)
class Answer:
    """What is in an answer, whole or put together."""

    text: str = ""
    calls: dict[int, str] = field(default_factory=dict)
    vector: tuple[float, ...] = ()
    usage: tuple[int, int] = (0, 0)
    reasons: list[str] = field(default_factory=list)
    ended: bool = False
    error: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, body: bytes, *, streamed: bool) -> "Answer":
        answer = cls()
        for document in _events(body) if streamed else [json.loads(body)]:
            answer._take(document)
        marked = any(end in body for end in _ENDS)
        answer.ended = marked if streamed else answer.error is None
        return answer

    def _take(self, document: Mapping[str, Any]) -> None:
        """Take an event, or the one document."""
        if "response" in document or isinstance(document.get("delta"), str):
            self._take_event(document)
            return
        self.error = document.get("error") or self.error
        for item in document.get("output", ()):
            self.text += "".join(part["text"] for part in item["content"])
        for entry in document.get("data", ()):
            self.vector = tuple(entry["embedding"])
        for choice in document.get("choices", ()):
            said = choice.get("delta") or choice.get("message") or {"content": choice.get("text")}
            self._say(said, choice["finish_reason"])
        for block in document.get("content", ()):
            self.text += block.get("text", "")
        self.text += document.get("delta", {}).get("text", "")
        reason = document.get("delta", document).get("stop_reason") or document.get("status")
        self.reasons += [reason] * bool(reason)
        self._count(document.get("message", document).get("usage") or {})

    def _take_event(self, event: Mapping[str, Any]) -> None:
        """Take an event of a response."""
        if event["type"] == "response.output_text.delta":
            self.text += event["delta"]
        response = event.get("response", {})
        if response.get("usage") or response.get("error"):
            self.error = response["error"]
            self.reasons.append(response["status"])
            self._count(response["usage"] or {})

    def _say(self, said: Mapping[str, Any], reason: str | None) -> None:
        self.text += said.get("content") or ""
        for call in said.get("tool_calls") or ():
            place = call.get("index", 0)
            self.calls[place] = self.calls.get(place, "") + call["function"]["arguments"]
        self.reasons += [reason] * bool(reason)

    def _count(self, usage: Mapping[str, int]) -> None:
        read, said = self.usage
        self.usage = (
            usage.get("prompt_tokens", usage.get("input_tokens", read)),
            usage.get("completion_tokens", usage.get("output_tokens", said)),
        )


def _events(body: bytes) -> Iterator[Mapping[str, Any]]:
    for line in body.splitlines():
        if line.startswith(b"data: {"):
            yield json.loads(line[6:])
