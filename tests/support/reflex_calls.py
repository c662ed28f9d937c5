"""Calls on their way through stages, and what has become of them."""

from collections.abc import Sequence
from typing import Final

import msgspec

from stormproof.providers import ChatRequest, Journey, Usage
from stormproof.reflex import Call, Caller, Ending, Outcome, Stage

CALLER: Final = Caller("acme", "key", "ann", "192.0.2.1")


def call(caller: Caller = CALLER, *, tokens: int = 10, model: str = "m") -> Call:
    """Return a call that may take so many tokens, all of them in the answer."""
    messages = [{"role": "user", "content": "hi"}]
    document = {"model": model, "max_tokens": tokens, "messages": messages}
    return Call(ChatRequest(document), caller)


def answered(
    tokens: int | None = None,
    *,
    cost: float | None = None,
    rung: str = "r",
    error: BaseException | None = None,
) -> Ending:
    """Return the end of a call that was answered, with so many tokens counted so far."""
    usage = None if tokens is None else Usage(0, tokens)
    return Ending(Journey(asked=[rung], rung=rung, cost=cost), usage, error, private=False)


def failed(error: BaseException, *, asked: Sequence[str] = ("r",)) -> Ending:
    """Return the end of a call that was not answered."""
    return Ending(Journey(asked=list(asked)), None, error, private=False)


async def entered(stage: Stage, asked: Call) -> Outcome:
    """Return what a stage makes of a call, whether that is waited for or not."""
    outcome = stage.enter(asked)
    return outcome if isinstance(outcome, msgspec.Struct) else await outcome
