"""What became of a request, as its client sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway_peers.client import Exchange
from gateway_soaking.answers import Answer
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
    answer = Answer.of(exchange.body, streamed="event-stream" in headers.get("content-type", ""))
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


def _wrong(question: Question, answer: Answer) -> str | None:
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
