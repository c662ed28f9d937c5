"""What became of a request, as its client sees it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from gateway_peers.client import Exchange
from gateway_soaking.questions import Kind, Question

NOBODY: Final = "Nobody can answer now."
_PROMPT_TOKENS: Final = 20
_GOOD: Final = 200


class Outcome(StrEnum):
    """How a request ended."""

    ANSWERED = "answered, every word"
    DEGRADED = "answered by the last resort, and labelled"
    REFUSED = "a typed error"
    BROKEN = "a stream that ended with a typed error"
    LEFT = "its client left"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Heard:
    """What a client had.

    Attributes:
        outcome: How it ended.
        detail: The error's code, or what was wrong.
        attempts: How many were asked when the answer began, if it tells.
    """

    outcome: Outcome
    detail: str = ""
    attempts: int | None = None


def heard(question: Question, exchange: Exchange, *, leaves: bool) -> Heard:
    """Judge what came back.

    Args:
        question: What was asked.
        exchange: That.
        leaves: Whether the client did not want to wait for the end.
    """
    if not exchange.complete:
        cut = f"{question.kind}: cut off after {len(exchange.body)} bytes"
        return Heard(Outcome.LEFT) if leaves else Heard(Outcome.WRONG, cut)
    headers = {name.decode(): value.decode("latin-1") for name, value in exchange.headers}
    outcome, detail = _judged(question, exchange, headers)
    if outcome is Outcome.WRONG:
        detail = f"{question.kind}: {detail}"
    attempts = headers.get("x-stormproof-attempts")
    return Heard(outcome, detail, int(attempts) if attempts else None)


def _judged(
    question: Question, exchange: Exchange, headers: Mapping[str, str]
) -> tuple[Outcome, str]:
    """Return how an exchange ended that came to its end, and what is to be said of that."""
    if headers.get("x-request-id") != question.id:
        return Outcome.WRONG, "somebody else's answer"
    answer = _Answer.of(exchange.body, streamed="event-stream" in headers.get("content-type", ""))
    if answer.error is not None:
        if answer.ended or not {"code", "retriable"} <= answer.error.keys():
            return Outcome.WRONG, "an error that is not typed, or no end"
        ended = Outcome.BROKEN if exchange.status == _GOOD else Outcome.REFUSED
        return ended, str(answer.error["code"])
    if headers.get("x-stormproof-degraded") == "true":
        fine = answer.text == NOBODY
        return (Outcome.DEGRADED, "") if fine else (Outcome.WRONG, "another last resort")
    wrong = _wrong(question, answer)
    return (Outcome.WRONG, wrong) if wrong else (Outcome.ANSWERED, "")


@dataclass(slots=True)
class _Answer:
    """What is in an answer, whole or put together."""

    text: str = ""
    calls: dict[int, str] = field(default_factory=dict)
    vector: tuple[float, ...] = ()
    usage: tuple[int, int] = (0, 0)
    reasons: list[str] = field(default_factory=list)
    ended: bool = False
    error: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, body: bytes, *, streamed: bool) -> "_Answer":
        answer = cls()
        for document in _events(body) if streamed else [json.loads(body)]:
            answer._take(document)
        marked = b"data: [DONE]" in body or b"message_stop" in body
        answer.ended = marked if streamed else answer.error is None
        return answer

    def _take(self, document: Mapping[str, Any]) -> None:
        """Take an event, or the one document."""
        self.error = document.get("error") or self.error
        for entry in document.get("data", ()):
            self.vector = tuple(entry["embedding"])
        for choice in document.get("choices", ()):
            said = choice.get("delta") or choice.get("message") or {"content": choice.get("text")}
            self._say(said, choice["finish_reason"])
        for block in document.get("content", ()):
            self.text += block.get("text", "")
        self.text += document.get("delta", {}).get("text", "")
        reason = document.get("delta", document).get("stop_reason")
        self.reasons += [reason] * bool(reason)
        self._count(document.get("message", document).get("usage") or {})

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


def _wrong(question: Question, answer: _Answer) -> str | None:
    """Say what is wrong with an answer that is said to be good."""
    if question.kind is Kind.EMBEDDED:
        return None if answer.vector == question.vector else "another vector"
    reply = question.reply
    told = [answer.calls[place] for place in sorted(answer.calls)]
    if answer.text != reply.text:
        return f"{answer.text!r} is not what was said"
    if told != [call.arguments for call in reply.calls]:
        return "other calls of tools"
    if len(answer.reasons) != 1 or not answer.ended:
        return f"ended by {answer.reasons}"
    counted = answer.usage == (_PROMPT_TOKENS, reply.tokens)
    return None if counted else f"{answer.usage} is not how many tokens there were"


def _events(body: bytes) -> Iterator[Mapping[str, Any]]:
    for line in body.splitlines():
        if line.startswith(b"data: {"):
            yield json.loads(line[6:])
