"""How the tokens of one request are chosen."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from stormproof.engine.sampling.grammar import Grammar
from stormproof.errors import FieldProblem, ValidationErrors

MAX_STOP_STRINGS: Final = 16
MAX_STOP_LENGTH: Final = 256
MAX_BIASED_TOKENS: Final = 1024
MAX_BIAS: Final = 100.0

_SEEDS: Final = 2**64


class _Range(NamedTuple):
    low: float
    high: float
    integer: bool = False


_RANGES: Final[Mapping[str, _Range]] = {
    "temperature": _Range(0, 100),
    "top_k": _Range(0, 2**31 - 1, integer=True),
    "top_p": _Range(0, 1),
    "min_p": _Range(0, 1),
    "presence_penalty": _Range(-2, 2),
    "frequency_penalty": _Range(-2, 2),
    "max_tokens": _Range(1, 2**31 - 1, integer=True),
    "seed": _Range(-(2**63), 2**64 - 1, integer=True),
    "logprobs": _Range(0, 20, integer=True),
    "begun": _Range(0, 2**31 - 1, integer=True),
}
_OPTIONAL: Final = frozenset({"seed", "logprobs"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingParams:
    """Every knob of one request.

    Attributes:
        temperature: Divides the logits; 0 always takes the most probable token.
        top_k: Choose among this many most probable tokens; 0 for all.
        top_p: Choose among the fewest most probable tokens that have this much probability.
        min_p: Choose among tokens at least this fraction as probable as the most probable one.
        presence_penalty: Taken off the logit of every token that was generated before.
        frequency_penalty: Taken off that logit for each time it was generated.
        logit_bias: Added to the logits of these tokens.
        seed: Makes the choices repeatable; None for fresh randomness.
        stop: Texts that end the answer, and are not part of it.
        max_tokens: How many tokens may be generated.
        ignore_eos: Whether to go on when the model says that it is done.
        logprobs: How many most probable alternatives to report for each token, beside the log
            probability of the token itself; None reports nothing.
        grammar: What the answer must match as a whole; None for anything. Once it does and cannot
            go on, it ends.
        begun: How many tokens at the end of the prompt are the beginning of the answer: what
            matches the grammar is both together, if they are a beginning of what does.

    Raises:
        ValidationErrors: Values are out of range; all of them are named.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    seed: int | None = None
    stop: tuple[str, ...] = ()
    max_tokens: int = 256
    ignore_eos: bool = False
    logprobs: int | None = None
    grammar: Grammar | None = None
    begun: int = 0

    def __post_init__(self) -> None:
        problems = [*_number_problems(self), *_stop_problems(self.stop), *_bias_problems(self)]
        if problems:
            raise ValidationErrors(errors=problems)

    @property
    def penalises(self) -> bool:
        """Whether the choice depends on the tokens generated before."""
        return bool(self.presence_penalty or self.frequency_penalty)

    def copies(self, n: int) -> "list[SamplingParams]":
        """Return how to make each of several answers to one prompt.

        With a seed they differ from each other as well, and are repeatable: each has the next seed.

        Raises:
            ValidationErrors: ``n`` is not positive.
        """
        if n < 1:
            problem = FieldProblem(field="n", message="must be at least 1", type="out_of_range")
            raise ValidationErrors(errors=[problem])
        if self.seed is None:
            return [self] * n
        return [replace(self, seed=(self.seed + copy) % _SEEDS) for copy in range(n)]


def _number_problems(params: SamplingParams) -> Iterator[FieldProblem]:
    for name, allowed in _RANGES.items():
        value = getattr(params, name)
        if value is None and name in _OPTIONAL:
            continue
        if isinstance(value, bool) or not isinstance(
            value, int if allowed.integer else int | float
        ):
            noun = "an integer" if allowed.integer else "a number"
            yield FieldProblem(field=name, message=f"must be {noun}", type="wrong_type")
        elif not allowed.low <= value <= allowed.high:  # true of NaN as well
            message = f"must be from {allowed.low} to {allowed.high}"
            yield FieldProblem(field=name, message=message, type="out_of_range")


def _stop_problems(stop: object) -> Iterator[FieldProblem]:
    if not isinstance(stop, tuple):
        yield FieldProblem(field="stop", message="must be a tuple of texts", type="wrong_type")
        return
    if len(stop) > MAX_STOP_STRINGS:
        message = f"must have at most {MAX_STOP_STRINGS} texts"
        yield FieldProblem(field="stop", message=message, type="too_long")
    for index, text in enumerate(stop[:MAX_STOP_STRINGS]):
        if not isinstance(text, str) or not 1 <= len(text) <= MAX_STOP_LENGTH:
            message = f"must be a text of 1 to {MAX_STOP_LENGTH} characters"
            yield FieldProblem(field=f"stop.{index}", message=message, type="out_of_range")


def _bias_problems(params: SamplingParams) -> Iterator[FieldProblem]:
    if len(params.logit_bias) > MAX_BIASED_TOKENS:
        message = f"must name at most {MAX_BIASED_TOKENS} tokens"
        yield FieldProblem(field="logit_bias", message=message, type="too_long")
        return
    for token, bias in params.logit_bias.items():
        if not -MAX_BIAS <= bias <= MAX_BIAS:
            message = f"must be from {-MAX_BIAS:g} to {MAX_BIAS:g}"
            yield FieldProblem(field=f"logit_bias.{token}", message=message, type="out_of_range")
