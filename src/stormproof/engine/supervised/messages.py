"""What the server and its engine's process say to each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from stormproof.engine.answers.output import Output
from stormproof.engine.checkpoints.architecture import ModelConfig
from stormproof.engine.sampling.draw import TokenLogprobs
from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.scheduling.request_limits import RequestLimits
from stormproof.engine.scheduling.sequence import FinishReason
from stormproof.engine.scheduling.urgency import USUAL, Urgency
from stormproof.engine.settings import EngineConfig
from stormproof.engine.stats import EngineStats
from stormproof.engine.tokens.tokenizer import Tokenizer
from stormproof.errors import StormproofError


@dataclass(frozen=True, slots=True)
class Start:
    """To the process, first of all: what to load.

    Attributes:
        config: The settings.
        factory: What makes the core of them, as ``module:function``.
        memory: Where processes share weights: a descriptor.
        introduce: Whether the server has yet to learn what the model is.
    """

    config: EngineConfig
    factory: str
    memory: int | None = None
    introduce: bool = False


@dataclass(frozen=True, slots=True)
class Add:
    """To the process: answer this.

    Attributes:
        number: What the server calls the request.
        prompt: Token ids.
        params: How to answer; with a seed.
        urgency: How soon.
        generated: What an earlier process has answered already.
        alone_until: How many of its tokens are read in steps of their own.
        alone_from: How many of those are read apart from the suspected ones.
        admitted: Whether it was accepted before, so that no queue is too full for it.
    """

    number: int
    prompt: Sequence[int]
    params: SamplingParams
    urgency: Urgency = USUAL
    generated: Sequence[int] = ()
    alone_until: int = 0
    alone_from: int = 0
    admitted: bool = False


@dataclass(frozen=True, slots=True)
class Abort:
    """To the process: nobody waits for this any more."""

    number: int


@dataclass(frozen=True, slots=True)
class Loading:
    """From the process: which fraction of the model is loaded."""

    fraction: float


@dataclass(frozen=True, slots=True)
class Introduction:
    """From the process: what it has loaded."""

    model: ModelConfig
    tokenizer: Tokenizer
    limits: RequestLimits


@dataclass(frozen=True, slots=True)
class Ready:
    """From the process: it waits for requests."""

    stats: EngineStats


@dataclass(frozen=True, slots=True)
class Refused:
    """From the process, last of all: it cannot start."""

    error: StormproofError


Piece: TypeAlias = tuple[
    int,
    str,
    tuple[int, ...],
    tuple[TokenLogprobs, ...],
    FinishReason | None,
    int,
    int,
    StormproofError | None,
]
"""A request's number, and the fields of an `Output`: plain, for there are many in every step."""


@dataclass(frozen=True, slots=True)
class Stepped:
    """From the process: what some steps led to."""

    pieces: list[Piece]
    stats: EngineStats


def is_urgent(piece: Piece) -> bool:
    """Whether somebody waits for the beginning or the end of an answer."""
    _, _, token_ids, _, finish_reason, _, completion_tokens, _ = piece
    return finish_reason is not None or len(token_ids) == completion_tokens


def packed(number: int, output: Output) -> Piece:
    """Return an output as it travels."""
    return (
        number,
        output.text,
        output.token_ids,
        output.logprobs,
        output.finish_reason,
        output.prompt_tokens,
        output.completion_tokens,
        output.error,
    )


def unpacked(piece: Piece) -> tuple[int, Output]:
    """Return a request's number and its output."""
    number, text, token_ids, logprobs, finish_reason, prompt_tokens, completion_tokens, error = (
        piece
    )
    return number, Output(
        text=text,
        token_ids=token_ids,
        logprobs=logprobs,
        finish_reason=finish_reason,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        error=error,
    )
